"""Pausing jobs that nobody waits for any more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from airflow.utils.db import initdb

from rapidata_airflow.operators.job import RapidataJobOperator
from rapidata_airflow.operators.pause import RapidataPauseJobOperator
from rapidata_core import RapidataClient
from rapidata_core.sandbox.process import Sandbox

ContextOf = Callable[..., Any]


@pytest.fixture
def pause(context_of: ContextOf) -> Callable[[Any], list[str]]:
    """Pause jobs; which ones were paused now."""

    def run(job_id: Any) -> list[str]:
        operator = RapidataPauseJobOperator(task_id="stop", job_id=job_id)
        return operator.execute(context_of(operator))["paused"]

    return run


Pause = Callable[[Any], list[str]]


def test_a_job_at_work_is_paused_once(client: RapidataClient, pause: Pause, job_id: str):
    job = client.job.get_job_by_id(job_id)
    assert pause(job_id) == [job_id]
    assert job.get_status() == "Paused"
    assert pause(job_id) == []
    assert job.get_status() == "Paused"


def test_clearing_the_task_that_asks_goes_on_with_it(
    client: RapidataClient,
    sandbox: Sandbox,
    pause: Pause,
    compare_job: dict[str, Any],
    context_of: ContextOf,
):
    operator = RapidataJobOperator(task_id="ask", job=compare_job, wait_for_completion=False)
    job_id = operator.execute(context_of(operator))["job_id"]
    pause(job_id)
    assert operator.execute(context_of(operator))["job_id"] == job_id
    assert client.job.get_job_by_id(job_id).get_status() != "Paused"
    sandbox.assert_paid_jobs(1)


def test_what_a_person_has_paused_stays_theirs(client: RapidataClient, pause: Pause, job_id: str):
    job = client.job.get_job_by_id(job_id)
    job.pause()
    assert pause(job_id) == []
    assert job.paused_by is None


@pytest.mark.parametrize("state", ["Completed", "Failed", "StaleResults"])
def test_a_job_that_is_over_stays_as_it_is(
    client: RapidataClient, sandbox: Sandbox, pause: Pause, job_id: str, state: str
):
    sandbox.set_job_state(job_id, state)
    assert pause(job_id) == []
    assert client.job.get_job_by_id(job_id).get_status() == state


def test_a_job_that_is_gone_needs_nothing(client: RapidataClient, pause: Pause, job_id: str):
    client.job.get_job_by_id(job_id).delete()
    assert pause(job_id) == []


@pytest.mark.parametrize("job_id", [None, [], [None, None]])
def test_without_a_job_there_is_nothing_to_do(sandbox: Sandbox, pause: Pause, job_id: Any):
    assert pause(job_id) == []
    assert sandbox.requests() == []


def test_the_jobs_of_a_mapped_task_are_paused_together(
    client: RapidataClient, pause: Pause, compare_job: dict[str, Any]
):
    jobs = [client.submit(compare_job, "global", key=key).job_id for key in ("a", "b")]
    assert pause([jobs[0], None, jobs[1]]) == jobs
    assert {client.job.get_job_by_id(job_id).get_status() for job_id in jobs} == {"Paused"}


@pytest.mark.parametrize("job_id", [7, "", " ", ["a", 7], {"job_id": "a"}])
def test_what_is_no_job_id_is_refused(sandbox: Sandbox, pause: Pause, job_id: Any):
    with pytest.raises(AirflowFailException, match="job_id: must"):
        pause(job_id)
    assert sandbox.requests() == []


@pytest.fixture
def tidy(repository: Path, monkeypatch: pytest.MonkeyPatch) -> DAG:
    """The DAG in a file, as Airflow finds it."""
    initdb()
    folder = repository / "tests" / "airflow" / "dags" / "teardown"
    bundle = {
        "name": "tests",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(folder)},
    }
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
    bag = DagBag(folder)
    assert bag.import_errors == {}
    return bag.dags["tidy"]


# Airflow's API server runs in this process; what it warns about is not ours to mend.
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("audience_id", "before", "after"),
    [("global", "success", ["Paused"]), ("no such audience", "failed", [])],
)
def test_a_teardown_runs_however_the_tasks_before_it_have_ended(
    client: RapidataClient, tidy: DAG, audience_id: str, before: str, after: list[str]
):
    run = tidy.test(run_conf={"audience_id": audience_id})
    states = {ti.task_id: ti.state for ti in run.get_task_instances()}
    assert (states["ask"], run.state) == (before, "failed")
    assert states["stop"] != "failed"
    assert [job.get_status() for job in client.job.find_jobs()] == after
