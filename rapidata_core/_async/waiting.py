"""Looking again: until there is something to see, or to learn what a lost answer said."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from rapidata_core.concurrency import async_monotonic, async_sleep
from rapidata_core.errors import (
    AmbiguousSubmissionError,
    RapidataError,
    ServerError,
    TransportError,
    ValidationError,
    WaitTimeoutError,
    is_undone,
)
from rapidata_core.policy.polling import PASSING, Patience, PollingPolicy


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


Result = TypeVar("Result")
Made = TypeVar("Made", bound=_HasId)

_log = logging.getLogger("rapidata_core.waiting")
# After a lost answer, look this many seconds apart whether what was asked for is there.
SETTLE_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)


async def wait_until(
    look: Callable[[], Awaitable[Result | None]],
    *,
    what: str,
    timeout: float | None,
    polling: PollingPolicy | None = None,
    job_id: str = "",
    so_far: Callable[[], str] | None = None,
) -> Result:
    """Look until there is a result; looks that fail are repeated within the policy's budget.

    Args:
        look: Looks once; None means that it is not there yet.
        what: What is waited for, as the beginning of a sentence.
        timeout: Seconds to wait at most; None waits for ever.
        polling: How often to look.
        job_id: The job that it is about, for the error.
        so_far: What was seen last, as a sentence for the error.

    Raises:
        WaitTimeoutError: It takes longer.
    """
    chance = random.Random()
    patience = Patience(polling or PollingPolicy(), async_monotonic(), timeout)
    while True:
        began = async_monotonic()
        try:
            found = await look()
        except PASSING as error:
            if patience.errors.is_spent(async_monotonic()):
                raise
            _log.warning("%s: cannot look, will look again: %s", what, error)
        else:
            patience.errors.refill()
            if found is not None:
                return found
        if patience.is_over(began):
            seen = f" {so_far()}" if so_far is not None else ""
            raise WaitTimeoutError(
                f"{what} is not there after {began - patience.started:.0f} s.{seen} Nothing is "
                "lost; wait again.",
                job_id=job_id,
                state="unknown",
            )
        now = async_monotonic()
        patience.postpone(now, chance)
        await async_sleep(max(0.0, patience.due - now))


async def find_out(
    look: Callable[[], Awaitable[Result | None]],
    error: TransportError | ServerError,
    *,
    request: str,
    advice: str,
) -> Result:
    """Learn what became of a paid call whose answer was lost, by reading.

    Args:
        look: Looks whether it was carried out; None means that nothing shows so far. It may say
            itself, by an AmbiguousSubmissionError, that this cannot be told.
        error: What happened instead of an answer.
        request: The paid call.
        advice: What to do when it stays unknown.

    Raises:
        TransportError: The call certainly never reached the platform.
        AmbiguousSubmissionError: It stays unknown.
    """
    if is_undone(error):
        raise error
    _log.warning("the answer to %s was lost; looking what became of it", request)
    cause: RapidataError = error
    for seconds in SETTLE_PAUSES:
        await async_sleep(seconds)
        try:
            found = await look()
        except AmbiguousSubmissionError:
            raise
        except RapidataError as problem:
            # Whatever it is, it must not hide that something may have been paid.
            cause = problem
        else:
            if found is not None:
                return found
    raise AmbiguousSubmissionError(
        f"{request} got no clear answer, and nothing showed for {sum(SETTLE_PAUSES):.0f} s that it "
        f"was carried out. {advice} The cause: {cause.message}",
        request=request,
        trace_id=error.trace_id,
    ) from error


def only_one(new: Sequence[Made], *, request: str, advice: str) -> Made | None:
    """What a paid call with a lost answer made, out of what is new and just as asked for.

    Raises:
        AmbiguousSubmissionError: Somebody else made the same at the same time.
    """
    if len(new) < 2:
        return new[0] if new else None
    ids = ", ".join(one.id for one in new)
    raise AmbiguousSubmissionError(
        f"{request} got no clear answer, and {ids} were made since, all of them as asked for. "
        f"{advice}",
        request=request,
    )


def steady(poll_interval: float | None) -> PollingPolicy:
    """Looking at fixed intervals, or by default less often the longer it takes.

    Raises:
        ValidationError: The interval is none.
    """
    if poll_interval is None:
        return PollingPolicy()
    if not poll_interval > 0:
        raise ValidationError("poll_interval", [f"must be above 0 seconds, not {poll_interval!r}"])
    return PollingPolicy(fastest=poll_interval, slowest=poll_interval)
