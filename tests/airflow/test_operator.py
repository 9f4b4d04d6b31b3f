"""The operator. The sandbox's ledger judges what was paid."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

from rapidata_airflow.operators.job import RapidataJobOperator
from rapidata_airflow.triggers.job import RapidataJobTrigger
from rapidata_core import parse_job
from rapidata_core.sandbox.process import Sandbox

ContextOf = Callable[..., Any]


@pytest.fixture
def make(compare_job: dict[str, Any], tmp_path: Path) -> Callable[..., RapidataJobOperator]:
    def make(**arguments: Any) -> RapidataJobOperator:
        given = {"task_id": "ask", "job": compare_job, "results_path": str(tmp_path / "labels")}
        return RapidataJobOperator(**{**given, **arguments})

    return make


Make = Callable[..., RapidataJobOperator]


def defer(operator: RapidataJobOperator, context: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as raised:
        operator.execute(context)
    return raised.value


@pytest.mark.parametrize(
    "wrong",
    [
        {"job": "not JSON"},
        {"job": {"type": "compare", "name": "no datapoints"}},
        {"job": 7},
        {"results_path": " "},
        {"audience_id": ""},
        {"key": " "},
        {"max_cost": -1.0},
        {"max_cost": float("nan")},
        {"timeout": timedelta(0)},
        {"poll_interval": 0.0},
        {"rapidata_conn_id": object()},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_mistakes_are_found_before_anything_is_sent(
    sandbox: Sandbox, make: Make, context_of: ContextOf, wrong: dict[str, Any]
):
    operator = make(**wrong)
    with pytest.raises(AirflowFailException):
        operator.execute(context_of(operator))
    assert sandbox.requests() == []


def test_all_mistakes_are_reported_at_once(make: Make, context_of: ContextOf):
    operator = make(results_path="", audience_id="", timeout=timedelta(0))
    with pytest.raises(AirflowFailException) as raised:
        operator.execute(context_of(operator))
    for name in ("results_path", "audience_id", "timeout"):
        assert name in str(raised.value)


def test_it_submits_and_leaves_the_worker(sandbox: Sandbox, make: Make, context_of: ContextOf):
    operator = make(timeout=timedelta(hours=2), poll_interval=5.0)
    context = context_of(operator)
    before = time.time()
    deferred = defer(operator, context)
    sandbox.assert_paid_jobs(1)
    (entry,) = sandbox.ledger()["entries"]
    assert context["ti"].xcoms["job_id"] == entry["id"]
    assert context["ti"].xcoms["job_url"].startswith(sandbox.url)
    assert isinstance(deferred.trigger, RapidataJobTrigger)
    arguments = deferred.trigger.serialize()[1]
    assert arguments["job_id"] == entry["id"]
    assert arguments["first_poll_delay"] == 15
    assert before + 7200 <= arguments["deadline"] <= time.time() + 7200
    # The triggerer's own deadline comes first, so that the task learns which job timed out.
    assert deferred.timeout > timedelta(hours=2)


def test_a_retry_adopts_the_job(sandbox: Sandbox, make: Make, context_of: ContextOf):
    first = make()
    defer(first, before := context_of(first, try_number=1))
    second = make()
    deferred = defer(second, after := context_of(second, try_number=2))
    sandbox.assert_paid_jobs(1)
    assert deferred.kwargs == {"adopted": True}
    assert before["ti"].xcoms == after["ti"].xcoms != {}


def test_mapped_tasks_have_a_job_each(sandbox: Sandbox, make: Make, context_of: ContextOf):
    operator = make()
    for map_index in (0, 1, 0):
        defer(operator, context_of(operator, map_index=map_index))
    sandbox.assert_paid_jobs(2)


def test_a_key_is_shared_by_whoever_gives_it(sandbox: Sandbox, make: Make, context_of: ContextOf):
    for task_id in ("monday", "tuesday"):
        operator = make(task_id=task_id, key="this week")
        defer(operator, context_of(operator))
    sandbox.assert_paid_jobs(1)


def test_the_same_task_with_another_question_is_refused(
    sandbox: Sandbox, make: Make, context_of: ContextOf, compare_job: dict[str, Any]
):
    operator = make()
    defer(operator, context_of(operator))
    operator.job = {**compare_job, "instruction": "Which image is uglier?"}
    with pytest.raises(AirflowFailException, match="asks something else"):
        operator.execute(context_of(operator))
    sandbox.assert_paid_jobs(1)


def test_too_expensive(sandbox: Sandbox, make: Make, context_of: ContextOf):
    operator = make(max_cost=0.01)
    with pytest.raises(AirflowFailException, match="max_cost"):
        operator.execute(context_of(operator))
    sandbox.assert_paid_jobs(0)


@pytest.mark.parametrize("form", ["mapping", "text", "spec"])
def test_a_job_in_all_its_forms_is_the_same_job(
    sandbox: Sandbox, make: Make, context_of: ContextOf, compare_job: dict[str, Any], form: str
):
    defer(first := make(), context_of(first))
    forms = {
        "mapping": compare_job,
        "text": json.dumps(compare_job),
        "spec": parse_job(compare_job),
    }
    defer(second := make(job=forms[form]), context_of(second))
    sandbox.assert_paid_jobs(1)


def test_another_worker_goes_on(
    sandbox: Sandbox, make: Make, context_of: ContextOf, tmp_path: Path
):
    operator = make()
    deferred = defer(operator, context_of(operator))
    job_id = deferred.trigger.serialize()[1]["job_id"]
    sandbox.advance(3600)
    fresh = make()
    event = {"status": "completed", "job_id": job_id, "message": "done"}
    manifest = getattr(fresh, deferred.method_name)(
        context_of(fresh), event=event, **json.loads(json.dumps(deferred.kwargs))
    )
    assert json.loads(json.dumps(manifest)) == manifest
    assert (manifest["job_id"], manifest["adopted"]) == (job_id, False)
    assert manifest["actual_cost"] == manifest["estimated_cost"] > 0
    assert manifest["labels"] == str(tmp_path / "labels" / job_id / "labels.parquet")
    assert pyarrow.parquet.read_table(manifest["labels"]).num_rows == manifest["label_count"] == 4
    assert pyarrow.parquet.read_table(manifest["responses"]).num_rows == 60
    sandbox.assert_paid_jobs(1)


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_job_that_is_done_is_fetched_at_once(
    sandbox: Sandbox, make: Make, context_of: ContextOf, deferrable: bool
):
    operator = make(deferrable=deferrable)
    defer(first := make(), context_of(first))
    sandbox.advance(3600)
    manifest = operator.execute(context_of(operator, try_number=2))
    assert manifest["adopted"] is True
    assert manifest["label_count"] == 4
    sandbox.assert_paid_jobs(1)


def test_it_waits_in_the_worker(sandbox: Sandbox, make: Make, context_of: ContextOf):
    operator = make(deferrable=False, poll_interval=0.1)
    timer = threading.Timer(2.0, sandbox.advance, [3600])
    timer.start()
    manifest = operator.execute(context_of(operator))
    timer.join()
    assert (manifest["label_count"], manifest["adopted"]) == (4, False)
    sandbox.assert_paid_jobs(1)


def test_waiting_in_the_worker_times_out_and_a_retry_goes_on(
    sandbox: Sandbox, make: Make, context_of: ContextOf
):
    operator = make(deferrable=False, poll_interval=0.1, timeout=timedelta(seconds=0.5))
    with pytest.raises(AirflowException, match="It goes on") as raised:
        operator.execute(context_of(operator))
    assert not isinstance(raised.value, AirflowFailException)
    sandbox.advance(3600)
    assert operator.execute(context_of(operator, try_number=2))["adopted"] is True
    sandbox.assert_paid_jobs(1)


@pytest.mark.parametrize(("state", "final"), [("Failed", True), ("Paused", False)])
def test_a_retry_that_finds_the_job_stuck_does_not_wait(
    sandbox: Sandbox, make: Make, context_of: ContextOf, state: str, final: bool
):
    operator = make()
    deferred = defer(operator, context_of(operator))
    sandbox.set_job_state(deferred.trigger.serialize()[1]["job_id"], state)
    with pytest.raises(AirflowException) as raised:
        operator.execute(context_of(operator, try_number=2))
    assert isinstance(raised.value, AirflowFailException) is final
    sandbox.assert_paid_jobs(1)


@pytest.mark.parametrize(
    ("status", "final"),
    [("failed", True), ("needs_attention", False), ("timeout", False), ("error", False)],
)
def test_a_trigger_that_reports_a_failure_fails_the_task(
    make: Make, context_of: ContextOf, status: str, final: bool
):
    operator = make()
    event = {"status": status, "job_id": "a job", "message": "this is why"}
    with pytest.raises(AirflowException, match="this is why") as raised:
        operator.execute_complete(context_of(operator), event=event, adopted=False)
    assert isinstance(raised.value, AirflowFailException) is final


def test_a_lost_answer_to_the_paid_call_is_not_paid_again(
    sandbox: Sandbox, make: Make, context_of: ContextOf
):
    sandbox.faults([LOST_ANSWER])
    operator = make()
    defer(operator, context_of(operator))
    sandbox.assert_paid_jobs(1)


LOST_ANSWER = {"method": "POST", "path": "/job", "phase": "after_commit", "action": "drop"}
