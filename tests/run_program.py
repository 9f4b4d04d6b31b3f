"""Runs a program of the platform's documents on our client: ``rapidata`` means ``rapidata_core``.

Nobody waits: whenever the client would sleep, its clock and the sandbox's jump ahead instead.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
import urllib.request
from types import ModuleType

import rapidata_core
from rapidata_core import concurrency, errors


def main(program: str) -> None:
    """Run the program at this path, and check what it calls its results."""
    sys.modules["rapidata"] = rapidata_core
    sys.modules["rapidata.rapidata_client"] = ModuleType("rapidata.rapidata_client")
    sys.modules["rapidata.rapidata_client.exceptions"] = errors
    # Before any module of the client takes them from there.
    clock = Clock()
    concurrency.sleep = clock.sleep
    concurrency.monotonic = clock.monotonic
    # A program waits for one job at a time, so there is nobody who could ring.
    concurrency.Bell.sleep = lambda _, until: clock.sleep(until - clock.monotonic())
    results = runpy.run_path(program, run_name="__main__").get("results")
    if isinstance(results, rapidata_core.RapidataResults):
        assert results["results"], "There are no results."


class Clock:
    """Seconds on it pass at once."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def monotonic(self) -> float:
        """Seconds, as the client counts them."""
        return time.monotonic() + self._ahead

    def sleep(self, seconds: float) -> None:
        """Move on by so much, and the sandbox by ten times as much, or by a minute."""
        self._ahead += max(seconds, 0.0)
        request = urllib.request.Request(
            f"{os.environ['SANDBOX_URL']}/_sandbox/clock",
            json.dumps({"advance_seconds": max(60, 10 * seconds)}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request):
            pass


if __name__ == "__main__":
    main(sys.argv[1])
