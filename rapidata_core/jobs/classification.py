"""Classification: which of the answer options fits the datapoint?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from rapidata_core.jobs.spec import JobSpec, Json, item_problem, problems_of, raise_problems


class ClassificationJob(JobSpec, frozen=True):
    """Labelers choose one answer option per datapoint.

    For a Likert scale give the options in order and add :func:`rapidata_core.NoShuffle`.

    Attributes:
        datapoints: Single items.
        answer_options: 2 to 8 different options.
    """

    type: Literal["classification"] = "classification"
    datapoints: Annotated[list[str], Field(min_length=1)]
    answer_options: Annotated[list[str], Field(min_length=2, max_length=8)]

    @field_validator("datapoints")
    @classmethod
    def _check_items(cls, items: list[str], info: ValidationInfo) -> list[str]:
        data_type = info.data.get("data_type")
        raise_problems(problems_of(items, lambda item: item_problem(item, data_type)))
        return items

    @field_validator("answer_options")
    @classmethod
    def _check_options(cls, options: list[str]) -> list[str]:
        problems = problems_of(options, lambda option: None if option.strip() else "is blank")
        if len(set(options)) != len(options):
            problems.append("has the same option twice")
        raise_problems(problems)
        return options

    def items_of(self, index: int) -> list[str]:
        """The single item."""
        return [self.datapoints[index]]

    def asset_input(self, items: Sequence[Json]) -> Json:
        """The item itself."""
        return items[0]

    def rapid(self) -> Json:
        """The task on the wire; each datapoint brings the options in a segment of its own."""
        return {
            "_t": "Classify",
            "asset": {"segment": "asset"},
            "title": {"literal": self.instruction},
            "categories": {"segment": "answer_options"},
        }

    def schema_segments(self) -> list[Json]:
        """The standard segments, which have to be declared beside an own one, and the options."""
        return [
            {"key": "asset", "kind": "Asset", "label": "Asset", "required": True},
            {
                "key": "context",
                "kind": "Text",
                "label": "Context",
                "required": False,
                "maxLength": 400,
            },
            {"key": "context_asset", "kind": "Asset", "label": "Context asset", "required": False},
            {
                "key": "answer_options",
                "kind": "OptionList",
                "label": "Answer options",
                "required": True,
            },
        ]

    def own_segments(self) -> list[Json]:
        """The answer options."""
        options = [{"label": option, "value": option} for option in self.answer_options]
        return [{"key": "answer_options", "kind": "OptionList", "options": options}]
