"""The wide table that the platform's documents describe.

``tests/contract/test_results.py`` compares it with that of the vendor's SDK.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys

import pandas
import pytest

from rapidata_core import RapidataResults, errors
from rapidata_core.results import Results, ResultsFile

KINDS = ("Compare", "Ranking", "Classification", "Locate", "")


def file_of(kind, *entries):
    return RapidataResults(info={"type": kind}, results=list(entries))


def user(score, **demographics):
    return {"country": "CH", "userScores": {"global": score}, "demographics": demographics}


def compared(a, b, **more):
    """A comparison in which so many people voted for each side."""
    voted = ["a.jpg"] * a + ["b.jpg"] * b
    return {
        "context": "a book",
        "winnerIndex": None if a == b else int(b > a),
        "assetUrls": {"a.jpg": "https://x/a.jpg", "b.jpg": "https://x/b.jpg"},
        "aggregatedResults": {"a.jpg": a, "b.jpg": b},
        "detailedResults": [{"votedFor": name, "userDetails": user(0.5)} for name in voted],
        **more,
    }


def classified(votes, **more):
    return {
        "identifier": "https://x/1.jpg",
        "aggregatedResults": votes,
        "detailedResults": [
            {"selectedCategory": name} for name, count in votes.items() for _ in range(count)
        ],
        **more,
    }


def ranked(scores, **more):
    first, second, *_ = scores
    return {
        "group": "books",
        "assetUrls": dict.fromkeys(scores, "https://x"),
        "elo": scores,
        "detailedResults": [{"votedFor": first, "compared": [first, second]}],
        **more,
    }


def records(table):
    """Rows as dictionaries; what is null or missing is None."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


# --- comparisons ----------------------------------------------------------------------------------


def test_a_comparison_has_a_column_per_side_and_metric():
    assert records(file_of("Compare", compared(3, 1), compared(2, 2)).to_pandas()) == [
        {
            "context": "a book",
            "winnerIndex": winner,
            "assetA": "a.jpg",
            "assetB": "b.jpg",
            "A_assetUrls": "https://x/a.jpg",
            "B_assetUrls": "https://x/b.jpg",
            "A_aggregatedResults": a,
            "B_aggregatedResults": b,
        }
        for a, b, winner in ((3, 1, 0), (2, 2, None))
    ]


def test_answers_stand_beside_what_is_known_of_their_datapoint():
    table = file_of("Compare", compared(2, 1), compared(0, 1, context="a duck")).to_pandas(
        split_details=True
    )
    assert list(table["votedFor"]) == ["a.jpg", "a.jpg", "b.jpg", "b.jpg"]
    assert list(table["context"]) == ["a book"] * 3 + ["a duck"]
    assert list(table["A_aggregatedResults"]) == [2, 2, 2, 0]
    assert list(table["userDetails_userScores_global"]) == [0.5] * 4
    assert list(table.index) == [0, 1, 2, 3]


def test_both_and_neither_have_columns_where_somebody_chose_them():
    votes = {"a.jpg": 1, "b.jpg": 0, "Neither": 2}
    table = file_of("Compare", compared(1, 0), compared(1, 0, aggregatedResults=votes)).to_pandas()
    assert [row["Neither_aggregatedResults"] for row in records(table)] == [None, 2]
    assert "Both_aggregatedResults" not in table


def test_names_of_the_sides_are_kept():
    [row] = records(file_of("Compare", compared(1, 0, winnerName="ours")).to_pandas())
    assert (row["winnerName"], row["assetA"]) == ("ours", "a.jpg")


def test_one_asset_or_none_is_no_reason_to_drop_a_datapoint():
    alone = compared(4, 0, assetUrls={"a.jpg": "https://x"}, aggregatedResults={"a.jpg": 4})
    nobody = {"context": "nobody came", "assetUrls": {}, "detailedResults": []}
    rows = records(file_of("Compare", alone, nobody).to_pandas())
    assert [(row["assetA"], row["A_aggregatedResults"]) for row in rows] == [
        ("a.jpg", 4),
        (None,) * 2,
    ]
    assert rows[1]["context"] == "nobody came"


def test_more_assets_than_two_have_columns_of_their_names():
    votes = {"a": 1, "b": 2, "c": 3}
    [row] = records(file_of("Compare", {"aggregatedResults": votes}).to_pandas())
    assert (row["asset_1"], row["asset_3"]) == ("a", "c")
    assert row["c_aggregatedResults"] == 3


def test_private_metadata_has_columns_of_its_keys():
    entry = compared(1, 0, privateMetadata={"row": "7", "deeper": {"x": 1}, "empty": {}})
    [row] = records(file_of("Compare", entry).to_pandas())
    assert (row["privateMetadata_row"], row["privateMetadata_deeper_x"]) == ("7", 1)
    assert not any("empty" in name for name in row)


