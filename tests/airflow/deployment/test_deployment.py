"""A real Airflow whose processes die, and whose tasks are ended and cleared: who pays for what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from examples.airflow.deployment import Deployment, Run
from rapidata_core import RapidataJob
from rapidata_core.sandbox.process import Sandbox
from tests.airflow.deployment.conftest import client_of

pytestmark = pytest.mark.timeout(600)

# Eight processes share two processors, and whoever else is at work on the machine.
PATIENCE = 300.0


def test_marking_a_task_as_failed_pauses_its_job_and_clearing_it_resumes_it(
    airflow: Deployment, runs: dict[str, Run], patient_sandbox: Sandbox
):
    run = runs["kills"]
    job = job_of(patient_sandbox, wait_until_deferred(airflow, run, "marked"))
    set_state(airflow, run, "marked", "failed")
    airflow.wait_for("the pause", lambda: job.get_status() == "Paused", PATIENCE)
    assert job_of(patient_sandbox, job.id).paused_by == "Airflow"
    clear(airflow, run, "marked")
    assert wait_until_deferred(airflow, run, "marked", in_try=2) == job.id
    assert job.get_status() != "Paused"
    patient_sandbox.set_job_state(job.id, "Completed")


def test_clearing_a_deferred_task_leaves_its_job_alone(
    airflow: Deployment, runs: dict[str, Run], patient_sandbox: Sandbox
):
    run = runs["kills"]
    job_id = wait_until_deferred(airflow, run, "cleared")
    clear(airflow, run, "cleared")
    assert wait_until_deferred(airflow, run, "cleared", in_try=2) == job_id
    patient_sandbox.set_job_state(job_id, "Completed")


def test_marking_a_run_as_failed_pauses_its_jobs(
    airflow: Deployment, runs: dict[str, Run], patient_sandbox: Sandbox
):
    run = runs["ended"]
    job = job_of(patient_sandbox, wait_until_deferred(airflow, run, "people"))
    act(airflow, lambda: run.api.patch(run.path, {"state": "failed"}))
    airflow.wait_for("the pause", lambda: job.get_status() == "Paused", PATIENCE)


def test_a_run_of_a_signal_starts_a_dag(airflow: Deployment, sandbox: Sandbox, signal_id: str):
    airflow.unpause("watching")
    fire(sandbox, signal_id)
    wait_until_told(airflow, sandbox, signal_id)


def test_the_end_of_the_triggerer_changes_nothing(
    airflow: Deployment, runs: dict[str, Run], patient_sandbox: Sandbox
):
    job_id = wait_until_deferred(airflow, runs["kills"], "deserted")
    airflow.kill("triggerer")
    airflow.start("triggerer")
    patient_sandbox.set_job_state(job_id, "Completed")
    found = finished(airflow, runs["kills"])
    assert {task["task_id"]: task["try_number"] for task in found} == {
        "marked": 2,
        "cleared": 2,
        "deserted": 1,
    }


def test_tasks_that_were_killed_have_one_paid_job_each_and_its_answers(
    airflow: Deployment, runs: dict[str, Run], patient_sandbox: Sandbox, results: Path
):
    for task in finished(airflow, runs["kills"]):
        assert_saved(runs["kills"], task["task_id"], results)
    both = (runs["kills"], runs["ended"])
    jobs = [run.xcom(task["task_id"], "job_id") for run in both for task in run.tasks()]
    assert sorted(jobs) == sorted(entry["id"] for entry in patient_sandbox.ledger()["entries"])
    # By the two that were marked as failed; no other job was ever paused.
    pauses = [one for one in patient_sandbox.requests() if one["path"].endswith("/pause")]
    assert len(pauses) == 2


def test_the_new_triggerer_tells_what_the_old_one_has_not_told(
    airflow: Deployment, sandbox: Sandbox, signal_id: str
):
    fire(sandbox, signal_id)
    wait_until_told(airflow, sandbox, signal_id)


def test_a_crash_costs_nothing(
    airflow: Deployment, runs: dict[str, Run], sandbox: Sandbox, results: Path
):
    found = finished(airflow, runs["crashes"])
    assert {task["task_id"]: task["try_number"] for task in found} == {
        "before_paying": 2,
        "paid": 2,
        "recorded": 2,
        "resumed": 2,
        "saved": 2,
        "with_its_worker": 2,
    }
    paid = paid_jobs(sandbox)
    for task in found:
        assert_saved(runs["crashes"], task["task_id"], results)
        assert paid[f"dies {task['task_id']}"] == 1


def test_clearing_pays_once_more_if_that_is_wanted(
    airflow: Deployment, runs: dict[str, Run], sandbox: Sandbox, results: Path
):
    run = runs["anew"]
    finished(airflow, run)
    first = run.xcom("people")["job_id"]
    assert paid_jobs(sandbox)["asked anew"] == 1
    clear(airflow, run, "people")
    airflow.wait_for("the second try", lambda: task_of(run, "people")["try_number"] > 1, PATIENCE)
    (task,) = finished(airflow, run)
    # The second one died after it had paid; the third one adopted what it had paid for.
    assert task["try_number"] == 3
    assert run.xcom("people")["job_id"] != first
    assert paid_jobs(sandbox)["asked anew"] == 2
    assert_saved(run, "people", results)


def test_quick_jobs_do_not_fail(airflow: Deployment, runs: dict[str, Run], sandbox: Sandbox):
    found = finished(airflow, runs["race"])
    assert [task["try_number"] for task in found] == [1] * 4
    paid = paid_jobs(sandbox)
    assert [paid[f"shard {shard}"] for shard in range(4)] == [1] * 4


def test_a_sensor_begins_on_the_triggerer(airflow: Deployment, runs: dict[str, Run]):
    job_id = runs["race"].xcom("people", "job_id", map_index=0)
    run = airflow.trigger("sensing", job_id=job_id)
    finished(airflow, run)
    assert run.xcom("seen")["job_id"] == job_id


def wait_until_deferred(airflow: Deployment, run: Run, task_id: str, in_try: int = 1) -> str:
    """Wait until a task waits on the triggerer, and the triggerer knows; returns its job's id."""

    def is_waiting() -> bool:
        task = task_of(run, task_id)
        if (task["state"], task["try_number"]) != ("deferred", in_try):
            return False
        # A trigger that is not at work yet is not told of anything.
        return any("starting" in line for line in run.log(task, in_try))

    airflow.wait_for(f"{task_id} in try {in_try}, deferred", is_waiting, PATIENCE)
    return run.xcom(task_id, "job_id")


