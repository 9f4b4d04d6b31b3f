"""How good labels are, in numbers: agreement, coverage, gold accuracy, drift.

Everything here is computed from the two tables, :meth:`~rapidata_core.RapidataResults.labels` and
:meth:`~rapidata_core.RapidataResults.responses`; tables of several jobs may be joined.

Votes are compared by option. In a comparison the options are the sides ``A`` and ``B`` (the first
and the second item), ``Both`` and ``Neither``. The votes of a ranking are about different pairs of
items, so they can only be compared where the responses are given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isnan, nan, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from rapidata_core.errors import outside, refuse
from rapidata_core.results.frames import Key, check_table, column, keys, rows
from rapidata_core.results.quality.answers import kind_of

if TYPE_CHECKING:
    import pandas
    from numpy.typing import NDArray

_SIDES = ("A", "B")


@dataclass(frozen=True)
class Estimate:
    """A number that was found in labels.

    Attributes:
        value: The number; None where it is not defined.
        low: Lower end of its interval; None where nothing is estimated but counted.
        high: Upper end of its interval.
        count: How many datapoints it rests upon.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    count: int = 0


def sides(items: Sequence[str], options: Sequence[str]) -> list[str]:
    """Options as they can be compared between datapoints: of a pair, its sides."""
    names = dict(zip(items, _SIDES, strict=True)) if len(items) == len(_SIDES) else {}
    return [names.get(option, option) for option in options]


def side(items: Sequence[str], index: int | None, answer: str) -> str:
    """An answer, of the item at this index if any, as :func:`sides` has it."""
    return answer if index is None or len(items) != len(_SIDES) else _SIDES[int(index)]


def datapoint_agreement(
    labels: pandas.DataFrame, responses: pandas.DataFrame | None = None
) -> pandas.Series[float]:
    """The chance that two answers to a datapoint agree, drawn without replacement.

    Of votes: the sum of ``n (n - 1)`` over the options, divided by the same of all votes (Fleiss
    1971, the agreement on one subject). Of other answers, with the responses: in a ranking the same
    over all pairs of items; :func:`~rapidata_core.results.quality.words.word_agreement`;
    :func:`~rapidata_core.results.quality.geometry.locate_agreement`;
    :func:`~rapidata_core.results.quality.painting.draw_agreement`.

    Returns:
        0..1 for each row of ``labels``; null with less than two answers, and for free texts.

    Raises:
        ValidationError: One of them is not the table it should be.
    """
    import pandas

    found = [_pair_agreement([tally]) for tally in _tallies(labels)]
    if responses is not None:
        measured = _measured(responses)
        pairs = zip(found, keys(labels), strict=True)
        found = [measured.get(key) if value is None else value for value, key in pairs]
    return pandas.Series(found, index=labels.index, dtype="float64", name="agreement")


