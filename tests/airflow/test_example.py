"""The example DAG that ``make demo`` runs, in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.utils.db import initdb

import rapidata_airflow.triggers.waiting
from rapidata_core.sandbox.process import Sandbox


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
    quick_sandbox: Sandbox,
    airflow_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
):
    # `dag.test` runs triggers in this process, so there is no scheduler to be too fast for.
    monkeypatch.setattr(rapidata_airflow.triggers.waiting, "FIRST_POLL_DELAY", 1.0)
    run = human_labels.test()
    assert run.state == "success"
    quick_sandbox.assert_paid_jobs(2)
    job_ids = [entry["id"] for entry in quick_sandbox.ledger()["entries"]]
    told = "".join(capfd.readouterr())
    assert "Pausing task as DEFERRED" in told
    secret = quick_sandbox.client_secret
    # The database (XCom, rendered templates, trigger arguments) and the logs are files here.
    files = [path.read_bytes() for path in airflow_home.rglob("*") if path.is_file()]
    assert any(job_ids[0].encode() in content for content in files)
    assert not any(secret.encode() in content for content in files)
    assert job_ids[0] in told
    assert secret not in told
