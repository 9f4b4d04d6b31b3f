"""Starting DAGs when people are done: triggers for Airflow's ``AssetWatcher``.

For example, a DAG that runs after every run of a signal::

    asset = Asset(
        "weekly_labels",
        watchers=[AssetWatcher(name="runs", trigger=RapidataSignalRunEventTrigger(signal_id="…"))],
    )
    with DAG("evaluate", schedule=[asset]):
        ...

What happened is in the event's payload; :func:`rapidata_airflow.assets.watched` reads it.

Every end is told, also one from while the triggerer was down or the DAG was paused. None is told
twice, but for one case: a triggerer that dies within seconds of an event tells it once more. So let
what costs money have the event's ``run_id`` or ``job_id`` in its key.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from rapidata_airflow.cursors import Cursor, CursorStore, cursor_store
from rapidata_airflow.hooks.rapidata import RapidataHook
from rapidata_core.errors import (
    NotFoundError,
    RateLimitedError,
    ServerError,
    TransportError,
    ValidationError,
    blank,
    outside,
)
from rapidata_core.types import JobState, SignalRunStatus

if TYPE_CHECKING:
    from rapidata_core import AsyncRapidataClient, FinishedJob, SignalRun

# Airflow takes an event out of the trigger at once, but writes it to its database with its next
# round, about a second later, and does not say when. A cursor that is written before would lose
# the event if the triggerer died in between.
EVENT_IS_WRITTEN = 10.0
_LONGEST_PAUSE = 600.0
# Airflow's database keeps every event.
_LONGEST_TEXT = 200
_PASSING = (RateLimitedError, ServerError, TransportError)


class RapidataEventTrigger(BaseEventTrigger):
    """Look for news again and again, and fire an event for each.

    Where it is in the news, the trigger keeps in the asset's state store; on Airflow 3.2, in the
    variable ``rapidata_cursor_…``. So there, triggers with the same arguments on several assets
    get in each other's way: let several DAGs be scheduled by one asset instead.

    Errors end nothing: they are logged, and it looks again, after a growing pause of ten minutes at
    most.

    Args:
        outcomes: Which ends are worth an event.
        since: What began then or later is news, too, if it has ended before the first look; by
            default, news begin with the first look. A time with its zone, or the same as text.
            Change it to begin anew.
        rapidata_conn_id: The connection's id.
        poll_interval: Seconds between looks.

    Raises:
        ValidationError: An argument is wrong; every problem is listed.
    """

    # What is watched: arguments, by name.
    subject: ClassVar[tuple[str, ...]]
    # The ends that there are.
    ends: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        *,
        outcomes: Sequence[str],
        since: datetime | str | None = None,
        rapidata_conn_id: str = RapidataHook.default_conn_name,
        poll_interval: float = 60.0,
    ) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.outcomes = outcomes
        self.since = since.isoformat() if isinstance(since, datetime) else since
        self.rapidata_conn_id = rapidata_conn_id
        self.poll_interval = poll_interval

    @abstractmethod
    async def look(
        self, client: AsyncRapidataClient, cursor: Cursor | None
    ) -> tuple[list[dict[str, Any]], Cursor]:
        """Payloads of what ended since the cursor, and the next cursor."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and the arguments with which the triggerer makes this trigger again."""
        common = ("outcomes", "since", "rapidata_conn_id", "poll_interval")
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {name: getattr(self, name) for name in (*self.subject, *common)},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look and fire, for ever."""
        store = cursor_store(self._key(), getattr(self, "asset_state_store", None))
        told = written = None
        failures = 0
        while True:
            try:
                if told is None:
                    told = written = await store.read()
                payloads, told = await self._look(told)
            except Exception as error:
                failures += 1
                await self._pause(error, failures)
                continue
            failures = 0
            for payload in payloads:
                yield TriggerEvent(payload)
            if payloads:
                await asyncio.sleep(EVENT_IS_WRITTEN)
            if told != written and await self._write(store, told):
                written = told
            await asyncio.sleep(self.poll_interval)

    async def _look(self, cursor: Cursor | None) -> tuple[list[dict[str, Any]], Cursor]:
        # With a new client each time, mended credentials are used without a restart. The token is
        # shared by all clients of the process.
        async with await RapidataHook(self.rapidata_conn_id).aget_conn() as client:
            return await self.look(client, cursor)

    async def _pause(self, error: Exception, failures: int) -> None:
        """Say what is wrong, and give it time to pass."""
        # Airflow starts a trigger that raises anew at once: it would fail every second.
        longest = max(self.poll_interval, _LONGEST_PAUSE)
        seconds = min(self.poll_interval * 2 ** min(failures, 10), longest)
        level = logging.WARNING if isinstance(error, _PASSING) else logging.ERROR
        self.log.log(
            level,
            "Cannot look for news of %s, trying again in %.0f s: %s: %s",
            self._about(),
            seconds,
            type(error).__name__,
            error,
        )
        await asyncio.sleep(seconds)

    async def _write(self, store: CursorStore, cursor: Cursor) -> bool:
        try:
            await store.write(cursor)
        # Airflow has its own exceptions for every way to fail, and the next look writes, too.
        except Exception as error:
            self.log.warning(
                "Cannot note that news of %s were told; if the triggerer restarts before the next "
                "look, they are told again: %r",
                self._about(),
                error,
            )
            return False
        return True

    def _key(self) -> str:
        """The cursor's name: one for each thing that can be watched."""
        kind, arguments = self.serialize()
        names = (*self.subject, "rapidata_conn_id", "since")
        text = json.dumps([kind, *(arguments[name] for name in names)])
        return f"rapidata_cursor_{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def _about(self) -> str:
        return json.dumps({name: getattr(self, name) for name in self.subject})

    def _check(self, problems: Iterable[str]) -> None:
        """Refuse wrong arguments; a subclass calls it with its own problems."""
        found = [
            *problems,
            *_outcomes_problems(self.outcomes, self.ends),
            *_since_problems(self.since),
            *outside("poll_interval", self.poll_interval, 0, without=(0,)),
        ]
        if found:
            raise ValidationError(type(self).__name__, found)
        # Airflow tells triggers apart by their arguments as it has stored them.
        self.outcomes = [str(outcome) for outcome in self.outcomes]

    def _since(self) -> datetime | None:
        return None if self.since is None else datetime.fromisoformat(self.since)


