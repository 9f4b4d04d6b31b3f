"""Asking a person before something is paid."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.dagbundle import DagBundleModel
from airflow.models.hitl import HITLDetail
from airflow.models.trigger import handle_event_submit
from airflow.providers.standard.operators import hitl
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred
from airflow.triggers.base import TriggerEvent
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from sqlalchemy import select

from rapidata_airflow.operators.approval import RapidataSpendApprovalOperator
from rapidata_airflow.operators.job import RapidataJobOperator
from rapidata_airflow.version import AIRFLOW_3_3
from rapidata_core import RapidataClient, parse_job
from rapidata_core.errors import ValidationError
from rapidata_core.sandbox.process import Sandbox

ContextOf = Callable[..., Any]
Make = Callable[..., RapidataSpendApprovalOperator]
Asked = list[dict[str, Any]]


@pytest.fixture
def make(compare_job: dict[str, Any]) -> Make:
    def make(**arguments: Any) -> RapidataSpendApprovalOperator:
        given = {"task_id": "approve", "job": compare_job, **arguments}
        return RapidataSpendApprovalOperator(**given)

    return make


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What Airflow was asked to show, where there is no Airflow."""
    asked: Asked = []
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **request: asked.append(request))
    return asked


@pytest.fixture
def cost(client: RapidataClient, compare_job: dict[str, Any]) -> float:
    return client.estimate(parse_job(compare_job), "global").estimated_cost


def wait(operator: RapidataSpendApprovalOperator, context: Any) -> Any:
    """Execute until the task has left its worker; what it raised."""
    if AIRFLOW_3_3:
        from airflow.sdk.exceptions import TaskAwaitingInput

        leaving: type[BaseException] = TaskAwaitingInput
    else:
        leaving = TaskDeferred
    with pytest.raises(leaving) as raised:
        operator.execute({**context, "task_instance": SimpleNamespace(id=uuid4())})
    return raised.value


def answer(option: str) -> dict[str, Any]:
    """As Airflow hands it to the task."""
    return {
        "chosen_options": [option],
        "params_input": {},
        "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": "7", "name": "Ada"},
    }


def test_the_question_says_what_it_costs(
    sandbox: Sandbox,
    make: Make,
    context_of: ContextOf,
    asked: Asked,
    cost: float,
    client: RapidataClient,
):
    operator = make(body="The **weekly** evaluation.")
    waiting = wait(operator, context_of(operator))
    (request,) = asked
    assert request["options"] == ["Approve", "Reject"]
    assert request["subject"] == f"Pay {cost:.2f} for 'Prompt alignment'?"
    body = request["body"]
    assert body.startswith("The **weekly** evaluation.\n\n| | |\n|---|---|\n")
    assert f"| Estimated cost | {cost:.2f} |" in body
    assert "| Datapoints | 4 |" in body
    assert "| Human answers | 60 |" in body
    assert f"| Audience | {client.audience.get_audience_by_id('global').name} (global) |" in body
    assert f"| Left to spend | {client.billing.get_balance().available:,.2f} |" in body
    # Another process goes on.
    found = getattr(make(), waiting.method_name)(
        context_of(operator), event=answer("Approve"), **waiting.kwargs
    )
    assert (found["chosen_options"], found["estimated_cost"]) == (["Approve"], cost)
    assert found["responded_by_user"]["name"] == "Ada"
    sandbox.assert_paid_jobs(0)


def test_a_balance_that_may_not_be_seen_is_left_out(
    sandbox: Sandbox, make: Make, context_of: ContextOf, asked: Asked
):
    sandbox.faults(
        [
            {
                "method": "GET",
                "path": "/billing/summary",
                "phase": "before",
                "action": "status",
                "status": 403,
            }
        ]
    )
    operator = make()
    wait(operator, context_of(operator))
    assert "Left to spend" not in asked[0]["body"]


def test_names_cannot_break_the_table(
    sandbox: Sandbox, make: Make, context_of: ContextOf, asked: Asked, client: RapidataClient
):
    audience = client.audience.create_audience("a | b\nc")
    operator = make(audience_id=audience.id)
    wait(operator, context_of(operator))
    assert f"| Audience | a \\| b c ({audience.id}) |" in asked[0]["body"]


def test_a_definition_that_is_there(
    sandbox: Sandbox,
    make: Make,
    context_of: ContextOf,
    asked: Asked,
    cost: float,
    client: RapidataClient,
    compare_job: dict[str, Any],
):
    definition = client.job.create_job_definition(compare_job)
    operator = make(job=None, job_definition_id=definition.id)
    assert wait(operator, context_of(operator)).kwargs == {"estimated_cost": cost}
    assert asked[0]["subject"] == f"Pay {cost:.2f} for 'Prompt alignment'?"


def test_datapoints_from_elsewhere(
    sandbox: Sandbox,
    make: Make,
    context_of: ContextOf,
    asked: Asked,
    compare_job: dict[str, Any],
):
    question = {name: compare_job[name] for name in ("type", "name", "instruction")}
    operator = make(job=question, datapoints=compare_job["datapoints"][:2])
    wait(operator, context_of(operator))
    assert "| Datapoints | 2 |" in asked[0]["body"]


def test_a_retry_asks_again_and_leaves_nothing_behind(
    sandbox: Sandbox, make: Make, context_of: ContextOf, asked: Asked, client: RapidataClient
):
    operator = make(subject="May we?")
    for try_number in (1, 2):
        wait(make(subject="May we?"), context_of(operator, try_number=try_number))
    assert [request["subject"] for request in asked] == ["May we?", "May we?"]
    assert client.job.find_job_definitions() == []
    sandbox.assert_paid_jobs(0)


