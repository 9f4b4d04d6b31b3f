"""Labels and responses of result files of every age and task."""

from __future__ import annotations

import json
from math import log2
from pathlib import Path

import pandas
import pytest

from rapidata_core import CompareJob, RapidataResults, errors
from rapidata_core.jobs import JOB_TYPES
from rapidata_core.results import ResultsFile, parse_results
from rapidata_core.results.columns import View, batches
from rapidata_core.results.flows import flow_results
from rapidata_core.results.privacy import Privacy, pseudonym
from rapidata_core.results.schema import labels_schema, responses_schema
from rapidata_core.types import ClassifyDatapointResult, ClassifyFlowItemResult, FlowItemResult


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
# As the platform's documents show it.
OLD_COMPARE = RapidataResults(
    info={"createdAt": "2025-02-11T07:31:59.353232+00:00", "version": "3.0.0"},
    summary={"A_wins_total": 0, "B_wins_total": 1},
    results=[
        {
            "context": "A small blue book sitting on a large red book.",
            "winner_index": 1,
            "winner": "b.jpg",
            "aggregatedResults": {"a.png": 0, "b.jpg": 3},
            "aggregatedResultsRatios": {"a.png": 0.0, "b.jpg": 1.0},
            "summedUserScores": {"a.png": 0.0, "b.jpg": 1.196},
            "summedUserScoresRatios": {"a.png": 0.0, "b.jpg": 1.0},
            "detailedResults": [{"votedFor": "b.jpg", "userDetails": user(0.4469, "BY")}] * 3,
        }
    ],
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


def file_of(kind, *entries):
    return RapidataResults(info={"type": kind}, results=list(entries))


def only(frame):
    [row] = frame.to_dict("records")
    return row


# --- labels ---------------------------------------------------------------------------------------


def test_labels_of_a_comparison():
    first, tie, empty = COMPARE.labels().to_dict("records")
    assert first["items"] == ["a.jpg", "b.jpg"]
    assert (first["label"], first["label_index"], first["responses"]) == ("a.jpg", 0, 4)
    assert (first["weighted_label"], first["weighted_label_index"]) == ("a.jpg", 0)
    assert (first["agreement"], first["margin"]) == (0.75, 0.5)
    assert first["entropy"] == pytest.approx(0.75 * log2(4 / 3) + 0.25 * 2)
    assert first["votes"][1] == {
        "option": "b.jpg",
        "count": 1,
        "ratio": 0.25,
        "user_score": 0.25,
        "user_score_ratio": pytest.approx(0.25 / 1.75),
        "confidence": None,
        "score": None,
    }
    assert (first["is_tie"], first["is_incomplete"]) == (False, False)
    assert pandas.isna(tie["label"])
    assert (tie["weighted_label"], tie["agreement"], tie["margin"]) == ("a.jpg", 0.5, 0)
    assert (tie["entropy"], tie["is_tie"]) == (1, True)
    assert pandas.isna(empty["label"])
    assert pandas.isna(empty["agreement"])
    assert (empty["is_tie"], empty["is_incomplete"]) == (False, True)


def test_the_oldest_files_do_not_say_what_they_are_about():
    assert OLD_COMPARE.job_type == "compare"
    row = only(OLD_COMPARE.labels())
    assert (row["label"], row["label_index"], row["entropy"]) == ("b.jpg", 1, 0)
    assert list(OLD_COMPARE.responses()["answer_index"]) == [1, 1, 1]


def test_neither_and_both_are_answers_but_no_items():
    entry = compare_entry(1, 0, aggregatedResults={"a.jpg": 1, "b.jpg": 0, "Neither": 2})
    del entry["assetUrls"]
    row = only(file_of("Compare", entry).labels())
    assert row["items"] == ["a.jpg", "b.jpg"]
    assert (row["label"], row["responses"]) == ("Neither", 3)
    assert pandas.isna(row["label_index"])


def test_the_nested_form_of_older_files():
    nested = RapidataResults(
        info={"version": "3.0.0"},
        results={
            "globalAggregatedData": {"Dog": 4, "Cat": 0},
            "data": [
                {
                    "originalFileName": "dog.jpeg",
                    "aggregatedResults": {"Dog": 4, "Cat": 0},
                    "summedUserScores": {"Dog": 2.0865, "Cat": 0.0},
                    "confidencePerCategory": {"Dog": 0.9943, "Cat": 0.0057},
                    "detailedResults": [
                        {
                            "selectedCategory": "Dog",
                            "userDetails": {"country": "PT", "userScore": 0.3},
                        }
                    ]
                    * 4,
                }
            ],
        },
    )
    for results in (nested, ResultsFile(json.dumps(nested).encode())):
        assert results.job_type == "classification"
        row = only(results.labels())
        assert (row["items"], row["label"], row["confidence"]) == (["dog.jpeg"], "Dog", 0.9943)
        assert row["votes"][1]["confidence"] == 0.0057
        assert list(results.responses()["user_score"]) == [0.3] * 4


def test_a_ranking_is_won_by_score():
    entry = {
        "context": "books",
        "assetUrls": dict.fromkeys(("a", "b", "c"), "https://x"),
        "elo": {"a": 1180.0, "b": 1240.5, "c": 1179.5},
        "aggregatedResults": {"a": 3, "b": 2, "c": 0},
        "detailedResults": [
            {"votedFor": "a", "compared": ["a", "c"], "userDetails": user(0.5)},
            {"votedFor": "b", "compared": ["c", "b"], "userDetails": user(0.5)},
        ],
    }
    results = file_of("Ranking", entry)
    row = only(results.labels())
    assert (row["label"], row["label_index"], row["items"]) == ("b", 1, ["a", "b", "c"])
    assert [vote["score"] for vote in row["votes"]] == [1180.0, 1240.5, 1179.5]
    responses = results.responses()
    assert list(responses["compared"]) == [[0, 2], [2, 1]]
    assert list(responses["answer_index"]) == [0, 1]


def test_scores_of_a_ranking_may_be_negative():
    row = only(file_of("Ranking", {"elo": {"a": -1, "b": -3, "c": 0}, "totalVotes": 4}).labels())
    assert (row["label"], row["is_tie"]) == ("c", False)


def test_an_item_that_nobody_chose_is_no_reason_for_another_one():
    entry = compare_entry(3, 0, aggregatedResults={"a.jpg": 3, "Both": 1}, assetUrls=None)
    assert only(file_of("Compare", entry).labels())["items"] == ["a.jpg"]


def test_private_metadata_and_the_truth_in_it():
    results = file_of("Compare", compare_entry(1, 0, privateMetadata={"truth": "b.jpg", "ä": "7"}))
    row = only(results.labels())
    assert row["truth"] == "b.jpg"
    assert json.loads(row["private_metadata"]) == {"truth": "b.jpg", "ä": "7"}
    assert list(results.responses()["private_metadata"]) == [row["private_metadata"]]
    assert pandas.isna(only(file_of("Compare", compare_entry(1, 0)).labels())["truth"])


def test_what_is_incomplete():
    spec = CompareJob(
        name="n",
        instruction="Which?",
        datapoints=[["https://y/a.jpg", "https://y/b.jpg"]],
        contexts=["a book"],
        responses_per_datapoint=4,
    )
    enough, few = (file_of("Compare", compare_entry(a, 1)) for a in (3, 2))
    assert not only(enough.labels(spec))["is_incomplete"]
    assert only(few.labels(spec))["is_incomplete"]
    assert not only(few.labels())["is_incomplete"]
    few.is_partial = True
    assert only(few.labels())["is_incomplete"]
    early = spec.model_copy(update={"quorum_threshold": 2})
    assert only(few.labels(early))["is_incomplete"]
    few.is_partial = False
    assert not only(few.labels(early))["is_incomplete"]


def test_rows_have_an_identity_where_the_spec_is_known():
    pairs = [["https://y/a.jpg", "https://y/b.jpg"], ["https://y/c.jpg", "https://y/d.jpg"]]
    spec = CompareJob(name="n", instruction="Which?", datapoints=pairs)
    first, second = compare_entry(1, 0), compare_entry(0, 0)
    for entry in (first, second):
        del entry["context"], entry["assetUrls"]
    second["aggregatedResults"] = {"c.jpg": 0, "d.jpg": 0}
    results = file_of("Compare", first, second)
    labels = results.labels(spec)
    assert labels["datapoint_id"].nunique() == 2
    assert list(results.responses(spec)["datapoint_id"]) == [labels["datapoint_id"][0]]
    # Whoever was asked: tables of different audiences can be joined.
    results.audience_id = "aud_2"
    assert list(results.labels(spec)["datapoint_id"]) == list(labels["datapoint_id"])
    with pytest.raises(errors.ResultsError, match="results of a classification job"):
        classification().labels(spec)


def test_labels_of_flows():
    ranked = flow_results(FlowItemResult({"a.jpg": 1180, "b.jpg": 1220}, total_votes=12)).labels()
    row = only(ranked)
    assert (row["items"], row["label"], row["responses"]) == (["a.jpg", "b.jpg"], "b.jpg", 12)
    assert (row["is_tie"], row["is_incomplete"]) == (False, False)
    found = {
        "https://x/1.jpg": ClassifyDatapointResult("Cat", {"Cat": 3, "Dog": 1}, 4),
        "2.jpg": ClassifyDatapointResult(None, {"Cat": 1, "Dog": 1}, 2),
    }
    labels = flow_results(ClassifyFlowItemResult(found, total_responses=6)).labels()
    assert list(labels["items"]) == [["https://x/1.jpg"], ["2.jpg"]]
    assert list(labels["responses"]) == [4, 2]
    assert list(labels["is_tie"]) == [False, True]
    assert labels["label"][0] == "Cat"


# --- responses ------------------------------------------------------------------------------------


def test_responses_of_both_ages():
    rows = classification().responses()
    assert list(rows["answer"]) == ["good", "good", "bad"]
    assert list(rows["response"]) == [0, 1, 0]
    assert list(rows["datapoint"]) == [0, 0, 1]
    assert list(rows["user_score"]) == [0.25, 0.25, 0.1]
    assert list(rows["items"]) == [["https://x/1.jpg"]] * 2 + [["https://x/2.jpg"]]
    assert pandas.isna(rows["country"][2])


def test_further_scores():
    person = {"userScores": {"global": 0.5, "text": 0.7}}
    results = file_of("FreeText", {"detailedResults": [{"answer": "a", "userDetails": person}]})
    row = only(results.responses())
    assert row["user_score"] == 0.5
    assert row["user_scores"] == [{"dimension": "text", "score": 0.7}]


def test_demographics_only_on_request():
    assert not {"age", "gender", "occupation"} & set(COMPARE.responses().columns)
    rows = COMPARE.responses(privacy=Privacy(demographics=True))
    assert rows["age"][0] == "18-29"
    assert pandas.isna(rows["gender"][0])


def test_labelers_are_pseudonyms_and_only_with_a_key():
    entry = {"detailedResults": [{"userId": "u1", "answer": "a"}, {"answer": "b"}]}
    results = file_of("FreeText", entry)
    assert results.responses()["labeler"].isna().all()
    privacy = Privacy(labeler_key="a secret of some length")
    named, unknown = results.responses(privacy=privacy)["labeler"]
    assert named == pseudonym("u1", "a secret of some length")
    assert "u1" not in named
    assert pandas.isna(unknown)
    assert named != pseudonym("u1", "another secret, as long")
    assert "secret" not in repr(privacy)
    for key in ("short", b"bytes are no text, whatever their length", 5):
        with pytest.raises(errors.ValidationError, match="must be a text of 16 characters"):
            Privacy(labeler_key=key)


def test_nobody_is_in_the_answers_to_a_task_that_we_do_not_know():
    details = [
        {"userId": "u1", "createdAt": "2026-01-01", "choice": "yes"},
        {"labelerName": "u1", "found": [{"userName": "u1", "at": 3}]},
        {"userId": "u1"},
    ]
    rows = file_of("Mystery", {"detailedResults": details}).responses()
    assert rows["answer"].fillna("").tolist() == ["yes", '[{"at": 3}]', ""]


POINTS = [{"x": 12.5, "y": 50}]
WORDS = [{"word": "cat", "wordIndex": 1}]


@pytest.mark.parametrize(
    ("kind", "answer", "value"),
    [
        ("Locate", {"coordinates": POINTS}, POINTS),
        ("Line", {"lines": [{"size": 3, "points": POINTS}]}, [{"size": 3, "points": POINTS}]),
        ("Line", {"lines": [{"points": None}]}, [{"size": None, "points": []}]),
        ("Transcription", {"selectedWords": WORDS}, [{"word": "cat", "index": 1}]),
        ("FreeText", {"answer": "a cat"}, "a cat"),
        ("Locate", {"result": {"_t": "LocateResult", "coordinates": POINTS}}, POINTS),
        ("FreeText", {"result": {"_t": "FreeTextResult", "answer": "a cat"}}, "a cat"),
        ("Compare", {"winners": ["a"]}, "a"),
        ("Compare", {"winners": ["a", "b"]}, "Both"),
        ("Compare", {"winners": []}, "Neither"),
        ("Locate", {"coordinates": None}, None),
        ("Locate", {}, None),
        ("Scrub", {"timestamps": [1, 2]}, "[1, 2]"),
    ],
)
def test_answers_have_the_type_of_their_task(kind, answer, value):
    detail = {**answer, "userDetails": user(0.5)}
    results = file_of(kind, {"identifier": "1.jpg", "detailedResults": [detail, answer]})
    label = only(results.labels())
    assert (label["items"], label["responses"]) == (["1.jpg"], 2)
    if kind != "Compare":
        assert label["votes"] == []
        assert pandas.isna(label["label"])
    first, anonymous = results.responses().to_dict("records")
    assert first["answer"] == value or pandas.isna(first["answer"])
    assert first["user_score"] == 0.5
    assert pandas.isna(anonymous["country"])
    assert results.responses_arrow()["answer"].to_pylist() == [value, value]


# --- the same columns, always ---------------------------------------------------------------------

KINDS = ["Compare", "Classification", "Ranking", "Locate", "Line", "Transcription", "FreeText", ""]
PANDAS = {"string": "string", "int64": "int64", "double": "float64", "bool": "bool"}


def dtype_of(column):
    if column.type == "int64" and column.nullable:
        return "Int64"
    return PANDAS.get(column.type, "object")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("entries", [[], [{}], [compare_entry(1, 1, detailedResults=None)]])
@pytest.mark.parametrize("demographics", [True, False])
def test_columns_and_types_depend_on_the_task_alone(kind, entries, demographics):
    results = file_of(kind, *entries)
    privacy = Privacy(demographics=demographics)
    expected = responses_schema(results.job_type, demographics=demographics)
    for columns, frame, table in (
        (labels_schema(), results.labels(), results.labels_arrow()),
        (
            expected,
            results.responses(privacy=privacy),
            results.responses_arrow(privacy=privacy),
        ),
    ):
        assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
            column.name: dtype_of(column) for column in columns
        }
        assert table.schema.names == [column.name for column in columns]
        for column, field in zip(columns, table.schema, strict=True):
            # Arrow writes the items of lists with their name.
            assert str(field.type).replace("item: ", "").replace("element: ", "") == column.type
            assert field.nullable == column.nullable


