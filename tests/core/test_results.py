"""Result files of every age as tables."""

import json
import sys

import pandas
import pyarrow.parquet
import pytest

from rapidata_core import RapidataResults, check_directory, errors, write_dataset
from rapidata_core.results import parse_results
from rapidata_core.results.tables import LABELS, RESPONSES


def user(score, country="CH", **demographics):
    return {
        "country": country,
        "language": "de",
        "userScores": {"global": score},
        "demographics": demographics,
    }


def compare_entry(a, b, **changes):
    return {
        "context": "a book",
        "winner": "a.jpg" if a > b else "b.jpg",
        "winnerIndex": 0 if a > b else 1,
        "assetUrls": {"a.jpg": "https://x/a.jpg", "b.jpg": "https://x/b.jpg"},
        "aggregatedResults": {"a.jpg": a, "b.jpg": b},
        "summedUserScores": {"a.jpg": a * 0.5, "b.jpg": b * 0.25},
        "detailedResults": [{"votedFor": "a.jpg", "userDetails": user(0.5, age="18-29")}] * a
        + [{"votedFor": "b.jpg", "userDetails": user(0.25)}] * b,
        **changes,
    }


COMPARE = RapidataResults(
    info={"type": "Compare", "version": "4.1.0"},
    results=[compare_entry(3, 1), compare_entry(2, 2), compare_entry(0, 0)],
    summary={"A_wins_total": 1, "B_wins_total": 0},
)


def classification(kind="Classification", **extra):
    return RapidataResults(
        info={"type": kind},
        results=[
            {
                "identifier": "https://x/1.jpg",
                "originalFileName": "1.jpg",
                "aggregatedResults": {"good": 2, **extra},
                "summedUserScores": {"good": 0.5, **dict.fromkeys(extra, 0.9)},
                "detailedResults": [{"selectedCategory": "good", "userDetails": user(0.25)}] * 2,
            },
            {
                "identifier": "https://x/2.jpg",
                "aggregatedResults": {"bad": 1},
                "summedUserScores": {"bad": 0.1},
                "detailedResults": [{"selectedCategory": "bad", "userDetails": {"userScore": 0.1}}],
            },
        ],
    )


def test_labels_of_a_comparison():
    labels = COMPARE.labels()
    assert list(labels.columns) == list(LABELS)
    first, tie, empty = labels.to_dict("records")
    assert first["items"] == ["a.jpg", "b.jpg"]
    assert (first["label"], first["weighted_label"], first["responses"]) == ("a.jpg", "a.jpg", 4)
    assert first["agreement"] == 0.75
    assert first["votes"][1] == {"option": "b.jpg", "count": 1, "user_score": 0.25}
    assert pandas.isna(tie["label"])
    assert (tie["weighted_label"], tie["agreement"]) == ("a.jpg", 0.5)
    assert pandas.isna(empty["label"])
    assert pandas.isna(empty["agreement"])


def test_neither_and_both_are_answers_but_no_items():
    entry = compare_entry(1, 0, aggregatedResults={"a.jpg": 1, "b.jpg": 0, "Neither": 2})
    del entry["assetUrls"]
    row = RapidataResults(results=[entry]).labels().iloc[0]
    assert row["items"] == ["a.jpg", "b.jpg"]
    assert (row["label"], row["responses"]) == ("Neither", 3)


def test_responses_of_both_ages():
    rows = classification().responses()
    assert list(rows.columns) == list(RESPONSES)
    assert list(rows["answer"]) == ["good", "good", "bad"]
    assert list(rows["user_score"]) == [0.25, 0.25, 0.1]
    assert list(COMPARE.responses()["age"])[:1] == ["18-29"]


@pytest.mark.parametrize("kind", ["Classification", "Classify"])
def test_options_that_the_first_datapoint_lacks_are_kept(kind):
    wide = classification(kind).to_pandas()
    assert list(wide["option"]) == ["good", "bad"]
    assert list(wide["count"]) == [2, 1]


