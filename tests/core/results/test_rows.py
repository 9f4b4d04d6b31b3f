"""Datapoints that are kept apart from what is asked about them."""

import json

import numpy
import pandas
import pytest

from rapidata_core import (
    ClassificationJob,
    CompareJob,
    RankingJob,
    SelectWordsJob,
    errors,
    job_about,
)

COMPARE = {"type": "compare", "name": "n", "instruction": "Which?", "data_type": "text"}
PAIRS = [["Hi!", "What?"], ["Bye!", "Go."]]
TABLE = pandas.DataFrame({"one": ["Hi!", "Bye!"], "other": ["What?", "Go."], "prompt": ["a", "b"]})
SPEC = CompareJob(**COMPARE, datapoints=PAIRS)


@pytest.mark.parametrize(
    "description",
    [
        COMPARE,
        json.dumps(COMPARE),
        "type: compare\nname: n\ninstruction: Which?\ndata_type: text\n",
        {**COMPARE, "datapoints": [["x", "y"]]},
        CompareJob(**COMPARE, datapoints=[["x", "y"]], private_metadata=[{"row": "1"}]),
    ],
    ids=["mapping", "JSON", "YAML", "with others", "spec"],
)
def test_what_is_asked_about_a_list_or_a_table(description):
    assert job_about(description, PAIRS) == SPEC
    assert job_about(description, tuple(PAIRS)) == SPEC
    assert job_about(description, TABLE, ["one", "other"]) == SPEC
    assert job_about(description, TABLE.to_dict("records"), {"datapoints": ["one", "other"]}) == (
        SPEC
    )


def test_a_description_is_left_as_it_is():
    description = {**COMPARE, "datapoints": [["x", "y"]]}
    job_about(description, PAIRS)
    job_about(description, TABLE, ["one", "other"])
    assert description == {**COMPARE, "datapoints": [["x", "y"]]}


def test_columns_that_are_called_as_the_fields():
    table = pandas.DataFrame({"datapoints": PAIRS, "contexts": ["a", "b"], "sentences": ["x", "y"]})
    assert job_about(COMPARE, table) == CompareJob(**COMPARE, datapoints=PAIRS, contexts=["a", "b"])
    rows = [{"datapoints": pair} for pair in PAIRS]
    assert job_about(COMPARE, rows) == SPEC


ASKED = {"name": "n", "instruction": "What?"}


@pytest.mark.parametrize(
    ("description", "columns", "expected"),
    [
        (
            {"type": "classification", **ASKED, "answer_options": ["x", "y"]},
            "image",
            ClassificationJob(datapoints=["a.jpg", "b.jpg"], answer_options=["x", "y"], **ASKED),
        ),
        (
            {"type": "classification", **ASKED},
            {"datapoints": "image", "answer_options": "options"},
            ClassificationJob(
                datapoints=["a.jpg", "b.jpg"], answer_options=[["x", "y"], ["z", "w"]], **ASKED
            ),
        ),
        (
            {"type": "select_words", **ASKED},
            {"datapoints": "image", "sentences": "text"},
            SelectWordsJob(
                datapoints=["a.jpg", "b.jpg"], sentences=["two words", "three of them"], **ASKED
            ),
        ),
        (
            {"type": "ranking", **ASKED, "comparison_budget_per_ranking": 5, "data_type": "text"},
            {"datapoints": "options", "contexts": "text"},
            RankingJob(
                datapoints=[["x", "y"], ["z", "w"]],
                contexts=["two words", "three of them"],
                comparison_budget_per_ranking=5,
                data_type="text",
                **ASKED,
            ),
        ),
    ],
    ids=["options for all", "options of each", "select words", "ranking"],
)
def test_types_with_more_columns(description, columns, expected):
    table = pandas.DataFrame(
        {
            "image": ["a.jpg", "b.jpg"],
            "options": [["x", "y"], ["z", "w"]],
            "text": ["two words", "three of them"],
        }
    )
    assert job_about(description, table, columns) == expected


def test_files(tmp_path):
    TABLE.to_parquet(tmp_path / "rows.parquet")
    TABLE.to_csv(tmp_path / "rows.csv", index=False)
    TABLE.to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    TABLE.to_json(tmp_path / "rows.NDJSON", orient="records", lines=True)
    TABLE.to_json(tmp_path / "rows.json", orient="records")
    (tmp_path / "folder").mkdir()
    for place in range(2):
        TABLE.iloc[[place]].to_parquet(tmp_path / "folder" / f"{place}.parquet")
    paths = sorted(tmp_path.iterdir())
    assert len(paths) == 6
    for path in paths:
        assert job_about(COMPARE, path, ["one", "other"]) == SPEC
        assert job_about(COMPARE, str(path), ["one", "other"]) == SPEC
    (tmp_path / "pairs.json").write_text(json.dumps(PAIRS))
    (tmp_path / "pairs.jsonl").write_text("\n\n".join(map(json.dumps, PAIRS)) + "\n")
    assert job_about(COMPARE, tmp_path / "pairs.json") == SPEC
    assert job_about(COMPARE, tmp_path / "pairs.jsonl") == SPEC


