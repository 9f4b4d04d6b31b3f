"""One answer out of many: who is right, and how often are they?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rapidata_core.errors import ValidationError, outside, refuse
from rapidata_core.results.frames import Key, check_table, column, keys, numbered, rows
from rapidata_core.results.quality.answers import kind_of
from rapidata_core.results.quality.metrics import side

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

    refuse(
        outside("iterations", iterations, 1, whole=True)
        + outside("tolerance", tolerance, 0, without=[0])
    )
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
        following = _belief(unit, confusion[labeler, :, answer], prevalence, len(datapoints))
        change = float(numpy.abs(following - belief).max())
        belief, done = following, done + 1
    index = pandas.MultiIndex.from_tuples(datapoints, names=["job_id", "datapoint"])
    both = pandas.MultiIndex.from_product([people, classes], names=["labeler", "truth"])
    return DawidSkene(
        pandas.DataFrame(belief, index=index, columns=classes),
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
    classes = [side(*row) for row in rows(responses, "items", "answer_index", "answer")]
    return keys(responses), labelers, classes


def _belief(
    unit: NDArray[Any], probability: NDArray[Any], prevalence: NDArray[Any], datapoints: int
) -> NDArray[Any]:
    """Per datapoint, the probability of each class, from those of its answers in each class."""
    import numpy

    # Logarithms: the product of a thousand probabilities is nothing to a computer.
    with numpy.errstate(divide="ignore"):
        likelihood = numpy.log(probability)
        found = numpy.tile(numpy.log(prevalence), (datapoints, 1))
    numpy.add.at(found, unit, likelihood)
    found = numpy.exp(found - found.max(axis=1, keepdims=True))
    return found / found.sum(axis=1, keepdims=True)


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
