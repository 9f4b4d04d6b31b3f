"""Sensors that begin on the triggerer, as Airflow's own scheduler and triggerer see them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.db import initdb

from rapidata_airflow.sensors.job import RapidataJobSensor
from rapidata_airflow.sensors.signal import RapidataSignalRunSensor
from rapidata_airflow.version import AIRFLOW_3_3
from rapidata_core import RapidataClient, parse_job
from rapidata_core.errors import ValidationError
from rapidata_core.sandbox.process import Sandbox

only_3_3 = pytest.mark.skipif(not AIRFLOW_3_3, reason="Airflow 3.2 always begins on a worker")
START = datetime(2026, 1, 1, tzinfo=UTC)


def scheduled(dag: DAG, task_id: str) -> Any:
    """A task as the scheduler knows it."""
    document = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    return DagSerialization.from_dict(document).get_task(task_id)


def sensor_dag(job_id: Any = "{{ params.job_id }}", **arguments: Any) -> DAG:
    with DAG("sensing", start_date=START, schedule=None, params={"job_id": ""}) as dag:
        RapidataJobSensor(task_id="wait", job_id=job_id, start_from_trigger=True, **arguments)
    return dag


def test_a_sensor_begins_on_a_worker_unless_asked_otherwise():
    with DAG("sensing", start_date=START, schedule=None) as dag:
        RapidataJobSensor(task_id="wait", job_id="a job")
    assert scheduled(dag, "wait").start_from_trigger is False


def test_airflow_3_2_begins_on_a_worker_all_the_same():
    assert scheduled(sensor_dag(), "wait").start_from_trigger is AIRFLOW_3_3


@only_3_3
def test_mapped_sensors_begin_on_a_worker():
    with DAG("sensing", start_date=START, schedule=None) as dag:
        mapped = RapidataJobSensor.partial(task_id="wait", start_from_trigger=True)
        mapped.expand(job_id=["one", "two"])
    # Without these, Airflow's scheduler sends the task to a worker.
    assert scheduled(dag, "wait").start_trigger_args is None


@only_3_3
def test_what_is_made_of_an_output_cannot_be_rendered_by_the_triggerer():
    with DAG("sensing", start_date=START, schedule=None):
        upstream = EmptyOperator(task_id="upstream")
        job_id = upstream.output.map(lambda found: found["job_id"])
        with pytest.raises(ValidationError, match="job_id: with start_from_trigger"):
            RapidataJobSensor(task_id="wait", job_id=job_id, start_from_trigger=True)


@only_3_3
def test_an_output_of_another_task_is_handed_over_as_a_template():
    with DAG("sensing", start_date=START, schedule=None) as dag:
        upstream = EmptyOperator(task_id="upstream")
        RapidataJobSensor(
            task_id="wait", job_id=upstream.output["job_id"], start_from_trigger=True, timeout=60
        )
    sensor = scheduled(dag, "wait")
    assert sensor.upstream_task_ids == {"upstream"}
    assert sensor.start_trigger_args.timeout == timedelta(seconds=60)
    job_id = sensor.start_trigger_args.trigger_kwargs["__var"]["job_id"]
    assert "xcom_pull(task_ids='upstream'" in job_id
    assert "key='job_id'" in job_id


@pytest.fixture(scope="module")
def database() -> None:
    initdb()


@pytest.fixture
def begin(database: None) -> Callable[..., Any]:
    """Let Airflow's scheduler schedule the task ``wait`` of a DAG; what it hands to the triggerer.

    Asking again is what a triggerer does that restarts.
    """
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.executors import workloads
    from airflow.executors.workloads.task import TaskInstanceDTO
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.models.trigger import Trigger
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    def handed_over(session: Any, run: Any) -> Any:
        (task_instance,) = run.get_task_instances(session=session)
        trigger = session.get(Trigger, task_instance.trigger_id)
        stored = SerializedDagModel.get(run.dag_id, session=session)
        assert stored is not None
        return workloads.RunTrigger(
            id=trigger.id,
            classpath=trigger.classpath,
            encrypted_kwargs=trigger.encrypted_kwargs,
            ti=TaskInstanceDTO.model_validate(task_instance, from_attributes=True),
            timeout_after=task_instance.trigger_timeout,
            dag_data=stored.data,
            dag_run_data=run.dag_run_data.model_dump(exclude_unset=True),
        )

    def schedule(dag: DAG, conf: dict[str, Any] | None = None) -> list[Any]:
        bag = DagBag(collect_dags=False, bundle_name="sensors")
        bag.bag_dag(dag)
        with create_session() as session:
            session.merge(DagBundleModel(name="sensors"))
        sync_bag_to_db(bag, "sensors", None)
        with create_session() as session:
            stored = SerializedDagModel.get(dag.dag_id, session=session)
            assert stored is not None
            run = stored.dag.create_dagrun(
                run_id=f"manual__{datetime.now(UTC).isoformat()}",
                run_after=START,
                conf=conf,
                run_type=DagRunType.MANUAL,
                triggered_by=DagRunTriggeredByType.TEST,
                state=DagRunState.RUNNING,
                session=session,
            )
            ready, _ = run.update_state(session=session, execute_callbacks=False)
            assert run.schedule_tis(ready, session=session) == 0
            assert [one.state for one in run.get_task_instances(session=session)] == ["deferred"]
            session.commit()
            return [handed_over(session, run), handed_over(session, run)]

    return schedule


async def fired(workload: Any) -> dict[str, Any]:
    """The event of a trigger in Airflow's own runner."""
    from airflow.jobs.triggerer_job_runner import TriggerRunner

    runner = TriggerRunner()
    runner.to_create.append(workload)
    await runner.create_triggers()
    async with asyncio.timeout(60):
        await runner.triggers[workload.id]["task"]
    return runner.events[0].event.payload


