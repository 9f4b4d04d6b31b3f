"""Saving the answers of jobs that something else has started."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from rapidata_airflow.operators.results import RapidataFetchResultsOperator
from rapidata_core import QualityGate
from rapidata_core.errors import ValidationError
from rapidata_core.sandbox.process import Sandbox
from tests.airflow.deferrals import deferred_by

ContextOf = Callable[..., Any]
Make = Callable[..., RapidataFetchResultsOperator]


@pytest.fixture
def make(job_id: str, tmp_path: Path) -> Make:
    def make(**arguments: Any) -> RapidataFetchResultsOperator:
        given = {"task_id": "fetch", "job_id": job_id, "result_path": str(tmp_path / "labels")}
        return RapidataFetchResultsOperator(**{**given, **arguments})

    return make


def test_a_job_that_is_done_is_saved_at_once(
    sandbox: Sandbox,
    make: Make,
    context_of: ContextOf,
    compare_job: dict[str, Any],
    job_id: str,
    tmp_path: Path,
):
    sandbox.advance(3600)
    operator = make(spec=compare_job)
    found = operator.execute(context := context_of(operator, outlet_events={}))
    assert json.loads(json.dumps(found)) == found
    assert found["job_id"] == context["ti"].xcoms["job_id"] == job_id
    assert context["ti"].xcoms["job_url"] == found["job_url"]
    assert found["labels"] == str(tmp_path / "labels" / job_id / "labels.parquet")
    labels = pyarrow.parquet.read_table(found["labels"]).to_pylist()
    assert len(labels) == found["label_count"] == 4
    assert all(row["datapoint_id"] for row in labels)
    sandbox.assert_paid_jobs(1)


def test_a_job_at_work_is_waited_for(
    sandbox: Sandbox,
    make: Make,
    context_of: ContextOf,
    go_on: Callable[..., Any],
    job_id: str,
):
    deferred = deferred_by(operator := make(), context := context_of(operator))
    assert context["ti"].xcoms["job_url"].startswith(sandbox.url)
    arguments = deferred.trigger.serialize()[1]
    # It did not start the job, so it does not end it either.
    assert (arguments["job_id"], arguments["on_kill_action"]) == (job_id, "keep")
    sandbox.advance(3600)
    fresh = make()
    assert go_on(deferred, fresh, context_of(fresh, outlet_events={}))["label_count"] == 4
    sandbox.assert_paid_jobs(1)


def test_it_waits_in_the_worker(sandbox: Sandbox, make: Make, context_of: ContextOf):
    operator = make(deferrable=False, poll_interval=0.05)
    timer = threading.Timer(1.0, sandbox.advance, [3600])
    timer.start()
    assert operator.execute(context_of(operator, outlet_events={}))["label_count"] == 4
    timer.join()


def test_the_job_of_another_task(sandbox: Sandbox, make: Make, context_of: ContextOf, job_id: str):
    sandbox.advance(3600)
    operator = make(job_id={"run_id": "a run", "job_id": job_id})
    assert operator.execute(context_of(operator, outlet_events={}))["job_id"] == job_id


def test_a_part_of_a_dataset(sandbox: Sandbox, make: Make, context_of: ContextOf, tmp_path: Path):
    sandbox.advance(3600)
    operator = make(partition={"day": "2026-11-21"})
    found = operator.execute(context_of(operator, outlet_events={}))
    assert Path(found["labels"]).is_relative_to(tmp_path / "labels")
    assert "day=2026-11-21" in found["labels"]


class OutletEvent:
    def __init__(self) -> None:
        self.extra: dict[str, Any] = {}


@pytest.mark.parametrize("on_quality_failure", ["fail", "report"])
def test_labels_that_are_not_good_enough(
    sandbox: Sandbox, make: Make, context_of: ContextOf, on_quality_failure: str
):
    sandbox.advance(3600)
    asset = Asset("labels")
    operator = make(
        quality_gate=QualityGate(min_responses=1000),
        on_quality_failure=on_quality_failure,
        outlets=[asset],
    )
    events = {asset: OutletEvent()}
    context = context_of(operator, outlet_events=events)
    if on_quality_failure == "report":
        assert operator.execute(context)["quality"]["passed"] is False
        assert events[asset].extra["quality_passed"] is False
        return
    with pytest.raises(AirflowFailException, match="min_responses"):
        operator.execute(context)
    assert Path(context["ti"].xcoms["manifest"]["labels"]).exists()
    assert events[asset].extra == {}


@pytest.mark.parametrize(("state", "final"), [("Failed", True), ("Paused", False)])
def test_a_job_that_does_not_go_on(
    sandbox: Sandbox, make: Make, context_of: ContextOf, job_id: str, state: str, final: bool
):
    sandbox.set_job_state(job_id, state)
    operator = make()
    with pytest.raises(AirflowException) as raised:
        operator.execute(context_of(operator))
    assert isinstance(raised.value, AirflowFailException) is final


def test_an_unknown_job(sandbox: Sandbox, make: Make, context_of: ContextOf):
    operator = make(job_id="none")
    with pytest.raises(AirflowFailException, match="none"):
        operator.execute(context_of(operator))


@pytest.mark.parametrize("job_id", ["", None, {"run_id": "skipped"}, {"job_id": None}, 7])
def test_all_mistakes_are_found_before_anything_is_sent(
    sandbox: Sandbox, context_of: ContextOf, job_id: Any
):
    operator = RapidataFetchResultsOperator(
        task_id="fetch", job_id=job_id, result_path=" ", spec="not: a job", poll_interval=0.0
    )
    with pytest.raises(AirflowFailException) as raised:
        operator.execute(context_of(operator))
    for name in ("job_id", "result_path", "spec", "poll_interval"):
        assert f"\n  - {name}: " in str(raised.value)
    assert sandbox.requests() == []


@pytest.mark.parametrize("wrong", [{"on_quality_failure": "skip"}, {"timeout": timedelta(0)}])
def test_mistakes_are_found_when_the_dag_is_parsed(wrong: dict[str, Any]):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        RapidataFetchResultsOperator(task_id="fetch", job_id="a job", result_path="labels", **wrong)
