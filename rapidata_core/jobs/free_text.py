"""Free text: what do people say about the datapoint?"""

from __future__ import annotations

from typing import Literal

from rapidata_core.jobs.checks import Items
from rapidata_core.jobs.datapoint import Json
from rapidata_core.jobs.spec import JobSpec


class FreeTextJob(JobSpec, frozen=True):
    """Labelers type an answer to the instruction.

    There is no qualification example of this type: nobody can tell a right answer from a wrong one.

    Attributes:
        datapoints: Single items.
    """

    type: Literal["free_text"] = "free_text"
    datapoints: Items

    def rapid(self) -> Json:
        """The task on the wire."""
        return {
            "_t": "FreeText",
            "asset": {"segment": "asset"},
            "question": {"literal": self.instruction},
            "validationSystemPrompt": None,
        }
