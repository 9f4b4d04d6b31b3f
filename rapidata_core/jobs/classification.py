"""Classification: which of the answer options fits the datapoint?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, cast

from pydantic import Field, ValidationInfo, field_validator

from rapidata_core.jobs.checks import (
    Item,
    Items,
    one_per_datapoint,
    options_problem,
    problems_of,
    raise_problems,
)
from rapidata_core.jobs.datapoint import Json, option_inputs
from rapidata_core.jobs.early_stopping import EarlyStoppingJob
from rapidata_core.jobs.example import QualificationExample
from rapidata_core.jobs.spec import standard_segments


class ClassificationJob(EarlyStoppingJob, frozen=True):
    """Labelers choose one answer option per datapoint.

    For a Likert scale give the options in order and add :func:`rapidata_core.NoShuffle`.

    Attributes:
        datapoints: Single items.
        answer_options: 2 to 8 different options, or one such list per datapoint.
    """

    type: Literal["classification"] = "classification"
    datapoints: Items
    answer_options: list[str] | list[list[str]]

    @field_validator("answer_options")
    @classmethod
    def _check_options(
        cls, options: list[str] | list[list[str]], info: ValidationInfo
    ) -> list[str] | list[list[str]]:
        if options and isinstance(options[0], list):
            one_per_datapoint(cast("list[list[str]]", options), info, options_problem)
        elif problem := options_problem(cast("list[str]", options)):
            raise ValueError(problem)
        return options

    def rapid(self) -> Json:
        """The task on the wire; each datapoint brings the options in a segment of its own."""
        return {
            "_t": "Classify",
            "asset": {"segment": "asset"},
            "title": {"literal": self.instruction},
            "categories": {"segment": "answer_options"},
        }

    def schema_segments(self) -> list[Json]:
        """The options beside the standard segments."""
        options = {"key": "answer_options", "kind": "OptionList", "label": "Answer options"}
        return [*standard_segments(), {**options, "required": True}]

    def own_parts(self, index: int) -> Json:
        """The options."""
        own = self.answer_options[index] if isinstance(self.answer_options[0], list) else None
        return {"answer_options": own or self.answer_options}


class ClassificationExample(QualificationExample, frozen=True):
    """A classification whose right options are known.

    Attributes:
        datapoint: The item.
        answer_options: 2 to 8 different options.
        truth: Those that are right.
    """

    type: Literal["classification"] = "classification"
    datapoint: Item
    answer_options: list[str]
    truth: Annotated[list[str], Field(min_length=1)]

    @field_validator("answer_options")
    @classmethod
    def _check_options(cls, options: list[str]) -> list[str]:
        if problem := options_problem(options):
            raise ValueError(problem)
        return options

    @field_validator("truth")
    @classmethod
    def _check_truth(cls, truth: list[str], info: ValidationInfo) -> list[str]:
        options = info.data.get("answer_options", truth)
        raise_problems(
            problems_of(
                truth, lambda option: None if option in options else "is not an answer option"
            )
        )
        if len(set(truth)) != len(truth):
            raise ValueError("has the same option twice")
        return truth

    def payload(self) -> Json:
        """The task on the wire."""
        return {
            "_t": "ClassifyExamplePayload",
            "title": self.instruction,
            "categories": option_inputs(self.answer_options),
        }

    def truth_input(self, uploaded: Mapping[str, str]) -> Json:
        """The right answers on the wire."""
        del uploaded
        return {"_t": "ClassifyExampleTruth", "correctCategories": self.truth}

    def chance(self) -> float:
        """The part of the options that is right."""
        return len(self.truth) / len(self.answer_options)
