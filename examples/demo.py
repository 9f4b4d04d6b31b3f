"""The whole product in a few minutes: the same two jobs through three engines, on the sandbox.

    make demo

It starts a sandbox, lets each engine's own example (``examples/<engine>/run.py``, in the engine's
own environment) run a comparison and a Likert rating, and shows what came out: the progress while
people worked, the winners, the cost, the parquet files, and at the end the sandbox's ledger.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pandas

from rapidata_core.sandbox.process import Sandbox

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "demo-output"
ENGINES = ("airflow", "dagster", "prefect")
SPECS = len(list((ROOT / "examples" / "jobs").glob("*.json")))
# Longer than the engines take on a slow machine; nothing runs for ever.
TIMEOUT = 900


def main() -> int:
    """Run all engines; returns the exit status."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    with Sandbox.start() as sandbox:
        say(f"The sandbox is at {sandbox.url}: simulated people, simulated money.")
        failed = [engine for engine in ENGINES if not run(engine, sandbox)]
        paid = show_ledger(sandbox)
    if failed:
        say(f"Failed: {', '.join(failed)}")
        return 1
    if paid != len(ENGINES) * SPECS:
        say(f"Expected {len(ENGINES) * SPECS} paid jobs, one per engine and spec, not {paid}.")
        return 1
    say("\nExactly one paid job per engine and spec.")
    return 0


def run(engine: str, sandbox: Sandbox) -> bool:
    """Run one engine's example and show its jobs; returns whether it worked."""
    say(f"\n=== {engine.capitalize()} {'=' * (60 - len(engine))}")
    started = time.monotonic()
    process = subprocess.Popen(
        [
            ROOT / f".venv-{engine}" / "bin" / "python",
            ROOT / "examples" / engine / "run.py",
            OUTPUT / engine,
        ],
        env={**os.environ, **sandbox.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    # Progress is shown as it comes; the manifests are read when all is done.
    echo = threading.Thread(target=show_progress, args=(process.stderr,), daemon=True)
    echo.start()
    watchdog = threading.Timer(TIMEOUT, process.terminate)
    watchdog.start()
    manifests = [json.loads(line) for line in process.stdout if line.startswith("{")]
    status = process.wait()
    watchdog.cancel()
    echo.join(5)
    for manifest in manifests:
        show_job(manifest)
    say(f"\n{engine} took {time.monotonic() - started:.0f} s, its own start included.")
    return status == 0 and len(manifests) == SPECS


def show_progress(lines: Iterable[str]) -> None:
    """Indent what an example tells."""
    for line in lines:
        say(f"  | {line.rstrip()}")


def show_job(manifest: dict[str, object]) -> None:
    """One job: what, where, how much, and who won."""
    labels = pandas.read_parquet(str(manifest["labels"]))
    labels["items"] = [" | ".join(map(file_name, items)) for items in labels["items"]]
    say(f"\n  {manifest['name']}: job {manifest['job_id']}")
    say(f"  {manifest['job_url']}")
    table = labels[["items", "label", "agreement", "responses"]].to_string(index=False)
    say("\n".join(f"    {line}" for line in table.splitlines()))
    say(f"  cost {manifest['actual_cost']:.2f}, {manifest['response_count']} answers")
    for path in (manifest["labels"], manifest["responses"]):
        say(f"  wrote {os.path.relpath(str(path), ROOT)}")


def file_name(item: str) -> str:
    """The last part of a URL."""
    return item.rsplit("/", 1)[-1]


def show_ledger(sandbox: Sandbox) -> int:
    """What was paid; returns the number of paid jobs."""
    ledger = sandbox.ledger()
    say(f"\n=== Ledger {'=' * 54}")
    for entry in ledger["entries"]:
        say(f"  {entry['kind']:6} {entry['amount']:8.2f}  {entry['id']}  {entry['name']}")
    say(f"  paid jobs: {ledger['paid_jobs']}, balance left: {ledger['balance']:.2f}")
    return ledger["paid_jobs"]


def say(text: str) -> None:
    """Print at once, whoever reads."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
