"""Draw: which region of the datapoint fits the instruction?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from rapidata_core.jobs.checks import Items
from rapidata_core.jobs.datapoint import Json
from rapidata_core.jobs.example import RegionExample
from rapidata_core.jobs.spec import JobSpec


class DrawJob(JobSpec, frozen=True):
    """Labelers colour in the regions of an image that fit the instruction, with lines.

    Attributes:
        datapoints: Single images or videos: URLs or paths.
    """

    refused = frozenset({"data_type"})

    type: Literal["draw"] = "draw"
    datapoints: Items

    def rapid(self) -> Json:
        """The task on the wire."""
        return {
            "_t": "Line",
            "asset": {"segment": "asset"},
            "target": {"literal": self.instruction},
        }


class DrawExample(RegionExample, frozen=True):
    """An image whose region to colour in is known: it lies within the boxes of ``truths``."""

    type: Literal["draw"] = "draw"

    def payload(self) -> Json:
        """The task on the wire."""
        return {"_t": "LineExamplePayload", "target": self.instruction}

    def truth_input(self, uploaded: Mapping[str, str]) -> Json:
        """The right answer on the wire."""
        del uploaded
        return {"_t": "LineExampleTruth", **self.truth_fields()}