def test_the_nested_form_of_older_files():
    nested = RapidataResults(
        info={"type": "Classification"},
        results={"globalAggregatedData": {"good": 2}, "data": classification()["results"]},
    )
    assert list(nested.labels()["label"]) == ["good", "bad"]
    assert len(nested.to_pandas()) == 2


def test_the_wide_table_of_a_comparison():
    wide = COMPARE.to_pandas()
    assert list(wide["A_aggregatedResults"]) == [3, 2, 0]
    assert list(wide["B_summedUserScores"]) == [0.25, 0.5, 0.0]
    assert list(wide["assetA"]) == ["a.jpg"] * 3
    details = COMPARE.to_pandas(split_details=True)
    assert len(details) == 8
    assert set(details["userDetails_userScores_global"]) == {0.5, 0.25}


def test_private_metadata_stays_in_the_wide_table():
    results = RapidataResults(
        info={"type": "Compare"}, results=[compare_entry(1, 0, privateMetadata={"row": "7"})]
    )
    assert list(results.to_pandas()["privateMetadata_row"]) == ["7"]


def test_splitting_what_has_no_details():
    results = RapidataResults(info={"type": "Compare"}, results=[{"aggregatedResults": {"a": 1}}])
    with pytest.raises(ValueError, match="no single answers"):
        results.to_pandas(split_details=True)


def test_results_without_datapoints_still_have_columns():
    empty = RapidataResults(info={}, results=[])
    assert list(empty.labels().columns) == list(LABELS)
    assert empty.to_pandas().empty


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"<html>", b'"text"'])
def test_what_is_no_results_file(content):
    with pytest.raises(errors.ServerError, match="job 'x'"):
        parse_results(content, about="job 'x'")


def test_a_dataset_on_disk(tmp_path):
    written = write_dataset(COMPARE, tmp_path / "new" / "folder")
    assert (written.label_count, written.response_count) == (3, 8)
    table = pyarrow.parquet.read_table(written.labels)
    assert table.to_pylist()[0]["votes"][0] == {"option": "a.jpg", "count": 3, "user_score": 1.5}
    assert table.schema.names == list(LABELS)
    assert pyarrow.parquet.read_table(written.responses).num_rows == 8
    again = write_dataset(classification(), tmp_path / "new" / "folder")
    assert again.labels == written.labels
    assert pyarrow.parquet.read_table(again.labels).num_rows == 2
    assert sorted(p.name for p in (tmp_path / "new" / "folder").iterdir()) == [
        "labels.parquet",
        "responses.parquet",
    ]


def test_a_dataset_behind_a_url():
    written = write_dataset(COMPARE, "memory://labels/job_1")
    import upath

    with upath.UPath(written.labels).open("rb") as file:
        assert pyarrow.parquet.read_table(file).num_rows == 3


