"""Tasks about signals. The sandbox's ledger judges what was paid."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.dagbundle import DagBundleModel
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from airflow.utils.db import initdb
from airflow.utils.session import create_session

import rapidata_airflow.triggers.waiting
from rapidata_airflow.kills import PAUSED_BY
from rapidata_airflow.operators.signal import (
    RapidataPauseSignalOperator,
    RapidataResumeSignalOperator,
    RapidataSignalOperator,
    RapidataTriggerSignalOperator,
)
from rapidata_airflow.outcomes import RapidataTaskError
from rapidata_airflow.sensors.job import RapidataJobSensor
from rapidata_airflow.sensors.signal import RapidataSignalRunSensor
from rapidata_airflow.triggers.job import RapidataJobTrigger
from rapidata_core import RapidataClient, RapidataJobDefinition, RapidataSignal
from rapidata_core.errors import ValidationError
from rapidata_core.sandbox.process import Sandbox
from tests.airflow.deferrals import deferred_by, handed

ContextOf = Callable[..., Any]
HOUR = 3600
# Enough of it that people need a while.
WORK: dict[str, Any] = {
    "instruction": "Which?",
    "datapoints": [["a", "b"], ["c", "d"]],
    "data_type": "text",
    "responses_per_datapoint": 200,
}
TRIGGER = {"method": "POST", "path": "/signal/*/trigger"}


@pytest.fixture
def client(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[RapidataClient]:
    # What was sent shows at once in the sandbox.
    monkeypatch.setenv("RAPIDATA_SETTLE", "0.5")
    with RapidataClient(sandbox.client_id, sandbox.client_secret, sandbox.url) as client:
        yield client


@pytest.fixture
def definition(client: RapidataClient) -> RapidataJobDefinition:
    return client.job.create_compare_job_definition(name="Which one", **WORK)


@pytest.fixture
def signal(client: RapidataClient, definition: RapidataJobDefinition) -> RapidataSignal:
    signal = client.signals.create_signal("Hourly", "global", definition, 24)
    signal.pause()
    return signal


def hourly(definition: RapidataJobDefinition, **arguments: Any) -> RapidataSignalOperator:
    given = {
        "task_id": "have",
        "name": "Hourly",
        "audience_id": "global",
        "job_definition_id": definition.id,
        "interval_hours": 1,
    }
    return RapidataSignalOperator(**{**given, **arguments})


def fire(signal: RapidataSignal, **arguments: Any) -> RapidataTriggerSignalOperator:
    return RapidataTriggerSignalOperator(task_id="fire", signal_id=signal.id, **arguments)


# --- having a signal ------------------------------------------------------------------------------


def test_a_task_has_one_signal_in_all_runs(
    sandbox: Sandbox,
    client: RapidataClient,
    definition: RapidataJobDefinition,
    context_of: ContextOf,
):
    first = hourly(definition)
    context = context_of(first)
    found = first.execute(context)
    assert context["ti"].xcoms == {"signal_id": found["signal_id"]}
    assert datetime.fromisoformat(found["next_run_at"]) > datetime.now(UTC)
    assert (json.loads(json.dumps(found)), found["is_paused"]) == (found, False)
    changed = hourly(definition, name="Every two hours", interval_hours=2)
    context = context_of(changed, try_number=2)
    context["ti"].run_id = "manual__tomorrow"
    assert changed.execute(context)["signal_id"] == found["signal_id"]
    (signal,) = client.signals.find_signals()
    assert (signal.name, signal.interval_hours) == ("Every two hours", 2)
    sandbox.assert_paid_jobs(0)


def test_mapped_tasks_have_a_signal_each(
    client: RapidataClient, definition: RapidataJobDefinition, context_of: ContextOf
):
    for map_index in (0, 1, 0):
        operator = hourly(definition)
        operator.execute(context_of(operator, map_index=map_index))
    assert len(client.signals.find_signals()) == 2


def test_a_key_is_shared_by_whoever_gives_it(
    client: RapidataClient, definition: RapidataJobDefinition, context_of: ContextOf
):
    for task_id in ("one", "other"):
        operator = hourly(definition, task_id=task_id, key="ours")
        operator.execute(context_of(operator))
    assert len(client.signals.find_signals()) == 1


def test_another_audience_is_refused(
    client: RapidataClient, definition: RapidataJobDefinition, context_of: ContextOf
):
    operator = hourly(definition)
    operator.execute(context_of(operator))
    other = hourly(definition, audience_id=client.audience.create_audience("Experts").id)
    with pytest.raises(AirflowFailException, match="cannot change that"):
        other.execute(context_of(other))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"audience_id": ""},
        {"job_definition_id": None},
        {"interval_hours": 0.001},
        {"interval_hours": "daily"},
        {"revision_number": 0},
        {"max_cost": -1.0},
    ],
    ids=str,
)
def test_a_wrong_signal_is_found_when_the_dag_is_parsed(wrong: dict[str, Any]):
    given = {"name": "n", "audience_id": "a", "job_definition_id": "d", "interval_hours": 1}
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        RapidataSignalOperator(task_id="have", **{**given, **wrong})


def test_what_other_tasks_made_is_not_known_yet():
    with DAG("labels", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None):
        made = EmptyOperator(task_id="made").output
        signal = RapidataSignalOperator(
            task_id="have", name="n", audience_id=made, job_definition_id=made, interval_hours=1
        )
        fired = RapidataTriggerSignalOperator(task_id="fire", signal_id=made)
    assert signal.upstream_task_ids == fired.upstream_task_ids == {"made"}


def test_what_costs_too_much_is_refused(
    sandbox: Sandbox,
    client: RapidataClient,
    definition: RapidataJobDefinition,
    signal: RapidataSignal,
    context_of: ContextOf,
    connect: Callable[..., None],
):
    cost = definition.estimated_cost.estimated_cost
    tasks: list[Any] = [hourly(definition, max_cost=cost / 2), fire(signal, max_cost=cost / 2)]
    for operator in tasks:
        with pytest.raises(AirflowFailException, match="max_cost"):
            operator.execute(context_of(operator))
    assert len(client.signals.find_signals()) == 1
    sandbox.assert_paid_jobs(0)
    # What the connection allows holds for all.
    connect(
        login=sandbox.client_id,
        password=sandbox.client_secret,
        host=sandbox.url,
        extra={"max_cost_per_job": cost / 2},
    )
    with pytest.raises(AirflowFailException, match="max_cost"):
        fire(signal).execute(context_of(tasks[1]))
    sandbox.assert_paid_jobs(0)


def test_what_costs_as_much_as_it_may_is_paid(
    sandbox: Sandbox,
    definition: RapidataJobDefinition,
    signal: RapidataSignal,
    context_of: ContextOf,
):
    operator = fire(signal, max_cost=definition.estimated_cost.estimated_cost)
    deferred_by(operator, context_of(operator))
    sandbox.assert_paid_jobs(1)


def test_a_limit_that_came_later_does_not_lose_what_is_paid(
    sandbox: Sandbox, signal: RapidataSignal, context_of: ContextOf
):
    first = fire(signal)
    job_id = deferred_by(first, context_of(first)).trigger.job_id
    retry = fire(signal, max_cost=0.0)
    assert deferred_by(retry, context_of(retry, try_number=2)).trigger.job_id == job_id
    sandbox.assert_paid_jobs(1)


# --- firing ---------------------------------------------------------------------------------------


def test_it_fires_and_leaves_the_worker(
    sandbox: Sandbox, signal: RapidataSignal, context_of: ContextOf, tmp_path: Path
):
    operator = fire(signal, result_path=str(tmp_path), timeout=timedelta(hours=2))
    context = context_of(operator)
    deferred = deferred_by(operator, context)
    sandbox.assert_paid_jobs(1)
    (run,) = signal.get_runs()
    told = {"run_id": run.id, "job_id": run.job_id}
    assert context["ti"].xcoms.items() >= told.items()
    assert context["ti"].xcoms["job_url"].startswith(sandbox.url)
    assert isinstance(deferred.trigger, RapidataJobTrigger)
    arguments = deferred.trigger.serialize()[1]
    assert (arguments["job_id"], arguments["on_kill_action"]) == (run.job_id, "pause")
    sandbox.advance(HOUR)
    event = asyncio.run(deferred.trigger.outcome())
    fresh = fire(signal, result_path=str(tmp_path))
    found = fresh.execute_complete(context, json.loads(json.dumps(event)))
    assert found.items() >= {"signal_id": signal.id, **told}.items()
    assert Path(found["labels"]).is_relative_to(tmp_path / str(run.job_id))
    assert pyarrow.parquet.read_metadata(found["labels"]).num_rows == 2
    sandbox.assert_paid_jobs(1)


def test_a_retry_goes_on_with_the_same_job(
    sandbox: Sandbox, signal: RapidataSignal, context_of: ContextOf
):
    tries = [(fire(signal), number) for number in (1, 2, 3)]
    first, *others = (handed(deferred_by(one, context_of(one, try_number=n))) for one, n in tries)
    assert others == [first, first]
    assert first["job_id"] == signal.get_runs()[0].job_id
    sandbox.assert_paid_jobs(1)


@pytest.mark.parametrize("phase", ["before", "after_commit"])
def test_a_lost_answer_is_not_paid_again(
    sandbox: Sandbox, signal: RapidataSignal, context_of: ContextOf, phase: str
):
    sandbox.faults([{**TRIGGER, "phase": phase, "action": "drop"}])
    operator = fire(signal)
    deferred_by(operator, context_of(operator))
    deferred_by(operator, context_of(operator, try_number=2))
    sandbox.assert_paid_jobs(1)


def test_a_firing_that_is_skipped_is_tried_again_and_paid_once(
    sandbox: Sandbox, signal: RapidataSignal, context_of: ContextOf
):
    signal.trigger()
    sandbox.advance(3)
    operator = fire(signal)
    with pytest.raises(RapidataTaskError, match="previous run is still open"):
        operator.execute(context_of(operator))
    sandbox.assert_paid_jobs(1)
    sandbox.advance(HOUR)
    for try_number in (2, 3):
        deferred_by(operator, context_of(operator, try_number=try_number))
        sandbox.assert_paid_jobs(2)


def test_another_run_of_the_dag_fires_again(
    sandbox: Sandbox, signal: RapidataSignal, context_of: ContextOf
):
    operator = fire(signal)
    deferred_by(operator, context_of(operator))
    sandbox.advance(HOUR)
    context = context_of(operator)
    context["ti"].run_id = "manual__tomorrow"
    deferred_by(operator, context)
    sandbox.assert_paid_jobs(2)


def test_a_job_that_was_paused_with_its_task_goes_on(
    sandbox: Sandbox, client: RapidataClient, signal: RapidataSignal, context_of: ContextOf
):
    operator = fire(signal)
    fired = handed(deferred_by(operator, context_of(operator)))
    job = client.job.get_job_by_id(fired["job_id"])
    job.pause(by=PAUSED_BY)
    assert job.get_status() == "Paused"
    deferred_by(operator, context_of(operator, try_number=2))
    assert job.get_status() != "Paused"
    sandbox.assert_paid_jobs(1)


def test_it_need_not_wait(sandbox: Sandbox, signal: RapidataSignal, context_of: ContextOf):
    operator = fire(signal, wait_for_completion=False)
    found = operator.execute(context_of(operator))
    (run,) = signal.get_runs()
    assert (found["signal_id"], found["run_id"], found["job_id"]) == (
        signal.id,
        run.id,
        run.job_id,
    )


def test_it_can_wait_on_its_worker(sandbox: Sandbox, signal: RapidataSignal, context_of: ContextOf):
    waiting = fire(signal)
    deferred_by(waiting, context_of(waiting))
    sandbox.advance(HOUR)
    operator = fire(signal, deferrable=False)
    found = operator.execute(context_of(operator, try_number=2))
    assert found["job_id"] == signal.get_runs()[0].job_id
    sandbox.assert_paid_jobs(1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"signal_id": " "},
        {"timeout": timedelta(0)},
        {"max_cost": "much"},
        {"on_attention": {"Paused": "sing"}},
        {"on_kill_action": "delete"},
        {"result_path": "labels", "wait_for_completion": False},
    ],
    ids=str,
)
def test_a_wrong_firing_is_found_when_the_dag_is_parsed(wrong: dict[str, Any]):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        RapidataTriggerSignalOperator(task_id="fire", **{"signal_id": "a signal", **wrong})


@pytest.mark.parametrize(
    "wrong",
    [{"result_path": " "}, {"poll_interval": 0.0}, {"rapidata_conn_id": object()}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_mistakes_are_found_before_anything_is_sent(
    sandbox: Sandbox, context_of: ContextOf, wrong: dict[str, Any]
):
    operator = RapidataTriggerSignalOperator(task_id="fire", signal_id="a signal", **wrong)
    with pytest.raises(AirflowFailException):
        operator.execute(context_of(operator))
    assert sandbox.requests() == []


def test_an_unknown_signal_is_final(client: RapidataClient, context_of: ContextOf):
    operator = RapidataTriggerSignalOperator(task_id="fire", signal_id="no such signal")
    with pytest.raises(AirflowFailException, match="no such signal"):
        operator.execute(context_of(operator))


# --- pausing and resuming -------------------------------------------------------------------------


def test_pausing_and_resuming_can_be_repeated(
    sandbox: Sandbox, signal: RapidataSignal, context_of: ContextOf
):
    resume = RapidataResumeSignalOperator(task_id="resume", signal_id=signal.id)
    pause = RapidataPauseSignalOperator(task_id="pause", signal_id=signal.id)
    for operator, is_paused in ((resume, False), (pause, True)):
        for _ in range(2):
            found = operator.execute(context_of(operator))
            assert (found["signal_id"], found["is_paused"]) == (signal.id, is_paused)
            assert signal.reload().is_paused is is_paused


def test_a_signal_can_be_on_while_other_tasks_run():
    with DAG("labels", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None) as dag:
        resume = RapidataResumeSignalOperator(task_id="resume", signal_id="a signal")
        pause = RapidataPauseSignalOperator(task_id="pause", signal_id="a signal")
        resume >> EmptyOperator(task_id="work") >> pause.as_teardown(setups=resume)
    assert dag.get_task("resume").is_setup
    assert dag.get_task("pause").is_teardown


# --- all of it ------------------------------------------------------------------------------------


# Airflow's API server runs in this process; what it warns about is not ours to mend.
@pytest.mark.filterwarnings("default")
def test_a_dag_fires_a_signal_and_waits_for_its_job(
    sandbox: Sandbox, client: RapidataClient, monkeypatch: pytest.MonkeyPatch
):
    # `dag.test` runs triggers in this process, so there is no scheduler to be too fast for.
    monkeypatch.setattr(rapidata_airflow.triggers.waiting, "FIRST_POLL_DELAY", 0.0)
    small = client.job.create_compare_job_definition(
        name="One", instruction="Which?", datapoints=[["a", "b"]], data_type="text"
    )
    with DAG("signals", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None) as dag:
        have = hourly(small)
        fired = RapidataTriggerSignalOperator(
            task_id="fire", signal_id=have.output["signal_id"], wait_for_completion=False
        )
        RapidataJobSensor(
            task_id="job",
            job_id=fired.output["job_id"],
            poke_interval=0.2,
            start_from_trigger=True,
        )
        run = RapidataSignalRunSensor(
            task_id="run",
            signal_id=have.output["signal_id"],
            run_id=fired.output["run_id"],
            poke_interval=0.2,
        )
        RapidataJobSensor(task_id="again", job_id=run.output["job_id"])
    tell_airflow(dag)
    assert dag.test().state == "success"
    sandbox.assert_paid_jobs(1)


def tell_airflow(dag: DAG) -> None:
    """Let Airflow's database know a DAG that is in no file."""
    initdb()
    bag = DagBag(collect_dags=False, bundle_name="signals")
    bag.bag_dag(dag)
    with create_session() as session:
        session.merge(DagBundleModel(name="signals"))
    sync_bag_to_db(bag, "signals", None)
