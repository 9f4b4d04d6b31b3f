"""The answers to a datapoint, and how far two of them agree."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from rapidata_core.errors import ValidationError
from rapidata_core.results.frames import Key, check_table, column, keys

if TYPE_CHECKING:
    import pandas
    from numpy.typing import NDArray

Kind = Literal["points", "strokes", "words", "text"]

_KINDS: Mapping[str, Kind] = {"x": "points", "points": "strokes", "word": "words"}


def check_installed(module: str) -> None:
    """Refuse to go on without a library of the extra ``quality``.

    Raises:
        ValidationError: It says what to install.
    """
    if find_spec(module) is None:
        raise ValidationError(
            "The installation", [f"{module} is missing: install rapidata-orchestration[quality]"]
        )


def answers_by_datapoint(responses: pandas.DataFrame, kind: Kind) -> dict[Key, list[list[Any]]]:
    """The answers to each datapoint, as lists of points, strokes or words.

    Raises:
        ValidationError: It is no table of responses, or its answers are something else.
    """
    check_table("responses", responses, ["job_id", "datapoint", "answer"])
    found = kind_of(responses)
    if found not in {kind, None}:
        raise ValidationError("responses", [f"answer: must be {kind}, and these are {found}"])
    answers: dict[Key, list[list[Any]]] = {}
    for key, answer in zip(keys(responses), column(responses, "answer"), strict=True):
        answers.setdefault(key, []).append([] if answer is None else list(answer))
    return answers


def kind_of(responses: pandas.DataFrame) -> Kind | None:
    """What the answers are made of; None where nobody answered anything."""
    for answer in column(responses, "answer"):
        if isinstance(answer, str):
            return "text"
        # Somebody who saw nothing to mark gave an empty list, which tells nothing.
        if answer is not None and len(answer):
            return next((kind for field, kind in _KINDS.items() if field in answer[0]), None)
    return None


def mean_overlap(members: NDArray[Any]) -> float | None:
    """Mean of intersection over union (Jaccard 1912) of all pairs of sets.

    Args:
        members: A row per set, a column per possible member, true where the set has it.

    Returns:
        0..1; two empty sets overlap fully. None with less than two sets.
    """
    import numpy

    shares: list[NDArray[Any]] = []
    # Not as a product of matrices: its threads wait for one another where processors are busy.
    for place, own in enumerate(members[:-1], 1):
        both = numpy.count_nonzero(members[place:] & own, axis=1)
        either = numpy.count_nonzero(members[place:] | own, axis=1)
        shares.append(numpy.where(either > 0, both / numpy.maximum(either, 1), 1.0))
    return float(numpy.concatenate(shares).mean()) if shares else None


def agreement_table(found: Mapping[Key, tuple[int, float | None]]) -> pandas.DataFrame:
    """A row per datapoint, of its number of answers and their agreement."""
    import pandas

    return pandas.DataFrame(
        {
            "job_id": pandas.Series([job_id for job_id, _ in found], dtype="string"),
            "datapoint": pandas.Series([datapoint for _, datapoint in found], dtype="int64"),
            "responses": pandas.Series([count for count, _ in found.values()], dtype="int64"),
            "agreement": pandas.Series([value for _, value in found.values()], dtype="float64"),
        }
    )
