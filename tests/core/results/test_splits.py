"""Rows to learn from and rows to test with: never the same group on both sides."""

from __future__ import annotations

import numpy
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapidata_core import errors
from rapidata_core.results.splits import split

values = st.one_of(st.integers(-5, 30), st.text(max_size=3), st.booleans(), st.floats(0, 9))
groups = st.one_of(values, st.lists(st.text(max_size=2), max_size=3))


def sides(frame, **how):
    return split(frame, by="group", **how).tolist()


def table(found):
    return pandas.DataFrame({"group": pandas.Series(found, dtype=object)})


def test_sides_stay_what_they_are():
    """Whoever changes the hash lets tomorrow's model train on today's test set."""
    found = sides(table(["a", "b", "c", "d", 1, 2, ["x", "y"]]), test_share=0.5)
    assert " ".join(found) == "test test train test test test test"


@settings(max_examples=300, deadline=None)
@given(st.lists(groups), st.lists(groups), st.integers(0, 3), st.floats(0, 1))
def test_a_group_stays_on_its_side_when_rows_are_added(old, new, seed, share):
    how = {"seed": seed, "test_share": share}
    grown = sides(table([*new, *old, *new]), **how)
    assert grown[len(new) : len(new) + len(old)] == sides(table(old), **how)
    assert grown[: len(new)] == grown[len(new) + len(old) :]


@settings(max_examples=100, deadline=None)
@given(st.lists(groups, min_size=1), st.integers(0, 3), st.floats(0, 1), st.floats(0, 1))
def test_no_group_is_on_both_sides(found, seed, share, other):
    frame = table(found * 2)
    first = sides(frame, seed=seed, test_share=min(share, other))
    assert first[: len(found)] == first[len(found) :]
    assert set(first) <= {"train", "test"}
    # With a larger share, nothing that was tested with is learned from.
    second = sides(frame, seed=seed, test_share=max(share, other))
    pairs = zip(first, second, strict=True)
    assert all(after == "test" for before, after in pairs if before == "test")


@settings(max_examples=40, deadline=None)
@given(st.floats(0.05, 0.95), st.integers(0, 10_000))
def test_the_share_is_about_what_was_asked_for(share, seed):
    found = sides(table(list(range(2000))), test_share=share, seed=seed)
    # Five standard deviations of the binomial distribution.
    bound = 5 * (share * (1 - share) / 2000) ** 0.5
    assert abs(found.count("test") / 2000 - share) < bound


def test_all_or_nothing():
    frame = table(list(range(50)))
    assert set(sides(frame, test_share=0)) == {"train"}
    assert set(sides(frame, test_share=1)) == {"test"}


def test_another_seed_is_another_division():
    frame = table(list(range(50)))
    assert sides(frame, seed=1) != sides(frame, seed=2)


def test_groups_are_what_they_say_whatever_the_column_is():
    plain = sides(table([1, 2, 3, 40]), test_share=0.5)
    for kind in ("int32", "Int64", "float64", "category"):
        assert sides(table([1, 2, 3, 40]).astype(kind), test_share=0.5) == plain
    lists = [["a", "b"], ["c", "d"], ["e", "f"], ["g", "h"]]
    found = sides(table(lists), test_share=0.5)
    for kind in (tuple, numpy.array, lambda names: names[::-1]):
        assert sides(table([kind(names) for names in lists]), test_share=0.5) == found
    assert len(set(found)) == 2


def test_several_columns_are_a_group_together():
    frame = pandas.DataFrame([(a, b) for a in "abcdefgh" for b in "abcdefgh"], columns=["a", "b"])
    both = split(frame, by=["a", "b"], test_share=0.5)
    assert both.nunique() == 2
    # Neither decides alone.
    assert both.groupby(frame["a"]).nunique().max() == 2
    assert both.groupby(frame["b"]).nunique().max() == 2
    joined = pandas.DataFrame({"a": ["ab", "a"], "b": ["c", "bc"]})
    apart = [split(joined, by=["a", "b"], test_share=0.5, seed=n).nunique() for n in range(20)]
    assert max(apart) == 2


def test_the_result_fits_to_the_frame():
    frame = pandas.DataFrame({"group": ["a", "b"]}, index=[7, 7])
    found = split(frame, by="group")
    assert (list(found.index), str(found.dtype), found.name) == ([7, 7], "string", "split")
    empty = split(frame.iloc[:0], by="group")
    assert (len(empty), str(empty.dtype)) == (0, "string")


@pytest.mark.parametrize("value", [None, float("nan"), pandas.NaT, pandas.NA, {"a": 1}, [None]])
def test_values_that_are_no_group(value):
    frame = pandas.DataFrame({"group": pandas.Series(["a", value], dtype=object)})
    with pytest.raises(errors.ValidationError, match="row 1: a group must be a text"):
        split(frame, by="group")


def test_every_problem_at_once():
    with pytest.raises(errors.ValidationError) as caught:
        split(pandas.DataFrame({"a": [1]}), by=["b", "c"], test_share=20)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "frame",
        "frame",
        "test_share",
    ]
    with pytest.raises(errors.ValidationError, match="name a column"):
        split(pandas.DataFrame({"a": [1]}), by=[])


def test_many_problems_are_not_all_named():
    with pytest.raises(errors.ValidationError) as caught:
        sides(table([None] * 12))
    assert caught.value.problems[9:] == [
        "row 9: a group must be a text, a number or a list of these, not None",
        "and 2 more",
    ]
