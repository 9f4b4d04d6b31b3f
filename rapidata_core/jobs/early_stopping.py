"""Stopping before every datapoint has all its answers, where some agree early."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from rapidata_core.jobs.datapoint import Json
from rapidata_core.jobs.spec import JobSpec


class EarlyStoppingJob(JobSpec, frozen=True):
    """A job whose datapoints can be done before they have all their answers.

    Attributes:
        confidence_threshold: Stop a datapoint at this confidence in its answer, above 0 and below
            1 (typically 0.99); ``responses_per_datapoint`` is then the most that are collected.
        quorum_threshold: Stop a datapoint when this many answers agree. Not together with
            ``confidence_threshold``.
    """

    confidence_threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    quorum_threshold: Annotated[int, Field(ge=1)] | None = None

    @field_validator("quorum_threshold")
    @classmethod
    def _check_quorum(cls, quorum: int | None, info: ValidationInfo) -> int | None:
        if quorum is None:
            return quorum
        if info.data.get("confidence_threshold") is not None:
            raise ValueError("cannot be used together with confidence_threshold; give one of them")
        most = info.data.get("responses_per_datapoint")
        if most is not None and quorum > most:
            raise ValueError(f"is {quorum}, but responses_per_datapoint only {most}")
        return quorum

    def referee(self) -> Json:
        """Who decides when a datapoint has enough answers."""
        most = self.responses_per_datapoint
        if self.confidence_threshold is not None:
            stopping = self.confidence_threshold
            return {"_t": "EarlyStoppingReferee", "threshold": stopping, "maxVotes": most}
        if self.quorum_threshold is not None:
            return {"_t": "QuorumReferee", "threshold": self.quorum_threshold, "maxVotes": most}
        return super().referee()
