"""The example DAG, in this process and in a real Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.utils.db import initdb

import rapidata_airflow.triggers.waiting
from rapidata_core.sandbox.process import Sandbox

ROWS = {"Prompt alignment": (4, 60), "Likert rating": (3, 45)}


@pytest.fixture(scope="module")
def database() -> None:
    initdb()


@pytest.fixture
def human_labels(database: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DAG:
    monkeypatch.setenv("RAPIDATA_RESULTS", str(tmp_path / "labels"))
    bag = DagBag()
    assert bag.import_errors == {}
    return bag.dags["human_labels"]


# Airflow's API server runs in this process; what it warns about is not ours to mend.
@pytest.mark.filterwarnings("default")
def test_the_dag_runs_and_tells_no_secrets(
    human_labels: DAG,
    sandbox: Sandbox,
    airflow_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
):
    # `dag.test` runs triggers in this process, so there is no scheduler to be too fast for.
    monkeypatch.setattr(rapidata_airflow.triggers.waiting, "FIRST_POLL_DELAY", 1.0)
    run = human_labels.test()
    assert run.state == "success"
    sandbox.assert_paid_jobs(2)
    job_ids = [entry["id"] for entry in sandbox.ledger()["entries"]]
    told = "".join(capfd.readouterr())
    assert "Pausing task as DEFERRED" in told
    secret = sandbox.client_secret
    # The database (XCom, rendered templates, trigger arguments) and the logs are files here.
    files = [path.read_bytes() for path in airflow_home.rglob("*") if path.is_file()]
    assert any(job_ids[0].encode() in content for content in files)
    assert not any(secret.encode() in content for content in files)
    assert job_ids[0] in told
    assert secret not in told


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