@only_3_3
async def test_a_sensor_takes_no_worker_until_the_job_is_done(
    sandbox: Sandbox, begin: Callable[..., Any], compare_job: dict[str, Any]
):
    with RapidataClient(sandbox.client_id, sandbox.client_secret, sandbox.url) as client:
        job_id = client.submit(parse_job(compare_job), "global", key="one").job_id
    dag = sensor_dag(poke_interval=0.05, timeout=timedelta(hours=1))
    workload, after_a_restart = begin(dag, conf={"job_id": job_id})
    # A restart makes the trigger anew, and Airflow goes on counting.
    left = workload.timeout_after - datetime.now(UTC)
    assert timedelta(minutes=50) < left < timedelta(hours=1)
    assert after_a_restart.timeout_after == workload.timeout_after
    sandbox.advance(3600)
    for one in (workload, after_a_restart):
        event = await fired(one)
        assert (event["status"], event["job_id"]) == ("completed", job_id)
    sensor = dag.get_task("wait")
    assert sensor.execute_complete({}, event) == {"job_id": job_id}


@only_3_3
async def test_the_first_run_since_the_dag_run_is_found_by_the_triggerer(
    sandbox: Sandbox, begin: Callable[..., Any]
):
    with RapidataClient(sandbox.client_id, sandbox.client_secret, sandbox.url) as client:
        definition = client.job.create_compare_job_definition(
            name="Which one", instruction="Which?", datapoints=[["a", "b"]], data_type="text"
        )
        signal = client.signals.create_signal("Hourly", "global", definition, 1)
        sandbox.advance(2 * 3600)
        first = signal.get_runs()[-1]
    with DAG("sensing_signals", start_date=START, schedule=None) as dag:
        RapidataSignalRunSensor(task_id="wait", signal_id=signal.id, start_from_trigger=True)
    event = await fired(begin(dag)[0])
    assert (event["status"], event["run_id"]) == ("completed", first.id)
