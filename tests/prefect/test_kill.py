"""A flow process that is killed while people work, and run again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rapidata_core.sandbox.process import Sandbox

FLOW = """
import asyncio, json, sys
from prefect import flow
from rapidata_prefect import run_job

@flow
async def daily(job: str, directory: str) -> dict:
    return await run_job(job, directory=directory, key="2026-11-21", poll_interval=0.2)

print(json.dumps(asyncio.run(daily(*sys.argv[1:]))))
"""


def test_killed_while_waiting_and_run_again(
    rapidata_sandbox: Sandbox,
    question: Callable[..., dict[str, Any]],
    tmp_path: Path,
    prefect_server: str,
) -> None:
    job = json.dumps(question() | {"responses_per_datapoint": 500})
    command = [sys.executable, "-c", FLOW, job, str(tmp_path)]
    environment = os.environ | {"PREFECT_API_URL": prefect_server}
    victim = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while rapidata_sandbox.ledger()["paid_jobs"] == 0 and time.monotonic() < deadline:
            assert victim.poll() is None, victim.communicate()[1]
            time.sleep(0.05)
    finally:
        victim.kill()
        victim.communicate()
    rapidata_sandbox.assert_paid_jobs(1)
    (paid,) = rapidata_sandbox.ledger()["entries"]
    assert list(tmp_path.iterdir()) == []
    rapidata_sandbox.advance(3600)
    again = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=110, check=False
    )
    assert again.returncode == 0, again.stderr
    result = json.loads(again.stdout)
    assert (result["job_id"], result["adopted"]) == (paid["id"], True)
    assert Path(result["responses"]).exists()
    rapidata_sandbox.assert_paid_jobs(1)