def test_cells_of_a_csv_file_are_texts(tmp_path):
    (tmp_path / "rows.csv").write_text("one,other\n1,NA\n007,null\n")
    spec = job_about(COMPARE, tmp_path / "rows.csv", ["one", "other"])
    assert spec.datapoints == [["1", "NA"], ["007", "null"]]
    (tmp_path / "rows.csv").write_text("one,other\n1,\n")
    with pytest.raises(errors.ValidationError, match="column 'other', row 0: is null"):
        job_about(COMPARE, tmp_path / "rows.csv", ["one", "other"])


@pytest.mark.parametrize(
    ("description", "datapoints", "columns", "problem"),
    [
        (COMPARE, TABLE.iloc[:0], ["one", "other"], "datapoints is not valid.*has no rows"),
        (COMPARE, [], None, "datapoints: List should have at least 1 item"),
        (COMPARE, TABLE, None, "say which column has the datapoints; there are 'one', 'other'"),
        (COMPARE, TABLE, ["one", "two"], "columns is not valid.*there is no column 'two'"),
        (COMPARE, TABLE, {"contexts": "one"}, "columns is not valid.*datapoints: the question"),
        (COMPARE, TABLE, {"datapoints": ["one", "other"], "x": "one"}, "'x': of a compare job"),
        (COMPARE, PAIRS, ["one", "other"], "columns: only tables have columns"),
        (
            {**COMPARE, "contexts": ["a", "b"]},
            TABLE,
            ["one", "other"],
            "contexts: the description has them for each datapoint; name their column",
        ),
        (
            {**COMPARE, "datapoints": [["x", "y"]], "contexts": ["a"]},
            [["Hi!", "What?"]],
            None,
            "its contexts belong to its own datapoints; leave both out",
        ),
        ({**COMPARE, "contexts": ["a"]}, PAIRS, None, "has 1 entries for 2 datapoints"),
        ({**COMPARE, "instruction": ""}, TABLE, ["one", "other"], "instruction"),
        ({**COMPARE, "answer_options": 5}, TABLE, ["one", "other"], "answer_options"),
        ({"type": "sudoku"}, TABLE, None, "type: must be one of|say which column"),
        ({"type": "sudoku"}, PAIRS, None, "type: must be one of"),
        (COMPARE, numpy.array(["a"]), None, "must be a list, a pandas DataFrame or a path, not nd"),
        (COMPARE, 5, None, "must be a list, a pandas DataFrame or a path, not int"),
        (COMPARE, "https://x/a.jpg", None, "known endings are .parquet, .csv, .jsonl, .ndjson"),
        (COMPARE, "no/such/file.parquet", None, "no/such/file.parquet cannot be read: FileNotFou"),
        (COMPARE, "no/such/folder", None, "known endings"),
        ("", PAIRS, None, "must be a mapping"),
        (5, PAIRS, None, "must be a mapping, not int"),
    ],
)
def test_what_cannot_be_asked(description, datapoints, columns, problem):
    with pytest.raises(errors.ValidationError, match=rf"(?s){problem}"):
        job_about(description, datapoints, columns)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("rows.json", '{"a": 1}', "must have a list of datapoints or of rows, not dict"),
        ("rows.json", "{", "cannot be read: JSONDecodeError"),
        ("rows.jsonl", '{"a": 1}\n{', "cannot be read: JSONDecodeError"),
        ("rows.parquet", "PAR0", "cannot be read: ArrowInvalid"),
        ("rows.csv", "", "cannot be read: EmptyDataError"),
    ],
)
def test_damaged_files(tmp_path, name, content, problem):
    (tmp_path / name).write_text(content)
    with pytest.raises(errors.ValidationError, match=problem):
        job_about(COMPARE, tmp_path / name, ["one", "other"])


def test_what_signs_a_url_is_not_told():
    with pytest.raises(errors.ValidationError) as caught:
        job_about(COMPARE, "nothing://bucket/rows.csv?signature=secret", ["one", "other"])
    assert "nothing://bucket/rows.csv cannot be read" in str(caught.value)
    assert "secret" not in str(caught.value)
