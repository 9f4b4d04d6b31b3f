"""The wide table beside that of the vendor's SDK, made of the same files.

The first half: equal frames. The second half: what theirs loses, shown on theirs, and what ours
says instead. If a test there fails because a newer SDK has mended it, move it to the first half.
"""

from __future__ import annotations

import copy
import json
import re

import pandas
import pytest

from rapidata_core import RapidataResults
from rapidata_core.results import ResultsFile
from tests.contract.test_tasks import TASKS
from tests.seeds.documents import FOLDER

needs_documents = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"there is no {FOLDER.name} folder"
)


def theirs(document, **options):
    from rapidata.rapidata_client.results.rapidata_results import RapidataResults as Theirs

    return Theirs(copy.deepcopy(document)).to_pandas(**options)


def ours(document, **options):
    """Our table, which is the same from a dictionary and from a file."""
    table = RapidataResults(document).to_pandas(**options)
    read = ResultsFile(json.dumps(document).encode()).to_pandas(**options)
    pandas.testing.assert_frame_equal(read, table)
    return table


def assert_equal(document):
    """Both tables are the same as theirs: columns and their order, types, values, rows."""
    for split in (False, True):
        expected = theirs(document, split_details=split)
        assert len(expected)
        table = ours(document, split_details=split)
        pandas.testing.assert_frame_equal(table, expected)
        # To pandas, null and missing are equal.
        assert table.map(is_none).equals(expected.map(is_none))


def is_none(value):
    return value is None


def file_of(kind, *entries, **info):
    return {"info": {"type": kind, "version": "4.1.0", **info}, "results": list(entries)}


def documented(version_and_field):
    """A results file of the documents; they explain a field by a comment, which is no JSON."""
    for path in sorted(FOLDER.glob("*.txt")):
        for block in re.findall(r"```json (.*?)```", path.read_text("utf-8"), re.DOTALL):
            if '"info"' in block and version_and_field in block:
                return json.loads(
                    re.sub(r"# this only appears when using early stopping", "", block)
                )
    raise AssertionError(version_and_field)


def user(score=0.5, **demographics):
    return {
        "country": "CH",
        "language": "de",
        "userScores": {"global": score},
        "demographics": demographics,
    }


def tallied(votes, scores=None):
    """The four metrics of an entry."""
    scores = scores or {option: count / 2 for option, count in votes.items()}

    def shares(values):
        total = sum(values.values())
        return {option: value / total if total else 0.0 for option, value in values.items()}

    return {
        "aggregatedResults": votes,
        "aggregatedResultsRatios": shares(votes),
        "summedUserScores": scores,
        "summedUserScoresRatios": shares(scores),
    }


def compared(votes, **more):
    """An entry of a comparison."""
    items = [name for name in votes if name not in ("Both", "Neither")]
    best = [option for option, count in votes.items() if count == max(votes.values())]
    winner = best[0] if len(best) == 1 else None
    people = [user(0.25), user(0.75, age="18-29", gender="Other")]
    voted = [option for option, count in votes.items() for _ in range(count)]
    return {
        "context": "A small blue book",
        "winner": winner,
        "winnerIndex": None if winner is None else list(votes).index(winner),
        "assetUrls": {name: f"https://assets.example/{name}" for name in items},
        **tallied(votes),
        "detailedResults": [
            {"votedFor": option, "userDetails": people[place % 2]}
            for place, option in enumerate(voted)
        ],
        **more,
    }


def classified(votes, name="cat.jpg", **more):
    """An entry of a classification."""
    return {
        "identifier": f"https://assets.example/{name}",
        "originalFileName": name,
        **tallied(votes),
        "detailedResults": [
            {"selectedCategory": option, "userDetails": user(age="18-29") if place else user()}
            for place, option in enumerate(o for o, count in votes.items() for _ in range(count))
        ],
        **more,
    }


# --- the same -------------------------------------------------------------------------------------


@needs_documents
def test_the_documented_comparison():
    document = documented('"A_wins_total"')
    # The table follows the task's type, which version 3.0.0 does not name.
    document["info"]["type"] = "Compare"
    assert_equal(document)
    document["info"] = {"orderType": "Compare"}
    assert_equal(document)


@needs_documents
def test_the_documented_confidences():
    document = documented('"globalAggregatedData"')
    assert_equal(file_of("Classification", *document["results"]["data"]))


def test_comparisons():
    assert_equal(
        file_of(
            "Compare",
            compared({"a.jpg": 3, "b.jpg": 1}),
            compared({"c.jpg": 2, "d.jpg": 2}, privateMetadata={"row": "7", "nested": {"x": None}}),
            compared({"Ä \n book.png": 0, "книга.png": 1}, sentinel=True),
        )
    )