def test_no_half_written_file_is_ever_visible(tmp_path, monkeypatch):
    written = write_dataset(COMPARE, tmp_path)
    before = (tmp_path / "labels.parquet").read_bytes()

    def interrupted(table, file):
        raise KeyboardInterrupt

    monkeypatch.setattr("pyarrow.parquet.write_table", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_dataset(classification(), tmp_path)
    assert (tmp_path / "labels.parquet").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2
    assert written.label_count == 3


@pytest.mark.parametrize(
    ("directory", "problem"),
    [(" ", "must not be blank"), ("floppy://a/b", "cannot write to floppy://")],
)
def test_directories_that_cannot_be_written_to(directory, problem):
    for check in (check_directory, lambda where: write_dataset(COMPARE, where)):
        with pytest.raises(errors.ValidationError, match=problem):
            check(directory)


def test_a_directory_is_checked_without_touching_it(tmp_path):
    check_directory(tmp_path / "new")
    check_directory("memory://labels")
    assert list(tmp_path.iterdir()) == []


def test_parquet_needs_pyarrow(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(errors.ValidationError, match=r"install rapidata-orchestration\[parquet\]"):
        check_directory(tmp_path)


def file_of(kind, *entries):
    return RapidataResults(info={"type": kind}, results=list(entries))


POINTS = [{"x": 12.5, "y": 50.0}]
LINES = [{"size": 3, "points": POINTS}]
WORDS = [{"word": "cat", "wordIndex": 1}]


@pytest.mark.parametrize(
    ("kind", "answer", "text"),
    [
        ("Locate", {"coordinates": POINTS}, json.dumps(POINTS)),
        ("Line", {"lines": LINES}, json.dumps(LINES)),
        ("Transcription", {"selectedWords": WORDS}, json.dumps(WORDS)),
        ("FreeText", {"answer": "a cat"}, "a cat"),
        ("Locate", {"result": {"_t": "LocateResult", "coordinates": POINTS}}, json.dumps(POINTS)),
        ("FreeText", {"result": {"_t": "FreeTextResult", "answer": "a cat"}}, "a cat"),
        ("Compare", {"winners": ["a", "b"]}, '["a", "b"]'),
        ("Locate", {"coordinates": None}, None),
        ("Locate", {}, None),
    ],
)
def test_answers_that_are_no_options(kind, answer, text, tmp_path):
    results = file_of(
        kind,
        {
            "identifier": "1.jpg",
            "detailedResults": [{**answer, "userDetails": user(0.5)}, {**answer}],
        },
    )
    [label] = results.labels().to_dict("records")
    assert (label["items"], label["responses"], list(label["votes"])) == (["1.jpg"], 2, [])
    assert pandas.isna(label["label"])
    first, anonymous = results.responses().to_dict("records")
    assert first["answer"] == text if text else pandas.isna(first["answer"])
    assert first["user_score"] == 0.5
    assert pandas.isna(anonymous["country"])
    assert len(results.to_pandas()) == 1
    assert len(results.to_pandas(split_details=True)) == 2
    write_dataset(results, tmp_path)


def test_a_ranking_has_a_column_per_asset_and_metric():
    scores = {"a.jpg": 1240.5, "b.jpg": 1180.0, "c.jpg": 1179.5}
    results = file_of(
        "Ranking",
        {"context": "books", "assetUrls": dict.fromkeys(scores, "https://x"), "elo": scores},
    )
    [row] = results.to_pandas().to_dict("records")
    assert (row["asset_1"], row["asset_3"], row["context"]) == ("a.jpg", "c.jpg", "books")
    assert row["a.jpg_elo"] == 1240.5
    assert results.labels()["items"][0] == ["a.jpg", "b.jpg", "c.jpg"]


@pytest.mark.parametrize("kind", ["Compare", "Ranking", "Classification", "Locate", ""])
@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"identifier": None, "context": None, "assetUrls": None, "detailedResults": None},
        {"aggregatedResults": None, "summedUserScores": {"a": None, "b": "x", "c": True}},
        {"aggregatedResults": {"a": float("nan"), "b": float("inf")}, "context": 5},
        {"aggregatedResults": {"a": 0}, "assetUrls": ["a", "b"]},
        {"detailedResults": [None, 5, {}, {"userDetails": None}, {"userDetails": {}}]},
        {"detailedResults": [{"userDetails": {"userScores": None, "demographics": None}}]},
        {"detailedResults": [{"userDetails": {"userScores": {"global": None}, "country": 5}}]},
        {"detailedResults": {"no": "list"}},
    ],
)
def test_what_is_missing_or_odd_breaks_no_table(kind, entry, tmp_path):
    results = RapidataResults(info={"type": kind}, results=[entry, None, "?"])
    assert len(results.labels()) == 1
    results.responses()
    results.to_pandas()
    write_dataset(results, tmp_path)


@pytest.mark.parametrize("document", [{}, {"info": None, "results": None}, {"results": {}}])
def test_files_without_content(document):
    results = RapidataResults(document)
    assert len(results.labels()) == len(results.responses()) == len(results.to_pandas()) == 0
