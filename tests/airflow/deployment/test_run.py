"""The program that runs the example DAG in a real Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from rapidata_core.sandbox.process import Sandbox

ROWS = {"Prompt alignment": (4, 60), "Likert rating": (3, 45)}


@pytest.mark.timeout(600)
def test_a_real_airflow_runs_the_dag(rapidata_sandbox: Sandbox, repository: Path, tmp_path: Path):
    run = subprocess.run(
        [sys.executable, str(repository / "examples/airflow/run.py"), str(tmp_path / "out")],
        env=os.environ | rapidata_sandbox.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    rapidata_sandbox.assert_paid_jobs(2)
    manifests: list[dict[str, Any]] = [json.loads(line) for line in run.stdout.splitlines()]
    assert [manifest["name"] for manifest in manifests] == list(ROWS)
    for manifest in manifests:
        assert manifest["engine"] == "airflow"
        assert Path(manifest["labels"]).is_relative_to(tmp_path / "out" / manifest["job_id"])
        found = [
            pyarrow.parquet.read_metadata(manifest[t]).num_rows for t in ("labels", "responses")
        ]
        assert tuple(found) == ROWS[manifest["name"]]
    assert "deferred, job" in run.stderr
    assert rapidata_sandbox.client_secret not in run.stdout + run.stderr
