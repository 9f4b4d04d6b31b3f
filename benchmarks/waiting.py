"""Waiting for many jobs for a minute: ours as tasks of one process, the vendor's a thread per job.

Both prepare, say so by a file, and begin when another file appears; at the end they write down when
which wait ended, and how many threads there were.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

SECONDS = 60.0


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


def _write(folder: Path, ended: dict[str, float], threads: int) -> None:
    (folder / "ended").write_text(json.dumps({"ended": ended, "threads": threads}))
