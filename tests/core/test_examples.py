"""The example programs run, and nobody waits for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNNER = ROOT / "tests" / "run_program.py"
PROGRAMS = sorted((ROOT / "examples" / "client").glob("*.py"))
# What each of them says when it has done what it is for.
LAST_WORDS = {
    "benchmark": "gamma: ",
    "custom_audience": "agreement",
    "daily_signal": "paused: True",
    "early_stopping": "with a quorum",
    "failed_uploads": "plant_3.jpg",
    "job_types": "Rank: 1 rows",
    "ranking_flow": "votes, ",
}


@pytest.fixture(autouse=True)
def _no_browser(monkeypatch):
    monkeypatch.setenv("BROWSER", "true")


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_a_program_runs(program, rapidata_sandbox):
    done = run([sys.executable, RUNNER, program])
    assert done.returncode == 0, done.stderr
    assert LAST_WORDS[program.stem] in done.stdout
    assert "Error" not in done.stderr


def test_a_program_runs_as_it_says():
    program = ROOT / "examples" / "client" / "early_stopping.py"
    done = run(
        [
            *(sys.executable, "-m", "rapidata_core.cli", "sandbox", "exec", "--speed", "100000"),
            *("--", sys.executable, program),
        ]
    )
    assert done.returncode == 0, done.stderr
    assert LAST_WORDS["early_stopping"] in done.stdout
    for one in PROGRAMS:
        line = f"sandbox exec --speed 600 -- python examples/client/{one.name}\n"
        assert line in one.read_text(encoding="utf-8")


def run(command):
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
