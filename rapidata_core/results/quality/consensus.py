"""One answer out of many: who is right, and how often are they?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rapidata_core.errors import ValidationError, is_number
from rapidata_core.results.quality.answers import Key, check_table, column, keys, kind_of, numbered

if TYPE_CHECKING:
    import pandas
    from numpy.typing import NDArray

# Cells of all confusion matrices together: 160 MB.
_MOST_CELLS = 20_000_000


@dataclass(frozen=True)
class DawidSkene:
    """What :func:`dawid_skene` found.

    Attributes:
        probabilities: A row per datapoint (index ``job_id``, ``datapoint``), a column per class:
            the probability that it is the datapoint's.
        confusion: A row per labeler and true class (index ``labeler``, ``truth``), a column per
            class: the probability that the labeler answers it. All are equally likely for a class
            of which the labeler saw no datapoint.
        prevalence: The share of each class.
        iterations: How often datapoints and labelers were estimated anew.
        converged: Whether the last iteration changed nothing any more.
    """

    probabilities: pandas.DataFrame
    confusion: pandas.DataFrame
    prevalence: pandas.Series[float]
    iterations: int
    converged: bool


def dawid_skene(
    responses: pandas.DataFrame, *, iterations: int = 100, tolerance: float = 1e-6
) -> DawidSkene:
    """Find the datapoints' classes and the labelers' mistakes by each other.

    The expectation maximisation of Dawid & Skene (1979), from the shares of the votes on. Each
    labeler has a matrix: how likely is which answer to a datapoint of which class? It takes many
    answers per labeler to know that; with few, prefer the column ``weighted_label``.

    Args:
        responses: The responses of a comparison (its classes are the sides ``A`` and ``B``,
            ``Both`` and ``Neither``) or of a classification, made with
            ``Privacy(labeler_key=…)``, which tells who answered.
        iterations: How many at most.
        tolerance: It ends when no probability of a datapoint changes by more than that.

    Raises:
        ValidationError: One of the arguments is wrong, answers lack their labeler, or they are not
            chosen among a few options.
    """
    import numpy
    import pandas

    limits = {"iterations": iterations, "tolerance": tolerance}
    wrong = [name for name, limit in limits.items() if not is_number(limit) or limit <= 0]
    if wrong:
        raise ValidationError(", ".join(wrong), [f"{name}: must be above 0" for name in wrong])
    units, labelers, chosen = _identified_answers(responses)
    unit, datapoints = numbered(units)
    labeler, people = numbered(labelers)
    answer, classes = numbered(chosen, sorted(set(chosen)))
    shape = (len(people), len(classes), len(classes))
    if len(people) * len(classes) ** 2 > _MOST_CELLS:
        raise ValidationError(
            "responses", [f"answer: has {len(classes)} different values: too many to know labelers"]
        )
    belief = numpy.zeros((len(datapoints), len(classes)))
    numpy.add.at(belief, (unit, answer), 1)
    belief /= belief.sum(axis=1, keepdims=True)
    prevalence, confusion = belief.mean(axis=0), numpy.zeros(shape)
    done, change = 0, numpy.inf
    while done < iterations and change > tolerance:
        prevalence = belief.mean(axis=0)
        confusion = _confusion(belief[unit], labeler, answer, shape)
        # Logarithms: the product of a thousand probabilities is nothing to a computer.
        with numpy.errstate(divide="ignore"):
            likelihood = numpy.log(confusion[labeler, :, answer])
            following = numpy.tile(numpy.log(prevalence), (len(datapoints), 1))
        numpy.add.at(following, unit, likelihood)
        following = numpy.exp(following - following.max(axis=1, keepdims=True))
        following /= following.sum(axis=1, keepdims=True)
        change = float(numpy.abs(following - belief).max())
        belief, done = following, done + 1
    rows = pandas.MultiIndex.from_tuples(datapoints, names=["job_id", "datapoint"])
    both = pandas.MultiIndex.from_product([people, classes], names=["labeler", "truth"])
    return DawidSkene(
        pandas.DataFrame(belief, index=rows, columns=classes),
        pandas.DataFrame(confusion.reshape(len(both), len(classes)), index=both, columns=classes),
        pandas.Series(prevalence, index=classes, name="prevalence"),
        done,
        change <= tolerance,
    )


def _identified_answers(responses: pandas.DataFrame) -> tuple[list[Key], list[str], list[str]]:
    """Of each answer: the datapoint, the labeler, the class."""
    check_table(
        "responses",
        responses,
        ["job_id", "datapoint", "items", "answer", "answer_index", "compared", "labeler"],
    )
    labelers, found = column(responses, "labeler"), column(responses, "answer")
    problems: list[str] = []
    if not found:
        problems.append("responses: has no answers")
    elif kind_of(responses) != "text" or any(
        pair is not None for pair in column(responses, "compared")
    ):
        problems.append("answer: must be those of a comparison or a classification")
    unknown = sum(labeler is None for labeler in labelers)
    if unknown:
        problems.append(
            f"labeler: is missing in {unknown} of {len(labelers)} answers; make the table with "
            "Privacy(labeler_key=…); where the platform does not say who answered, there is none"
        )
    if any(answer is None for answer in found):
        problems.append("answer: is missing in some rows; leave them out")
    if problems:
        raise ValidationError("responses", problems)
    rows = zip(column(responses, "items"), column(responses, "answer_index"), found, strict=True)
    return keys(responses), labelers, [_class(*row) for row in rows]


def _class(items: Sequence[str], index: int | None, answer: str) -> str:
    return answer if index is None or len(items) != 2 else "AB"[int(index)]


def _confusion(
    belief: NDArray[Any], labeler: NDArray[Any], answer: NDArray[Any], shape: tuple[int, int, int]
) -> NDArray[Any]:
    """Per labeler and true class, the probability of each answer."""
    import numpy

    people, classes, _ = shape
    counts = numpy.zeros(shape)
    cell = labeler * classes + answer
    for truth in range(classes):
        found = numpy.bincount(cell, belief[:, truth], minlength=people * classes)
        counts[:, truth] = found.reshape(people, classes)
    totals = counts.sum(axis=2, keepdims=True)
    return numpy.divide(counts, totals, out=numpy.full(shape, 1 / shape[2]), where=totals > 0)
