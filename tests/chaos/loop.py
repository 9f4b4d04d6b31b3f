"""An event loop whose clock jumps: nobody waits, and yet everything happens in its order."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

from rapidata_core.sandbox import clock

# Where the virtual clock begins: 2026-01-01, in microseconds.
BEGINNING = 1_767_225_600 * clock.SECOND
# What the loop itself takes. Without it, who sleeps for less than a float can tell sleeps for ever.
TICK = 1e-6


class StandstillError(Exception):
    """Nothing is ready and nothing ever will be."""


class _Jumping(selectors.DefaultSelector):
    """Instead of waiting for the next timer, it is said to be due."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise StandstillError
        self.passed += TICK if ready else max(TICK, timeout or 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes only while everybody sleeps, and then at once."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jumping.passed

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        """Work for a thread is done here: a thread would live in real time."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def now(self) -> int:
        """What the sandbox takes for the machine's clock."""
        return BEGINNING + round(self.time() * clock.SECOND)
