"""What the client costs beside the vendor's SDK: one JSON line per figure.

Both run in fresh processes, ours in ``.venv`` and the vendor's in ``.venv-contract``, against the
same sandbox over TLS. A figure is the median of the runs; ``ratio`` is ours / peer: lower is
better.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

from rapidata_core.sandbox.process import Sandbox

ROOT = Path(__file__).resolve().parent.parent
RUNS = 7

IMPORT = "from {package} import RapidataClient"
FIRST_CALL = f"{IMPORT}; RapidataClient().audience.get_audience_by_id('global')"
REPORT = """
import time
started = time.perf_counter()
{code}
wall = time.perf_counter() - started
import json, pathlib
status = pathlib.Path("/proc/self/status").read_text()
peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
print(json.dumps({{"wall": wall, "cpu": time.process_time(), "rss": peak / 1024}}))
"""
SIDES = {"ours": (".venv", "rapidata_core"), "peer": (".venv-contract", "rapidata")}


def measure(code: str, side: str, environ: dict[str, str]) -> dict[str, float]:
    """One fresh process: wall seconds of the code, CPU seconds and peak MB since its start."""
    environment, package = SIDES[side]
    done = subprocess.run(
        [
            ROOT / environment / "bin" / "python",
            "-W",
            "ignore",
            "-c",
            REPORT.format(code=code.format(package=package)),
        ],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(done.stdout.splitlines()[-1])


def figure(name: str, unit: str, measured: dict[str, list[float]]) -> None:
    """Print one line."""
    ours, peer = (statistics.median(measured[side]) for side in SIDES)
    line = {"name": name, "ours": ours, "peer": peer, "unit": unit, "ratio": ours / peer}
    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in line.items()}))


def main() -> None:
    """Run everything; the two sides take turns, so that a noisy machine disturbs both alike."""
    with tempfile.TemporaryDirectory() as home, Sandbox.start(tls=True) as sandbox:
        # The vendor's SDK looks for its newest version; there is nobody behind this port.
        environ = {**os.environ, **sandbox.environ, "HOME": home}
        environ |= {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
        runs = {"import": IMPORT, "call": FIRST_CALL}
        results = {(what, side): [] for what in runs for side in SIDES}
        for _ in range(RUNS):
            for (what, side), measured in results.items():
                measured.append(measure(runs[what], side, environ))

    def all_of(what: str, field: str) -> dict[str, list[float]]:
        return {side: [run[field] for run in results[what, side]] for side in SIDES}

    figure("import_wall", "s", all_of("import", "wall"))
    figure("import_rss", "MB", all_of("import", "rss"))
    figure("first_call_cpu", "s", all_of("call", "cpu"))


if __name__ == "__main__":
    main()
