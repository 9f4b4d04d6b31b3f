"""The operator. The sandbox's ledger judges what was paid."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas
import pyarrow.parquet
import pytest
from airflow.sdk import Asset, BaseNotifier
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

from rapidata_airflow import kills
from rapidata_airflow.hooks.rapidata import RapidataHook
from rapidata_airflow.operators.job import RapidataJobOperator
from rapidata_airflow.outcomes import RapidataTaskError
from rapidata_airflow.triggers.job import RapidataJobTrigger
from rapidata_core import QualityGate, RapidataClient, RapidataJob, SpendCap, parse_job
from rapidata_core.errors import ValidationError
from rapidata_core.sandbox.process import Sandbox
from tests.airflow.deferrals import deferred_by, handed, job_of

ContextOf = Callable[..., Any]


@pytest.fixture
def make(compare_job: dict[str, Any], tmp_path: Path) -> Callable[..., RapidataJobOperator]:
    def make(**arguments: Any) -> RapidataJobOperator:
        given = {"task_id": "ask", "job": compare_job, "result_path": str(tmp_path / "labels")}
        return RapidataJobOperator(**{**given, **arguments})

    return make


Make = Callable[..., RapidataJobOperator]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"job": "not: [a job"}, "job spec"),
        ({"job": {"type": "compare", "name": "no datapoints"}}, "datapoints"),
        ({"job": 7}, "mapping"),
        ({"job": None}, "either job or job_definition_id"),
        ({"job_definition_id": "a definition"}, "either job or job_definition_id"),
        ({"job": None, "job_definition_id": "x", "datapoints": ["a"]}, "datapoints: is for job"),
        ({"revision_number": 1}, "revision_number: is for job_definition_id"),
        ({"columns": "pair"}, "columns: say where datapoints are"),
        ({"timeout": timedelta(0)}, "timeout: must be a timedelta above 0"),
        ({"timeout": 3600}, "timeout: must be a timedelta above 0, or None, not 3600"),
        ({"max_cost": -1.0}, "max_cost: must be at least 0"),
        ({"max_cost": "5"}, "max_cost: must be at least 0, not '5'"),
        ({"max_cost": float("nan")}, "max_cost: must be at least 0, not nan"),
        ({"run_budget": -1.0}, "run_budget: must be at least 0"),
        ({"attention_notifiers": "slack"}, "attention_notifiers: must be notifiers, not 's'"),
        ({"on_attention": {"Paused": "sleep"}}, "on_attention"),
        ({"on_attention": {"Broken": "wait"}}, "on_attention"),
        ({"on_clear": "never"}, "on_clear: must be one of 'reuse', 'new'"),
        ({"on_clear": "new", "key": "mine"}, "on_clear: a key is the same after clearing"),
        ({"on_kill_action": "delete"}, "on_kill_action: must be one of"),
        ({"on_quality_failure": "skip"}, "on_quality_failure: must be one of"),
        (
            {"result_path": None, "quality_gate": QualityGate(min_responses=1)},
            "needs a result_path",
        ),
        ({"wait_for_completion": False}, "nothing can be saved"),
        ({"run_budget": 5.0, "key": "mine"}, "with a key, give a cap"),
        ({"cap": SpendCap("a", 5.0, "day")}, "give the key, too"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_mistakes_that_a_dag_shows_are_found_when_it_is_parsed(
    make: Make, wrong: dict[str, Any], problem: str
):
    with pytest.raises(ValidationError, match=problem):
        make(**wrong)


@pytest.mark.parametrize("job", ["{{ params.job }}", {"type": "{{ params.type }}"}])
def test_what_is_templated_is_looked_at_when_it_is_known(make: Make, job: Any):
    make(job=job)


@pytest.mark.parametrize(
    "wrong",
    [
        {"job": "{{ templated }}"},
        {"result_path": " "},
        {"audience_id": ""},
        {"key": " "},
        {"key": ""},
        {"poll_interval": 0.0},
        {"poll_interval": "5"},
        {"rapidata_conn_id": object()},
        {"failure_tolerance": 2.0},
        {"datapoints": []},
        {"datapoints": "no/such/file.parquet"},
        {"datapoints": 7},
        {"partition": {"day": ""}},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_other_mistakes_are_found_before_anything_is_sent(
    sandbox: Sandbox, make: Make, context_of: ContextOf, wrong: dict[str, Any]
):
    operator = make(**wrong)
    with pytest.raises(AirflowFailException):
        operator.execute(context_of(operator))
    assert sandbox.requests() == []


def test_all_mistakes_are_reported_at_once(make: Make, context_of: ContextOf):
    operator = make(result_path="", audience_id="", poll_interval=-1.0)
    with pytest.raises(AirflowFailException) as raised:
        operator.execute(context_of(operator))
    for name in ("result_path", "audience_id", "poll_interval"):
        assert name in str(raised.value)


def test_it_submits_and_leaves_the_worker(sandbox: Sandbox, make: Make, context_of: ContextOf):
    operator = make(timeout=timedelta(hours=2), poll_interval=5.0)
    context = context_of(operator)
    before = time.time()
    deferred = deferred_by(operator, context)
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
    deferred_by(first, before := context_of(first, try_number=1))
    second = make()
    deferred = deferred_by(second, after := context_of(second, try_number=2))
    sandbox.assert_paid_jobs(1)
    assert handed(deferred)["adopted"] is True
    assert before["ti"].xcoms == after["ti"].xcoms != {}


def test_mapped_tasks_have_a_job_each(sandbox: Sandbox, make: Make, context_of: ContextOf):
    operator = make()
    for map_index in (0, 1, 0):
        deferred_by(operator, context_of(operator, map_index=map_index))
    sandbox.assert_paid_jobs(2)


def test_a_key_is_shared_by_whoever_gives_it(sandbox: Sandbox, make: Make, context_of: ContextOf):
    for task_id in ("monday", "tuesday"):
        operator = make(task_id=task_id, key="this week")
        deferred_by(operator, context_of(operator))
    sandbox.assert_paid_jobs(1)


def test_the_same_task_with_another_question_is_refused(
    sandbox: Sandbox, make: Make, context_of: ContextOf, compare_job: dict[str, Any]
):
    operator = make()
    deferred_by(operator, context_of(operator))
    operator.job = {**compare_job, "instruction": "Which image is uglier?"}
    with pytest.raises(AirflowFailException, match="asks something else"):
        operator.execute(context_of(operator))
    sandbox.assert_paid_jobs(1)


def test_an_audience_that_is_gone(
    sandbox: Sandbox, make: Make, context_of: ContextOf, client: RapidataClient
):
    audience = client.audience.create_audience("Soon gone")
    audience.delete()
    operator = make(audience_id=audience.id)
    with pytest.raises(AirflowFailException, match=audience.id):
        operator.execute(context_of(operator))
    sandbox.assert_paid_jobs(0)


def test_too_expensive(sandbox: Sandbox, make: Make, context_of: ContextOf):
    operator = make(max_cost=0.01)
    with pytest.raises(AirflowFailException, match="max_cost"):
        operator.execute(context_of(operator))
    sandbox.assert_paid_jobs(0)


@pytest.mark.parametrize("form", ["mapping", "text", "spec"])
def test_a_job_in_all_its_forms_is_the_same_job(
    sandbox: Sandbox, make: Make, context_of: ContextOf, compare_job: dict[str, Any], form: str
):
    deferred_by(first := make(), context_of(first))
    forms = {
        "mapping": compare_job,
        "text": json.dumps(compare_job),
        "spec": parse_job(compare_job),
    }
    deferred_by(second := make(job=forms[form]), context_of(second))
    sandbox.assert_paid_jobs(1)


def test_another_worker_goes_on(
    sandbox: Sandbox, make: Make, context_of: ContextOf, tmp_path: Path
):
    operator = make()
    deferred = deferred_by(operator, context_of(operator))
    job_id = deferred.trigger.serialize()[1]["job_id"]
    sandbox.advance(3600)
    fresh = make()
    event = {"status": "completed", "job_id": job_id, "handed": handed(deferred)}
    manifest = getattr(fresh, deferred.method_name)(context_of(fresh), event=event)
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
    deferred_by(first := make(), context_of(first))
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
    deferred = deferred_by(operator, context_of(operator))
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
    event = {"status": status, "job_id": "a job", "message": "this is why", "state": "Paused"}
    with pytest.raises(AirflowException, match="this is why") as raised:
        operator.execute_complete(context_of(operator), event={**event, "handed": HANDED})
    assert isinstance(raised.value, AirflowFailException) is final


def test_a_lost_answer_to_the_paid_call_is_not_paid_again(
    sandbox: Sandbox, make: Make, context_of: ContextOf
):
    sandbox.faults([LOST_ANSWER])
    operator = make()
    deferred_by(operator, context_of(operator))
    sandbox.assert_paid_jobs(1)


# --- clearing -------------------------------------------------------------------------------------


def test_clearing_pays_again_if_that_is_wanted(sandbox: Sandbox, make: Make, context_of: ContextOf):
    # Clearing raises the number of tries that a task may have; a retry does not.
    tries = [(1, 2), (2, 2), (3, 4), (4, 4)]
    for try_number, max_tries in tries:
        operator = make(on_clear="new")
        deferred_by(operator, context_of(operator, try_number=try_number, max_tries=max_tries))
    sandbox.assert_paid_jobs(2)


def test_clearing_adopts_otherwise(sandbox: Sandbox, make: Make, context_of: ContextOf):
    for max_tries in (2, 4):
        operator = make()
        deferred_by(operator, context_of(operator, try_number=max_tries, max_tries=max_tries))
    sandbox.assert_paid_jobs(1)


# --- the store of Airflow 3.3 ---------------------------------------------------------------------


class Store(dict[str, Any]):
    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))


class BrokenStore:
    def get(self, key: str) -> Any:
        raise RuntimeError("the store is on fire")

    def set(self, key: str, value: Any) -> None:
        raise RuntimeError("the store is on fire")


def lists(sandbox: Sandbox) -> int:
    return sum(request["path"] == "/jobs" for request in sandbox.requests())


def test_a_retry_knows_the_job_without_the_list(
    sandbox: Sandbox, make: Make, context_of: ContextOf
):
    store = Store()
    first = make()
    job_id = job_of(deferred_by(first, context_of(first, task_state_store=store)))
    assert store["rapidata_job"]["job_id"] == job_id
    before = lists(sandbox)
    second = make()
    deferred = deferred_by(second, context_of(second, try_number=2, task_state_store=store))
    # One look at the job's state goes through the list, and none to find the job.
    assert lists(sandbox) == before + 1
    assert (job_of(deferred), handed(deferred)["adopted"]) == (job_id, True)
    sandbox.assert_paid_jobs(1)


@pytest.mark.parametrize(
    "store",
    [
        BrokenStore(),
        Store(),
        Store(rapidata_job="nonsense"),
        Store(rapidata_job={"job_id": "no such job", "key": "k", "content": "c"}),
    ],
    ids=["broken", "empty", "nonsense", "another's"],
)
def test_whatever_the_store_says_nothing_is_paid_twice(
    sandbox: Sandbox, make: Make, context_of: ContextOf, store: Any
):
    first = make()
    job_id = job_of(deferred_by(first, context_of(first)))
    second = make()
    deferred = deferred_by(second, context_of(second, try_number=2, task_state_store=store))
    assert job_of(deferred) == job_id
    sandbox.assert_paid_jobs(1)


def test_a_job_that_is_gone_is_not_adopted(sandbox: Sandbox, make: Make, context_of: ContextOf):
    store = Store()
    first = make()
    job_id = job_of(deferred_by(first, context_of(first, task_state_store=store)))
    with RapidataHook().get_conn() as client:
        client.job.get_job_by_id(job_id).delete()
    second = make()
    deferred = deferred_by(second, context_of(second, try_number=2, task_state_store=store))
    assert job_of(deferred) != job_id
    assert store["rapidata_job"]["job_id"] == job_of(deferred)


# --- datapoints from elsewhere --------------------------------------------------------------------


QUESTION = {
    "type": "compare",
    "name": "Texts",
    "instruction": "Which is better?",
    "data_type": "text",
}
PAIRS = [["good", "bad"], ["fine", "poor"]]


def paid_datapoints(sandbox: Sandbox) -> int:
    (entry,) = sandbox.ledger()["entries"]
    with RapidataHook().get_conn() as client:
        return client.job.get_job_by_id(entry["id"]).estimated_cost.datapoint_count


def test_datapoints_from_a_list(sandbox: Sandbox, make: Make, context_of: ContextOf):
    operator = make(job=QUESTION, datapoints=PAIRS)
    deferred_by(operator, context_of(operator))
    assert paid_datapoints(sandbox) == 2


def test_datapoints_from_a_callable(sandbox: Sandbox, make: Make, context_of: ContextOf):
    def of_day(context: Any, jinja_env: Any) -> list[list[str]]:
        return [[f"good on {context['ds']}", f"bad on {context['ds']}"]]

    operator = make(job=QUESTION, datapoints=of_day)
    context = context_of(operator, ds="2026-01-01")
    operator.render_template_fields(context)
    assert operator.datapoints == [["good on 2026-01-01", "bad on 2026-01-01"]]
    deferred_by(operator, context)
    assert paid_datapoints(sandbox) == 1


def test_datapoints_that_turn_out_to_be_none_are_not_those_of_the_job(
    sandbox: Sandbox, make: Make, context_of: ContextOf
):
    operator = make(job={**QUESTION, "datapoints": PAIRS}, datapoints=lambda **_: None)
    context = context_of(operator)
    operator.render_template_fields(context)
    with pytest.raises(AirflowFailException, match="not NoneType"):
        operator.execute(context)
    assert sandbox.requests() == []


def test_datapoints_from_a_file(
    sandbox: Sandbox, make: Make, context_of: ContextOf, tmp_path: Path
):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"a": a, "b": b}) + "\n" for a, b in PAIRS))
    operator = make(job=QUESTION, datapoints=str(path), columns=["a", "b"])
    deferred_by(operator, context_of(operator))
    assert paid_datapoints(sandbox) == 2


class Event:
    def __init__(self, **extra: Any) -> None:
        self.extra = extra


@pytest.mark.parametrize("accessor", ["triggering_asset_events", "inlet_events"])
def test_datapoints_from_an_asset(
    sandbox: Sandbox, make: Make, context_of: ContextOf, tmp_path: Path, accessor: str
):
    path = tmp_path / "rows.parquet"
    pandas.DataFrame({"pair": PAIRS}).to_parquet(path)
    asset = Asset(name="rows", uri="file:///nowhere.parquet")
    operator = make(job=QUESTION, datapoints=asset, columns="pair")
    assert asset in operator.inlets
    deferred_by(
        operator,
        context_of(operator, **{accessor: {asset: [Event(uri="old"), Event(uri=str(path))]}}),
    )
    assert paid_datapoints(sandbox) == 2


def test_rows_that_changed_while_people_worked_lose_their_identity_and_nothing_else(
    sandbox: Sandbox, make: Make, context_of: ContextOf, caplog: pytest.LogCaptureFixture
):
    rows = [*PAIRS]  # as a function or a file gives them anew
    operator = make(job=QUESTION, datapoints=rows)
    deferred = deferred_by(operator, context_of(operator))
    rows.append(["new", "old"])
    manifest = resume(sandbox, operator, context_of(operator), deferred)
    labels = pyarrow.parquet.read_table(manifest["labels"])
    assert (labels.num_rows, labels["datapoint_id"].null_count) == (2, 2)


def test_rows_that_are_the_same_have_an_identity(
    sandbox: Sandbox, make: Make, context_of: ContextOf
):
    operator = make(job=QUESTION, datapoints=PAIRS)
    deferred = deferred_by(operator, context_of(operator))
    manifest = resume(sandbox, operator, context_of(operator), deferred)
    assert pyarrow.parquet.read_table(manifest["labels"])["datapoint_id"].null_count == 0


def test_a_definition_that_is_there(
    sandbox: Sandbox, make: Make, context_of: ContextOf, compare_job: dict[str, Any]
):
    with RapidataHook().get_conn() as client:
        definition = client.job.create_job_definition(compare_job)
    for try_number in (1, 2):
        operator = make(job=None, job_definition_id=definition.id)
        deferred = deferred_by(operator, context_of(operator, try_number=try_number))
    manifest = resume(sandbox, operator, context_of(operator), deferred)
    assert (manifest["label_count"], manifest["adopted"]) == (4, True)
    sandbox.assert_paid_jobs(1)


# --- money ----------------------------------------------------------------------------------------


def test_mapped_tasks_share_a_budget(sandbox: Sandbox, make: Make, context_of: ContextOf):
    first = make(run_budget=1.0)
    job_id = job_of(deferred_by(first, context_of(first, map_index=0)))
    with RapidataHook().get_conn() as client:
        cost = client.job.get_job_by_id(job_id).estimated_cost.estimated_cost
    fits = make(run_budget=2.5 * cost)
    deferred_by(fits, context_of(fits, map_index=1))
    with pytest.raises(AirflowFailException, match="cap"):
        fits.execute(context_of(fits, map_index=2))
    # A retry of one that is paid is not new.
    deferred_by(fits, context_of(fits, map_index=0, try_number=2))
    sandbox.assert_paid_jobs(2)


def test_the_attempt_is_told(monkeypatch: pytest.MonkeyPatch, sandbox, make, context_of):
    seen: list[int] = []
    original = RapidataClient.submit

    def submit(self: RapidataClient, *args: Any, **terms: Any) -> Any:
        seen.append(terms["attempt"])
        return original(self, *args, **terms)

    monkeypatch.setattr(RapidataClient, "submit", submit)
    for try_number in (1, 3):
        operator = make()
        deferred_by(operator, context_of(operator, try_number=try_number))
    assert seen == [1, 3]


# --- waiting --------------------------------------------------------------------------------------


def test_execution_timeout_counts_while_people_work(
    sandbox: Sandbox, make: Make, context_of: ContextOf
):
    operator = make(execution_timeout=timedelta(hours=1))
    context = context_of(operator)
    deadline = deferred_by(operator, context).trigger.serialize()[1]["deadline"]
    assert deadline == context["ti"].start_date.timestamp() + 3600


def test_without_a_path_nothing_is_saved(sandbox: Sandbox, make: Make, context_of: ContextOf):
    operator = make(result_path=None)
    deferred = deferred_by(operator, context_of(operator))
    found = resume(sandbox, operator, context_of(operator), deferred)
    assert (found["job_id"], found["adopted"]) == (job_of(deferred), False)
    assert "labels" not in found


def test_without_waiting_the_job_is_returned(sandbox: Sandbox, make: Make, context_of: ContextOf):
    operator = make(result_path=None, wait_for_completion=False)
    found = operator.execute(context_of(operator))
    assert (found["adopted"], found["estimated_cost"]) == (False, pytest.approx(3.0, abs=3))
    assert operator.execute(context_of(operator, try_number=2))["job_id"] == found["job_id"]
    sandbox.assert_paid_jobs(1)


class Told(BaseNotifier):
    def __init__(self) -> None:
        super().__init__()
        self.about: list[dict[str, Any]] = []

    def notify(self, context: Any) -> None:
        self.about.append(context["rapidata_job"])
        raise RuntimeError("a notifier that fails")


def test_who_must_act_is_told_once_and_the_task_waits_on(
    sandbox: Sandbox, make: Make, context_of: ContextOf
):
    told = Told()
    operator = make(on_attention={"ManualApproval": "wait"}, attention_notifiers=told)
    context = context_of(operator)
    deferred = deferred_by(operator, context)
    # The first wait ends where somebody is needed …
    assert deferred.trigger.serialize()[1]["on_attention"] == {"ManualApproval": "fail"}
    job_id = job_of(deferred)
    event = {
        "status": "needs_attention",
        "job_id": job_id,
        "state": "ManualApproval",
        "message": "is in review",
    }
    with pytest.raises(TaskDeferred) as raised:
        operator.execute_complete(context, event={**event, "handed": handed(deferred)})
    again = raised.value
    (about,) = told.about
    assert (about["job_id"], about["state"], about["message"]) == (
        job_id,
        "ManualApproval",
        "is in review",
    )
    assert about["url"].startswith(sandbox.url)
    # … and the second one does not, nor does it last longer.
    arguments = again.trigger.serialize()[1]
    assert arguments["on_attention"] == {"ManualApproval": "wait"}
    assert arguments["deadline"] == deferred.trigger.serialize()[1]["deadline"]


def test_who_must_act_is_told_before_the_task_fails(
    sandbox: Sandbox, make: Make, context_of: ContextOf
):
    told = Told()
    operator = make(attention_notifiers=[told])
    deferred = deferred_by(operator, context_of(operator))
    sandbox.set_job_state(job_of(deferred), "SpendLimited")
    with pytest.raises(RapidataTaskError) as raised:
        operator.execute(context_of(operator, try_number=2))
    assert raised.value.outcome == "needs_attention"
    assert [about["state"] for about in told.about] == ["SpendLimited"]


# --- being ended ----------------------------------------------------------------------------------


def state_of(job_id: str) -> tuple[str, str]:
    with RapidataHook().get_conn() as client:
        job = client.job.get_job_by_id(job_id)
        return job.get_status(), job.name


def test_what_airflow_paused_a_new_try_resumes(
    sandbox: Sandbox, make: Make, context_of: ContextOf, monkeypatch: pytest.MonkeyPatch
):
    operator = make()
    deferred = deferred_by(operator, context_of(operator))
    job_id = job_of(deferred)
    monkeypatch.setattr(kills, "_state_of", lambda ti: "failed")
    deferred.trigger.task_instance = context_of(operator)["ti"]
    asyncio.run(deferred.trigger.on_kill())
    assert state_of(job_id)[0] == "Paused"
    assert job_of(deferred_by(make(), context_of(operator, try_number=2))) == job_id
    assert state_of(job_id)[0] != "Paused"
    sandbox.assert_paid_jobs(1)


def test_what_a_person_paused_stays_paused(sandbox: Sandbox, make: Make, context_of: ContextOf):
    operator = make()
    job_id = job_of(deferred_by(operator, context_of(operator)))
    with RapidataHook().get_conn() as client:
        client.job.get_job_by_id(job_id).pause()
    with pytest.raises(RapidataTaskError, match=job_id):
        operator.execute(context_of(operator, try_number=2))
    assert state_of(job_id)[0] == "Paused"


@pytest.mark.parametrize("state", [None, "running", "restarting", "deferred", "up_for_retry"])
def test_a_task_that_was_cleared_leaves_its_job_alone(
    sandbox: Sandbox, make: Make, context_of: ContextOf, monkeypatch, state: str | None
):
    operator = make()
    deferred = deferred_by(operator, context_of(operator))
    monkeypatch.setattr(kills, "_state_of", lambda ti: state)
    deferred.trigger.task_instance = context_of(operator)["ti"]
    asyncio.run(deferred.trigger.on_kill())
    operator.on_kill()
    assert state_of(job_of(deferred))[0] != "Paused"


@pytest.mark.parametrize(("action", "paused"), [("pause", True), ("keep", False)])
def test_a_worker_that_is_ended_pauses_its_job(
    sandbox: Sandbox, make: Make, context_of: ContextOf, monkeypatch, action: str, paused: bool
):
    operator = make(on_kill_action=action)
    deferred = deferred_by(operator, context_of(operator))
    monkeypatch.setattr(kills, "_state_of", lambda ti: "failed")
    operator.on_kill()
    assert (state_of(job_of(deferred))[0] == "Paused") is paused


def test_a_worker_that_is_ended_while_it_pays_pauses_its_job(
    sandbox: Sandbox, client: RapidataClient, make: Make, context_of: ContextOf, monkeypatch
):
    operator = make(wait_for_completion=False, result_path=None)
    monkeypatch.setattr(kills, "_state_of", lambda ti: "failed")
    # Airflow calls it while the datapoints are being uploaded, and does not interrupt that.
    operator.on_kill()
    job_id = operator.execute(context_of(operator))["job_id"]
    assert client.job.get_job_by_id(job_id).paused_by == kills.PAUSED_BY


@pytest.mark.parametrize("moment", ["show", "resume_if_paused_by"])
def test_a_worker_that_is_ended_while_it_goes_on_leaves_the_job_paused(
    sandbox: Sandbox,
    client: RapidataClient,
    make: Make,
    context_of: ContextOf,
    monkeypatch,
    moment: str,
):
    arguments = {"wait_for_completion": False, "result_path": None}
    first = make(**arguments)
    job_id = first.execute(context_of(first))["job_id"]
    client.job.get_job_by_id(job_id).pause(by=kills.PAUSED_BY)
    monkeypatch.setattr(kills, "_state_of", lambda ti: "failed")
    operator = make(**arguments)
    owner = RapidataJobOperator if moment == "show" else RapidataJob
    unharmed = getattr(owner, moment)

    def ended(*arguments: Any) -> Any:
        operator.on_kill()
        return unharmed(*arguments)

    monkeypatch.setattr(owner, moment, ended)
    operator.execute(context_of(operator, try_number=2))
    assert client.job.get_job_by_id(job_id).paused_by == kills.PAUSED_BY
    sandbox.assert_paid_jobs(1)


@pytest.mark.parametrize(
    ("listed", "paused"),
    [({"ask": None}, False), ({"ask": "failed"}, True), ({}, True)],
    ids=["cleared", "failed", "deleted"],
)
def test_what_airflow_lists_tells_a_task_that_was_deleted_from_one_that_was_cleared(
    sandbox: Sandbox,
    make: Make,
    context_of: ContextOf,
    monkeypatch,
    listed: dict[str, Any],
    paused: bool,
):
    operator = make()
    context = context_of(operator)
    deferred = deferred_by(operator, context)
    states = {context["ti"].run_id: listed} if listed else {}
    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", lambda **_: states)
    operator.on_kill()
    assert (state_of(job_of(deferred))[0] == "Paused") is paused


def test_a_state_that_cannot_be_told_leaves_the_job_alone(
    sandbox: Sandbox, make: Make, context_of: ContextOf
):
    operator = make()
    deferred = deferred_by(operator, context_of(operator))
    # Here is no supervisor that could be asked.
    operator.on_kill()
    assert state_of(job_of(deferred))[0] != "Paused"


# --- quality and assets ---------------------------------------------------------------------------


STRICT = QualityGate(min_responses=1000)


def test_labels_that_are_not_good_enough_fail_the_task_and_are_kept(
    sandbox: Sandbox, make: Make, context_of: ContextOf
):
    operator = make(quality_gate=STRICT)
    deferred = deferred_by(operator, context_of(operator))
    context = context_of(operator)
    with pytest.raises(AirflowFailException, match=r"min_responses is 15.*, not 1000"):
        resume(sandbox, operator, context, deferred)
    manifest = context["ti"].xcoms["manifest"]
    assert manifest["quality"]["passed"] is False
    assert pyarrow.parquet.read_table(manifest["labels"]).num_rows == 4


def test_or_the_task_reports_how_good_they_are(sandbox: Sandbox, make: Make, context_of: ContextOf):
    operator = make(quality_gate=STRICT, on_quality_failure="report")
    deferred = deferred_by(operator, context_of(operator))
    manifest = resume(sandbox, operator, context_of(operator), deferred)
    assert manifest["quality"]["passed"] is False
    assert 0 < manifest["mean_agreement"] <= 1
    assert len(json.dumps(manifest)) < 4096


def test_a_partition_of_one_dataset(sandbox: Sandbox, make: Make, context_of: ContextOf, tmp_path):
    operator = make(partition={"day": "2026-01-01"})
    deferred = deferred_by(operator, context_of(operator))
    manifest = resume(sandbox, operator, context_of(operator), deferred)
    assert Path(manifest["labels"]).is_relative_to(tmp_path / "labels")
    assert "day=2026-01-01" in manifest["labels"]


class Outlet:
    def __init__(self) -> None:
        self.extra: dict[str, Any] = {}


def test_outlets_say_what_there_is(sandbox: Sandbox, make: Make, context_of: ContextOf):
    asset = Asset(name="labels", uri="x-rapidata://labels")
    operator = make(outlets=[asset])
    deferred = deferred_by(operator, context_of(operator))
    events = {asset: Outlet()}
    manifest = resume(sandbox, operator, context_of(operator, outlet_events=events), deferred)
    extra = events[asset].extra
    assert extra["job_id"] == manifest["job_id"]
    assert (extra["uri"], extra["rows"]) == (manifest["labels"], 4)
    assert extra["estimated_cost"] > 0


def test_outlets_say_which_job_it_was_when_nothing_is_saved(
    sandbox: Sandbox, make: Make, context_of: ContextOf
):
    asset = Asset(name="labels", uri="x-rapidata://labels")
    operator = make(outlets=[asset], result_path=None)
    deferred = deferred_by(operator, context_of(operator))
    events = {asset: Outlet()}
    done = resume(sandbox, operator, context_of(operator, outlet_events=events), deferred)
    assert events[asset].extra["job_id"] == done["job_id"]
    # Whoever reads the event takes the asset's own address then.
    assert "uri" not in events[asset].extra


def test_openlineage_is_told_what_came_of_it(sandbox: Sandbox, make: Make, context_of: ContextOf):
    pytest.importorskip("airflow.providers.openlineage", reason="only installed for Airflow 3.3")
    operator = make(quality_gate=QualityGate(min_responses=1))
    deferred = deferred_by(operator, context_of(operator))
    manifest = resume(sandbox, operator, context_of(operator), deferred)
    task_instance = type("TaskInstance", (), {"task": operator})
    lineage = operator.get_openlineage_facets_on_complete(task_instance)
    labels, responses = lineage.outputs
    assert (labels.name, responses.name) == (manifest["labels"], manifest["responses"])
    assert lineage.run_facets["externalQuery"].externalQueryId == manifest["job_id"]


def resume(sandbox: Sandbox, operator: Any, context: Any, deferred: TaskDeferred) -> dict[str, Any]:
    """People have worked for an hour, and the trigger has fired."""
    sandbox.advance(3600)
    event = {"status": "completed", "job_id": job_of(deferred), "handed": handed(deferred)}
    return operator.execute_complete(context, event=event)


HANDED: dict[str, Any] = {
    "adopted": False,
    "content": "",
    "deadline": None,
    "job_url": "",
    "told": [],
}
LOST_ANSWER = {"method": "POST", "path": "/job", "phase": "after_commit", "action": "drop"}