# --- classifications ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Classification", "Classify"])
def test_a_classification_has_a_row_per_option(kind):
    table = file_of(kind, classified({"good": 2}), classified({"bad": 1, "good": 0})).to_pandas()
    assert list(table["option"]) == ["good", "bad", "good"]
    assert list(table["count"]) == [2, 1, 0]


def test_a_classification_without_options_keeps_its_row():
    rows = records(file_of("Classification", classified({"good": 1}), {"context": "x"}).to_pandas())
    assert [(row["option"], row["context"]) for row in rows] == [("good", None), (None, "x")]


def test_the_options_of_answers_are_no_columns():
    results = file_of("Classification", classified({"good": 1}), classified({"bad": 2, "ugly": 1}))
    table = results.to_pandas(split_details=True)
    assert list(table) == ["identifier", "aggregatedResults", "selectedCategory"]
    assert list(table["selectedCategory"]) == ["good", "bad", "bad", "ugly"]
    assert table["aggregatedResults"][3] == {"bad": 2, "ugly": 1}


# --- rankings -------------------------------------------------------------------------------------


def test_a_ranking_has_a_row_per_item():
    scores = {"a.jpg": 1179.5, "b.jpg": 1240.5, "c.jpg": 1179.5}
    assert records(
        file_of("Ranking", ranked(scores), ranked({"d.jpg": 1, "e.jpg": 2})).to_pandas()
    ) == [
        {
            "datapoint": datapoint,
            "group": "books",
            "asset": asset,
            "rank": rank,
            "assetUrls": "https://x",
            "elo": score,
        }
        for datapoint, asset, rank, score in (
            (0, "a.jpg", 2, 1179.5),
            (0, "b.jpg", 1, 1240.5),
            (0, "c.jpg", 2, 1179.5),
            (1, "d.jpg", 2, 1.0),
            (1, "e.jpg", 1, 2.0),
        )
    ]


def test_items_without_a_score_have_no_rank():
    entry = ranked({"a": 1, "b": None, "c": "high", "d": True})
    rows = records(file_of("Ranking", entry, {"group": "empty"}).to_pandas())
    assert [row["rank"] for row in rows] == [1, None, None, None, None]
    assert rows[4]["group"] == "empty"


def test_undecided_answers_to_a_ranking_are_about_no_item():
    votes = {"a": 1, "b": 0, "Both": 3}
    rows = records(
        file_of("Ranking", ranked({"a": 2, "b": 1}, aggregatedResults=votes)).to_pandas()
    )
    assert [row["asset"] for row in rows] == ["a", "b"]
    assert [row["Both_aggregatedResults"] for row in rows] == [3, 3]


def test_answers_to_a_ranking_have_no_column_per_item():
    results = file_of("Ranking", ranked({"a": 1, "b": 2}), ranked({"c": 1, "d": 2}))
    assert records(results.to_pandas(split_details=True)) == [
        {"datapoint": 0, "group": "books", "votedFor": "a", "compared": ["a", "b"]},
        {"datapoint": 1, "group": "books", "votedFor": "c", "compared": ["c", "d"]},
    ]


# --- other tasks, and all -------------------------------------------------------------------------


def test_other_tasks_have_columns_of_their_fields():
    points = [{"x": 12.5, "y": 50.0}]
    entry = {"identifier": "1.jpg", "more": {"x": 1}, "detailedResults": [{"coordinates": points}]}
    results = file_of("Locate", entry)
    [row] = records(results.to_pandas())
    assert (row["identifier"], row["more_x"]) == ("1.jpg", 1)
    assert row["detailedResults"] == [{"coordinates": points}]
    [row] = records(results.to_pandas(split_details=True))
    assert (row["more"], row["coordinates"]) == ({"x": 1}, points)


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_columns_are_those_of_all_datapoints(kind, split):
    table = file_of(
        kind,
        compared(1, 0, early=1, elo={"a.jpg": 1, "b.jpg": 2}),
        compared(0, 1, late="x", detailedResults=[{"votedFor": "b.jpg", "new": {"deep": 5}}]),
    ).to_pandas(split_details=split)
    rows = records(table)
    assert (rows[0]["late"], rows[-1]["late"]) == (None, "x")
    assert (rows[0]["early"], rows[-1]["early"]) == (1, None)
    if split:
        assert [row["new_deep"] for row in rows] == [None, 5]
        # In the order of their first appearance, row by row.
        assert list(table)[-3:] == ["userDetails_userScores_global", "late", "new_deep"]


def test_an_answer_s_own_field_counts_more_than_the_datapoint_s():
    answers = [{"context": "mine"}, {"votedFor": "a.jpg"}, {"context": None}]
    table = file_of("Compare", compared(1, 0, detailedResults=answers)).to_pandas(True)
    assert [row["context"] for row in records(table)] == ["mine", "a book", None]
    assert next(iter(table)) == "context"