def agreement(
    labels: pandas.DataFrame,
    responses: pandas.DataFrame | None = None,
    *,
    bootstrap: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Estimate:
    """Percent agreement: the mean of :func:`datapoint_agreement` (Fleiss 1971).

    Args:
        labels: The labels.
        responses: The responses; without them, only votes count.
        bootstrap: How often the datapoints are drawn anew for the interval (percentile bootstrap,
            Efron 1979); 0 for none.
        seed: Of the drawing.
        confidence: Of the interval.

    Raises:
        ValidationError: One of the arguments is wrong.
    """
    values = datapoint_agreement(labels, responses)
    return mean_agreement(values, bootstrap=bootstrap, seed=seed, confidence=confidence)


def mean_agreement(
    values: pandas.Series[float],
    *,
    bootstrap: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Estimate:
    """:func:`agreement` from what :func:`datapoint_agreement` found, so as not to find it twice."""
    known = values.dropna().to_numpy()

    def mean(times: NDArray[Any]) -> float:
        return float((times * known).sum() / times.sum())

    return _estimate(mean, len(known), bootstrap, seed, confidence)


def krippendorff_alpha(
    labels: pandas.DataFrame, *, bootstrap: int = 1000, seed: int = 0, confidence: float = 0.95
) -> Estimate:
    """Krippendorff's alpha for nominal data: agreement beyond what chance would give.

    ``1 - observed / expected`` disagreement, from the coincidences of values within datapoints
    (Krippendorff, Content Analysis; Hayes & Krippendorff 2007). 1 is perfect, 0 is chance.
    Datapoints with one vote do not count. It is not defined where all votes are the same: then
    there is nothing that labelers could have told apart.

    Args:
        labels: The labels.
        bootstrap: How often the datapoints are drawn anew for the interval, as Zapf et al. (2016)
            recommend; draws in which it is not defined are left out; 0 for none.
        seed: Of the drawing.
        confidence: Of the interval.

    Raises:
        ValidationError: One of the arguments is wrong.
    """
    import numpy

    tallies = [tally for tally in _tallies(labels) if tally.total() > 1]
    votes = [(u, option, n) for u, tally in enumerate(tallies) for option, n in tally.items()]
    numbers = {option: place for place, option in enumerate({option: 0 for _, option, _ in votes})}
    unit = numpy.array([u for u, _, _ in votes], dtype=int)
    category = numpy.array([numbers[option] for _, option, _ in votes], dtype=int)
    count = numpy.array([n for _, _, n in votes], dtype=float)
    size = numpy.bincount(unit, count)
    # Ordered pairs of different votes within a datapoint, each datapoint weighing as its votes.
    differing = (size**2 - numpy.bincount(unit, count**2)) / (size - 1)

    def alpha(times: NDArray[Any]) -> float:
        total = (times * size).sum()
        marginal = numpy.bincount(category, times[unit] * count)
        expected = (total**2 - (marginal**2).sum()) / (total * (total - 1))
        return float(1 - (times * differing).sum() / total / expected) if expected > 0 else nan

    return _estimate(alpha, len(tallies), bootstrap, seed, confidence)


def coverage(labels: pandas.DataFrame, *, expected: int | None = None) -> Estimate:
    """Share of the datapoints that have an answer.

    Args:
        labels: The labels.
        expected: How many datapoints there should be, for example ``len(spec.datapoints)``; without
            it, those of the table. Datapoints that could not be uploaded are in no table.

    Raises:
        ValidationError: The table has more datapoints than that, or it is no table of labels.
    """
    answered = [count > 0 for count in _responses(labels)]
    if expected is not None and expected < len(answered):
        refuse([f"expected: is {expected}, but labels has {len(answered)} datapoints"])
    return _share(sum(answered), len(answered) if expected is None else expected)


def minimum_responses(labels: pandas.DataFrame) -> Estimate:
    """The smallest number of human answers that a datapoint of the table has."""
    counts = _responses(labels)
    return Estimate(min(counts, default=None), count=len(counts))


def tie_rate(labels: pandas.DataFrame) -> Estimate:
    """Share of the datapoints with votes in which several answers have the most."""
    check_table("labels", labels, ["votes", "is_tie"])
    found = rows(labels, "votes", "is_tie")
    ties = [tie for votes, tie in found if any(vote["count"] for vote in votes)]
    return _share(sum(ties), len(ties))


def gold_accuracy(labels: pandas.DataFrame, *, confidence: float = 0.95) -> Estimate:
    """Share of the labels that are right, of those datapoints whose truth is known.

    A tie, or no label, is wrong. The interval is Wilson's (1927), which holds for few datapoints
    and for shares near 0 and 1.

    Args:
        labels: The labels.
        confidence: Of the interval.

    Raises:
        ValidationError: One of the arguments is wrong.
    """
    check_table("labels", labels, ["label", "truth"])
    check_interval(0, 0, confidence)
    right = [label == truth for label, truth in rows(labels, "label", "truth") if truth is not None]
    if not right:
        return Estimate(None)
    n, z = len(right), NormalDist().inv_cdf((1 + confidence) / 2)
    share = sum(right) / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Estimate(share, max(0.0, centre - half), min(1.0, centre + half), n)


def drift(labels: pandas.DataFrame, earlier: pandas.DataFrame) -> Estimate:
    """How far the distribution of the labels has moved: the total variation distance.

    Half the sum of the differences of the labels' shares: the share of the labels that would have
    to be others for both tables to have each label equally often. 0 is none, 1 is that no label
    occurs in both. Labels of comparisons are their sides; datapoints without a label do not count.
    Tables differ by chance, too: two of 100 labels, half of them A, by about 0.06.

    Args:
        labels: The labels.
        earlier: The labels to compare them with; they may be of other datapoints.

    Raises:
        ValidationError: One of them is no table of labels.
    """
    now, then = _label_counts("labels", labels), _label_counts("earlier", earlier)
    if not now or not then:
        return Estimate(None)
    moved = (abs(now[name] / now.total() - then[name] / then.total()) for name in now | then)
    return Estimate(sum(moved) / 2, count=now.total())


def changed(labels: pandas.DataFrame, earlier: pandas.DataFrame) -> Estimate:
    """Share of the datapoints asked about in both tables whose label is another one now.

    A tie counts as a label. Datapoints are known by ``datapoint_id``, which tables have that were
    made with the spec; without a common one, it is not defined.

    Args:
        labels: The labels.
        earlier: The labels to compare them with.

    Raises:
        ValidationError: One of them is no table of labels.
    """
    before = earlier_labels(labels, earlier)
    now = column(labels, "label")
    return _share(sum(now[place] != label for place, label in before.items()), len(before))


def earlier_labels(labels: pandas.DataFrame, earlier: pandas.DataFrame) -> dict[int, str | None]:
    """What the datapoints were labelled earlier, by their rows in ``labels``, from 0.

    Only datapoints that have answers in both tables are in it.
    """
    needed = ["datapoint_id", "label", "responses"]
    check_table("labels", labels, needed)
    check_table("earlier", earlier, needed)
    past = rows(earlier, *needed)
    known = {name: label for name, label, count in past if name is not None and count}
    now = enumerate(rows(labels, "datapoint_id", "responses"))
    return {place: known[name] for place, (name, count) in now if name in known and count}


def _tallies(labels: pandas.DataFrame) -> list[Counter[str]]:
    """The votes of each datapoint; none where they are not about the same question."""
    check_table("labels", labels, ["job_id", "datapoint", "items", "votes"])
    found: list[Counter[str]] = []
    for items, votes in rows(labels, "items", "votes"):
        options = sides(items, [vote["option"] for vote in votes])
        counts = zip(options, (int(vote["count"]) for vote in votes), strict=True)
        comparable = len(items) <= len(_SIDES)
        found.append(Counter({option: n for option, n in counts if n and comparable}))
    return found


def _pair_agreement(tallies: Iterable[Counter[Any]]) -> float | None:
    """Of all pairs of votes within a tally, the share of equal ones."""
    equal = every = 0
    for tally in tallies:
        equal += sum(n * (n - 1) for n in tally.values())
        every += tally.total() * (tally.total() - 1)
    return equal / every if every else None


def _measured(responses: pandas.DataFrame) -> dict[Key, float | None]:
    """Agreement per datapoint, where answers are no votes for an option."""
    from rapidata_core.results.quality.geometry import locate_agreement
    from rapidata_core.results.quality.painting import draw_agreement
    from rapidata_core.results.quality.words import word_agreement

    needed = ("job_id", "datapoint", "compared", "answer")
    check_table("responses", responses, needed)
    measures = {"points": locate_agreement, "strokes": draw_agreement, "words": word_agreement}
    measure = measures.get(kind_of(responses) or "")
    if measure is not None:
        found = measure(responses)
        return dict(zip(keys(found), column(found, "agreement"), strict=True))
    pairs: dict[Key, dict[tuple[int, ...], Counter[str]]] = {}
    for job_id, datapoint, compared, answer in rows(responses, *needed):
        if compared is not None and answer is not None:
            own = pairs.setdefault((job_id, datapoint), {})
            own.setdefault(tuple(sorted(compared)), Counter())[answer] += 1
    return {key: _pair_agreement(tallies.values()) for key, tallies in pairs.items()}


def _responses(labels: pandas.DataFrame) -> list[int]:
    check_table("labels", labels, ["responses"])
    return column(labels, "responses")


def _label_counts(argument: str, labels: pandas.DataFrame) -> Counter[str]:
    check_table(argument, labels, ["items", "label", "label_index"])
    found = rows(labels, "items", "label_index", "label")
    return Counter(side(*row) for row in found if row[-1] is not None)


def _share(part: int, whole: int) -> Estimate:
    return Estimate(part / whole if whole else None, count=whole)


def _estimate(
    statistic: Callable[[NDArray[Any]], float],
    units: int,
    bootstrap: int,
    seed: int,
    confidence: float,
) -> Estimate:
    """A statistic of how often each unit was drawn, with its percentile bootstrap interval."""
    import numpy

    check_interval(bootstrap, seed, confidence)
    value = statistic(numpy.ones(units)) if units else nan
    if isnan(value):
        return Estimate(None, count=units)
    random = numpy.random.default_rng(seed)
    draws = (random.integers(units, size=units) for _ in range(bootstrap if units > 1 else 0))
    found = [statistic(numpy.bincount(drawn, minlength=units)) for drawn in draws]
    defined = [number for number in found if not isnan(number)]
    if not defined:
        return Estimate(value, count=units)
    low, high = numpy.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return Estimate(value, low, high, units)


def check_interval(bootstrap: int, seed: int, confidence: float) -> None:
    """Refuse settings of an interval that make none.

    Raises:
        ValidationError: It names all of them.
    """
    refuse(
        outside("bootstrap", bootstrap, 0, whole=True)
        + outside("seed", seed, 0, whole=True)
        + outside("confidence", confidence, 0, 1, without=[0, 1])
    )