def finished(airflow: Deployment, run: Run) -> list[dict[str, Any]]:
    """The tasks of a run that has succeeded."""

    def is_done() -> bool:
        state = run.state()
        assert state != "failed", f"{run.dag_id} failed"
        return state == "success"

    airflow.wait_for(f"the end of {run.dag_id}", is_done, PATIENCE)
    return run.tasks()


def fire(sandbox: Sandbox, signal_id: str) -> None:
    with client_of(sandbox) as client:
        client.signals.get_signal_by_id(signal_id).trigger()


def wait_until_told(airflow: Deployment, sandbox: Sandbox, signal_id: str) -> None:
    """Wait until DAG runs have been told of every run of a signal, and of each once."""
    with client_of(sandbox) as client:
        fired = [run.id for run in client.signals.get_signal_by_id(signal_id).get_runs()]

    def told() -> list[str]:
        runs = airflow.api.get("/dags/watching/dagRuns")["dag_runs"]
        done = [run["dag_run_id"] for run in runs if run["state"] == "success"]
        return [one for run in done for one in Run(airflow.api, "watching", run).xcom("told")]

    def looks() -> int:
        paths = (request["path"] for request in sandbox.requests())
        return sum(path.startswith(f"/signal/{signal_id}/run") for path in paths)

    airflow.wait_for("the DAG run of a signal's run", lambda: set(told()) == set(fired), PATIENCE)
    # It notes what it has told before it looks again, and only then it is safe to end it.
    before = looks()
    airflow.wait_for("another look", lambda: looks() > before + 1, PATIENCE)
    assert sorted(told()) == sorted(fired)


def task_of(run: Run, task_id: str) -> dict[str, Any]:
    return next(task for task in run.tasks() if task["task_id"] == task_id)


def set_state(airflow: Deployment, run: Run, task_id: str, state: str) -> None:
    path = f"{run.path}/taskInstances/{task_id}"
    act(airflow, lambda: run.api.patch(path, {"new_state": state}))


def clear(airflow: Deployment, run: Run, task_id: str) -> None:
    path = f"/dags/{run.dag_id}/clearTaskInstances"
    what = {"dag_run_id": run.run_id, "task_ids": [task_id]}
    act(airflow, lambda: run.api.post(path, {"dry_run": False, "only_failed": False, **what}))


def act(airflow: Deployment, do: Callable[[], Any]) -> None:
    """Have Airflow do something; once more, if its database was too busy."""
    airflow.wait_for("what was asked of Airflow", do, PATIENCE)


def job_of(sandbox: Sandbox, job_id: str) -> RapidataJob:
    return client_of(sandbox).job.get_job_by_id(job_id)


def paid_jobs(sandbox: Sandbox) -> Counter[str]:
    """How often a job of each name was paid."""
    return Counter(entry["name"].split(" [")[0] for entry in sandbox.ledger()["entries"])


def assert_saved(run: Run, task_id: str, results: Path) -> None:
    """Check that the answers of the job that a task has returned are there."""
    job_id = run.xcom(task_id)["job_id"]
    assert list((results / job_id).glob("*.parquet"))