def test_arrow_and_pandas_say_the_same():
    for results in (COMPARE, OLD_COMPARE, classification()):
        for frame, table in (
            (results.labels(), results.labels_arrow()),
            (results.responses(), results.responses_arrow()),
        ):
            assert table.validate(full=True) is None
            missing = frame.astype(object).where(frame.notna(), None)
            assert missing.to_dict("records") == table.to_pylist()


def test_large_tables_are_made_in_batches(monkeypatch):
    whole = COMPARE.responses_arrow()
    monkeypatch.setattr(batches, "__defaults__", (3,))
    split = COMPARE.responses_arrow()
    assert split["answer"].num_chunks == 3
    assert split.equals(whole)


def test_half_characters_do_not_break_a_table():
    whole = "\N{GRINNING FACE}"
    entry = {"detailedResults": [{"answer": "a\ud800b"}, {"answer": whole}]}
    content = json.dumps(file_of("FreeText", entry)).encode()
    for results in (ResultsFile(content), parse_results(content, "job 1")):
        assert results.responses_arrow()["answer"].to_pylist() == ["a?b", whole]
        assert list(results.responses()["answer"]) == ["a?b", whole]


def test_labels_of_files_that_do_not_count():
    entry = compare_entry(3, 1, aggregatedResults=None)
    row = only(file_of("Compare", entry).labels())
    assert (row["label"], row["responses"], row["agreement"]) == ("a.jpg", 4, 0.75)


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("results", [COMPARE, OLD_COMPARE, classification()])
def test_a_file_says_what_the_document_says(results, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results))
    for file in (ResultsFile(path), ResultsFile(str(path)), ResultsFile(path.read_bytes())):
        assert (file.info, file.job_type) == (results.info, results.job_type)
        assert list(file.entries()) == results["results"]
        pandas.testing.assert_frame_equal(file.labels(), results.labels())
        pandas.testing.assert_frame_equal(file.responses(), results.responses())
    assert parse_results(path.read_bytes(), "job 1") == results


