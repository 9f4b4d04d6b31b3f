"""Waiting for many jobs for a minute: ours as tasks of one process, the vendor's a thread per job.

Both prepare, say so by a file, and begin when another file appears; at the end they write down when
which wait ended, and how many threads there were.

A bare loop, in which each task asks for its own job, is the yardstick for triggers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import threading
import time
from pathlib import Path
from typing import Any

SECONDS = 60.0
# Seconds between looks at how late an event loop is.
BEAT = 0.05


def get_ready(folder: Path) -> None:
    """Tell that everything is prepared, and wait for the start."""
    (folder / "ready").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)


def ours(client: Any, job_ids: list[str], folder: Path) -> None:
    """Wait with the asynchronous client."""
    asyncio.run(_ours(client, job_ids, folder))


async def _ours(client: Any, job_ids: list[str], folder: Path) -> None:
    ended: dict[str, float] = {}

    async def wait(job_id: str) -> None:
        try:
            await client.job.wait(job_id, timeout=SECONDS)
        except TimeoutError:
            return
        ended[job_id] = time.time()

    async with client, asyncio.TaskGroup() as group:
        for job_id in job_ids:
            group.create_task(wait(job_id))
        await asyncio.sleep(SECONDS / 2)
        threads = threading.active_count()
    _write(folder, ended, threads)


def peer(jobs: list[Any], folder: Path) -> None:
    """Wait with the vendor's SDK, whose waits have no end of their own."""
    ended: dict[str, float] = {}

    def wait(job: Any) -> None:
        job.get_results()
        ended[job.id] = time.time()

    for job in jobs:
        threading.Thread(target=wait, args=(job,), daemon=True).start()
    threads = threading.active_count()
    time.sleep(SECONDS)
    _write(folder, ended, threads)


def bare(job_ids: list[str], poll_interval: float, folder: Path) -> None:
    """Wait with a task for each job that asks for it."""
    asyncio.run(_bare(job_ids, poll_interval, folder))


async def _bare(job_ids: list[str], poll_interval: float, folder: Path) -> None:
    # Only here is it installed for sure.
    import httpx2 as httpx

    async def wait(client: httpx.AsyncClient, job_id: str) -> None:
        while True:
            # A connection that was idle for long may be closed just when it is used again.
            with contextlib.suppress(httpx.RemoteProtocolError):
                answer = await client.get(f"/job/{job_id}")
                if answer.raise_for_status().json()["state"] == "Completed":
                    return
            await asyncio.sleep(poll_interval)

    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    url, secret = os.environ["SANDBOX_URL"], os.environ["RAPIDATA_CLIENT_SECRET"]
    async with httpx.AsyncClient(
        base_url=url, verify=context, timeout=60, trust_env=False
    ) as client:
        answer = await client.post(
            "/connect/token",
            data={"grant_type": "client_credentials"},
            auth=(os.environ["RAPIDATA_CLIENT_ID"], secret),
        )
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        tasks = [asyncio.create_task(wait(client, job_id)) for job_id in job_ids]
        tasks.append(asyncio.create_task(pulse(folder / "bare-pulse")))
        await asyncio.wait(tasks, timeout=SECONDS)
        failed = [task.exception() for task in tasks if task.done()]
        assert not failed, failed[0]
        for task in tasks:
            task.cancel()


async def pulse(path: Path) -> None:
    """Write down how late the event loop is, for ever: lines of a time, and the seconds."""
    with path.open("a", buffering=1) as file:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(BEAT)
            file.write(f"{time.time():.3f} {time.perf_counter() - before - BEAT:.6f}\n")


def _write(folder: Path, ended: dict[str, float], threads: int) -> None:
    (folder / "ended").write_text(json.dumps({"ended": ended, "threads": threads}))
