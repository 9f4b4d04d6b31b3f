"""Signals: a job on a schedule; and ``client.signals``, which makes and finds them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from rapidata_core._async.api.signals import AsyncSignalApi
from rapidata_core._async.audiences import AsyncAnyAudience
from rapidata_core._async.definitions import AsyncRapidataJobDefinition
from rapidata_core._async.jobs import AsyncRapidataJob, find_jobs, get_job
from rapidata_core._async.news import run_news, run_of
from rapidata_core._async.settling import sent_once, until_settled
from rapidata_core._async.transport import AsyncTransport
from rapidata_core._async.trigger import SHOWS, check_firing, trigger_once
from rapidata_core._async.waiting import find_out, only_one, steady, wait_until
from rapidata_core.concurrency import async_monotonic, async_sleep
from rapidata_core.errors import (
    AmbiguousSubmissionError,
    NotFoundError,
    RapidataError,
    ServerError,
    SignalRunError,
    TransportError,
    ValidationError,
    blank,
    is_number,
    outside,
    refuse_blank,
)
from rapidata_core.policy.news import check_since
from rapidata_core.policy.signals import (
    MANUAL,
    described,
    description_for_people,
    made_no_job,
    oldest_signal,
    read_intent,
    signal_changes,
)
from rapidata_core.policy.submission import check_names, key_marker, readable, renamed
from rapidata_core.types import News, SignalRun, SignalRunStatus
from rapidata_core.wire.signal import RunAnswer, SignalAnswer

_log = logging.getLogger("rapidata_core.signals")
_SHORTEST_INTERVAL = 60
_SECONDS_PER_HOUR = 3600
_SAME_KEY = "Create it again with the same key: that looks first."


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
        # The runs that were triggered here and that nobody waited for yet.
        self._triggered: list[str] = []
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

        A key that the signal was created with, or is being triggered with, stays.

        Args:
            name: The new name.
            description: The new description.
            interval_hours: The new interval, a minute at least.
        """
        problems = [] if name is None else blank("name", name)
        problems += [] if interval_hours is None else _interval_problems(interval_hours)
        if problems:
            raise ValidationError("signal", problems)
        # An explicit null might clear a field, so what was not given is absent.
        changes: dict[str, Any] = {}
        if interval_hours is not None:
            changes["intervalSeconds"] = _seconds(interval_hours)
        if name is not None:
            changes["name"] = renamed(self._full_name, name)
        if description is not None:
            # What is written there for us may have changed since it was read last.
            intent = read_intent((await self._signals.get(self.id)).description)
            changes["description"] = described(description, intent)
        if changes:
            await self._signals.update(self.id, changes)
            await self.reload()

    async def delete(self) -> None:
        """Delete the signal and its runs. The jobs that it made go on."""
        await self._signals.delete(self.id)

    async def trigger(self, key: str | None = None, max_cost: float | None = None) -> SignalRun:
        """Fire once now, whatever the schedule says, also while paused. This costs money.

        The job is made in the background; :meth:`wait_for_next_job` returns it. A trigger while the
        previous job is not done is skipped by the platform, and costs nothing.

        Args:
            key: The identity of this firing, the same over retries and restarts. A key gets one run
                with a job, however often this is called; see the documentation of signals for what
                that rests on. Without a key every call fires.
            max_cost: Do not fire if the job would cost more than this, by the platform's estimate
                for the definition as it is now. The run that a key has is returned in any case.

        Returns:
            The run, as it is when it shows: its job may be still to come, and it may be skipped.

        Raises:
            AmbiguousSubmissionError: The answer was lost and no run showed up.
            BudgetExceededError: It would cost too much; nothing was fired.
            SignalRunError: The run of another key has no job yet.
            ValidationError: The limit is none.
        """
        if max_cost is not None and (problems := outside("max_cost", max_cost, 0)):
            raise ValidationError("signal", problems)
        if self._seen is None:
            self._seen = {run.id for run in await self._runs()}
        if key is None:
            await check_firing(self._transport, self.job_definition_id, max_cost)
            run = await self._fire()
        else:
            run = await trigger_once(self._transport, self.id, key, max_cost)
        self._seen.add(run.id)
        if run.id not in self._triggered:
            self._triggered.append(run.id)
        return run_of(run)

    async def get_runs(self, page: int = 1, page_size: int = 20) -> list[SignalRun]:
        """Its firings, newest first, also those that were skipped and have no job.

        Args:
            page: Which page, from 1.
            page_size: Runs per page.
        """
        return [run_of(answer) for answer in await self._runs(page=page, size=page_size)]

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

        After :meth:`trigger` that is the run that it returned. Otherwise it is the first run that
        was not there when this object first looked, or that came after the one that it returned
        last. Runs are told apart by their ids, so a wrong clock changes nothing. Scheduled firings
        that were skipped are passed over.

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
        triggered = self._triggered[0] if self._triggered else None

        async def look() -> str | None:
            while (run := await self._next_run(triggered)) is not None:
                if run.audience_job_id is not None:
                    self._settle(run)
                    return run.audience_job_id
                if not made_no_job(run):
                    return None
                self._settle(run)
                if run.id == triggered or run.status == SignalRunStatus.FAILED:
                    raise _no_job(run)
                _log.info("signal %s skipped a firing: %s", self.id, run.skipped_reason)
            return None

        what = f"The next job of signal {self.id}"
        job_id = await wait_until(look, what=what, timeout=timeout, polling=polling)
        return await get_job(self._transport, job_id)

    async def _runs(self, page: int = 1, size: int = 100) -> list[RunAnswer]:
        return list(await self._signals.runs(self.id, page=page, size=size))

    async def _fire(self) -> RunAnswer:
        """Make the paid call once, and know afterwards which run it began."""
        before = {run.id for run in await self._runs()}

        async def look() -> RunAnswer | None:
            # Other callers may have taken some since.
            known = before | (self._seen or set())
            new = [run for run in await self._runs() if run.id not in known]
            manual = (run for run in new if run.trigger_source == MANUAL)
            return min(manual, key=lambda run: run.started_at, default=None)

        request = f"POST /signal/{self.id}/trigger"
        advice = "Look at get_runs() before you trigger again."
        try:
            await self._signals.trigger(self.id)
        except (TransportError, ServerError) as error:
            return await find_out(look, error, request=request, advice=advice)
        what = f"The run of signal {self.id} that was triggered"
        try:
            run = await until_settled(look, what=what, seconds=SHOWS)
        except RapidataError as error:
            raise AmbiguousSubmissionError(
                f"Signal {self.id} was triggered, but its runs cannot be read. {advice} The cause: "
                f"{error.message}",
                request=request,
                trace_id=error.trace_id,
            ) from error
        if run is None:
            raise AmbiguousSubmissionError(
                f"Signal {self.id} was triggered, but no run shows for {SHOWS:.0f} s. {advice}",
                request=request,
            )
        return run

    async def _next_run(self, triggered: str | None) -> RunAnswer | None:
        """The run that was triggered, or the oldest one that is news."""
        if triggered is not None:
            return await self._signals.run(triggered)
        known = self._seen or set()
        runs = [run for run in await self._runs() if run.id not in known]
        return min(runs, key=lambda run: run.started_at, default=None)

    def _settle(self, run: RunAnswer) -> None:
        """Note that somebody was told about a run."""
        assert self._seen is not None
        self._seen.add(run.id)
        if run.id in self._triggered:
            self._triggered.remove(run.id)

    def _keep(self, answer: SignalAnswer) -> None:
        self.id = answer.id
        self._full_name = answer.name
        self.name = readable(answer.name)
        self.description = description_for_people(answer.description)
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
        key: str | None = None,
    ) -> AsyncRapidataSignal:
        """Make a job at every interval from now on. Every firing costs what its job costs.

        With a key this updates the signal that the key has, where it differs in its name,
        description or interval; without one every call creates a signal.

        Args:
            name: Its name.
            audience: Who answers; an audience or its id.
            job_definition: What to ask; a definition or its id.
            interval_hours: How often it fires, a minute at least.
            description: For people.
            revision_number: Always ask this revision of the definition; by default the latest one
                at the time of each firing.
            is_public: Let others find and read it.
            key: The identity of the signal, the same over retries and restarts.

        Raises:
            KeyConflictError: The key has a signal that differs in what cannot be changed.
            AmbiguousSubmissionError: The answer was lost and the signal did not show up.
        """
        audience_id = audience if isinstance(audience, str) else audience.id
        definition_id = job_definition if isinstance(job_definition, str) else job_definition.id
        problems = blank("name", name) + blank("audience", audience_id)
        problems += blank("job_definition", definition_id) + _interval_problems(interval_hours)
        if revision_number is not None and not revision_number >= 1:
            problems.append(f"revision_number: must be at least 1, not {revision_number!r}")
        problems += [] if key is None else blank("key", key)
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
        if key is None:
            answer = await self._create_once(body)
        else:
            marker = key_marker(self._transport.settings.namespace, key)
            answer = await self._create_or_update({**body, "name": f"{name}{marker}"}, marker)
        return AsyncRapidataSignal(self._transport, answer)

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

    async def news(
        self,
        signal_id: str,
        cursor: Mapping[str, Any] | None = None,
        *,
        since: datetime | None = None,
    ) -> News[SignalRun]:
        """The runs that ended since the last look: each is told once, and none is missed.

        A run has ended when its job is done, when it failed, or when it was skipped: its ``status``
        tells. Runs that show in the platform's list later than the settle time may be missed.

        Args:
            signal_id: The signal.
            cursor: What the last look returned. None begins now: what has ended is no news, what
                is open will be.
            since: Where there is no cursor yet, runs that began then or later are news, too, if
                they have ended.

        Raises:
            ValidationError: The cursor is damaged, or the time has no zone.
            NotFoundError: There is no such signal.
        """
        return await run_news(self._transport, signal_id, cursor, since)

    async def wait_for_run(
        self,
        signal_id: str,
        run_id: str,
        timeout: float | None = None,
        poll_interval: float | None = None,
    ) -> SignalRun:
        """Wait until a run has its job, whose id is the run's ``job_id``.

        Args:
            signal_id: The signal.
            run_id: The run, for example that of ``signal.trigger()``.
            timeout: Seconds to wait at most; None waits for ever.
            poll_interval: Seconds between looks; by default it grows with the time waited.

        Raises:
            WaitTimeoutError: It takes longer; wait again.
            SignalRunError: The run was skipped, or failed before it had a job.
            NotFoundError: There is no such run.
            ValidationError: It is a run of another signal.
        """
        refuse_blank(signal_id=signal_id, run_id=run_id)

        async def look() -> RunAnswer | None:
            run = await self._run_of_signal(signal_id, run_id)
            if made_no_job(run):
                raise _no_job(run)
            return run if run.audience_job_id is not None else None

        what = f"The job of run {run_id} of signal {signal_id}"
        polling = steady(poll_interval)
        return run_of(await wait_until(look, what=what, timeout=timeout, polling=polling))

    async def wait_for_next_run(
        self,
        signal_id: str,
        after: str | datetime,
        timeout: float | None = None,
        poll_interval: float | None = None,
    ) -> SignalRun:
        """Wait for the first run with a job that began after a run, or after a time.

        Runs that were skipped, or failed before they had a job, are passed over.

        Args:
            signal_id: The signal.
            after: The id of a run of the signal; or a time, compared with the platform's clock.
            timeout: Seconds to wait at most; None waits for ever.
            poll_interval: Seconds between looks; by default it grows with the time waited.

        Raises:
            WaitTimeoutError: It takes longer; wait again.
            NotFoundError: There is no such signal, or no such run.
            ValidationError: The run is another signal's, or the time has no zone.
        """
        polling = steady(poll_interval)
        if isinstance(after, datetime):
            check_since(after)
            refuse_blank(signal_id=signal_id)
            began, known = after, ""
        else:
            refuse_blank(signal_id=signal_id, after=after)
            began, known = (await self._run_of_signal(signal_id, after)).started_at, after

        async def look() -> RunAnswer | None:
            filters = [("started_at[gte]", began.isoformat())]
            runs = await self._signals.all_runs(signal_id, filters)
            later = (run for run in runs if run.started_at >= began and run.id != known)
            return next((run for run in later if run.audience_job_id is not None), None)

        what = f"The next run of signal {signal_id} with a job"
        return run_of(await wait_until(look, what=what, timeout=timeout, polling=polling))

    async def _run_of_signal(self, signal_id: str, run_id: str) -> RunAnswer:
        """A run.

        Raises:
            ValidationError: It is another signal's.
        """
        run = await self._signals.run(run_id)
        if run.signal_id != signal_id:
            problem = f"{run_id!r} is a run of signal {run.signal_id!r}; give that one"
            raise ValidationError("signal_id", [problem])
        return run

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
            advice = "Do not create it again; get it with client.signals.get_signal_by_id."
            raise _unreadable(created.id, advice, error) from error

    async def _create_or_update(self, body: dict[str, Any], marker: str) -> SignalAnswer:
        """The signal of a key, as it is asked for: the one that it has, or a new one."""
        # What an earlier runner sent shows by then.
        clear = async_monotonic() + self._transport.settings.settle
        found = await self._keep_oldest(await self._carrying(marker))
        if found is None:
            found = await self._create_of_key(body, marker, clear)
        changes = signal_changes(found, body)
        if not changes:
            return found
        await self._signals.update(found.id, changes)
        return await self._signals.get(found.id)

    async def _create_of_key(self, body: dict[str, Any], marker: str, clear: float) -> SignalAnswer:
        """Create the signal of a key.

        Nothing is a ticket for signals. But none fires in the first minute, so there is time to
        see, after ``clear``, whether there is another one.
        """
        seconds = self._transport.settings.settle

        async def send() -> str:
            return (await self._signals.create(body)).id

        async def look() -> str | None:
            kept = await self._keep_oldest(await self._carrying(marker))
            return None if kept is None else kept.id

        created = await sent_once(
            send, look, request="POST /signal", seconds=seconds, advice=_SAME_KEY
        )

        async def is_listed() -> SignalAnswer | None:
            found = await self._carrying(marker)
            if created in {signal.id for signal in found} or await self._is_gone(created):
                return await self._keep_oldest(found)
            return None

        try:
            await until_settled(is_listed, what=f"Signal {created} in the list", seconds=seconds)
            await async_sleep(max(0.0, clear - async_monotonic()))
            oldest = await self._keep_oldest(await self._carrying(marker))
            return oldest or await self._signals.get(created)
        except RapidataError as error:
            raise _unreadable(created, _SAME_KEY, error) from error

    async def _carrying(self, marker: str) -> list[SignalAnswer]:
        """The signals of a key. A failed read raises: it does not mean "nothing there"."""
        found = list(await self._signals.list([("name[ends_with]", marker)]))
        check_names((signal.name for signal in found), marker)
        return found

    async def _is_gone(self, signal_id: str) -> bool:
        """Whether another runner of the key has deleted a signal."""
        try:
            await self._signals.get(signal_id)
        except NotFoundError:
            return True
        return False

    async def _keep_oldest(self, signals: list[SignalAnswer]) -> SignalAnswer | None:
        """The signal that a key has; younger ones, which only a race can have made, are deleted."""
        if not signals:
            return None
        oldest = oldest_signal(signals)
        for younger in (signal.id for signal in signals if signal is not oldest):
            _log.warning(
                "this key has signal %s already; deleting %s of a race", oldest.id, younger
            )
            try:
                # A signal that is paused cannot fire while it is being deleted.
                await self._signals.pause(younger)
                await self._signals.delete(younger)
            except NotFoundError:
                _log.info("signal %s is gone already", younger)
        return oldest

    async def _twins(self, body: dict[str, Any]) -> list[SignalAnswer]:
        """The signals that could be the one that is being created, newest first."""
        filters = [
            ("name[eq]", body["name"]),
            ("job_definition_id[eq]", body["jobDefinitionId"]),
            ("audience_id[eq]", body["audienceId"]),
        ]
        same = _is_twin(body)
        return [signal for signal in await self._signals.list(filters) if same(signal)]


def _unreadable(signal_id: str, advice: str, error: RapidataError) -> AmbiguousSubmissionError:
    """What is raised for a signal that fires from now on, so that its id does not get lost."""
    return AmbiguousSubmissionError(
        f"Signal {signal_id} was created, but cannot be read. {advice} The cause: {error.message}",
        request="POST /signal",
        trace_id=error.trace_id,
    )


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
    if is_number(hours) and _SHORTEST_INTERVAL <= hours * _SECONDS_PER_HOUR < float("inf"):
        return []
    return [f"interval_hours: must be a number of at least 1/60 (one minute), not {hours!r}"]


def _seconds(hours: float) -> int:
    return round(hours * _SECONDS_PER_HOUR)


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