def test_facts_behind_the_answers_are_found():
    file = ResultsFile(b'{"results": [{"identifier": "a"}], "info": {"type": "FreeText"}}')
    assert file.job_type == "free_text"


def test_rows_carry_the_job_and_who_was_asked():
    content = json.dumps(COMPARE).encode()
    file, whole = (
        ResultsFile(content, job_id="job_1", audience_id="aud_1"),
        parse_results(content, ""),
    )
    whole.job_id, whole.audience_id = "job_1", "aud_1"
    for results in (file, whole):
        for frame in (results.labels(), results.responses()):
            assert list(frame.columns[:3]) == ["job_id", "audience_id", "datapoint"]
            assert set(frame["job_id"]) == {"job_1"}
            assert set(frame["audience_id"]) == {"aud_1"}
        for table in (results.labels_arrow(), results.responses_arrow()):
            assert set(table["audience_id"].to_pylist()) == {"aud_1"}
    nobodys = ResultsFile(content)
    assert nobodys.labels()["audience_id"].isna().all()
    assert nobodys.responses_arrow()["audience_id"].null_count == len(nobodys.responses())


def test_a_file_about_something_else(tmp_path):
    with pytest.raises(errors.ResultsError, match="about compare, not locate"):
        ResultsFile(json.dumps(COMPARE).encode(), job_type="locate")
    with pytest.raises(errors.ValidationError, match="cannot be read"):
        ResultsFile(tmp_path / "missing.json")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"<html>", b'"text"', b'{"results": 5}', b'{"title": "Oops"}']
)
def test_what_is_no_results_file(content):
    with pytest.raises(errors.ResultsError, match="results"):
        ResultsFile(content).labels()
    with pytest.raises(errors.ResultsError, match="results"):
        parse_results(content, about="job 'x'").labels()


