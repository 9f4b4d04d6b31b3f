"""The platform's clock: real, accelerated, frozen or jumped.

Every timestamp and every state of the sandbox derives from one reading of this clock per request.
Access tokens are the exception: clients compare ``expires_in`` with their own clock, so tokens
live in real time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SECOND = 1_000_000
"""Times are integers in microseconds since the epoch, so that comparing them is exact."""
_EPOCH = datetime.fromtimestamp(0, UTC)


def microseconds(seconds: float) -> int:
    """Seconds as the integer microseconds that the sandbox computes with."""
    return round(seconds * SECOND)


def rfc3339(moment: int) -> str:
    """A moment as RFC 3339 text; always with microseconds and an offset."""
    return (_EPOCH + timedelta(microseconds=moment)).isoformat(timespec="microseconds")


def parse_rfc3339(text: str) -> int:
    """The moment that a text names; text without an offset means UTC.

    Raises:
        ValueError: The text is not a date.
    """
    # A plus sign that was not percent-encoded arrives as a space; no date has one before the zone.
    stamp = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=UTC)
    whole = int(stamp.replace(microsecond=0).timestamp())
    return whole * SECOND + stamp.microsecond


def real_now() -> int:
    """The machine's own clock."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Anchor:
    """One known pair of real and simulated time; the store keeps it across restarts.

    Anchoring both times, rather than an offset alone, lets an accelerated clock go on after a
    restart instead of falling back, which would make completed jobs run again.
    """

    real: int
    simulated: int
    speed: float

    def at(self, real: int) -> int:
        """The simulated time at a real time."""
        return self.simulated + int((real - self.real) * self.speed)


class Clock:
    """Tells the simulated time."""

    def __init__(self, anchor: Anchor) -> None:
        self.anchor = anchor

    def now(self) -> int:
        """The simulated time, in microseconds since the epoch."""
        return self.anchor.at(real_now())

    def advance(self, seconds: float) -> Anchor:
        """Jump ahead; returns the new anchor to be stored."""
        real = real_now()
        simulated = self.anchor.at(real) + microseconds(seconds)
        self.anchor = Anchor(real, simulated, self.anchor.speed)
        return self.anchor


def fresh_anchor(speed: float, start: int | None) -> Anchor:
    """The anchor of a clock that begins now: at the real time, or at a chosen one."""
    real = real_now()
    return Anchor(real, real if start is None else start, speed)
