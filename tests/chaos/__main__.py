"""``make chaos``: the whole proof at full size.

It prints a table, writes it into ``docs/guarantees.md``, and ends with one line of JSON. The exit
status says whether anything was paid twice, got lost, did not end, or cost too many requests.
``--quick`` tries a small part of it, and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.chaos import report
from tests.chaos.machine import Submissions
from tests.chaos.network import MOST_REQUESTS, endure
from tests.chaos.races import race
from tests.chaos.report import Row
from tests.chaos.runner import quiet
from tests.chaos.schedules import judge_all
from tests.chaos.sweep import PHASES, sweep
from tests.chaos.tasks import TASKS

P = ParamSpec("P")
Result = TypeVar("Result")

ROOT = Path(__file__).resolve().parents[2]
PEER = ROOT / ".venv-contract" / "bin" / "python"
PROCESSES = os.cpu_count() or 2


@dataclass(frozen=True)
class Size:
    """How much is tried.

    Attributes:
        schedules: Of submissions.
        others: Schedules of each other verb.
    """

    phases: tuple[str, ...]
    schedules: int
    others: int
    submissions: int
    races: int
    examples: int
    peer: tuple[int, ...]


FULL = Size(tuple(PHASES), 10_000, 1000, 1000, 10, 200, peer=(1, 3))
QUICK = Size(("killed, carried out",), 200, 50, 100, 1, 20, peer=())


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    options.add_argument("--quick", action="store_true")
    quick: bool = options.parse_args().quick
    size = QUICK if quick else FULL
    quiet()

    swept = _timed(sweep, phases=size.phases)
    played = [
        _timed(
            judge_all,
            range(size.schedules if verb == "submit" else size.others),
            verb,
            PROCESSES,
        )
        for verb in TASKS
    ]
    verdicts = [verdict for one in played for verdict in one]
    usual = endure(size.submissions // 10, share=0.0, processes=PROCESSES)
    endured = _timed(endure, size.submissions, processes=PROCESSES)
    overhead = endured.per_submission / usual.per_submission
    rows = [
        *map(report.row_of_sweep, swept),
        *map(report.row_of_schedules, played),
        report.row_of_network(endured, overhead),
        report.row_of_races(_timed(race, size.races)),
        _timed(_machine, size.examples),
    ]
    peers = [_timed(_peer, answers) for answers in size.peer]

    for outcome in (outcome for one in swept for outcome in one.outcomes if not outcome.good):
        print(f"{outcome}\n  again: {outcome.point.replay}")
    for verdict in (verdict for verdict in verdicts if not verdict.good):
        print(f"{verdict}\n  again: {verdict.replay}")
    table = report.table([*rows, *peers])
    print(f"\n{table}\n")
    if not quick:
        report.write(table)
    summary = {
        "points": sum(outcome.struck for one in swept for outcome in one.outcomes),
        "schedules": len(verdicts),
        "duplicates": sum(row.duplicates for row in rows),
        "lost": sum(row.lost for row in rows),
        "unfinished": sum(row.unfinished for row in rows),
        "request_overhead": round(overhead, 3),
    }
    print(json.dumps(summary))
    bad = summary["duplicates"] + summary["lost"] + summary["unfinished"]
    return int(bad > 0 or overhead > MOST_REQUESTS)


def _machine(examples: int) -> Row:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=12,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    duplicates = 0
    try:
        run_state_machine_as_test(Submissions, settings=chosen)
    except Exception:
        # It has found a way to end up with another number of charged jobs than one.
        traceback.print_exc()
        duplicates = 1
    return Row("anything in any order, found by hypothesis", examples, duplicates, 0)


def _peer(answers: int) -> Row:
    """What the vendor's SDK pays, in a process and a home of its own."""
    with tempfile.TemporaryDirectory(prefix="chaos-home-") as home:
        # A browser that opens nothing, and no telemetry.
        variables = {"HOME": home, "BROWSER": "true", "RAPIDATA_DISABLE_OTLP": "1"}
        done = subprocess.run(
            [PEER, "-m", "tests.chaos.vendor", str(answers)],
            cwd=ROOT,
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=300,
            check=True,
        )
    return report.row_of_peer(answers, json.loads(done.stdout.splitlines()[-1])["paid"])


def _timed(work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Somebody may be watching."""
    started = time.monotonic()
    result = work(*args, **kwargs)
    name = work.__name__.strip("_")
    print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
