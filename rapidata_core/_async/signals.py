"""Signals: a job on a schedule; and ``client.signals``, which makes and finds them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from rapidata_core._async.api.signals import AsyncSignalApi
from rapidata_core._async.audiences import AsyncAnyAudience
from rapidata_core._async.definitions import AsyncRapidataJobDefinition
from rapidata_core._async.jobs import AsyncRapidataJob, find_jobs, get_job
from rapidata_core._async.transport import AsyncTransport
from rapidata_core._async.waiting import find_out, only_one, steady, wait_until
from rapidata_core.errors import (
    AmbiguousSubmissionError,
    RapidataError,
    ServerError,
    SignalRunError,
    TransportError,
    ValidationError,
    blank,
    refuse_blank,
)
from rapidata_core.types import SignalRun, SignalRunStatus
from rapidata_core.wire.signal import RunAnswer, SignalAnswer

_log = logging.getLogger("rapidata_core.signals")
_SHORTEST_INTERVAL = 60
_SECONDS_PER_HOUR = 3600
_MANUAL = "Manual"


class AsyncRapidataSignal:
    """Makes a new job of the same definition for the same audience at every interval.

    The attributes hold what was read last; :meth:`reload` reads anew.

    Attributes:
        id: The signal's id.
        name: Its name.
        description: Its description, or None.
        audience_id: Who answers each job.
        job_definition_id: What each job asks.
        revision_number: The pinned revision of the definition, or None for the latest one at the
            time of each firing.
        interval_hours: How often it fires.
        next_run_at: When it fires next.
        last_run_at: When it fired last, or None.
        is_paused: Whether the scheduler passes it over.
        is_public: Whether others can find and read it.
        created_at: When it was created.
    """

    id: str
    name: str
    description: str | None
    audience_id: str
    job_definition_id: str
    revision_number: int | None
    interval_hours: float
    next_run_at: datetime
    last_run_at: datetime | None
    is_paused: bool
    is_public: bool
    created_at: datetime

    def __init__(self, transport: AsyncTransport, answer: SignalAnswer) -> None:
        self._transport = transport
        self._signals = AsyncSignalApi(transport)
        # The runs that are no news to whoever waits; None: not looked yet.
        self._seen: set[str] | None = None
        # For every trigger whose run nobody waited for yet: the runs that were there before.
        self._triggered: list[set[str]] = []
        self._keep(answer)

    async def reload(self) -> AsyncRapidataSignal:
        """Read the attributes anew."""
        self._keep(await self._signals.get(self.id))
        return self

    async def pause(self) -> None:
        """Let the schedule pass without firing. :meth:`trigger` works nevertheless."""
        await self._signals.pause(self.id)
        await self.reload()

    async def resume(self) -> None:
        """Fire on schedule again."""
        await self._signals.resume(self.id)
        await self.reload()

    async def update(
        self,
        name: str | None = None,
        description: str | None = None,
        interval_hours: float | None = None,
    ) -> None:
        """Change what is given; nothing is sent when nothing is.

        Args:
            name: The new name.
            description: The new description.
            interval_hours: The new interval, a minute at least.
        """
        problems = [] if name is None else blank("name", name)
        problems += [] if interval_hours is None else _interval_problems(interval_hours)
        if problems:
            raise ValidationError("signal", problems)
        changes: dict[str, Any] = {"name": name, "description": description}
        if interval_hours is not None:
            changes["intervalSeconds"] = _seconds(interval_hours)
        # An explicit null might clear a field, so what was not given is absent.
        given = {field: value for field, value in changes.items() if value is not None}
        if given:
            await self._signals.update(self.id, given)
            await self.reload()

    async def delete(self) -> None:
        """Delete the signal and its runs. The jobs that it made go on."""
        await self._signals.delete(self.id)

    async def trigger(self) -> None:
        """Fire once now, whatever the schedule says, also while paused. This costs money.

        The job is made in the background; :meth:`wait_for_next_job` returns it. A trigger while the
        previous job is not done is skipped by the platform.

        Raises:
            AmbiguousSubmissionError: The answer was lost and no run showed up.
        """
        runs = await self._runs()
        before = {run.id for run in runs}
        if self._seen is None:
            self._seen = set(before)
        told = sum(run.trigger_source == _MANUAL and run.id not in self._seen for run in runs)
        # Runs of earlier triggers that are still to come.
        due = max(0, len(self._triggered) - told)
        try:
            await self._signals.trigger(self.id)
        except (TransportError, ServerError) as error:

            async def look() -> bool | None:
                new = [run for run in await self._runs() if run.id not in before]
                return sum(run.trigger_source == _MANUAL for run in new) > due or None

            await find_out(
                look,
                error,
                request=f"POST /signal/{self.id}/trigger",
                advice="Look at get_runs() before you trigger again.",
            )
        self._triggered.append(before)

    async def get_runs(self, page: int = 1, page_size: int = 20) -> list[SignalRun]:
        """Its firings, newest first, also those that were skipped and have no job.

        Args:
            page: Which page, from 1.
            page_size: Runs per page.
        """
        return [_run(answer) for answer in await self._runs(page=page, size=page_size)]

    async def get_jobs(
        self, page: int = 1, page_size: int = 20, sort_descending: bool = True
    ) -> list[AsyncRapidataJob]:
        """The jobs that it made; skipped firings made none.

        Args:
            page: Which page, from 1.
            page_size: Jobs per page.
            sort_descending: Newest first.
        """
        with_job = (SignalRunStatus.RUNNING, SignalRunStatus.COMPLETED, SignalRunStatus.FAILED)
        runs = await self._signals.runs(
            self.id,
            [("status[in]", status) for status in with_job],
            sort="-started_at" if sort_descending else "started_at",
            page=page,
            size=page_size,
        )
        wanted = [run.audience_job_id for run in runs if run.audience_job_id is not None]
        if not wanted:
            return []
        ids = [("id[in]", job_id) for job_id in wanted]
        found = {job.id: job for job in await find_jobs(self._transport, "", len(ids), 1, ids)}
        return [found[job_id] for job_id in wanted if job_id in found]

    async def wait_for_next_job(
        self, timeout: float | None = 300, poll_interval: float | None = None
    ) -> AsyncRapidataJob:
        """Wait until the next firing has made its job.

        After :meth:`trigger` that is the run of this very trigger: the first manual run that was
        not there before. Otherwise it is the first run that was not there when this object first
        looked, or that came after the one that it returned last. Runs are told apart by their ids,
        so a wrong clock changes nothing. Scheduled firings that were skipped are passed over.

        Args:
            timeout: Seconds to wait at most; None waits for ever.
            poll_interval: Seconds between looks; by default it grows with the time waited.

        Raises:
            WaitTimeoutError: It takes longer; wait again.
            SignalRunError: The triggered run was skipped, or the run failed before it had a job.
        """
        polling = steady(poll_interval)
        if self._seen is None:
            self._seen = {run.id for run in await self._runs()}
        manual = bool(self._triggered)
        before = self._triggered[0] if manual else set[str]()

        async def look() -> str | None:
            while (run := await self._unseen(before, manual=manual)) is not None:
                if run.audience_job_id is not None:
                    self._settle(run, manual=manual)
                    return run.audience_job_id
                if run.status not in {SignalRunStatus.SKIPPED, SignalRunStatus.FAILED}:
                    return None
                self._settle(run, manual=manual)
                if manual or run.status == SignalRunStatus.FAILED:
                    raise _no_job(run)
                _log.info("signal %s skipped a firing: %s", self.id, run.skipped_reason)
            return None

        what = f"The next job of signal {self.id}"
        job_id = await wait_until(look, what=what, timeout=timeout, polling=polling)
        return await get_job(self._transport, job_id)

    async def _runs(self, page: int = 1, size: int = 100) -> list[RunAnswer]:
        return list(await self._signals.runs(self.id, page=page, size=size))

    async def _unseen(self, before: set[str], *, manual: bool) -> RunAnswer | None:
        """The oldest run that is news."""
        known = before | (self._seen or set())
        runs = [run for run in await self._runs() if run.id not in known]
        if manual:
            runs = [run for run in runs if run.trigger_source == _MANUAL]
        return min(runs, key=lambda run: run.started_at, default=None)

    def _settle(self, run: RunAnswer, *, manual: bool) -> None:
        """Note that somebody was told about a run."""
        assert self._seen is not None
        self._seen.add(run.id)
        if manual:
            self._triggered.pop(0)

    def _keep(self, answer: SignalAnswer) -> None:
        self.id = answer.id
        self.name = answer.name
        self.description = answer.description
        self.audience_id = answer.audience_id
        self.job_definition_id = answer.job_definition_id
        self.revision_number = answer.revision_number
        self.interval_hours = answer.interval_seconds / _SECONDS_PER_HOUR
        self.next_run_at = answer.next_run_at
        self.last_run_at = answer.last_run_at
        self.is_paused = answer.is_paused
        self.is_public = answer.is_public
        self.created_at = answer.created_at

    def __repr__(self) -> str:
        return f"RapidataSignal(id={self.id!r}, name={self.name!r})"


class AsyncSignals:
    """``client.signals``."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport
        self._signals = AsyncSignalApi(transport)

    async def create_signal(
        self,
        name: str,
        audience: AsyncAnyAudience | str,
        job_definition: AsyncRapidataJobDefinition | str,
        interval_hours: float,
        description: str | None = None,
        revision_number: int | None = None,
        is_public: bool = False,
    ) -> AsyncRapidataSignal:
        """Make a job at every interval from now on. Every firing costs what its job costs.

        Args:
            name: Its name.
            audience: Who answers; an audience or its id.
            job_definition: What to ask; a definition or its id.
            interval_hours: How often it fires, a minute at least.
            description: For people.
            revision_number: Always ask this revision of the definition; by default the latest one
                at the time of each firing.
            is_public: Let others find and read it.

        Raises:
            AmbiguousSubmissionError: The answer was lost and the signal did not show up.
        """
        audience_id = audience if isinstance(audience, str) else audience.id
        definition_id = job_definition if isinstance(job_definition, str) else job_definition.id
        problems = blank("name", name) + blank("audience", audience_id)
        problems += blank("job_definition", definition_id) + _interval_problems(interval_hours)
        if revision_number is not None and not revision_number >= 1:
            problems.append(f"revision_number: must be at least 1, not {revision_number!r}")
        if problems:
            raise ValidationError("signal", problems)
        body = {
            "name": name,
            "description": description,
            "audienceId": audience_id,
            "jobDefinitionId": definition_id,
            "revisionNumber": revision_number,
            "intervalSeconds": _seconds(interval_hours),
            "isPublic": is_public,
        }
        return AsyncRapidataSignal(self._transport, await self._create_once(body))

    async def get_signal_by_id(self, signal_id: str) -> AsyncRapidataSignal:
        """Find a signal again.

        Raises:
            NotFoundError: There is none with this id.
        """
        refuse_blank(signal_id=signal_id)
        return AsyncRapidataSignal(self._transport, await self._signals.get(signal_id))

    async def find_signals(
        self, name: str = "", amount: int = 10, page: int = 1
    ) -> list[AsyncRapidataSignal]:
        """Signals whose name contains a text, newest first.

        Args:
            name: The text; empty finds all.
            amount: Signals per page.
            page: Which page, from 1.
        """
        named = [("name[contains]", name)] if name else []
        found = await self._signals.list(named, page=page, size=amount)
        return [AsyncRapidataSignal(self._transport, answer) for answer in found]

    async def _create_once(self, body: dict[str, Any]) -> SignalAnswer:
        """Create a signal; a lost answer is resolved by looking for a twin that was not there."""
        before = {signal.id for signal in await self._twins(body)}
        try:
            created = await self._signals.create(body)
        except (TransportError, ServerError) as error:
            request = "POST /signal"
            advice = "Look with client.signals.find_signals before you create it again."

            async def look() -> SignalAnswer | None:
                new = [twin for twin in await self._twins(body) if twin.id not in before]
                return only_one(new, request=request, advice=advice)

            return await find_out(look, error, request=request, advice=advice)
        try:
            return await self._signals.get(created.id)
        except RapidataError as error:
            # It fires from now on, so its id must not get lost.
            raise AmbiguousSubmissionError(
                f"Signal {created.id} was created, but cannot be read. Do not create it again; get "
                f"it with client.signals.get_signal_by_id. The cause: {error.message}",
                request="POST /signal",
                trace_id=error.trace_id,
            ) from error

    async def _twins(self, body: dict[str, Any]) -> list[SignalAnswer]:
        """The signals that could be the one that is being created, newest first."""
        filters = [
            ("name[eq]", body["name"]),
            ("job_definition_id[eq]", body["jobDefinitionId"]),
            ("audience_id[eq]", body["audienceId"]),
        ]
        same = _is_twin(body)
        return [signal for signal in await self._signals.list(filters) if same(signal)]


