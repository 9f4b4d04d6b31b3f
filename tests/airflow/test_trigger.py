"""Waiting on the triggerer."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

import pytest
from airflow.models.trigger import Trigger
from airflow.sdk.module_loading import import_string

from rapidata_airflow.triggers.job import RapidataJobTrigger
from rapidata_core.sandbox.process import Sandbox


async def events_of(**arguments: Any) -> list[dict[str, Any]]:
    trigger = RapidataJobTrigger(**{"first_poll_delay": 0.0, "poll_interval": 0.05, **arguments})
    async with asyncio.timeout(30):
        return [event.payload async for event in trigger.run()]


def test_it_survives_the_way_to_the_triggerer():
    arguments = {
        "job_id": "a job",
        "on_attention": {"Paused": "wait"},
        "on_kill_action": "keep",
        "handed": {"adopted": True},
        "rapidata_conn_id": "another",
        "deadline": time.time() + 60,
        "poll_interval": 3.0,
        "first_poll_delay": 1.0,
    }
    path, kwargs = RapidataJobTrigger(**arguments).serialize()
    assert kwargs == arguments == json.loads(json.dumps(kwargs))
    assert import_string(path)(**kwargs).serialize() == (path, kwargs)
    stored = Trigger.from_object(RapidataJobTrigger(**arguments))
    assert Trigger._decrypt_kwargs(stored.encrypted_kwargs) == arguments


def test_the_first_look_is_late_enough_for_airflow():
    assert RapidataJobTrigger(job_id="a job").serialize()[1]["first_poll_delay"] >= 15


async def test_the_first_look_waits(sandbox: Sandbox, job_id: str):
    sandbox.advance(3600)
    started = time.monotonic()
    await events_of(job_id=job_id, first_poll_delay=0.7)
    assert time.monotonic() - started >= 0.7


async def test_a_job_completes_while_it_is_watched(sandbox: Sandbox, job_id: str):
    watching = asyncio.create_task(events_of(job_id=job_id))
    await asyncio.sleep(1)
    assert not watching.done()
    await asyncio.to_thread(sandbox.advance, 3600)
    (event,) = await watching
    assert event == {
        "status": "completed",
        "job_id": job_id,
        "message": "It is done",
    }


@pytest.mark.parametrize(
    ("state", "status"),
    [("Failed", "failed"), ("Paused", "needs_attention"), ("SpendLimited", "needs_attention")],
)
async def test_a_job_that_does_not_go_on(sandbox: Sandbox, job_id: str, state: str, status: str):
    sandbox.set_job_state(job_id, state, failure_message="the dataset is empty")
    (event,) = await events_of(job_id=job_id)
    assert (event["status"], event["job_id"]) == (status, job_id)
    assert job_id in event["message"]
    if state == "Failed":
        assert "the dataset is empty" in event["message"]


async def test_the_deadline_is_a_time_of_day(sandbox: Sandbox, job_id: str):
    # A triggerer that restarts makes the trigger anew, with the same arguments.
    deadline = time.time() + 1.5
    for _ in range(2):
        (event,) = await events_of(job_id=job_id, deadline=deadline)
        assert event["status"] == "timeout"
        assert deadline <= time.time() < deadline + 2


async def test_a_job_that_is_done_is_done_even_after_the_deadline(sandbox: Sandbox, job_id: str):
    sandbox.advance(3600)
    (event,) = await events_of(job_id=job_id, deadline=time.time() - 60)
    assert event["status"] == "completed"


async def test_an_unknown_job_is_final(sandbox: Sandbox):
    (event,) = await events_of(job_id="no such job")
    assert event["status"] == "failed"


async def test_an_unexpected_error_is_an_event(sandbox: Sandbox):
    (event,) = await events_of(job_id="a job", rapidata_conn_id="absent")
    assert event["status"] == "error"
    assert "airflow connections add absent" in event["message"]


async def test_progress_is_logged_when_it_changes(
    sandbox: Sandbox,
    job_id: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    # Airflow's own loggers hand their records to the triggerer, not to pytest.
    monkeypatch.setattr(RapidataJobTrigger, "log", logging.getLogger(__name__))
    caplog.set_level("INFO", __name__)
    watching = asyncio.create_task(events_of(job_id=job_id))

    def told() -> list[str]:
        return [record.message for record in caplog.records if record.name == __name__]

    async with asyncio.timeout(30):
        while not told():  # noqa: ASYNC110 - a log rings no bell
            await asyncio.sleep(0.05)
    await asyncio.to_thread(sandbox.advance, 3600)
    await watching
    assert all(message.startswith(f"Job {job_id}: ") for message in told())
    # The event says that it is done.
    assert not any("Completed" in message for message in told())