def test_a_comparison_without_answers_has_a_row_of_its_own():
    document = file_of(
        "Compare", compared({"a.jpg": 1, "b.jpg": 0}), compared({"c.jpg": 0, "d.jpg": 0})
    )
    assert_equal(document)
    assert len(ours(document, split_details=True)) == 2


def test_comparisons_of_texts():
    entries = [compared({"An answer": 2, "Another, longer one": 1}) for _ in range(2)]
    for entry in entries:
        del entry["assetUrls"]
    assert_equal(file_of("Compare", *entries))


@pytest.mark.parametrize("votes", [{"Both": 2}, {"Neither": 1}, {"Neither": 1, "Both": 4}])
def test_both_and_neither(votes):
    assert_equal(
        file_of(
            "Compare",
            compared({"a.jpg": 1, "b.jpg": 2}),
            compared({"c.jpg": 1, "d.jpg": 2, **votes}),
        )
    )


def test_confidences_of_a_comparison():
    confidences = {"confidencePerCategory": {"a.jpg": 0.9, "b.jpg": 0.1}}
    assert_equal(file_of("Compare", compared({"a.jpg": 3, "b.jpg": 1}, **confidences)))


def test_answers_that_say_more_than_the_first_ones():
    entry = compared({"a.jpg": 1, "b.jpg": 2})
    entry["detailedResults"][1]["seconds"] = 4
    entry["detailedResults"][2]["context"] = "the answer's own"
    assert_equal(file_of("Compare", entry, compared({"c.jpg": 1, "d.jpg": 2})))


def test_classifications():
    assert_equal(
        file_of(
            "Classification",
            classified({"Cat": 3, "Dog": 1}),
            classified({"Tea": 1, "Coffee": 0, "Milk": 2}, "tea.jpg", context="A cup"),
            classified({}, "nothing.jpg", privateMetadata={"row": "7"}),
        )
    )


def test_a_metric_that_some_options_lack():
    entry = classified({"Cat": 3, "Dog": 1})
    del entry["summedUserScores"]["Dog"]
    entry["confidencePerCategory"] = {"Cat": 0.9}
    assert_equal(file_of("Classification", classified({"Cat": 1, "Dog": 1}), entry))


def test_results_without_datapoints():
    document = file_of("Compare")
    for split in (False, True):
        pandas.testing.assert_frame_equal(
            ours(document, split_details=split), theirs(document, split_details=split)
        )


def test_results_without_single_answers():
    entry = compared({"a.jpg": 1, "b.jpg": 2})
    del entry["detailedResults"]
    for table in (theirs, ours):
        with pytest.raises(ValueError, match=r"(?i)no "):
            table(file_of("Compare", entry), split_details=True)


@pytest.mark.parametrize("define", [define for define in TASKS if TASKS[define][0] != "Ranking"])
def test_files_of_the_sandbox(vendor, sandbox, define):
    assert_equal(dict(finished(vendor, sandbox, define)))


def test_names_of_the_sides(vendor, sandbox):
    def define(client):
        return client.job.create_compare_job_definition(
            name="p",
            instruction="Which is better?",
            datapoints=[["https://assets.rapidata.ai/1.jpg", "https://assets.rapidata.ai/2.jpg"]],
            a_b_names=["ours", "theirs"],
        )

    assert_equal(dict(finished(vendor, sandbox, define)))


def finished(vendor, sandbox, define):
    """The results of a job that is done."""
    job = vendor.audience.get_audience_by_id("global").assign_job(define(vendor))
    sandbox.advance(600)
    return job.get_results()


# --- what theirs loses ----------------------------------------------------------------------------


def test_datapoints_with_fewer_than_two_assets():
    alone = compared({"same.jpg": 4})
    nothing = {"context": "Nobody answered", "assetUrls": {}, "aggregatedResults": {}}
    document = file_of("Compare", compared({"a.jpg": 3, "b.jpg": 1}), alone, nothing)
    assert len(theirs(document)) == 1
    table = ours(document)
    pandas.testing.assert_frame_equal(table[:1], theirs(document), check_dtype=False)
    assert list(table["assetA"][:2]) == ["a.jpg", "same.jpg"]
    assert list(table["assetB"].isna()) == [False, True, True]
    assert table["A_aggregatedResults"][1] == 4
    assert table["context"][2] == "Nobody answered"
    assert len(theirs(document, split_details=True)) == 4
    assert len(ours(document, split_details=True)) == 9


def test_columns_that_the_first_datapoint_lacks():
    document = file_of("Locate", {"identifier": "1.jpg"}, {"identifier": "2.jpg", "context": "A"})
    assert "context" not in theirs(document)
    assert list(ours(document)["context"].fillna("")) == ["", "A"]