class RapidataSignalRunEventTrigger(RapidataEventTrigger):
    """Fire an event for every run of a signal that has ended.

    The payload: ``signal_id``, ``run_id``, ``state`` (see
    :class:`rapidata_core.SignalRunStatus`), ``trigger_source``, ``started_at``, ``completed_at``,
    ``job_id`` and ``job_url`` (None if the run made no job, or it was deleted), ``reason`` (why it
    failed or was skipped, or None).

    Args:
        signal_id: The signal.
        outcomes: Which ends are worth an event: ``Completed`` (its job is done, the default),
            ``Failed``, ``Skipped``.
        **kwargs: See :class:`RapidataEventTrigger`.

    Raises:
        ValidationError: An argument is wrong; every problem is listed.
    """

    subject = ("signal_id",)
    ends = (SignalRunStatus.COMPLETED, SignalRunStatus.FAILED, SignalRunStatus.SKIPPED)

    def __init__(
        self,
        *,
        signal_id: str,
        outcomes: Sequence[str] = (SignalRunStatus.COMPLETED,),
        **kwargs: Any,
    ) -> None:
        super().__init__(outcomes=outcomes, **kwargs)
        self.signal_id = signal_id
        self._check(blank("signal_id", signal_id))

    async def look(
        self, client: AsyncRapidataClient, cursor: Cursor | None
    ) -> tuple[list[dict[str, Any]], Cursor]:
        """See :class:`RapidataEventTrigger`."""
        news = await client.signals.news(self.signal_id, cursor, since=self._since())
        runs = [run for run in news.items if run.status in self.outcomes]
        return [await self._payload(client, run) for run in runs], news.cursor

    async def _payload(self, client: AsyncRapidataClient, run: SignalRun) -> dict[str, Any]:
        return {
            "signal_id": self.signal_id,
            "run_id": run.id,
            "state": run.status,
            "trigger_source": run.trigger_source,
            "started_at": _text(run.started_at),
            "completed_at": _text(run.completed_at),
            "job_id": run.job_id,
            "job_url": await _job_url(client, run.job_id),
            "reason": _short(run.skipped_reason or run.failure_message),
        }


