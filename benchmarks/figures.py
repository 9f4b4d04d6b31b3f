"""Fresh processes to measure in, and the lines that say what came out."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"ours": (".venv", "rapidata_core"), "peer": (".venv-contract", "rapidata")}

Measured = dict[str, list[dict[str, float]]]
"""What each run of each side measured."""

CHILD = """
import json, pathlib, time
{setup}
cpu, wall = time.process_time(), time.perf_counter()
{code}
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
status = pathlib.Path("/proc/self/status").read_text()
peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
print(json.dumps(dict(wall=wall, cpu=cpu, cpu_with_import=time.process_time(), rss=peak / 1024)))
"""


def child(environment: str, setup: str, code: str, environ: Mapping[str, str]) -> dict[str, float]:
    """Run code in a fresh process of an environment; only ``code`` is timed."""
    python = ROOT / environment / "bin" / "python"
    done = subprocess.run(
        [python, "-W", "ignore", "-c", CHILD.format(setup=setup, code=code)],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    if done.returncode:
        raise SystemExit(f"{code} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def of(
    measured: Measured, field: str, sides: tuple[str, ...] = tuple(PACKAGES)
) -> dict[str, list[float]]:
    """One field of all runs, by side."""
    return {side: [run[field] for run in measured[side]] for side in sides}


def compared(measured: dict[str, list[float]]) -> dict[str, float]:
    """The medians, ours first, and their ratio."""
    ours, *peer = (statistics.median(values) for values in measured.values())
    line = {"ours": ours} | ({"peer": peer[0], "ratio": ours / peer[0]} if peer else {})
    return {key: round(value, 4) for key, value in line.items()}


def report(name: str, unit: str, measured: dict[str, list[float]], **more: Any) -> None:
    """Print one line."""
    rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in more.items()}
    print(json.dumps({"name": name, "unit": unit} | compared(measured) | rounded), flush=True)
