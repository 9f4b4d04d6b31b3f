"""Waiting for the evaluation of a model on the triggerer."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rapidata_airflow.triggers.waiting import RapidataTrigger

if TYPE_CHECKING:
    from rapidata_core import AsyncRapidataClient


class RapidataEvaluationTrigger(RapidataTrigger):
    """Wait until a model is evaluated on all leaderboards of its benchmark.

    The event's ``overall`` says how the model stands over all of them.

    Args:
        benchmark_id: The benchmark.
        participant_id: The model.
        **kwargs: See :class:`RapidataTrigger`.
    """

    subject = ("benchmark_id", "participant_id")

    def __init__(self, *, benchmark_id: str, participant_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.benchmark_id = benchmark_id
        self.participant_id = participant_id

    async def wait(self, client: AsyncRapidataClient, timeout: float | None) -> dict[str, Any]:
        """See :meth:`RapidataTrigger.wait`; finds how the model stands overall."""
        benchmark = await client.mri.get_benchmark_by_id(self.benchmark_id)
        participant = await benchmark.get_participant_by_id(self.participant_id)
        standing = await participant.wait(timeout, self.poll_interval)
        return {"overall": asdict(standing)}