def test_the_task_that_pays_uses_what_was_uploaded(
    sandbox: Sandbox,
    make: Make,
    context_of: ContextOf,
    asked: Asked,
    compare_job: dict[str, Any],
):
    operator = make(key="this week")
    wait(operator, context_of(operator))
    before = len(_uploads(sandbox))
    paying = RapidataJobOperator(
        task_id="ask", job=compare_job, key="this week", wait_for_completion=False
    )
    paying.execute(context_of(paying))
    assert before == len(_uploads(sandbox)) > 0
    sandbox.assert_paid_jobs(1)


def _uploads(sandbox: Sandbox) -> list[str]:
    sent = [one["path"] for one in sandbox.requests() if one["method"] == "POST"]
    return [path for path in sent if path.endswith("/datapoint")]


@pytest.mark.parametrize("off", [-0.01, 0.01])
def test_what_is_cheap_is_not_asked(
    sandbox: Sandbox, make: Make, context_of: ContextOf, asked: Asked, cost: float, off: float
):
    operator = make(auto_approve_below=cost + off)
    if off < 0:
        wait(operator, context_of(operator))
        assert len(asked) == 1
        return
    found = operator.execute(context_of(operator))
    assert (found["chosen_options"], found["responded_by_user"]) == (["Approve"], None)
    assert found["estimated_cost"] == cost
    assert asked == []


@pytest.mark.parametrize("limited_by", ["task", "connection"])
def test_what_is_too_expensive_is_not_asked(
    sandbox: Sandbox,
    make: Make,
    context_of: ContextOf,
    connect: Callable[..., None],
    asked: Asked,
    limited_by: str,
):
    operator = make(max_cost=0.01 if limited_by == "task" else None, auto_approve_below=1e6)
    if limited_by == "connection":
        connect(
            login=sandbox.client_id,
            password=sandbox.client_secret,
            host=sandbox.url,
            extra={"max_cost_per_job": 0.01},
        )
    with pytest.raises(AirflowFailException, match="max_cost"):
        operator.execute(context_of(operator))
    assert asked == []


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"job": None}, "either job or job_definition_id"),
        ({"job_definition_id": "a definition"}, "either job or job_definition_id"),
        ({"columns": ["left"]}, "columns: .* give the datapoints, too"),
        ({"max_cost": -1}, "max_cost: must be"),
        ({"auto_approve_below": float("nan")}, "auto_approve_below: must be"),
    ],
)
def test_mistakes_are_found_when_the_dag_is_parsed(make: Make, wrong: dict[str, Any], problem: str):
    with pytest.raises(ValidationError, match=problem):
        make(**wrong)


def test_all_mistakes_are_found_before_anything_is_sent(
    sandbox: Sandbox, make: Make, context_of: ContextOf, asked: Asked
):
    operator = make(job="not: a job", audience_id="", key=" ")
    with pytest.raises(AirflowFailException) as raised:
        operator.execute(context_of(operator))
    for name in ("job", "audience_id", "key"):
        assert f"\n  - {name}: " in str(raised.value)
    assert sandbox.requests() == []
    assert asked == []


@pytest.mark.parametrize("wrong", [{"audience_id": "none"}, {"job_definition_id": "none"}])
def test_what_is_not_there_is_not_asked_about(
    sandbox: Sandbox, make: Make, context_of: ContextOf, asked: Asked, wrong: dict[str, Any]
):
    operator = make(**wrong, **({"job": None} if "job_definition_id" in wrong else {}))
    with pytest.raises(AirflowFailException, match="none"):
        operator.execute(context_of(operator))
    assert asked == []


# --- in a DAG -------------------------------------------------------------------------------------


def press(option: str) -> bool:
    """Do what Airflow's API does when a person has pressed a button, if there is a question."""
    with create_session() as session:
        unanswered = select(HITLDetail).where(HITLDetail.responded_at.is_(None))
        request = session.scalars(unanswered).one_or_none()
        if request is None:
            return False
        request.chosen_options = [option]
        request.responded_at = datetime.now(UTC)
        request.responded_by = {"id": "7", "name": "Ada"}
        handle_event_submit(
            TriggerEvent(request.as_resume_event_payload()),
            task_instance=request.task_instance,
            session=session,
        )
    return True


# Airflow's API server runs in this process; what it warns about is not ours to mend.
@pytest.mark.filterwarnings("default")
@pytest.mark.skipif(not AIRFLOW_3_3, reason="dag.test of Airflow 3.2 cannot wait for an answer")
@pytest.mark.parametrize("option", ["Approve", "Reject"])
def test_the_answer_decides_whether_anything_is_paid(
    sandbox: Sandbox, compare_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch, option: str
):
    initdb()
    # `dag.test` sleeps until somebody has answered.
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda pause: press(option) or sleep(pause))
    with create_session() as session:
        session.merge(DagBundleModel(name="testing"))
    with DAG(dag_id=f"approval_{option}", schedule=None) as dag:
        approve = RapidataSpendApprovalOperator(task_id="approve", job=compare_job)
        pay = RapidataJobOperator(task_id="pay", job=compare_job, wait_for_completion=False)
        approve >> pay
    bag = DagBag(os.devnull)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "testing", None)
    run = dag.test()
    assert run.state == "success"
    states = {ti.task_id: ti.state for ti in run.get_task_instances()}
    assert states == {"approve": "success", "pay": "success" if option == "Approve" else "skipped"}
    sandbox.assert_paid_jobs(1 if option == "Approve" else 0)