class RapidataJobEventTrigger(RapidataEventTrigger):
    """Fire an event for every job that has ended, whoever made it.

    Give at least one of the first three arguments. The payload: ``job_id``, ``job_url``, ``name``,
    ``state``, ``definition_id``, ``audience_id``, ``completed_at`` (None if it failed), ``reason``
    (why it failed, or None).

    Args:
        job_definition_id: Only jobs that ask this.
        audience_id: Only jobs that ask these people.
        name: Only jobs whose name contains this text.
        outcomes: Which ends are worth an event: ``Completed`` (the default), ``Failed``.
        **kwargs: See :class:`RapidataEventTrigger`.

    Raises:
        ValidationError: An argument is wrong; every problem is listed.
    """

    subject = ("job_definition_id", "audience_id", "name")
    ends = (JobState.COMPLETED, JobState.FAILED)

    def __init__(
        self,
        *,
        job_definition_id: str | None = None,
        audience_id: str | None = None,
        name: str | None = None,
        outcomes: Sequence[str] = (JobState.COMPLETED,),
        **kwargs: Any,
    ) -> None:
        super().__init__(outcomes=outcomes, **kwargs)
        self.job_definition_id = job_definition_id
        self.audience_id = audience_id
        self.name = name
        wanted = self._wanted()
        problems = [problem for field, text in wanted.items() for problem in blank(field, text)]
        if not wanted:
            problems.append("job_definition_id: give it, or audience_id, or name")
        self._check(problems)

    async def look(
        self, client: AsyncRapidataClient, cursor: Cursor | None
    ) -> tuple[list[dict[str, Any]], Cursor]:
        """See :class:`RapidataEventTrigger`."""
        news = await client.job.news(cursor, since=self._since(), **self._wanted())
        payloads = [_about_job(job) for job in news.items if job.state in self.outcomes]
        return payloads, news.cursor

    def _wanted(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in self.subject}
        return {name: value for name, value in given.items() if value is not None}


def _about_job(job: FinishedJob) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "job_url": job.url,
        "name": _short(job.name),
        "state": job.state,
        "definition_id": job.definition_id,
        "audience_id": job.audience_id,
        "completed_at": _text(job.completed_at),
        "reason": _short(job.failure_message),
    }


async def _job_url(client: AsyncRapidataClient, job_id: str | None) -> str | None:
    if job_id is None:
        return None
    try:
        return (await client.job.get_job_by_id(job_id)).url
    except NotFoundError:
        return None


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _short(text: str | None) -> str | None:
    return None if text is None else text[:_LONGEST_TEXT]


def _outcomes_problems(outcomes: Sequence[str], ends: Sequence[str]) -> list[str]:
    known = ", ".join(repr(str(end)) for end in ends)
    if isinstance(outcomes, str) or not outcomes or not set(outcomes) <= set(ends):
        return [f"outcomes: must be a list of some of {known}, not {outcomes!r}"]
    return []


def _since_problems(since: str | None) -> list[str]:
    if since is None:
        return []
    try:
        has_zone = datetime.fromisoformat(since).tzinfo is not None
    except (TypeError, ValueError):
        has_zone = False
    if has_zone:
        return []
    return [f"since: must be a time with its zone, such as 2026-11-21T00:00+00:00, not {since!r}"]
