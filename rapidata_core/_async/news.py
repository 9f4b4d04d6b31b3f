"""Looking what ended since somebody looked last. What is news is decided in ``policy.news``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from rapidata_core._async.api.jobs import AsyncJobApi
from rapidata_core._async.api.signals import AsyncSignalApi
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.concurrency import async_map
from rapidata_core.errors import NotFoundError, refuse_blank
from rapidata_core.policy import polling, signals
from rapidata_core.policy.news import Cursor, Seen, advance, check_since, read_cursor
from rapidata_core.policy.submission import readable
from rapidata_core.types import FinishedJob, JobState, News, SignalRun, SignalRunStatus
from rapidata_core.wire.job import JobAnswer, JobListItem
from rapidata_core.wire.model import PAGE_SIZE
from rapidata_core.wire.signal import RunAnswer

_OPEN_RUNS = [
    ("status[in]", status) for status in (SignalRunStatus.PENDING, SignalRunStatus.RUNNING)
]
_OPEN_JOBS = [("state[in]", state) for state in JobState if not polling.has_ended(state)]
# As many objects are read at a time.
_WORKERS = 8


async def run_news(
    transport: AsyncTransport,
    signal_id: str,
    cursor: Mapping[str, Any] | None,
    since: datetime | None,
) -> News[SignalRun]:
    """See :meth:`AsyncSignals.news`."""
    refuse_blank(signal_id=signal_id)
    runs = AsyncSignalRuns(transport, signal_id)
    ended, following = await ended_since(runs, cursor, since, transport.settings.settle)
    return News([run_of(runs.read_so_far[run_id]) for run_id in ended], following)


async def job_news(
    transport: AsyncTransport,
    cursor: Mapping[str, Any] | None,
    since: datetime | None,
    *,
    audience_id: str | None,
    job_definition_id: str | None,
    name: str | None,
) -> News[FinishedJob]:
    """See :meth:`AsyncJobs.news`."""
    wanted = {
        "audience_id[eq]": audience_id,
        "job_definition_id[eq]": job_definition_id,
        "name[contains]": name,
    }
    given = {field: value for field, value in wanted.items() if value is not None}
    refuse_blank(**{field.partition("[")[0]: value for field, value in given.items()})
    jobs = AsyncListedJobs(transport, list(given.items()))
    ended, following = await ended_since(jobs, cursor, since, transport.settings.settle)
    # The list does not tell when a job ended, nor why.
    answers = await async_map(jobs.read_one, ended, _WORKERS)
    items = [_finished(transport, answer) for answer in answers if answer is not None]
    return News(items, following)


def run_of(answer: RunAnswer) -> SignalRun:
    """A firing, as the client tells it."""
    return SignalRun(
        id=answer.id,
        status=answer.status,
        trigger_source=answer.trigger_source,
        started_at=answer.started_at,
        completed_at=answer.completed_at,
        job_id=answer.audience_job_id,
        skipped_reason=answer.skipped_reason,
        failure_message=answer.failure_message,
    )


class AsyncSource(Protocol):
    """Objects that begin and end."""

    async def newest(self) -> datetime | None:
        """When the youngest object began; None if there is none."""
        ...

    async def open(self) -> Sequence[Seen]:
        """All objects that have not ended."""
        ...

    async def begun_since(self, moment: datetime | None) -> Sequence[Seen]:
        """All objects that began at a time or later."""
        ...

    async def read(self, ids: Sequence[str]) -> Sequence[Seen]:
        """Objects by their ids; those that are gone are left out."""
        ...


async def ended_since(
    source: AsyncSource,
    document: Mapping[str, Any] | None,
    since: datetime | None,
    settle: float,
) -> tuple[list[str], dict[str, Any]]:
    """Ids of what ended since the cursor, and the next cursor."""
    late = timedelta(seconds=settle)
    if document is not None:
        cursor = read_cursor(document)
        listed = await source.begun_since(cursor.since)
        others = await source.read(sorted(cursor.open - {one.id for one in listed}))
        ended, following = advance(cursor, listed, others, late)
        return ended, following.as_dict()
    if since is not None:
        check_since(since)
    # In this order, so that nothing is missed that ends in between.
    others = await source.open()
    start = since
    if start is None:
        newest = await source.newest()
        start = None if newest is None else newest - late
    listed = await source.begun_since(start)
    ended, following = advance(Cursor(start), listed, others, late)
    if since is None:
        were_open = {one.id for one in others}
        ended = [one for one in ended if one in were_open]
    return ended, following.as_dict()


class AsyncSignalRuns:
    """The runs of a signal.

    Attributes:
        read_so_far: What the platform said of each, by their ids.
    """

    def __init__(self, transport: AsyncTransport, signal_id: str) -> None:
        self._signals = AsyncSignalApi(transport)
        self._signal_id = signal_id
        self.read_so_far: dict[str, RunAnswer] = {}

    async def newest(self) -> datetime | None:
        """See :class:`AsyncSource`."""
        runs = await self._signals.runs(self._signal_id, size=1)
        return runs[0].started_at if runs else None

    async def open(self) -> Sequence[Seen]:
        """See :class:`AsyncSource`."""
        return self._seen(await self._signals.all_runs(self._signal_id, _OPEN_RUNS))

    async def begun_since(self, moment: datetime | None) -> Sequence[Seen]:
        """See :class:`AsyncSource`."""
        filters = [] if moment is None else [("started_at[gte]", moment.isoformat())]
        return self._seen(await self._signals.all_runs(self._signal_id, filters))

    async def read(self, ids: Sequence[str]) -> Sequence[Seen]:
        """See :class:`AsyncSource`."""
        # While a run is open the platform skips the others, so there is hardly more than one.
        found = await async_map(self._read_one, ids, _WORKERS)
        return self._seen([run for run in found if run is not None])

    async def _read_one(self, run_id: str) -> RunAnswer | None:
        try:
            return await self._signals.run(run_id)
        except NotFoundError:
            return None

    def _seen(self, runs: Sequence[RunAnswer]) -> list[Seen]:
        self.read_so_far |= {run.id: run for run in runs}
        return [Seen(run.id, run.started_at, signals.has_ended(run)) for run in runs]


class AsyncListedJobs:
    """The jobs that filters choose."""

    def __init__(self, transport: AsyncTransport, filters: Sequence[tuple[str, str]]) -> None:
        self._jobs = AsyncJobApi(transport)
        self._filters = filters

    async def newest(self) -> datetime | None:
        """See :class:`AsyncSource`."""
        jobs = await self._jobs.list(self._filters, size=1)
        return jobs[0].created_at if jobs else None

    async def open(self) -> Sequence[Seen]:
        """See :class:`AsyncSource`."""
        return _seen_jobs(await self._jobs.list_all([*self._filters, *_OPEN_JOBS]))

    async def begun_since(self, moment: datetime | None) -> Sequence[Seen]:
        """See :class:`AsyncSource`."""
        begun = [] if moment is None else [("created_at[gte]", moment.isoformat())]
        return _seen_jobs(await self._jobs.list_all([*self._filters, *begun]))

    async def read(self, ids: Sequence[str]) -> Sequence[Seen]:
        """See :class:`AsyncSource`."""
        listed: list[JobListItem] = []
        for start in range(0, len(ids), PAGE_SIZE):
            page = ids[start : start + PAGE_SIZE]
            listed += await self._jobs.list([("id[in]", job_id) for job_id in page])
        # A list may be late; only what cannot be read either is gone.
        missing = sorted(set(ids) - {job.job_id for job in listed})
        found = await async_map(self.read_one, missing, _WORKERS)
        return _seen_jobs([*listed, *(job for job in found if job is not None)])

    async def read_one(self, job_id: str) -> JobAnswer | None:
        """A job, or None if it is gone."""
        try:
            return await self._jobs.get(job_id)
        except NotFoundError:
            return None


def _seen_jobs(jobs: Sequence[JobListItem | JobAnswer]) -> list[Seen]:
    return [Seen(job.job_id, job.created_at, polling.has_ended(job.state)) for job in jobs]


def _finished(transport: AsyncTransport, answer: JobAnswer) -> FinishedJob:
    return FinishedJob(
        id=answer.job_id,
        name=readable(answer.name),
        state=answer.state,
        definition_id=answer.definition_id,
        audience_id=answer.audience_id,
        completed_at=answer.completed_at,
        url=transport.page("audiences", answer.audience_id, "job", answer.job_id),
        failure_message=answer.failure_message,
    )
