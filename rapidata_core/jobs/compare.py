"""Compare: which of two items fits the instruction better?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from rapidata_core.jobs.spec import (
    JobSpec,
    Json,
    item_problem,
    multi_asset,
    problems_of,
    raise_problems,
)


class CompareJob(JobSpec, frozen=True):
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
        raise_problems(problems_of(pairs, lambda pair: _pair_problem(pair, data_type)))
        return pairs

    @field_validator("a_b_names")
    @classmethod
    def _check_names(cls, names: list[str] | None) -> list[str] | None:
        if names is not None and (len(set(names)) != 2 or not all(n.strip() for n in names)):
            raise ValueError("must be two different, non-blank names")
        return names

    def items_of(self, index: int) -> list[str]:
        """The pair."""
        return self.datapoints[index]

    def asset_input(self, items: Sequence[Json]) -> Json:
        """Both as one asset."""
        return multi_asset(items)

    def rapid(self) -> Json:
        """The task on the wire."""
        return {
            "_t": "Compare",
            "asset": {"segment": "asset"},
            "criteria": {"literal": self.instruction},
            "indexIdentifiers": self.a_b_names,
        }


def _pair_problem(pair: list[str], data_type: str | None) -> str | None:
    if len(pair) != 2:
        return f"has {len(pair)} item(s); a pair has exactly two"
    if pair[0] == pair[1]:
        return "has the same item twice; nobody can prefer one"
    return next((found for item in pair if (found := item_problem(item, data_type))), None)
