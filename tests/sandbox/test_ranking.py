"""Scores from comparisons, and the choice of what is compared."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapidata_core.sandbox.crowd import draw
from rapidata_core.sandbox.ranking import (
    START_SCORE,
    all_pairs,
    bradley_terry,
    counted,
    matchups,
    matrix,
)

ITEMS = [f"item {number}" for number in range(8)]
RESULTS = st.lists(
    st.tuples(st.sampled_from(ITEMS), st.sampled_from(ITEMS), st.sampled_from([0.0, 0.5, 1.0])),
    max_size=40,
).map(lambda results: [result for result in results if result[0] != result[1]])


def fair(strengths, seed):
    """Answers of people who prefer in proportion to the strengths."""
    chance = random.Random(seed)

    def ask(_number, first, second):
        return float(chance.random() * (strengths[first] + strengths[second]) < strengths[first])

    return ask


def test_wins_are_counted_and_a_tie_is_half_a_win_for_both():
    wins = counted("abc", [("a", "b", 1.0), ("a", "b", 0.5), ("b", "a", 0.0)])
    assert wins == {"a": {"b": 2.5}, "b": {"a": 0.5}, "c": {}}
    assert matrix(wins, "abc") == [[0, 2.5, 0], [0.5, 0, 0], [0, 0, 0]]


def test_the_true_strengths_come_out():
    strengths = {item: 2.0**place for place, item in enumerate(ITEMS)}
    answers = list(matchups(ITEMS, 8000, fair(strengths, 1), seed=1, key="truth"))
    scores = bradley_terry(counted(ITEMS, answers))
    assert sorted(scores, key=scores.__getitem__) == ITEMS
    # Twice as strong is 120.4 points; the estimate's own error is about 10 of them.
    steps = [scores[b] - scores[a] for a, b in pairwise(ITEMS)]
    assert all(abs(step - 120.4) < 40 for step in steps), steps
    assert sum(steps) / len(steps) == pytest.approx(120.4, abs=12)


def test_an_item_that_always_won_stays_finite_and_one_that_nobody_met_stays_at_the_start():
    wins = counted(["best", "worst", "unknown"], [("best", "worst", 1.0)] * 1000)
    scores = bradley_terry(wins, start=1500)
    assert scores["best"] > scores["unknown"] == 1500 > scores["worst"]
    assert scores["best"] < 1500 + 2000
    assert scores["best"] - 1500 == 1500 - scores["worst"]


def test_nothing_to_rank():
    assert bradley_terry({}) == {}
    assert bradley_terry({"alone": {}}) == {"alone": START_SCORE}


@given(RESULTS, st.permutations(ITEMS))
@settings(max_examples=60, deadline=None)
def test_names_and_their_order_change_nothing(results, renamed):
    names = dict(zip(ITEMS, renamed, strict=True))
    scores = bradley_terry(counted(ITEMS, results))
    others = bradley_terry(
        counted(renamed, [(names[a], names[b], share) for a, b, share in reversed(results)])
    )
    assert {names[item]: score for item, score in scores.items()} == others


@given(RESULTS)
@settings(max_examples=60, deadline=None)
def test_turning_all_answers_around_mirrors_the_scores(results):
    scores = bradley_terry(counted(ITEMS, results), start=0)
    mirrored = bradley_terry(counted(ITEMS, [(b, a, share) for a, b, share in results]), start=0)
    assert all(abs(scores[item] + mirrored[item]) <= 1 for item in ITEMS)


@given(RESULTS, st.sampled_from(ITEMS), st.sampled_from(ITEMS))
@settings(max_examples=60, deadline=None)
def test_one_more_win_never_costs_points(results, winner, loser):
    if winner == loser:
        return
    before = bradley_terry(counted(ITEMS, results))
    after = bradley_terry(counted(ITEMS, [*results, (winner, loser, 1.0)]))
    assert after[winner] >= before[winner]
    assert after[loser] <= before[loser]


def test_pairs_are_the_same_for_the_same_seed_and_others_for_another():
    def pairs(seed, key, budget=60):
        ask = fair(dict.fromkeys(ITEMS, 1.0), 3)
        return [
            (first, second) for first, second, _ in matchups(ITEMS, budget, ask, seed=seed, key=key)
        ]

    assert pairs(1, "a") == pairs(1, "a")
    assert pairs(1, "a") != pairs(2, "a")
    assert pairs(1, "a") != pairs(1, "b")
    assert all(first != second for first, second in pairs(1, "a"))
    assert len(pairs(1, "a", 7)) == 7


def test_half_of_the_pairs_are_random_and_the_rest_close():
    strengths = {item: 4.0**place for place, item in enumerate(ITEMS)}
    answers = list(matchups(ITEMS, 400, fair(strengths, 5), seed=1, key="close"))

    def distance(some):
        gaps = [abs(ITEMS.index(first) - ITEMS.index(second)) for first, second, _ in some]
        return sum(gaps) / len(gaps)

    # Two of eight at random are three places apart.
    assert distance(answers[:200]) == pytest.approx(3, abs=0.4)
    assert distance(answers[200:]) < 2.2
    everything_random = list(
        matchups(ITEMS, 400, fair(strengths, 5), random_ratio=1, seed=1, key="close")
    )
    assert distance(everything_random[200:]) > 2.5


def test_every_item_gets_its_share_of_the_close_pairs():
    answers = matchups(ITEMS, 80, lambda *_: 1.0, random_ratio=0, seed=1, key="share")
    counts = dict.fromkeys(ITEMS, 0)
    for first, second, _ in answers:
        counts[first] += 1
        counts[second] += 1
    assert max(counts.values()) - min(counts.values()) <= 10


def test_all_pairs():
    assert all_pairs(["a", "b", "c"]) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert len(all_pairs(ITEMS)) == 28


def test_a_large_ranking_is_quick_and_deterministic():
    items = [str(number) for number in range(60)]
    strengths = {item: 32 ** draw(0, "strength", item) for item in items}
    answers = list(matchups(items, 3000, fair(strengths, 2), seed=0, key="large"))
    scores = bradley_terry(counted(items, answers))
    assert scores == bradley_terry(counted(items[::-1], answers[::-1]))
    best = sorted(items, key=strengths.__getitem__)[-10:]
    assert len(set(best) & set(sorted(items, key=scores.__getitem__)[-15:])) >= 9
