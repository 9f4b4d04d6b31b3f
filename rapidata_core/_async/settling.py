"""Looking until whatever was sent must show, if it was carried out at all."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from rapidata_core._async.waiting import wait_until
from rapidata_core.errors import (
    AmbiguousSubmissionError,
    RapidataError,
    ServerError,
    TransportError,
    WaitTimeoutError,
    is_undone,
)
from rapidata_core.policy.polling import PollingPolicy

Result = TypeVar("Result")

_log = logging.getLogger("rapidata_core.settling")
# How often a runner tries to pay before it leaves it to the next one.
ROUNDS = 4
# Seconds between the first two looks; the pauses grow fast, because most things show at once.
_FASTEST = 0.25


async def until_settled(
    look: Callable[[], Awaitable[Result | None]],
    *,
    what: str,
    seconds: float,
    slowest: float | None = None,
) -> Result | None:
    """Look until there is something to see, or until it would show if it was there at all.

    Args:
        look: Looks once; None means that nothing shows so far.
        what: What is looked for, as the beginning of a sentence.
        seconds: After so many seconds nothing comes any more; see ``Settings.settle``.
        slowest: Seconds between two looks at most; a quarter of all by default.

    Raises:
        RapidataError: The last look failed, which does not mean that nothing is there.
    """
    polling = PollingPolicy(
        fastest=min(_FASTEST, seconds / 60),
        slowest=seconds / 4 if slowest is None else slowest,
        growth=0.5,
    )
    try:
        return await wait_until(look, what=what, timeout=seconds, polling=polling)
    except WaitTimeoutError:
        # It may have been a look that failed.
        return await look()


async def sent_once(
    send: Callable[[], Awaitable[Result]],
    look: Callable[[], Awaitable[Result | None]],
    *,
    request: str,
    seconds: float,
    advice: str,
) -> Result:
    """Make a paid call whose outcome can be read; it is sent again only if nothing came of it.

    Args:
        send: Makes the call.
        look: Looks for what it made; None means that nothing shows so far.
        request: The call.
        seconds: See :func:`until_settled`.
        advice: What to do when it stays unknown what it made.

    Raises:
        AmbiguousSubmissionError: It stays unknown.
        RapidataError: The call was refused.
    """
    for _ in range(ROUNDS):
        try:
            return await send()
        except (TransportError, ServerError) as error:
            if is_undone(error):
                raise
        _log.warning("the answer to %s was lost; looking what became of it", request)
        try:
            found = await until_settled(look, what=f"What {request} made", seconds=seconds)
        except RapidataError as error:
            # Whatever it is, it must not hide that something may have been paid.
            raise _unknown(request, advice, error.message) from error
        if found is not None:
            return found
    raise _unknown(request, advice, f"{ROUNDS} answers were lost, and nothing showed")


def _unknown(request: str, advice: str, why: str) -> AmbiguousSubmissionError:
    return AmbiguousSubmissionError(
        f"It is unknown whether {request} was carried out. {advice} The cause: {why}",
        request=request,
    )
