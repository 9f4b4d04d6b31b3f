"""Rankings from comparisons of two: which pairs are asked, and the scores that the answers give.

Wins are counted per item and opponent: ``wins["a"]["b"]`` is how often a was preferred to b, where
a tie counts half for each. Every item has an entry, also one that was never preferred.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from itertools import combinations

from rapidata_core.sandbox.crowd import draw

Wins = Mapping[str, Mapping[str, float]]
Pair = tuple[str, str]

START_SCORE = 1200
SCALE = 400 / math.log(10)
"""Elo's convention: whoever is 400 points ahead is preferred ten times out of eleven."""

_MAX_STEPS = 2_000
_CLOSE_ENOUGH = 1e-5
_FAST, _SLOW = 64.0, 16.0
"""How far a rating moves with an item's first answers, and how far at least."""


def counted(items: Iterable[str], results: Iterable[tuple[str, str, float]]) -> Wins:
    """Count wins.

    Args:
        items: Everything that is ranked.
        results: Two items and the first one's share of the win: 1, 0, or 0.5 for a tie.
    """
    wins: dict[str, dict[str, float]] = {item: {} for item in items}
    for first, second, share in results:
        if share > 0:
            wins[first][second] = wins[first].get(second, 0.0) + share
        if share < 1:
            wins[second][first] = wins[second].get(first, 0.0) + 1 - share
    return wins


def bradley_terry(wins: Wins, start: int = START_SCORE) -> dict[str, int]:
    """Scores under which the wins are likeliest, if P(a beats b) = a's strength / (a's + b's).

    Every item has also drawn once against an imagined item of the start score. This keeps the score
    of an item that always won finite, makes items comparable that share no opponents, and fixes the
    scale. The iteration is the MM algorithm of D. R. Hunter, "MM algorithms for generalized
    Bradley-Terry models", Annals of Statistics 32 (2004), equation (3).

    Args:
        wins: See this module.
        start: The score of an item about which nothing is known.

    Returns:
        A score for every item; the order of the items changes nothing.
    """
    played = _opponents(wins)
    won = {item: math.fsum(row.values()) + 0.5 for item, row in wins.items()}
    strengths, imagined = dict.fromkeys(wins, 1.0), 1.0
    for _ in range(_MAX_STEPS):
        # fsum rounds once whatever the order, so renaming or reordering items changes no digit.
        meetings = {item: 1 / (imagined + strengths[item]) for item in strengths}
        improved = {
            item: won[item]
            / math.fsum(
                (meetings[item], *(n / (own + strengths[other]) for other, n in played[item]))
            )
            for item, own in strengths.items()
        }
        moved = max((abs(improved[i] / strengths[i] - 1) for i in strengths), default=0.0)
        imagined = len(wins) / 2 / math.fsum(meetings.values()) if wins else 1.0
        strengths = improved
        if moved < _CLOSE_ENOUGH:
            break
    # Only ratios of strengths mean anything, so the imagined item takes part and is the unit.
    return {item: round(start + SCALE * math.log(p / imagined)) for item, p in strengths.items()}


def matchups(
    items: Sequence[str],
    budget: int,
    ask: Callable[[int, str, str], float],
    *,
    random_ratio: float = 0.5,
    seed: int,
    key: str,
) -> Generator[tuple[str, str, float]]:
    """Choose pairs, one after the other, and ask about each.

    First come random pairs, then close ones: the item that was compared least, against the one that
    is rated most like it by the answers so far.

    Args:
        items: Different items, two at least.
        budget: How many pairs.
        ask: Called with the pair's number and the pair; returns the first one's share of the win.
        random_ratio: The share of the pairs that is random.
        seed: The sandbox's seed.
        key: What is ranked; every key has its own pairs.

    Yields:
        The pair and what was answered.
    """
    ratings, times = dict.fromkeys(items, 0.0), dict.fromkeys(items, 0)
    met: dict[Pair, int] = {}
    for number in range(budget):
        if number < budget * random_ratio:
            first, second = _random_pair(items, seed, key, number)
        else:
            first, second = _close_pair(items, ratings, times, met, seed, key, number)
        share = ask(number, first, second)
        expected = 1 / (1 + math.exp((ratings[second] - ratings[first]) / SCALE))
        for item, change in ((first, share - expected), (second, expected - share)):
            times[item] += 1
            ratings[item] += change * max(_SLOW, _FAST / times[item])
        met[_unordered(first, second)] = met.get(_unordered(first, second), 0) + 1
        yield first, second, share


def all_pairs(items: Sequence[str]) -> list[Pair]:
    """Every two items, once."""
    return list(combinations(items, 2))


def matrix(wins: Wins, index: Sequence[str]) -> list[list[float]]:
    """The wins as rows and columns in the order of an index."""
    return [[float(wins[row].get(column, 0.0)) for column in index] for row in index]


def _opponents(wins: Wins) -> dict[str, list[tuple[str, float]]]:
    """Against whom every item played, and how often."""
    played: dict[str, dict[str, float]] = {item: {} for item in wins}
    for winner, row in wins.items():
        for loser, count in row.items():
            played[winner][loser] = played[winner].get(loser, 0.0) + count
            played[loser][winner] = played[loser].get(winner, 0.0) + count
    return {item: list(row.items()) for item, row in played.items()}


def _random_pair(items: Sequence[str], seed: int, key: str, number: int) -> Pair:
    first = int(draw(seed, "matchup", key, number, "first") * len(items))
    distance = 1 + int(draw(seed, "matchup", key, number, "second") * (len(items) - 1))
    return items[first], items[(first + distance) % len(items)]


def _close_pair(
    items: Sequence[str],
    ratings: Mapping[str, float],
    times: Mapping[str, int],
    met: Mapping[Pair, int],
    seed: int,
    key: str,
    number: int,
) -> Pair:
    least = min(times.values())
    waiting = [item for item in items if times[item] == least]
    chosen = waiting[int(draw(seed, "matchup", key, number, "first") * len(waiting))]

    def distance(other: str) -> tuple[float, int]:
        # Pairs that met often move apart, so that the same two do not meet for ever.
        gap = abs(ratings[chosen] - ratings[other]) + 10
        return gap * (1 + met.get(_unordered(chosen, other), 0)), times[other]

    rival = min((item for item in items if item != chosen), key=distance)
    swapped = draw(seed, "matchup", key, number, "side") < 0.5
    return (rival, chosen) if swapped else (chosen, rival)


def _unordered(first: str, second: str) -> Pair:
    return (first, second) if first < second else (second, first)
