"""Who was preferred to whom, and what follows for everybody's rank."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rapidata_core.errors import outside, refuse, some
from rapidata_core.results.frames import check_table, column, keys, numbered, rows
from rapidata_core.results.quality.answers import check_installed
from rapidata_core.results.quality.metrics import check_interval

if TYPE_CHECKING:
    import pandas
    from numpy.typing import NDArray

# Winner, loser, weight, draw.
Vote = tuple[str, str, float, int]

_COMPARISON = {"winner": "string", "loser": "string", "weight": "float64", "draw": "int64"}


def comparisons(
    table: pandas.DataFrame, *, names: Mapping[str, str] | None = None, weighted: bool = False
) -> pandas.DataFrame:
    """Who was preferred to whom, for :func:`bradley_terry`.

    ``Both`` and ``Neither`` are half a win for each side. Items that are the same, or have the same
    name, are not compared.

    Args:
        table: The labels of a comparison, or the responses of a comparison or a ranking.
        names: What to rank, by item: for example the model that made it. The items themselves if
            not given.
        weighted: Count an answer as its labeler's user score instead of 1; without one, as 0.

    Returns:
        ``winner``, ``loser``, ``weight`` (votes), and ``draw``: rows with the same number are drawn
        together for the interval. These are the answers to one datapoint of a comparison, and of a
        ranking single answers.

    Raises:
        ValidationError: It is no such table, or items have no name.
    """
    import pandas

    votes = _label_votes if "votes" in getattr(table, "columns", ()) else _response_votes
    found = [vote for vote in votes(table, weighted) if vote[2]]
    if names is not None:
        unnamed = sorted({item for vote in found for item in vote[:2]} - set(names))
        if unnamed:
            refuse([f"names: {len(unnamed)} items have none: {some(unnamed)}"])
        found = [
            (names[winner], names[loser], weight, draw) for winner, loser, weight, draw in found
        ]
    unequal = [vote for vote in found if vote[0] != vote[1]]
    return pandas.DataFrame(unequal, columns=list(_COMPARISON)).astype(_COMPARISON)


def _label_votes(labels: pandas.DataFrame, weighted: bool) -> Iterator[Vote]:
    check_table("table", labels, ["items", "votes"])
    for draw, (items, votes) in enumerate(rows(labels, "items", "votes")):
        if len(items) > 2:
            refuse(["table: a ranking needs the responses, not the labels"])
        places = {item: place for place, item in enumerate(items)}
        for vote in votes:
            weight = vote["user_score" if weighted else "count"]
            yield from _votes(items, places.get(vote["option"], -1), weight, draw)


def _response_votes(responses: pandas.DataFrame, weighted: bool) -> Iterator[Vote]:
    needed = ("items", "compared", "answer", "answer_index", "user_score")
    check_table("table", responses, ["job_id", "datapoint", *needed])
    draws, _ = numbered(keys(responses))
    pairs = zip(draws.tolist(), rows(responses, *needed), strict=True)
    for row, (datapoint, (items, compared, answer, index, score)) in enumerate(pairs):
        shown = [0, 1] if compared is None else list(compared)
        if answer is None or len(shown) != 2 or len(items) < 2:
            continue
        place = shown.index(index) if index in shown else -1
        draw = datapoint if compared is None else row
        yield from _votes([items[i] for i in shown], place, (score or 0) if weighted else 1, draw)


def _votes(items: Sequence[str], place: int, weight: float, draw: int) -> Iterator[Vote]:
    """A vote for the item at this place, or for both or none of them."""
    if len(items) == 2:
        for winner in (0, 1) if place < 0 else (place,):
            yield items[winner], items[1 - winner], weight / (2 if place < 0 else 1), draw


def bradley_terry(
    comparisons: pandas.DataFrame,
    *,
    prior: float = 1.0,
    bootstrap: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pandas.DataFrame:
    """Rank what was compared two at a time.

    The model of Bradley & Terry (1952): who is better by a score of d wins with the probability
    1 / (1 + exp(-d)). It is fitted with Newman's algorithm (2023), by the library evalica.

    Args:
        comparisons: What :func:`comparisons` gives, or your own table with these columns; tables
            may be joined.
        prior: Wins, and losses, of each against an imagined average one (Newman 2023, with 1).
            They draw scores together where there are few votes, and keep those finite who always
            won. Above 0.
        bootstrap: How often comparisons are drawn anew for the interval (percentile bootstrap,
            Efron 1979); 0 for none. With more than a hundred items it takes minutes.
        seed: Of the drawing.
        confidence: Of the interval.

    Returns:
        A row per item, the best first: ``item``, ``score`` (natural logarithm; 0 is the mean of
        all), ``low`` and ``high`` (null without an interval), ``wins`` and ``losses`` (votes).

    Raises:
        ValidationError: One of the arguments is wrong, evalica is not installed, or some items were
            not compared with the others, not even by way of third ones: rank them by themselves.
    """
    import numpy
    import pandas

    check_interval(bootstrap, seed, confidence)
    check_installed("evalica")
    _check_comparisons(comparisons, prior)
    weight = numpy.array(column(comparisons, "weight"), dtype=float)
    draw, draws = numbered(column(comparisons, "draw"))
    winners, losers = column(comparisons, "winner"), column(comparisons, "loser")
    items = sorted({*winners, *losers})
    winner, loser = numbered(winners, items)[0], numbered(losers, items)[0]
    _check_connected(items, winner, loser)
    matches, match = numpy.unique(winner * len(items) + loser, return_inverse=True)

    def scores(times: NDArray[Any]) -> NDArray[Any]:
        weights = numpy.bincount(match, weight * times[draw], minlength=len(matches))
        return _strengths(matches // len(items), matches % len(items), weights, len(items), prior)

    found = pandas.DataFrame({"item": pandas.Series(items, dtype="string")})
    found["score"] = scores(numpy.ones(len(draws)))
    random = numpy.random.default_rng(seed)
    every = [
        scores(numpy.bincount(random.integers(len(draws), size=len(draws)), minlength=len(draws)))
        for _ in range(bootstrap if len(draws) > 1 else 0)
    ]
    for name, tail in (("low", (1 - confidence) / 2), ("high", (1 + confidence) / 2)):
        found[name] = numpy.quantile(every, tail, axis=0) if every else numpy.nan
    found["wins"] = numpy.bincount(winner, weight, minlength=len(items))
    found["losses"] = numpy.bincount(loser, weight, minlength=len(items))
    return found.sort_values("score", ascending=False, kind="stable", ignore_index=True)


def _strengths(
    winner: NDArray[Any], loser: NDArray[Any], weight: NDArray[Any], count: int, prior: float
) -> NDArray[Any]:
    """Scores of the items, by their numbers."""
    import evalica
    import numpy
    import pandas

    everybody, imagined = numpy.arange(count), numpy.full(count, count)
    xs = numpy.concatenate([winner, everybody, imagined])
    ys = numpy.concatenate([loser, imagined, everybody])
    found = evalica.bradley_terry(
        xs.tolist(),
        ys.tolist(),
        [evalica.Winner.X] * len(xs),
        index=pandas.RangeIndex(count + 1),
        weights=[*weight.tolist(), *([prior] * (2 * count))],
        tolerance=1e-9,
        limit=10_000,
    )
    scores = numpy.log(found.scores.sort_index().to_numpy()[:count])
    return scores - scores.mean()


def _check_comparisons(comparisons: pandas.DataFrame, prior: float) -> None:
    check_table("comparisons", comparisons, _COMPARISON)
    problems = outside("prior", prior, 0, without=[0])
    if comparisons.empty:
        problems.append("comparisons: nobody was compared")
    found = list(rows(comparisons, *_COMPARISON))
    if any(None in row for row in found):
        problems.append("comparisons: values are missing")
    elif any(row[0] == row[1] for row in found):
        problems.append("comparisons: an item is compared with itself")
    elif not all(0 <= row[2] < float("inf") for row in found):
        problems.append("comparisons: a weight must be a number of 0 or more")
    refuse(problems)


def _check_connected(items: Sequence[str], winner: NDArray[Any], loser: NDArray[Any]) -> None:
    group: list[int] = list(range(len(items)))
    pairs: set[tuple[int, int]] = {*zip(winner.tolist(), loser.tolist(), strict=True)}
    for one, other in pairs:
        old, new = group[one], group[other]
        if old != new:
            group = [new if number == old else number for number in group]
    apart = sorted(item for item, number in zip(items, group, strict=True) if number != group[0])
    if apart:
        never = f"{items[0]!r} was never compared, even by way of others, with {some(apart)}"
        refuse([f"comparisons: {never}"])