def test_classifications_under_their_documented_name():
    entries = [classified({"Cat": 3}), classified({"Dog": 2}, "dog.jpg")]
    document = file_of("Classify", *entries)
    assert "aggregatedResults_Dog" not in theirs(document)
    pandas.testing.assert_frame_equal(ours(document), theirs(file_of("Classification", *entries)))
    assert list(ours(document)["option"]) == ["Cat", "Dog"]


@needs_documents
def test_the_documented_nested_form():
    document = documented('"globalAggregatedData"')
    for split in (False, True):
        with pytest.raises(KeyError):
            theirs(document, split_details=split)
        flat = file_of("Classification", *document["results"]["data"])
        pandas.testing.assert_frame_equal(
            ours(document, split_details=split), theirs(flat, split_details=split)
        )


@needs_documents
def test_files_that_do_not_name_the_task():
    document = documented('"A_wins_total"')
    [first] = document["results"]
    second = compared({"c.jpg": 1, "d.jpg": 2})
    document["results"] = [first, second]
    assert "type" not in document["info"]
    assert "aggregatedResults_dalle-3_37_2.jpg" in theirs(document)
    assert not any("c.jpg" in name for name in theirs(document))
    assert list(ours(document)["B_aggregatedResults"]) == [3, 2]


def test_rankings():
    groups = [[f"{group}-{item}.jpg" for item in "abc"] for group in range(5)]
    entries = [
        {
            "group": f"group {place}",
            "totalVotes": 2,
            "assetUrls": {name: f"https://assets.example/{name}" for name in names},
            "elo": dict(zip(names, (1100, 1200, 1100), strict=True)),
            **tallied(dict(zip(names, (0, 2, 0), strict=True)) | {"Both": 1}),
            "privateMetadata": {"row": str(place)},
            "detailedResults": [
                {"votedFor": names[1], "compared": [names[1], other], "userDetails": user()}
                for other in names[::2]
            ],
        }
        for place, names in enumerate(groups)
    ]
    document = file_of("Ranking", *entries)
    assert theirs(document).shape == (5, 3 + 3 + 5 * 3 * 6)
    table = ours(document)
    assert list(table) == [
        "datapoint",
        "group",
        "totalVotes",
        "Both_aggregatedResults",
        "Both_aggregatedResultsRatios",
        "Both_summedUserScores",
        "Both_summedUserScoresRatios",
        "privateMetadata_row",
        "asset",
        "rank",
        "assetUrls",
        "elo",
        "aggregatedResults",
        "aggregatedResultsRatios",
        "summedUserScores",
        "summedUserScoresRatios",
    ]
    assert list(table["asset"]) == [name for names in groups for name in names]
    assert list(table["rank"]) == [2, 1, 2] * 5
    wide = theirs(document)
    for place, name in ((3, "1-a.jpg"), (13, "4-b.jpg")):
        assert table["elo"][place] == wide[f"{name}_elo"][place // 3]
        assert table["summedUserScores"][place] == wide[f"{name}_summedUserScores"][place // 3]
    answers = ours(document, split_details=True)
    assert len(answers) == len(theirs(document, split_details=True)) == 10
    assert not any("jpg" in name for name in answers)
    assert list(answers["datapoint"][::2]) == [0, 1, 2, 3, 4]
    assert list(answers["votedFor"][:2]) == ["0-b.jpg", "0-b.jpg"]


@pytest.mark.parametrize("define", [define for define in TASKS if TASKS[define][0] == "Ranking"])
def test_rankings_of_the_sandbox(vendor, sandbox, define):
    document = dict(finished(vendor, sandbox, define))
    table = ours(document)
    assert list(table["asset"]) == [name for e in document["results"] for name in e["elo"]]
    assert list(table["elo"]) == [score for e in document["results"] for score in e["elo"].values()]
    winners = table[table["rank"] == 1]
    for place, entry in enumerate(document["results"]):
        best = winners[winners["datapoint"] == place]["elo"]
        assert set(best) == {max(entry["elo"].values())}
    shared = ["group", "totalVotes", "votedFor", "compared", "userDetails_country"]
    pandas.testing.assert_frame_equal(
        ours(document, split_details=True)[shared], theirs(document, split_details=True)[shared]
    )


def test_datapoints_without_a_list_of_answers():
    unasked = classified({"Cat": 0}, "unasked.jpg")
    del unasked["detailedResults"]
    asked = classified({"Cat": 2})
    with pytest.raises(KeyError):
        theirs(file_of("Classification", asked, unasked), split_details=True)
    with pytest.raises(ValueError, match="No detailed results"):
        theirs(file_of("Classification", unasked, asked), split_details=True)
    expected = theirs(file_of("Classification", asked), split_details=True)
    for entries in ([asked, unasked], [unasked, asked]):
        table = ours(file_of("Classification", *entries), split_details=True)
        pandas.testing.assert_frame_equal(table, expected)
