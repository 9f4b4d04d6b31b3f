"""Free text: what do people say about the datapoint?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from rapidata_core.jobs.datapoint import Json
from rapidata_core.jobs.spec import JobSpec, item_problem, problems_of, raise_problems


class FreeTextJob(JobSpec, frozen=True):
    """Labelers type an answer to the instruction.

    There is no qualification example of this type: nobody can tell a right answer from a wrong one.

    Attributes:
        datapoints: Single items.
    """

    type: Literal["free_text"] = "free_text"
    datapoints: Annotated[list[str], Field(min_length=1)]

    @field_validator("datapoints")
    @classmethod
    def _check_items(cls, items: list[str], info: ValidationInfo) -> list[str]:
        data_type = info.data.get("data_type")
        raise_problems(problems_of(items, lambda item: item_problem(item, data_type)))
        return items

    def rapid(self) -> Json:
        """The task on the wire."""
        return {
            "_t": "FreeText",
            "asset": {"segment": "asset"},
            "question": {"literal": self.instruction},
            "validationSystemPrompt": None,
        }
