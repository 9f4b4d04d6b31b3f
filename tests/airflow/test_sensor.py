"""Sensors, and the triggers that wait for them."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.models.trigger import Trigger
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from airflow.sdk.module_loading import import_string

from rapidata_airflow.outcomes import Outcome, RapidataTaskError
from rapidata_airflow.sensors.audience import RapidataAudienceSensor
from rapidata_airflow.sensors.job import RapidataJobSensor
from rapidata_airflow.sensors.leaderboard import RapidataLeaderboardSensor
from rapidata_airflow.sensors.signal import RapidataSignalRunSensor
from rapidata_airflow.sensors.waiting import RapidataSensor
from rapidata_airflow.triggers.audience import RapidataAudienceTrigger
from rapidata_airflow.triggers.leaderboard import RapidataLeaderboardTrigger
from rapidata_airflow.triggers.signal import RapidataSignalRunTrigger
from rapidata_airflow.triggers.waiting import RapidataTrigger
from rapidata_core import RapidataAudience, RapidataClient, RapidataSignal
from rapidata_core.errors import ValidationError
from rapidata_core.sandbox.process import Sandbox
from tests.airflow.deferrals import deferred_by

ContextOf = Callable[..., Any]
HOUR = 3600

GOOD: dict[type[RapidataSensor], dict[str, Any]] = {
    RapidataJobSensor: {"job_id": "a job"},
    RapidataAudienceSensor: {"audience_id": "an audience"},
    RapidataSignalRunSensor: {"signal_id": "a signal"},
    RapidataLeaderboardSensor: {
        "benchmark_id": "a benchmark",
        "leaderboard_id": "a leaderboard",
        "participant": "a model",
        "max_rank": 1,
    },
}


@pytest.fixture
def signal(client: RapidataClient) -> RapidataSignal:
    # Enough of it that people need a while.
    definition = client.job.create_compare_job_definition(
        name="Which one",
        instruction="Which?",
        datapoints=[["a", "b"], ["c", "d"]],
        data_type="text",
        responses_per_datapoint=200,
    )
    return client.signals.create_signal("Hourly", "global", definition, 1)


@pytest.fixture
def audience(client: RapidataClient) -> RapidataAudience:
    audience = client.audience.create_audience("Experts")
    for number in range(3):
        audience.add_compare_example(
            "Which is better?",
            datapoint=[f"good {number}", "bad"],
            truth=f"good {number}",
            data_type="text",
        )
    return audience


def job_sensor(job_id: str, **arguments: Any) -> RapidataJobSensor:
    return RapidataJobSensor(task_id="wait", job_id=job_id, **arguments)


def waits(deferred: TaskDeferred, **changes: Any) -> RapidataTrigger:
    """The trigger as the triggerer makes it, but one that looks at once and often."""
    assert isinstance(deferred.trigger, RapidataTrigger)
    path, kwargs = deferred.trigger.serialize()
    kwargs = json.loads(json.dumps(kwargs))
    return import_string(path)(
        **{**kwargs, "first_poll_delay": 0.0, "poll_interval": 0.05, **changes}
    )


def event_of(trigger: RapidataTrigger) -> dict[str, Any]:
    async def first() -> dict[str, Any]:
        async with asyncio.timeout(30):
            (event,) = [event.payload async for event in trigger.run()]
        return event

    return asyncio.run(first())


def resumed(sensor: RapidataSensor, event: dict[str, Any], context: Any) -> Any:
    """What becomes of the task when the trigger has fired."""
    return sensor.resume_execution("execute_complete", {"event": event}, context)


# --- what all sensors do --------------------------------------------------------------------------


@pytest.mark.parametrize("sensor_type", GOOD, ids=lambda one: one.__name__)
def test_blank_arguments_are_found_when_the_dag_is_parsed(sensor_type: type[RapidataSensor]):
    for name in sensor_type.required:
        with pytest.raises(ValidationError, match=f"{name}: must not be blank"):
            sensor_type(task_id="wait", **{**GOOD[sensor_type], name: " "})


@pytest.mark.parametrize("sensor_type", GOOD, ids=lambda one: one.__name__)
def test_what_other_tasks_find_can_be_waited_for(sensor_type: type[RapidataSensor]):
    with DAG("labels", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None):
        upstream = EmptyOperator(task_id="upstream")
        for name in sensor_type.required:
            assert name in sensor_type.template_fields
            found = {**GOOD[sensor_type], name: upstream.output[name]}
            sensor = sensor_type(task_id=f"wait_{name}", **found)
            assert sensor.upstream_task_ids == {"upstream"}


@pytest.mark.parametrize("sensor_type", GOOD, ids=lambda one: one.__name__)
def test_the_trigger_survives_the_way_to_the_triggerer(
    sandbox: Sandbox, sensor_type: type[RapidataSensor], context_of: ContextOf
):
    sensor = sensor_type(task_id="wait", **GOOD[sensor_type], poke_interval=7)
    trigger = sensor._trigger(deadline=123.0)
    path, kwargs = trigger.serialize()
    assert kwargs == json.loads(json.dumps(kwargs))
    assert (kwargs["deadline"], kwargs["poll_interval"]) == (123.0, 7.0)
    assert kwargs["first_poll_delay"] >= 15
    assert {name: kwargs[name] for name in sensor.trigger_arguments()} == sensor.trigger_arguments()
    assert import_string(path)(**kwargs).serialize() == (path, kwargs)
    assert Trigger._decrypt_kwargs(Trigger.from_object(trigger).encrypted_kwargs) == kwargs
    assert sandbox.requests() == []


@pytest.mark.parametrize(
    ("sensor_type", "wrong"),
    [
        (RapidataJobSensor, {"on_attention": {"Asleep": "wait"}}),
        (RapidataAudienceSensor, {"graduates": 0}),
        (RapidataSignalRunSensor, {"on_attention": {"Paused": "sing"}}),
        (RapidataLeaderboardSensor, {"max_rank": None}),
        (RapidataLeaderboardSensor, {"max_rank": 0}),
        (RapidataLeaderboardSensor, {"min_score": "high"}),
        (RapidataLeaderboardSensor, {"min_matches": -1}),
        (RapidataJobSensor, {"start_from_trigger": True, "deferrable": False}),
    ],
    ids=str,
)
def test_mistakes_are_found_when_the_dag_is_parsed(
    sensor_type: type[RapidataSensor], wrong: dict[str, Any]
):
    with pytest.raises(ValidationError, match=r"\('wait'\) is not valid"):
        sensor_type(task_id="wait", **{**GOOD[sensor_type], **wrong})


def test_what_a_template_becomes_is_checked_before_anything_is_sent(
    sandbox: Sandbox, context_of: ContextOf
):
    sensor = job_sensor("{{ params.job_id }}")
    sensor.job_id = " "
    with pytest.raises(AirflowFailException, match="job_id: must not be blank"):
        sensor.execute(context_of(sensor))
    sensor.job_id = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(AirflowFailException, match="cannot be handed to the triggerer"):
        sensor.execute(context_of(sensor))
    assert sandbox.requests() == []


# --- jobs -----------------------------------------------------------------------------------------


def test_a_job_that_is_done_is_not_waited_for(sandbox: Sandbox, job_id: str, context_of: ContextOf):
    sandbox.advance(HOUR)
    sensor = job_sensor(job_id)
    assert sensor.execute(context_of(sensor)) == {"job_id": job_id}


def test_a_job_is_waited_for_on_the_triggerer(sandbox: Sandbox, job_id: str, context_of: ContextOf):
    sensor = job_sensor(job_id, timeout=2 * HOUR)
    before = time.time()
    deferred = deferred_by(sensor, context_of(sensor))
    assert before + 2 * HOUR <= waits(deferred).deadline <= time.time() + 2 * HOUR
    # The trigger's own deadline comes first: it says what it waited for.
    assert deferred.timeout > timedelta(hours=2)
    sandbox.advance(HOUR)
    event = event_of(waits(deferred))
    assert resumed(job_sensor(job_id), event, None) == {"job_id": job_id}
    sandbox.assert_paid_jobs(1)


def test_whatever_happens_to_the_task_the_job_goes_on(
    sandbox: Sandbox, job_id: str, context_of: ContextOf
):
    sensor = job_sensor(job_id)
    _, kwargs = deferred_by(sensor, context_of(sensor)).trigger.serialize()
    assert kwargs["on_kill_action"] == "keep"


@pytest.mark.parametrize(
    ("state", "error"),
    [("Failed", AirflowFailException), ("Paused", RapidataTaskError)],
)
def test_a_job_that_does_not_go_on(
    sandbox: Sandbox,
    client: RapidataClient,
    job_id: str,
    context_of: ContextOf,
    state: str,
    error: type[Exception],
):
    sensor = job_sensor(job_id)
    context = context_of(sensor)
    deferred = deferred_by(sensor, context)
    sandbox.set_job_state(job_id, state)
    with pytest.raises(error, match=job_id):
        sensor.execute(context)
    event = event_of(waits(deferred))
    with pytest.raises(error, match=job_id):
        resumed(sensor, event, context)
    with pytest.raises(error, match=job_id):
        job_sensor(job_id, deferrable=False).execute(context)


@pytest.mark.parametrize("state", ["Failed", "Paused"])
@pytest.mark.parametrize("soft", ["soft_fail", "never_fail"])
@pytest.mark.parametrize("deferrable", [True, False])
def test_a_sensor_that_fails_softly_skips(
    sandbox: Sandbox, job_id: str, context_of: ContextOf, state: str, soft: str, deferrable: bool
):
    sandbox.set_job_state(job_id, state)
    sensor = job_sensor(job_id, deferrable=deferrable, **{soft: True})
    with pytest.raises(AirflowSkipException, match=job_id):
        sensor.execute(context_of(sensor))


def test_a_state_that_needs_somebody_can_be_waited_out(
    sandbox: Sandbox, job_id: str, context_of: ContextOf
):
    sandbox.set_job_state(job_id, "Paused")
    sensor = job_sensor(job_id, on_attention={"Paused": "wait"})
    deferred_by(sensor, context_of(sensor))


def test_a_timeout_is_not_retried(sandbox: Sandbox, job_id: str, context_of: ContextOf):
    sensor = job_sensor(job_id)
    event = event_of(waits(deferred_by(sensor, context_of(sensor)), deadline=time.time()))
    assert event["status"] == Outcome.TIMEOUT
    with pytest.raises(AirflowSensorTimeout, match=job_id):
        resumed(sensor, event, None)
    with pytest.raises(AirflowSkipException, match=job_id):
        job_sensor(job_id, soft_fail=True).execute_complete({}, event)


def test_execution_timeout_counts_while_the_task_is_deferred(
    sandbox: Sandbox, job_id: str, context_of: ContextOf
):
    sensor = job_sensor(job_id, timeout=HOUR, execution_timeout=timedelta(seconds=90))
    context = context_of(sensor)
    start = context["ti"].start_date.timestamp()
    deadline = waits(deferred_by(sensor, context)).deadline
    assert deadline == pytest.approx(start + 90, abs=1)


def test_exponential_backoff_looks_less_often_the_longer_it_takes(
    sandbox: Sandbox, job_id: str, context_of: ContextOf
):
    sensor = job_sensor(job_id, exponential_backoff=True)
    _, kwargs = deferred_by(sensor, context_of(sensor)).trigger.serialize()
    assert kwargs["poll_interval"] is None


def test_a_sensor_can_wait_on_its_worker(sandbox: Sandbox, job_id: str, context_of: ContextOf):
    sensor = job_sensor(job_id, deferrable=False, poke_interval=0.05)
    looks = threading.Event()
    poke = sensor.poke

    def poke_and_tell(context: Any) -> Any:
        seen = poke(context)
        looks.set()
        return seen

    sensor.poke = poke_and_tell
    found: list[Any] = []
    task = threading.Thread(target=lambda: found.append(sensor.execute(context_of(sensor))))
    task.start()
    assert looks.wait(30)
    assert found == []
    sandbox.advance(HOUR)
    task.join(30)
    assert found == [{"job_id": job_id}]


def test_a_sensor_can_give_its_worker_back(sandbox: Sandbox, job_id: str, context_of: ContextOf):
    sensor = job_sensor(job_id, deferrable=False, mode="reschedule")
    context = context_of(sensor)
    context["ti"].get_first_reschedule_date = lambda _: None
    with pytest.raises(AirflowRescheduleException):
        sensor.execute(context)


def test_an_unknown_job_is_final(sandbox: Sandbox, context_of: ContextOf):
    sensor = job_sensor("no such job")
    with pytest.raises(AirflowFailException, match="no such job"):
        sensor.execute(context_of(sensor))


def test_a_missing_connection_says_how_to_make_one(sandbox: Sandbox, context_of: ContextOf):
    sensor = job_sensor("a job", rapidata_conn_id="absent")
    with pytest.raises(RapidataTaskError, match="airflow connections add absent"):
        sensor.execute(context_of(sensor))


# --- audiences ------------------------------------------------------------------------------------


def test_an_audience_is_waited_for(
    sandbox: Sandbox, audience: RapidataAudience, context_of: ContextOf
):
    audience.start_recruiting()
    sensor = RapidataAudienceSensor(task_id="wait", audience_id=audience.id, graduates=2)
    deferred = deferred_by(sensor, context_of(sensor))
    sandbox.advance(24 * HOUR)
    found = resumed(sensor, event_of(waits(deferred)), None)
    assert found["audience_id"] == audience.id
    assert found["graduated"] >= 2
    assert sensor.execute(context_of(sensor)) == found


def test_an_audience_that_nobody_can_join_needs_somebody(
    sandbox: Sandbox, client: RapidataClient, context_of: ContextOf
):
    empty = client.audience.create_audience("Nobody")
    sensor = RapidataAudienceSensor(task_id="wait", audience_id=empty.id)
    event = event_of(waits(deferred_by(sensor, context_of(sensor))))
    assert event["status"] == Outcome.NEEDS_ATTENTION
    with pytest.raises(RapidataTaskError, match="start_recruiting"):
        resumed(sensor, event, None)


def test_an_audience_of_everybody_is_ready(
    sandbox: Sandbox, client: RapidataClient, context_of: ContextOf
):
    mine = client.audience.create_unlisted_audience("Colleagues")
    for audience_id in ("global", mine.id):
        sensor = RapidataAudienceSensor(task_id="wait", audience_id=audience_id)
        found = sensor.execute(context_of(sensor))
        assert (found["audience_id"], found["graduated"] >= 0) == (audience_id, True)


# --- signals --------------------------------------------------------------------------------------


def signal_sensor(signal: RapidataSignal, **arguments: Any) -> RapidataSignalRunSensor:
    return RapidataSignalRunSensor(task_id="wait", signal_id=signal.id, **arguments)


def test_a_run_of_a_signal_is_waited_for(
    sandbox: Sandbox, signal: RapidataSignal, context_of: ContextOf
):
    run = signal.trigger()
    sensor = signal_sensor(signal, run_id=run.id)
    context = context_of(sensor)
    deferred = deferred_by(sensor, context)
    sandbox.advance(10)
    # The job is there by now, and people are still at it.
    deferred_by(sensor, context)
    sandbox.advance(HOUR)
    found = resumed(sensor, event_of(waits(deferred)), None)
    assert found == {
        "signal_id": signal.id,
        "run_id": run.id,
        "job_id": signal.get_runs()[-1].job_id,
        "started_at": run.started_at.isoformat(),
    }


def test_the_first_run_since_a_moment_is_waited_for(
    sandbox: Sandbox, signal: RapidataSignal, context_of: ContextOf
):
    sandbox.advance(HOUR)
    first = signal.get_runs()[0]
    sandbox.advance(HOUR)
    second = signal.get_runs()[0]
    for since, wanted in ((first.started_at, first), (second.started_at, second)):
        sandbox.advance(HOUR // 2)
        sensor = signal_sensor(signal, since=since)
        found = sensor.execute(context_of(sensor))
        assert (found["run_id"], found["job_id"] is not None) == (wanted.id, True)
    later = second.started_at + timedelta(days=1)
    sensor = signal_sensor(signal, since=later.isoformat())
    deferred_by(sensor, context_of(sensor))


def test_a_run_since_the_dag_run_is_what_is_waited_for(context_of: ContextOf):
    sensor = RapidataSignalRunSensor(task_id="wait", signal_id="a signal")
    for fields in ({"logical_date": MOMENT, "run_after": LATER}, {"run_after": MOMENT}):
        fresh = RapidataSignalRunSensor(task_id="wait", signal_id="a signal")
        dag_run = {"logical_date": None, **fields}
        fresh.render_template_fields({"dag_run": dag_run})
        assert datetime.fromisoformat(str(fresh.since)) == MOMENT
    assert "since" in sensor.template_fields


MOMENT = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
LATER = MOMENT + timedelta(days=1)


def test_a_run_that_was_skipped_says_why(
    sandbox: Sandbox, signal: RapidataSignal, context_of: ContextOf
):
    signal.trigger()
    sandbox.advance(5)
    skipped = signal.trigger()
    sensor = signal_sensor(signal, run_id=skipped.id)
    with pytest.raises(RapidataTaskError, match="previous run is still open"):
        sensor.execute(context_of(sensor))


@pytest.mark.parametrize("since", ["yesterday", "2026-11-21T08:00:00", ""])
def test_a_moment_that_is_none_is_final(
    sandbox: Sandbox, signal: RapidataSignal, context_of: ContextOf, since: str
):
    sensor = signal_sensor(signal, since=since)
    with pytest.raises(AirflowFailException, match="since"):
        sensor.execute(context_of(sensor))


def test_a_run_can_be_waited_for_without_its_answers(sandbox: Sandbox, signal: RapidataSignal):
    run = signal.trigger()
    sandbox.advance(5)
    trigger = RapidataSignalRunTrigger(
        signal_id=signal.id, run_id=run.id, wait_for_job=False, first_poll_delay=0.0
    )
    event = event_of(trigger)
    assert event["status"] == Outcome.COMPLETED
    assert event["job_id"] == signal.get_runs()[0].job_id


# --- leaderboards ---------------------------------------------------------------------------------


def test_a_standing_is_waited_for(sandbox: Sandbox, client: RapidataClient, context_of: ContextOf):
    prompt = "A serene mountain landscape at sunset"
    benchmark = client.mri.create_new_benchmark(name="Art", prompts=[prompt])
    leaderboard = benchmark.create_leaderboard("Realism", "Which image is more realistic?")
    # In the sandbox's world these are good and bad, whatever they are asked to paint.
    for name in ("model 10", "model 0"):
        texts = [f"{name}, version {number}" for number in range(8)]
        benchmark.add_model(name, texts, [prompt] * 8, None, "text")

    def sensor(participant: str) -> RapidataLeaderboardSensor:
        return RapidataLeaderboardSensor(
            task_id="wait",
            benchmark_id=benchmark.id,
            leaderboard_id=leaderboard.id,
            participant=participant,
            max_rank=1,
            min_matches=1,
        )

    best, worst = sensor("model 10"), sensor("model 0")
    context = context_of(best)
    deferred = deferred_by(best, context)
    benchmark.run()
    sandbox.advance(HOUR)
    found = resumed(best, event_of(waits(deferred)), None)
    assert (found["leaderboard_id"], found["participant"]) == (leaderboard.id, "model 10")
    assert (found["rank"], found["matches"] > 0, found["score"] > 0) == (1, True, True)
    assert best.execute(context) == found
    event = event_of(waits(deferred_by(worst, context), deadline=time.time()))
    with pytest.raises(AirflowSensorTimeout, match="rank 2"):
        resumed(worst, event, None)


def test_every_trigger_is_tested_here():
    types = {sensor_type.trigger_type for sensor_type in GOOD}
    assert {RapidataAudienceTrigger, RapidataLeaderboardTrigger, RapidataSignalRunTrigger} < types
