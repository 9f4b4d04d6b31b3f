"""A bad network: one request in ten fails, and every submission still gets its one job."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from rapidata_core.http import httpx
from tests.chaos.platform import FAULTLESS, Fault, Platform, play
from tests.chaos.runner import quiet, run, seeded, submission

SHARE = 0.1
# How many times the usual number of requests that may take.
MOST_REQUESTS = 1.3
# What an engine does when a task fails.
ATTEMPTS = 4
BATCH = 50
FAULTS = (
    Fault("refused", carried_out=False),
    Fault("lost", carried_out=False),
    Fault("lost"),
    Fault("truncated"),
    Fault("503", carried_out=False),
    Fault("503"),
    Fault("429", carried_out=False),
)


@dataclass(frozen=True)
class Endured:
    """What submissions with different keys needed.

    Attributes:
        again: How many needed more than one attempt.
        lost: How many got no job, or one that is not the only one.
    """

    submissions: int
    again: int
    lost: int
    duplicates: int
    requests: int

    @property
    def per_submission(self) -> float:
        return self.requests / self.submissions


def endure(submissions: int, share: float = SHARE, processes: int = 1) -> Endured:
    """Submit so many tasks while a share of all requests fails."""
    sizes = [min(BATCH, submissions - start) for start in range(0, submissions, BATCH)]
    work = partial(_batch, share=share)
    if processes == 1:
        batches = list(map(work, range(len(sizes)), sizes))
    else:
        with ProcessPoolExecutor(
            processes, mp_context=get_context("spawn"), initializer=quiet
        ) as pool:
            batches = list(pool.map(work, range(len(sizes)), sizes))
    return _sum(batches)


def _batch(seed: int, size: int, share: float) -> Endured:
    with seeded(seed):
        return play(lambda: _endure(random.Random(seed), size, share))


async def _endure(dice: random.Random, size: int, share: float) -> Endured:
    platform = await Platform.fresh()
    sent = 0

    def plan(_request: httpx.Request) -> Fault:
        nonlocal sent
        sent += 1
        return dice.choice(FAULTS) if dice.random() < share else FAULTLESS

    got: list[str | None] = []
    again = 0
    for number in range(size):
        job_id = None
        for attempt in range(1, ATTEMPTS + 1):
            job_id = (await run(platform, plan, submission(f"task-{number}", attempt))).job_id
            if job_id is not None:
                break
            again += attempt == 1
        got.append(job_id)
    charged = await platform.charged()
    return Endured(
        submissions=size,
        again=again,
        lost=sum(job_id not in charged for job_id in got),
        duplicates=max(0, len(charged) - size),
        requests=sent,
    )


def _sum(batches: Sequence[Endured]) -> Endured:
    return Endured(
        *(
            sum(getattr(batch, name) for batch in batches)
            for name in ("submissions", "again", "lost", "duplicates", "requests")
        )
    )
