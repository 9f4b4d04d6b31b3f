"""Waiting for a job on the triggerer, where thousands wait in one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from rapidata_airflow.hooks.rapidata import RapidataHook
from rapidata_airflow.outcomes import Outcome, outcome_of

if TYPE_CHECKING:
    from rapidata_core import JobProgress

# A trigger that fires within seconds of the deferral can make Airflow (3.2, 3.3) take the worker's
# exit for the end of the task and fail it: apache/airflow issues 66374 and 71580.
FIRST_POLL_DELAY = 15.0


class RapidataJobTrigger(BaseTrigger):
    """Wait for a job; fire one event ``{"status", "job_id", "message"}``, whatever happens.

    Args:
        job_id: The job.
        rapidata_conn_id: The connection's id.
        deadline: When to give up, in seconds since the epoch, so that a restart of the triggerer
            does not start the wait anew; None waits for ever.
        poll_interval: Seconds between looks; by default it grows with the time waited.
        first_poll_delay: Seconds until the first look.
    """

    def __init__(
        self,
        *,
        job_id: str,
        rapidata_conn_id: str = RapidataHook.default_conn_name,
        deadline: float | None = None,
        poll_interval: float | None = None,
        first_poll_delay: float = FIRST_POLL_DELAY,
    ) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.job_id = job_id
        self.rapidata_conn_id = rapidata_conn_id
        self.deadline = deadline
        self.poll_interval = poll_interval
        self.first_poll_delay = first_poll_delay

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and the arguments with which the triggerer makes this trigger again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "job_id": self.job_id,
                "rapidata_conn_id": self.rapidata_conn_id,
                "deadline": self.deadline,
                "poll_interval": self.poll_interval,
                "first_poll_delay": self.first_poll_delay,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire."""
        status, message = await self._outcome()
        yield TriggerEvent({"status": str(status), "job_id": self.job_id, "message": message})

    async def _outcome(self) -> tuple[Outcome, str]:
        try:
            await asyncio.sleep(self.first_poll_delay)
            await self._wait()
        # A trigger that raises fails its task without a word about the job.
        except Exception as error:
            outcome = outcome_of(error)
            if outcome is Outcome.ERROR:
                self.log.exception("Cannot wait for job %s", self.job_id)
            return outcome, str(error) or type(error).__name__
        return Outcome.COMPLETED, f"Job {self.job_id} is done"

    async def _wait(self) -> None:
        async with await RapidataHook(self.rapidata_conn_id).aget_conn() as client:
            # All triggers of an account share one watcher, so this asks for no more than its id.
            await client.job.wait(
                self.job_id,
                timeout=None if self.deadline is None else max(0.0, self.deadline - time.time()),
                on_progress=self._log_progress,
                poll_interval=self.poll_interval,
            )

    def _log_progress(self, progress: JobProgress) -> None:
        self.log.info(
            "Job %s: %s, %.0f %%", self.job_id, progress.state, progress.completion_percentage
        )
