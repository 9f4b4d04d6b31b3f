"""What all waiting on the triggerer has in common."""

from __future__ import annotations

import asyncio
import json
import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from rapidata_airflow.hooks.rapidata import RapidataHook
from rapidata_airflow.outcomes import Outcome, outcome_of
from rapidata_core.errors import JobError, outside

if TYPE_CHECKING:
    from rapidata_core import AsyncRapidataClient

# A trigger that fires within seconds of the deferral can make Airflow (3.2, 3.3) take the worker's
# exit for the end of the task and fail it: apache/airflow issues 66374 and 71580.
FIRST_POLL_DELAY = 15.0


class RapidataTrigger(BaseTrigger):
    """Wait for something on the platform; fire one event, whatever happens.

    The event is ``{"status", "message"}`` (see :class:`rapidata_airflow.outcomes.Outcome`), with
    what the trigger waited for, and what it found.

    Args:
        rapidata_conn_id: The connection's id.
        deadline: When to give up, in seconds since the epoch, so that a restart of the triggerer
            does not start the wait anew; None waits for ever.
        poll_interval: Seconds between looks; by default it grows with the time waited.
        first_poll_delay: Seconds until the first look; 15 unless given.
    """

    # What is waited for: arguments, by name, that every event repeats.
    subject: ClassVar[tuple[str, ...]]
    # Further arguments of a trigger of this kind.
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        *,
        rapidata_conn_id: str = RapidataHook.default_conn_name,
        deadline: float | None = None,
        poll_interval: float | None = None,
        first_poll_delay: float | None = None,
    ) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.rapidata_conn_id = rapidata_conn_id
        self.deadline = deadline
        self.poll_interval = poll_interval
        self.first_poll_delay = FIRST_POLL_DELAY if first_poll_delay is None else first_poll_delay

    @abstractmethod
    async def wait(self, client: AsyncRapidataClient, timeout: float | None) -> dict[str, Any]:
        """Wait, at most so many seconds; what is found is plain JSON, for the event.

        Raises:
            WaitTimeoutError: It takes longer.
            RapidataError: It makes no sense to wait on.
        """

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and the arguments with which the triggerer makes this trigger again."""
        common = ("rapidata_conn_id", "deadline", "poll_interval", "first_poll_delay")
        names = (*self.subject, *self.options, *common)
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {name: getattr(self, name) for name in names},
        )

    def problems(self) -> list[str]:
        """What is wrong with the arguments: to be asked before anything is paid."""
        found: list[str] = []
        if self.poll_interval is not None:
            found += outside("poll_interval", self.poll_interval, 0, without=(0,))
        try:
            json.dumps(self.serialize())
        except TypeError as error:
            found.append(f"the arguments cannot be handed to the triggerer: {error}")
        return found

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire."""
        await asyncio.sleep(self.first_poll_delay)
        yield TriggerEvent(await self.outcome())

    async def outcome(self) -> dict[str, Any]:
        """Wait, and say how it ended; never raises."""
        about = {name: getattr(self, name) for name in self.subject}
        try:
            hook = RapidataHook(self.rapidata_conn_id)
            async with await hook.aget_conn() as client:
                self.poll_interval = hook.poll_interval(self.poll_interval)
                found = await self.wait(client, self._seconds_left())
        # A trigger that raises fails its task without a word about what it waited for.
        except Exception as error:
            outcome = outcome_of(error)
            if outcome is Outcome.ERROR:
                self.log.exception("Cannot wait for %s", about)
            status, message = outcome, str(error) or type(error).__name__
            # Whoever decides about a job that stands still wants to know where.
            found = {"state": error.state} if isinstance(error, JobError) else {}
        else:
            status, message = Outcome.COMPLETED, "It is done"
        return {**about, **found, "status": str(status), "message": message}

    def _seconds_left(self) -> float | None:
        return None if self.deadline is None else max(0.0, self.deadline - time.time())