@pytest.mark.parametrize("document", [{"info": None, "results": None}, {"results": {}}])
def test_files_without_content(document):
    for results in (RapidataResults(document), ResultsFile(json.dumps(document).encode())):
        assert len(results.labels()) == len(results.responses()) == 0


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (None, "Datapoint 1 .* is None, not an object"),
        ({"aggregatedResults": {"a": "many"}}, "aggregatedResults are .*, not numbers"),
        ({"summedUserScores": ["a"]}, "summedUserScores are .*, not numbers"),
        ({"detailedResults": {"no": "list"}}, "detailedResults are .*, not a list"),
        ({"detailedResults": [5]}, "detailedResults are .*, not a list"),
        ({"detailedResults": [{"userDetails": 5}]}, "Datapoint 1 .* malformed"),
        ({"detailedResults": [{"userDetails": {"country": 5}}]}, "country is 5, not a text"),
        ({"detailedResults": [{"userDetails": {"userScore": "x"}}]}, "user score is 'x'"),
        ({"detailedResults": [{"votedFor": ["a"]}]}, r"answer is \['a'\], not a text"),
        ({"context": 5}, "context is 5"),
        ({"privateMetadata": 5}, "privateMetadata is 5"),
    ],
)
def test_what_is_of_the_wrong_type_is_named_and_not_dropped(entry, problem):
    results = file_of("Compare", compare_entry(1, 0), entry)
    with pytest.raises(errors.ResultsError, match=problem):
        list(batches(View(results), ("labels", "responses")))


