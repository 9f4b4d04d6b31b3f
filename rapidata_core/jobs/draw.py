"""Draw: which region of the datapoint fits the instruction?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator

from rapidata_core.jobs.datapoint import Json
from rapidata_core.jobs.example import RegionExample
from rapidata_core.jobs.spec import JobSpec, item_problem, problems_of, raise_problems


class DrawJob(JobSpec, frozen=True):
    """Labelers colour in the regions of an image that fit the instruction, with lines.

    Attributes:
        datapoints: Single images or videos: URLs or paths.
    """

    refused = frozenset({"data_type"})

    type: Literal["draw"] = "draw"
    datapoints: Annotated[list[str], Field(min_length=1)]

    @field_validator("datapoints")
    @classmethod
    def _check_items(cls, items: list[str]) -> list[str]:
        raise_problems(problems_of(items, lambda item: item_problem(item, "media")))
        return items

    def rapid(self) -> Json:
        """The task on the wire."""
        return {
            "_t": "Line",
            "asset": {"segment": "asset"},
            "target": {"literal": self.instruction},
        }


class DrawExample(RegionExample, frozen=True):
    """An image whose region to colour in is known: it lies within the boxes of ``truths``."""

    def payload(self) -> Json:
        """The task on the wire."""
        return {"_t": "LineExamplePayload", "target": self.instruction}

    def truth_input(self, uploaded: Mapping[str, str]) -> Json:
        """The right answer on the wire."""
        del uploaded
        return {"_t": "LineExampleTruth", **self.truth_fields()}