def _is_twin(body: dict[str, Any]) -> Callable[[SignalAnswer], bool]:
    """Whether a signal is what was asked for; a list that ignored a filter cannot mislead us."""
    fields = ("name", "jobDefinitionId", "audienceId", "revisionNumber", "intervalSeconds")
    wanted = [body[field] for field in (*fields, "isPublic")]
    return lambda signal: (
        wanted
        == [
            signal.name,
            signal.job_definition_id,
            signal.audience_id,
            signal.revision_number,
            signal.interval_seconds,
            signal.is_public,
        ]
    )


def _interval_problems(hours: float) -> list[str]:
    is_number = isinstance(hours, (int, float)) and not isinstance(hours, bool)  # pyright: ignore[reportUnnecessaryIsInstance]
    if is_number and _SHORTEST_INTERVAL <= hours * _SECONDS_PER_HOUR < float("inf"):
        return []
    return [f"interval_hours: must be a number of at least 1/60 (one minute), not {hours!r}"]


def _seconds(hours: float) -> int:
    return round(hours * _SECONDS_PER_HOUR)


def _run(answer: RunAnswer) -> SignalRun:
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


def _no_job(run: RunAnswer) -> SignalRunError:
    reason = run.skipped_reason or run.failure_message or "the platform gives no reason"
    advice = (
        "Wait for its job, see get_jobs(), then trigger again."
        if run.status == SignalRunStatus.SKIPPED
        else "Check the audience and the definition, then trigger again."
    )
    return SignalRunError(
        f"Run {run.id} of signal {run.signal_id} made no job: {run.status}, {reason}. {advice}",
        signal_id=run.signal_id,
        run_id=run.id,
        status=run.status,
    )