@pytest.mark.parametrize("form", ["", "_arrow"])
def test_what_fits_into_no_column_is_named(form):
    too_large = {"userDetails": {"userScore": 10**400}}
    results = file_of("FreeText", {"detailedResults": [too_large]})
    with pytest.raises(errors.ResultsError, match="The column user_score cannot be made"):
        getattr(results, f"responses{form}")()


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"identifier": None, "context": None, "assetUrls": None, "detailedResults": None},
        {"aggregatedResults": None, "summedUserScores": {"a": None}},
        {"aggregatedResults": {"a": 0}, "assetUrls": ["a", "b"]},
        {"detailedResults": [{}, {"userDetails": None}, {"userDetails": {}}]},
        {"detailedResults": [{"userDetails": {"userScores": None, "demographics": None}}]},
        {"detailedResults": [{"userDetails": {"userScores": {"global": None}}}]},
        {"unknown": {"field": [1]}, "detailedResults": [{"more": 1, "votedFor": "a"}]},
    ],
)
@pytest.mark.parametrize("kind", ["Compare", "Ranking", "Classification", "Locate", ""])
def test_what_is_missing_or_new_breaks_no_table(kind, entry):
    results = file_of(kind, entry)
    assert len(results.labels()) == results.labels_arrow().num_rows == 1
    assert len(results.responses()) == results.responses_arrow().num_rows


