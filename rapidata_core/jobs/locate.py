"""Locate: where in the datapoint is what the instruction asks for?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from rapidata_core.jobs.checks import Items
from rapidata_core.jobs.datapoint import Json
from rapidata_core.jobs.example import RegionExample
from rapidata_core.jobs.spec import JobSpec


class LocateJob(JobSpec, frozen=True):
    """Labelers tap the points of an image that fit the instruction.

    Attributes:
        datapoints: Single images or videos: URLs or paths.
    """

    refused = frozenset({"data_type"})

    type: Literal["locate"] = "locate"
    datapoints: Items

    def rapid(self) -> Json:
        """The task on the wire."""
        return {
            "_t": "Locate",
            "asset": {"segment": "asset"},
            "target": {"literal": self.instruction},
        }


class LocateExample(RegionExample, frozen=True):
    """An image whose points to tap are known: they lie within the boxes of ``truths``."""

    type: Literal["locate"] = "locate"

    def payload(self) -> Json:
        """The task on the wire."""
        return {"_t": "LocateExamplePayload", "target": self.instruction}

    def truth_input(self, uploaded: Mapping[str, str]) -> Json:
        """The right answer on the wire."""
        del uploaded
        return {"_t": "LocateExampleTruth", **self.truth_fields()}
