"""Compare: which of two items fits the instruction better?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from rapidata_core.jobs.checks import pair_problem, problems_of, raise_problems
from rapidata_core.jobs.datapoint import Json
from rapidata_core.jobs.early_stopping import EarlyStoppingJob
from rapidata_core.jobs.example import QualificationExample


class CompareJob(EarlyStoppingJob, frozen=True):
    """Labelers choose one of two images, videos, audio clips or texts.

    Attributes:
        datapoints: Pairs of two different items.
        a_b_names: Names for the first and the second item of every pair, for example two models.
    """

    type: Literal["compare"] = "compare"
    datapoints: Annotated[list[list[str]], Field(min_length=1)]
    a_b_names: list[str] | None = None

    @field_validator("datapoints")
    @classmethod
    def _check_pairs(cls, pairs: list[list[str]], info: ValidationInfo) -> list[list[str]]:
        data_type = info.data.get("data_type")
        raise_problems(problems_of(pairs, lambda pair: pair_problem(pair, data_type)))
        return pairs

    @field_validator("a_b_names")
    @classmethod
    def _check_names(cls, names: list[str] | None) -> list[str] | None:
        # The length of the set alone would let ["a", "b", "a"] pass.
        if names is not None and (
            len(names) != 2 or len(set(names)) != 2 or not all(name.strip() for name in names)
        ):
            raise ValueError("must be two different, non-blank names")
        return names

    def rapid(self) -> Json:
        """The task on the wire."""
        return {
            "_t": "Compare",
            "asset": {"segment": "asset"},
            "criteria": {"literal": self.instruction},
            "indexIdentifiers": self.a_b_names,
        }


class CompareExample(QualificationExample, frozen=True):
    """A comparison whose better item is known.

    Attributes:
        datapoint: The two items.
        truth: The better one, exactly as it stands in ``datapoint``.
    """

    type: Literal["compare"] = "compare"
    datapoint: list[str]
    truth: str

    @field_validator("datapoint")
    @classmethod
    def _check_pair(cls, pair: list[str], info: ValidationInfo) -> list[str]:
        if problem := pair_problem(pair, info.data.get("data_type")):
            raise ValueError(problem)
        return pair

    @field_validator("truth")
    @classmethod
    def _check_truth(cls, truth: str, info: ValidationInfo) -> str:
        if truth not in info.data.get("datapoint", [truth]):
            raise ValueError(f"{truth[:80]!r} is not one of the two items of datapoint")
        return truth

    def payload(self) -> Json:
        """The task on the wire."""
        return {"_t": "CompareExamplePayload", "criteria": self.instruction}

    def truth_input(self, uploaded: Mapping[str, str]) -> Json:
        """The right answer on the wire: a text itself, of media the platform's file name."""
        winner = self.truth if self.data_type == "text" else uploaded[self.truth]
        return {"_t": "CompareExampleTruth", "winnerId": winner}

    def chance(self) -> float:
        """One of two."""
        return 0.5
