"""The table of ``docs/guarantees.md``."""

from tests.chaos.report import BEGIN, DOCUMENT, END, Row, table, write


def test_the_table_is_written_between_its_marks(tmp_path):
    document = tmp_path / "guarantees.md"
    document.write_text(f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    write(table([Row("sweep: submit", 1234, 0, 1, extra="+2.5 per point")]), document)
    lines = document.read_text().splitlines()
    assert [lines[0], lines[2], lines[6], lines[8]] == ["before", BEGIN, END, "after"]
    assert lines[5] == "| sweep: submit | 1,234 | 0 | 1 | 0 | +2.5 per point |"


def test_the_document_has_a_place_for_it():
    text = DOCUMENT.read_text()
    assert text.index(BEGIN) < text.index(END)
