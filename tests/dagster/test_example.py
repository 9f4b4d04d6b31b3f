"""The example as its readers run it: a real webserver, daemon, queue and run workers."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from rapidata_core.sandbox.process import Sandbox

RUN = Path(__file__).parents[2] / "examples" / "dagster" / "run.py"


@pytest.mark.timeout(600)
def test_example_pays_two_jobs_and_says_where_their_labels_are(
    sandbox: Sandbox, tmp_path: Path, home: Path
) -> None:
    done = subprocess.run(
        [sys.executable, RUN, tmp_path / "labels"],
        check=False,
        capture_output=True,
        text=True,
        timeout=560,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )

    assert done.returncode == 0, done.stderr
    jobs = [json.loads(line) for line in done.stdout.splitlines()]
    paid = {entry["id"]: entry["amount"] for entry in sandbox.ledger()["entries"]}
    assert {job["job_id"]: job["estimated_cost"] for job in jobs} == paid
    sandbox.assert_paid_jobs(2)
    assert [(job["engine"], job["name"]) for job in jobs] == [
        ("dagster", "Prompt alignment"),
        ("dagster", "Likert rating"),
    ]
    for job in jobs:
        assert Path(job["labels"]).is_relative_to(tmp_path / "labels")
        assert len(pd.read_parquet(job["labels"])) == job["label_count"]
        assert len(pd.read_parquet(job["responses"])) == job["response_count"]
    assert "run: SUCCESS" in done.stderr
    assert f"100 % Completed ({jobs[0]['job_id']})" in done.stderr
    assert processes_of(tmp_path) == []
    assert list(home.iterdir()) == []


def test_example_says_why_a_run_failed(instance: dg.DagsterInstance) -> None:
    @dg.asset
    def prompt_alignment() -> None:
        raise dg.Failure("no money left")

    result = dg.materialize([prompt_alignment], instance=instance, raise_on_error=False)

    (why,) = runpy.run_path(str(RUN))["failures"](instance, result.run_id)
    assert why.startswith("prompt_alignment: ")
    assert "no money left" in why


def processes_of(directory: Path) -> list[str]:
    """Running processes whose environment or arguments name a directory."""
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            about = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(directory).encode() in about:
            found.append((process / "cmdline").read_text().replace("\0", " "))
    return found
