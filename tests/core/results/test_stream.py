"""Reading a results file piece by piece gives what reading it at once gives, or an error."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapidata_core import errors
from rapidata_core.results import stream
from rapidata_core.results.stream import JsonStream

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


def opened(content):
    return JsonStream(io.BytesIO(content), "job 1")


def read(content):
    found = opened(content)
    value = [*found.items()] if found.next_is("[") else found.value()
    found.end()
    return value


@pytest.fixture(params=["fast", "standard"])
def reader(request, monkeypatch):
    """With the faster JSON reader, and without it."""
    if request.param == "standard":
        monkeypatch.setattr(stream, "_fast_reader", lambda _: None)
    return request.param


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr(stream, "_CHUNK", 3)


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("ascii_only", [True, False])
@given(value=VALUES)
def test_every_document_is_read(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert read(text.encode("utf-8", "surrogatepass" if ascii_only else "replace")) == json.loads(
        text if ascii_only else text.encode("utf-8", "replace")
    )


ENTRIES = [
    {"context": 'a "},{"context": trap', "details": [{"context": 1}, {"context": 2}], "n": 12},
    {"context": "ü 日本", "details": []},
    {"other": "first key", "details": [{"context": 3}]},
    {"context": "}", "number": 123456789},
    {},
    {"context": "last"},
]


@pytest.mark.parametrize("indent", [None, 2])
def test_items_that_look_like_their_neighbours_are_told_apart(reader, indent):
    assert read(json.dumps(ENTRIES, indent=indent, ensure_ascii=False).encode()) == ENTRIES


def test_what_is_no_number_is_missing(reader):
    assert read(b'[{"a": 1}, {"a": NaN}, {"a": -Infinity}, {"a": 2}]') == [
        {"a": 1},
        {"a": None},
        {"a": None},
        {"a": 2},
    ]


def test_the_faster_reader_is_used(monkeypatch):
    msgspec = pytest.importorskip("msgspec")
    cut = []
    monkeypatch.setattr(stream, "_CHUNK", 1000)

    def decode(text):
        cut.append(text)
        return msgspec.json.decode(text)

    monkeypatch.setattr(stream, "_fast_reader", lambda _: decode)
    entries = [{"context": str(place)} for place in range(50)]
    assert read(json.dumps(entries).encode()) == entries
    assert len(cut) == 48


def test_a_field_that_is_not_needed_is_not_read(reader, monkeypatch):
    monkeypatch.setattr(stream, "_CHUNK", 1000)
    entries = [{"context": str(place), "details": [1], "more": {"a": 1}} for place in range(20)]
    found = list(opened(json.dumps(entries).encode()).items(without="details"))
    assert [{**one, "details": [1]} for one in found] == entries
    assert sum("details" in one for one in found) == (2 if reader == "fast" else 20)


def test_an_object_is_read_field_by_field():
    found = opened(b'{"info": {"a": 1}, "results": [1, 2], "summary": 12.5}')
    assert [(name, found.value()) for name in found.fields()] == [
        ("info", {"a": 1}),
        ("results", [1, 2]),
        ("summary", 12.5),
    ]


WHOLE = json.dumps([{"context": "ü", "details": [1, {"a": "b"}]}] * 3, ensure_ascii=False).encode()


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_a_file_that_ends_early_is_told_as_such(reader, length):
    with pytest.raises(errors.ResultsError, match=r"job 1.*(end too early|are not UTF-8)"):
        read(WHOLE[:length])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'[{"a": 1} {"a": 2}]', "lack the end of a list"),
        (b"[{} x]", "lack the end of a list"),
        (b"<html>", "are not JSON"),
        (b"[1, 2] 3", "go on behind their end"),
        (b'["\xff"]', "are not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (
            b'[{"a": 1}, {"a": 2}, {"a": ' + b"[" * 10_000 + b"]" * 10_000 + b'}, {"a": 4}]',
            "deeply",
        ),
        (b'[{"a": ' + b"1" * 5000 + b"}]", "a number that is too long"),
    ],
)
def test_what_is_damaged_is_told(reader, content, problem):
    with pytest.raises(errors.ResultsError, match=problem) as caught:
        read(content)
    assert "fetch it again" in str(caught.value)


@pytest.mark.parametrize("key", ["context", "context {0}"])
def test_only_a_piece_is_held_in_memory(key, monkeypatch):
    monkeypatch.setattr(stream, "_CHUNK", 1000)
    entries = [{key.format(place): "x" * 100} for place in range(1000)]
    found = opened(json.dumps(entries).encode())
    assert max(len(found._text) for _ in found.items()) < 3000
