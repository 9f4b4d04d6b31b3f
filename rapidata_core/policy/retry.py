"""May a request be sent again, and when?"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum


class Call(Enum):
    """What repeating a request would do."""

    REPEATABLE = "reads, or ends in the same state however often it is carried out"
    CREATES = "makes a new object each time it is carried out"
    COSTS = "can cost the user money each time it is carried out"


@dataclass(frozen=True)
class Failure:
    """One failed attempt.

    Attributes:
        status: HTTP status, or None when no complete answer arrived.
        sent: Whether the platform may have carried the request out.
        retry_after: Seconds that the platform asks us to wait, or None.
    """

    status: int | None = None
    sent: bool = True
    retry_after: float | None = None


@dataclass(frozen=True)
class RetryPolicy:
    """How patient we are.

    Attributes:
        attempts: Sends of one request at most.
        first_delay: Seconds before the second attempt; doubled from then on.
        longest_delay: Seconds at most between two attempts.
        longest_retry_after: A longer ``Retry-After`` is not waited for.
    """

    attempts: int = 5
    first_delay: float = 0.5
    longest_delay: float = 8.0
    longest_retry_after: float = 60.0


_TRANSIENT = {408, 429, 500, 502, 503, 504}


def delay_before_retry(
    call: Call, failure: Failure, attempt: int, policy: RetryPolicy, chance: random.Random
) -> float | None:
    """Decide about the next attempt.

    Args:
        call: What repeating would do. A paid call is never repeated here: whoever made it finds
            out by reading whether it happened.
        failure: What just happened.
        attempt: Number of the attempt that failed, from 1.
        policy: How patient we are.
        chance: Source of the jitter.

    Returns:
        Seconds to wait before the next attempt, or None to give up.
    """
    if attempt >= policy.attempts or not _may_repeat(call, failure):
        return None
    if failure.retry_after is not None:
        patient = failure.retry_after <= policy.longest_retry_after
        return failure.retry_after if patient else None
    # Equal jitter: half fixed, half random, so that many clients do not return at once.
    longest = min(policy.first_delay * 2 ** (attempt - 1), policy.longest_delay)
    return longest / 2 + chance.uniform(0, longest / 2)


def _may_repeat(call: Call, failure: Failure) -> bool:
    if call is Call.COSTS:
        return False
    if call is Call.CREATES:
        # Only when it certainly was not carried out: never sent, or refused for its rate.
        return not failure.sent or failure.status == 429
    return failure.status is None or failure.status in _TRANSIENT


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """Read a ``Retry-After`` header: seconds or an HTTP date (RFC 9110, 10.2.3)."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    at = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())
