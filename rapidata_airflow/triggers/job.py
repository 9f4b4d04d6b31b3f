"""Waiting for a job on the triggerer, where thousands wait in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from airflow.triggers.base import TriggerEvent

from rapidata_airflow.kills import pause_if_ended
from rapidata_airflow.triggers.waiting import RapidataTrigger
from rapidata_airflow.version import AIRFLOW_3_3
from rapidata_core.policy.polling import is_done

if TYPE_CHECKING:
    from rapidata_core import AsyncRapidataClient, JobProgress, Reaction


KillAction = Literal["pause", "keep"]


class RapidataJobTrigger(RapidataTrigger):
    """Wait for a job; fire one event ``{"status", "job_id", "message"}``, whatever happens.

    When somebody marks the waiting task as failed or as successful, the job is paused. Clearing the
    task leaves it alone, as the new try adopts it, and so does the end of the triggerer.

    Args:
        job_id: The job.
        on_attention: What to do in states in which somebody has to act; see
            :meth:`rapidata_core.RapidataJob.wait`.
        on_kill_action: ``pause`` the job when the task is ended from outside, or ``keep`` it going.
        handed: What the task wants to know again, as plain JSON; the event has it then, too.
        **kwargs: See :class:`RapidataTrigger`.
    """

    subject = ("job_id",)
    options = ("on_attention", "on_kill_action", "handed")

    def __init__(
        self,
        *,
        job_id: str,
        on_attention: Mapping[str, Reaction] | None = None,
        on_kill_action: KillAction = "pause",
        handed: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id
        self.on_attention = on_attention
        self.on_kill_action: KillAction = on_kill_action
        self.handed = handed

    async def wait(self, client: AsyncRapidataClient, timeout: float | None) -> dict[str, Any]:
        """See :meth:`RapidataTrigger.wait`; finds nothing beyond that the job is done."""
        # All triggers of an account share one watcher, so this asks for no more than its id.
        await client.job.wait(
            self.job_id,
            timeout=timeout,
            on_progress=self._log_progress,
            poll_interval=self.poll_interval,
            on_attention=self.on_attention,
        )
        return {}

    async def outcome(self) -> dict[str, Any]:
        """See :meth:`RapidataTrigger.outcome`."""
        event = await super().outcome()
        return event if self.handed is None else {**event, "handed": self.handed}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire."""
        try:
            async for event in super().run():
                yield event
        except asyncio.CancelledError:
            if not AIRFLOW_3_3:
                # It does not tell why it cancels, and knows no `on_kill`.
                await self.on_kill()
            raise

    async def on_kill(self) -> None:
        """Pause the job if the task was ended from outside."""
        ti = self.task_instance
        if self.on_kill_action == "pause" and ti is not None:
            await pause_if_ended(ti, self.job_id, self.rapidata_conn_id, self.log)

    def _log_progress(self, progress: JobProgress) -> None:
        # That it is done tells the event. Lines of many jobs at once would hold up the event loop.
        if not is_done(progress.state):
            self.log.info(
                "Job %s: %s, %.0f %%", self.job_id, progress.state, progress.completion_percentage
            )
