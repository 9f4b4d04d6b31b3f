"""What becomes of a job when its task is ended, where Airflow is impatient."""

from __future__ import annotations

import asyncio
import logging
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from rapidata_airflow import kills
from rapidata_core import RapidataClient
from rapidata_core.sandbox.process import Sandbox


async def test_cancelling_a_trigger_again_does_not_keep_its_job_going(
    sandbox: Sandbox, compare_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    account = (sandbox.client_id, sandbox.client_secret, sandbox.url)
    with RapidataClient(*account) as client:
        job_id = client.submit(compare_job, "global", key="k").job_id
    asked, answer = threading.Event(), threading.Event()

    def state_of(ti: object) -> str:
        asked.set()
        assert answer.wait(60)
        return "failed"

    monkeypatch.setattr(kills, "_state_of", state_of)
    killing = asyncio.create_task(
        kills.pause_if_ended(SimpleNamespace(), job_id, "rapidata_default", logging.getLogger())
    )
    assert await asyncio.to_thread(asked.wait, 60)
    killing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await killing
    answer.set()
    await asyncio.gather(*kills._under_way)
    with RapidataClient(*account) as client:
        assert client.job.get_job_by_id(job_id).get_status() == "Paused"
