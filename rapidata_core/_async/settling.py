"""Looking until whatever was sent must show, if it was carried out at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from rapidata_core._async.waiting import wait_until
from rapidata_core.errors import WaitTimeoutError
from rapidata_core.policy.polling import PollingPolicy

Result = TypeVar("Result")
# Seconds between the first two looks; the pauses grow fast, because most things show at once.
_FASTEST = 0.25


async def until_settled(
    look: Callable[[], Awaitable[Result | None]], *, what: str, seconds: float
) -> Result | None:
    """Look until there is something to see, or until it would show if it was there at all.

    Args:
        look: Looks once; None means that nothing shows so far.
        what: What is looked for, as the beginning of a sentence.
        seconds: After so many seconds nothing comes any more; see ``Settings.settle``.

    Raises:
        RapidataError: The last look failed, which does not mean that nothing is there.
    """
    polling = PollingPolicy(fastest=min(_FASTEST, seconds / 60), slowest=seconds / 4, growth=0.5)
    try:
        return await wait_until(look, what=what, timeout=seconds, polling=polling)
    except WaitTimeoutError:
        # It may have been a look that failed.
        return await look()