def test_of_two_fields_with_one_name_the_later_one_counts():
    answers = [{"a": {"b": 1}, "a_b": 2}, {"a_b": 3, "a": {"b": 4}}, {"c": 5}]
    table = file_of("Locate", {"detailedResults": answers}).to_pandas(split_details=True)
    assert [row["a_b"] for row in records(table)] == [2, 4, None]


def test_the_nested_form_of_older_files():
    nested = RapidataResults(
        info={"type": "Classification"},
        results={"globalAggregatedData": {"good": 2}, "data": [classified({"good": 2})]},
    )
    assert records(nested.to_pandas())[0]["count"] == 2
    assert len(nested.to_pandas(split_details=True)) == 2


def test_splitting_what_has_no_answers():
    results = file_of("Compare", {"aggregatedResults": {"a": 1}})
    with pytest.raises(ValueError, match="no single answers"):
        results.to_pandas(split_details=True)


@pytest.mark.parametrize(("kind", "rows"), [("Compare", 1), ("Classification", 0), ("Ranking", 0)])
def test_splitting_what_nobody_has_answered_yet(kind, rows):
    results = file_of(kind, compared(0, 0))
    assert len(results.to_pandas(split_details=True)) == rows


@pytest.mark.parametrize("document", [{}, {"info": None, "results": None}, {"results": {}}])
def test_files_without_content(document):
    for split in (False, True):
        assert RapidataResults(document).to_pandas(split_details=split).empty


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"identifier": None, "context": None, "assetUrls": None, "detailedResults": None},
        {"aggregatedResults": None, "summedUserScores": {"a": None, "b": "x", "c": True}},
        {"aggregatedResults": {"a": 0}, "assetUrls": ["a", "b"], "elo": {"a": [1]}},
        {"aggregatedResults": {"a": {"deep": 1}, "b": []}, "elo": 5},
        {"detailedResults": [{}, {"userDetails": None}, {"userDetails": 5}]},
        {"detailedResults": [{"userDetails": {"userScores": None, "demographics": [1]}}]},
        {"context": {"Both": 1}, "number": 10**30},
    ],
)
def test_what_is_missing_or_odd_breaks_no_table(kind, entry):
    results = file_of(kind, entry, compared(1, 0))
    assert "a book" in set(results.to_pandas()["context"])
    assert "a.jpg" in set(results.to_pandas(split_details=True)["votedFor"])


def test_answers_that_are_no_list_are_an_error():
    for listed in ({"no": "list"}, [None], "text"):
        with pytest.raises(errors.ResultsError, match="detailedResults"):
            file_of("Compare", compared(1, 0, detailedResults=listed)).to_pandas(True)


def test_halves_of_characters():
    half = json.loads(r'"\ud83d"')
    results = file_of("Compare", compared(1, 0, context=half, extra={half: half}))
    for split in (False, True):
        [row] = records(results.to_pandas(split_details=split))
        assert (row["A_aggregatedResults"], row["assetA"]) == (1, "a.jpg")
        assert row["context"] in (half, "?")


def test_a_file_gives_the_same_table_as_a_dictionary():
    for kind in KINDS:
        results = file_of(kind, compared(2, 1), compared(1, 2, late=True))
        read = ResultsFile(json.dumps(results).encode())
        for split in (False, True):
            pandas.testing.assert_frame_equal(
                read.to_pandas(split_details=split), results.to_pandas(split_details=split)
            )


class Counted(dict):
    """An entry that is counted as long as it is alive."""

    alive = most = 0

    def __init__(self, fields):
        super().__init__(fields)
        Counted.alive += 1
        Counted.most = max(Counted.most, Counted.alive)

    def __del__(self):
        Counted.alive -= 1


class Stream(Results):
    """Entries that nobody else holds."""

    def __init__(self, kind):
        self.info = {"type": kind}

    info = None

    def entries(self, *, answers=True):
        for _ in range(50):
            yield Counted(compared(1, 1))


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_only_one_datapoint_is_held_at_a_time(kind, split):
    gc.collect()
    Counted.alive = Counted.most = 0
    Stream(kind).to_pandas(split_details=split)
    # The one that is worked on, and the next one while it is read.
    assert Counted.most <= 2


def test_without_pyarrow():
    results = file_of("Compare", compared(1, 1), compared(0, 1, context=None, late="x"))
    code = f"""
import sys
sys.modules["pyarrow"] = None
from rapidata_core import RapidataResults
table = RapidataResults({dict(results)!r}).to_pandas(split_details=True)
print(table.astype(object).where(table.notna(), None).to_dict("records"))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.strip() == str(records(results.to_pandas(split_details=True))), done.stderr
