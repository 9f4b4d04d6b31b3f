"""Batches of a ranking flow. The sandbox's ledger judges what was paid."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from airflow.models.trigger import Trigger
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.sdk.module_loading import import_string

from rapidata_airflow.operators.flow import RapidataRankingBatchOperator
from rapidata_airflow.triggers.flow import RapidataFlowItemTrigger
from rapidata_core import RapidataClient
from rapidata_core.errors import ValidationError
from rapidata_core.sandbox.process import Sandbox
from tests.airflow.deferrals import deferred_by

ContextOf = Callable[..., Any]
Make = Callable[..., RapidataRankingBatchOperator]
TEXTS = ["one", "two", "three"]


@pytest.fixture
def flow_id(client: RapidataClient) -> str:
    return client.flow.create_ranking_flow("Quality", "Which is better?").id


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Make:
    def make(**arguments: Any) -> RapidataRankingBatchOperator:
        given = {"task_id": "rank", "datapoints": TEXTS, "data_type": "text", **arguments}
        if "flow_id" not in given:
            given["flow_id"] = request.getfixturevalue("flow_id")
        return RapidataRankingBatchOperator(**given)

    return make


def paid(sandbox: Sandbox) -> list[str]:
    return [entry["kind"] for entry in sandbox.ledger()["entries"]]


def test_a_batch_is_ranked(
    sandbox: Sandbox, make: Make, context_of: ContextOf, go_on: Callable[..., Any], tmp_path: Path
):
    arguments = {"result_path": str(tmp_path / "ranked"), "context": "Things to count."}
    operator = make(**arguments)
    deferred = deferred_by(operator, context := context_of(operator))
    item_id = context["ti"].xcoms["flow_item_id"]
    sandbox.advance(3600)
    fresh = make(**arguments)
    found = go_on(deferred, fresh, context_of(fresh))
    assert json.loads(json.dumps(found)) == found
    assert found["flow_item_id"] == item_id
    assert (found["state"], found["total_votes"]) == ("Completed", 100)
    scores = list(found["ranking"].values())
    assert set(found["ranking"]) == set(TEXTS)
    assert scores == sorted(scores, reverse=True)
    assert found["labels"] == str(tmp_path / "ranked" / item_id / "labels.parquet")
    assert pyarrow.parquet.read_table(found["labels"]).num_rows > 0
    assert len(paid(sandbox)) == 1


def test_a_long_ranking_is_no_xcom(
    sandbox: Sandbox, make: Make, context_of: ContextOf, go_on: Callable[..., Any]
):
    operator = make(datapoints=[f"text {number}" for number in range(101)])
    deferred = deferred_by(operator, context_of(operator))
    sandbox.advance(3600)
    found = go_on(deferred, operator, context_of(operator))
    assert (found["ranking"], found["labels"]) == (None, None)


def test_a_retry_adopts_the_batch(sandbox: Sandbox, make: Make, context_of: ContextOf):
    first, second = make(), make()
    deferred_by(first, before := context_of(first, try_number=1))
    deferred_by(second, after := context_of(second, try_number=2))
    assert before["ti"].xcoms == after["ti"].xcoms != {}
    assert len(paid(sandbox)) == 1


def test_a_lost_answer_to_the_paid_call_is_not_paid_again(
    sandbox: Sandbox, make: Make, context_of: ContextOf
):
    operator = make()
    path = f"/flow/ranking/{operator.flow_id}/item"
    sandbox.faults([{"method": "POST", "path": path, "phase": "after_commit", "action": "drop"}])
    deferred_by(operator, context_of(operator))
    assert len(paid(sandbox)) == 1


@pytest.mark.parametrize(("on_clear", "batches"), [("reuse", 1), ("new", 2)])
def test_clearing(sandbox: Sandbox, make: Make, context_of: ContextOf, on_clear: str, batches: int):
    operator = make(on_clear=on_clear)
    deferred_by(operator, context_of(operator, max_tries=2))
    deferred_by(operator, context_of(operator, try_number=1, max_tries=3))
    assert len(paid(sandbox)) == batches


def test_mapped_tasks_have_a_batch_each(sandbox: Sandbox, make: Make, context_of: ContextOf):
    operator = make()
    for map_index in (0, 1, 0):
        deferred_by(operator, context_of(operator, map_index=map_index))
    assert len(paid(sandbox)) == 2


def test_it_waits_in_the_worker(sandbox: Sandbox, make: Make, context_of: ContextOf):
    deferred_by(first := make(), context_of(first))
    sandbox.advance(3600)
    operator = make(deferrable=False)
    found = operator.execute(context_of(operator, try_number=2))
    assert found["total_votes"] == 100
    assert len(paid(sandbox)) == 1


def test_a_wait_that_times_out_leaves_the_batch(
    sandbox: Sandbox, make: Make, context_of: ContextOf
):
    operator = make(deferrable=False, poll_interval=0.05, timeout=timedelta(seconds=0.3))
    with pytest.raises(AirflowException, match="wait again") as raised:
        operator.execute(context_of(operator))
    assert not isinstance(raised.value, AirflowFailException)
    sandbox.advance(3600)
    assert operator.execute(context_of(operator, try_number=2))["state"] == "Completed"
    assert len(paid(sandbox)) == 1


def test_all_mistakes_are_found_before_anything_is_sent(
    sandbox: Sandbox, context_of: ContextOf, tmp_path: Path
):
    (tmp_path / "file").touch()
    operator = RapidataRankingBatchOperator(
        task_id="rank",
        flow_id=" ",
        datapoints=["one"],
        context_assets="one.jpg",
        time_to_live=5,
        result_path=tmp_path / "file",
        key="",
        poll_interval=0.0,
    )
    with pytest.raises(AirflowFailException) as raised:
        operator.execute(context_of(operator))
    for name in (
        "flow_id",
        "datapoints",
        "context_assets",
        "time_to_live",
        "result_path",
        "key",
        "poll_interval",
    ):
        assert f"\n  - {name}: " in str(raised.value)
    assert sandbox.requests() == []


@pytest.mark.parametrize(
    "wrong", [{"on_clear": "again"}, {"on_clear": "new", "key": "mine"}, {"timeout": timedelta(0)}]
)
def test_mistakes_are_found_when_the_dag_is_parsed(make: Make, wrong: dict[str, Any]):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        make(flow_id="a flow", **wrong)


def test_a_classify_flow_ranks_nothing(
    sandbox: Sandbox, make: Make, client: RapidataClient, context_of: ContextOf
):
    flow = client.flow.create_classify_flow("Animals", "What is it?", ["Cat", "Dog"])
    operator = make(flow_id=flow.id)
    with pytest.raises(AirflowFailException, match="is a classify flow"):
        operator.execute(context_of(operator))
    assert paid(sandbox) == []


def test_the_trigger_survives_the_way_to_the_triggerer():
    arguments = {
        "flow_item_id": "an item",
        "rapidata_conn_id": "another",
        "deadline": 1.5,
        "poll_interval": 3.0,
        "first_poll_delay": 1.0,
    }
    path, kwargs = RapidataFlowItemTrigger(**arguments).serialize()
    assert kwargs == arguments
    assert import_string(path)(**kwargs).serialize() == (path, kwargs)
    stored = Trigger.from_object(RapidataFlowItemTrigger(**arguments))
    assert Trigger._decrypt_kwargs(stored.encrypted_kwargs) == arguments


async def test_an_unknown_batch_is_final(sandbox: Sandbox):
    event = await RapidataFlowItemTrigger(flow_item_id="none").outcome()
    assert (event["flow_item_id"], event["status"]) == ("none", "failed")