# --- what is documented ---------------------------------------------------------------------------

DOCUMENT = (Path(__file__).parents[3] / "docs" / "results.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("mark", "columns"),
    [
        ("labels", labels_schema()),
        ("responses", responses_schema("compare", demographics=True)),
    ],
)
def test_the_columns_are_documented(mark, columns):
    _, listed = documented(mark)
    assert listed == [
        f"| `{column.name}` | `{column.type}` | {'yes' if column.nullable else 'no'} "
        f"| {column.meaning} |"
        for column in columns
    ]


def test_the_types_of_answers_are_documented():
    _, listed = documented("answers")
    found = {}
    for line in listed:
        tasks, kind, _ = line.strip("| ").split(" | ")
        found |= dict.fromkeys(tasks.replace("select words", "select_words").split(", "), kind)
    assert {task.replace(" ", "_") for task in found} == set(JOB_TYPES)
    for task, kind in found.items():
        [answer] = [c for c in responses_schema(task.replace(" ", "_")) if c.name == "answer"]
        assert f"`{answer.type}`" == kind


def documented(mark):
    """The head and the lines of a table in the document."""
    _, _, rest = DOCUMENT.partition(f"<!-- {mark} -->\n")
    head, _, *lines = rest.partition(f"\n<!-- /{mark} -->")[0].splitlines()
    return head, lines
