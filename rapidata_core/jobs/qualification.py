"""Qualification examples as data: reading them, and what several of them say together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from rapidata_core.errors import ValidationError
from rapidata_core.jobs.classification import ClassificationExample
from rapidata_core.jobs.compare import CompareExample
from rapidata_core.jobs.draw import DrawExample
from rapidata_core.jobs.example import QualificationExample
from rapidata_core.jobs.locate import LocateExample
from rapidata_core.jobs.select_words import SelectWordsExample

EXAMPLE_TYPES: dict[str, type[QualificationExample]] = {
    "classification": ClassificationExample,
    "compare": CompareExample,
    "draw": DrawExample,
    "locate": LocateExample,
    "select_words": SelectWordsExample,
}
_ANSWERS = {"truth", "truths", "required_precision", "required_completeness", "explanation"}


def parse_example(description: QualificationExample | Mapping[str, Any]) -> QualificationExample:
    """Read an example from a mapping (as YAML gives); an example passes through.

    Args:
        description: It must have a ``type``, which chooses the class.

    Raises:
        ValidationError: It is no example; every problem is listed.
    """
    if isinstance(description, QualificationExample):
        return description
    if not isinstance(description, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValidationError("example", [f"must be a mapping, not {type(description).__name__}"])
    named = description.get("type")
    chosen = EXAMPLE_TYPES.get(str(named))
    if chosen is None:
        known = ", ".join(sorted(EXAMPLE_TYPES))
        raise ValidationError("example", [f"type: must be one of {known}, not {named!r}"])
    return chosen(**{str(name): value for name, value in description.items()})


def parse_examples(
    descriptions: Sequence[QualificationExample | Mapping[str, Any]],
) -> list[QualificationExample]:
    """Read the examples of an audience; see :func:`parse_example`.

    Raises:
        ValidationError: Some are none; every problem of each is listed.
    """
    if isinstance(descriptions, str | Mapping):
        raise ValidationError("examples", ["examples: must be a list; put the example into [ ]"])
    if not descriptions:
        raise ValidationError("examples", ["examples: needs some; labelers join by their answers"])
    examples: list[QualificationExample] = []
    problems: list[str] = []
    for index, description in enumerate(descriptions):
        try:
            examples.append(parse_example(description))
        except ValidationError as error:
            problems += [f"examples[{index}]: {problem}" for problem in error.problems]
    if problems:
        raise ValidationError("examples", problems)
    return examples


def distinct(examples: Sequence[QualificationExample]) -> list[QualificationExample]:
    """Each of the examples once."""
    return list({one.model_dump_json(): one for one in examples}.values())


def doubtful(examples: Sequence[QualificationExample]) -> list[str]:
    """A sentence about all that is allowed, and probably a mistake."""
    different = distinct(examples)
    answers: defaultdict[str, int] = defaultdict(int)
    for example in different:
        answers[example.model_dump_json(exclude=_ANSWERS)] += 1
    doubts = [
        f"{count} examples ask the same, and give different answers"
        for count in answers.values()
        if count > 1
    ]
    if len(different) < len(examples):
        doubts.append("some examples are there twice; the same one again qualifies nobody better")
    return doubts
