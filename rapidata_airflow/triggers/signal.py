"""Waiting for a firing of a signal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rapidata_airflow.triggers.waiting import RapidataTrigger
from rapidata_core.errors import ValidationError

if TYPE_CHECKING:
    from rapidata_core import AsyncRapidataClient, Reaction, SignalRun


class RapidataSignalRunTrigger(RapidataTrigger):
    """Wait for a run of a signal, and until people have answered its job.

    The event has ``signal_id``, ``run_id``, ``job_id`` and ``started_at``.

    Args:
        signal_id: The signal.
        run_id: The run. Without it, the first run with a job that began at ``since`` or later;
            runs that were skipped are passed over.
        since: A time with its zone, in ISO 8601.
        wait_for_job: Whether to wait until the job is done; otherwise only until there is one.
        on_attention: What to do in states of the job in which somebody has to act; see
            :meth:`rapidata_core.RapidataJob.wait`.
        **kwargs: See :class:`RapidataTrigger`.
    """

    subject = ("signal_id", "run_id")
    options = ("since", "wait_for_job", "on_attention")

    def __init__(
        self,
        *,
        signal_id: str,
        run_id: str | None = None,
        since: str | None = None,
        wait_for_job: bool = True,
        on_attention: Mapping[str, Reaction] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.signal_id = signal_id
        self.run_id = run_id
        self.since = since
        self.wait_for_job = wait_for_job
        self.on_attention = on_attention

    async def wait(self, client: AsyncRapidataClient, timeout: float | None) -> dict[str, Any]:
        """See :meth:`RapidataTrigger.wait`."""
        run = await self._run(client, timeout)
        if self.wait_for_job and run.job_id is not None:
            await client.job.wait(
                run.job_id,
                timeout=self._seconds_left(),
                poll_interval=self.poll_interval,
                on_attention=self.on_attention,
            )
        started_at = run.started_at.isoformat()
        return {"run_id": run.id, "job_id": run.job_id, "started_at": started_at}

    async def _run(self, client: AsyncRapidataClient, timeout: float | None) -> SignalRun:
        if self.run_id is not None:
            return await client.signals.wait_for_run(
                self.signal_id, self.run_id, timeout=timeout, poll_interval=self.poll_interval
            )
        return await client.signals.wait_for_next_run(
            self.signal_id, _moment(self.since), timeout=timeout, poll_interval=self.poll_interval
        )


def _moment(since: str | None) -> datetime:
    """A time; that it has a zone is the client's to check."""
    try:
        return datetime.fromisoformat(since or "")
    except ValueError:
        problem = f"must be a time such as 2026-11-21T08:00:00+00:00, not {since!r}"
        raise ValidationError("signal run", [f"since: {problem}; or give run_id"]) from None
