"""A process that submits, as far as the platform can tell; it may be killed."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rapidata_core import AsyncRapidataClient, CompareJob
from rapidata_core.errors import RapidataError
from rapidata_core.http import httpx
from tests.chaos.platform import URL, Line, Plan, Platform

NAMESPACE = "chaos"
SETTLE = 30.0
SPEC = CompareJob(
    name="Chaos",
    instruction="Which is better?",
    data_type="text",
    datapoints=[["left", "right"], ["up", "down"]],
)


@dataclass(frozen=True)
class Run:
    """How one process ended.

    Attributes:
        job_id: What it got.
        error: Why it got nothing; ``killed`` if it was.
    """

    job_id: str | None = None
    error: str | None = None


class _Sessions:
    """Stands in for the client's connections: all of them are one line."""

    def __init__(self, line: Line) -> None:
        self.client = httpx.AsyncClient(transport=line)

    def current(self) -> _Sessions:
        return self

    async def aclose(self) -> None:
        await self.client.aclose()


async def run(
    platform: Platform,
    plan: Plan,
    work: Callable[[AsyncRapidataClient], Awaitable[Any]],
) -> Run:
    """One process from its start to its end, with a client of its own."""
    client = AsyncRapidataClient(
        platform.account.client_id,
        platform.account.client_secret,
        URL,
        namespace=NAMESPACE,
        settle=SETTLE,
    )
    # Processes share no tokens.
    tokens = client._transport._tokens
    tokens._account, tokens._living = str(id(client)), {}
    # It begins when we wait for it.
    task = asyncio.ensure_future(work(client))
    line = Line(platform, plan, task.cancel)
    client._transport._sessions = _Sessions(line)  # type: ignore[assignment]
    try:
        return Run(job_id=await task)
    except asyncio.CancelledError:
        if not line.dead:
            raise
        return Run(error="killed")
    except RapidataError as error:
        return Run(error=f"{type(error).__name__}: {error}")
    finally:
        # Whatever ends us ends it as well; it has no more to say.
        line.dead = True
        task.cancel()


def submission(key: str, attempt: int = 1, **more: Any) -> Callable[[AsyncRapidataClient], Any]:
    """The work of most runners: to submit."""

    async def work(client: AsyncRapidataClient) -> str:
        made = await client.submit(SPEC, "global", key=key, attempt=attempt, **more)
        return made.job_id

    return work


def quiet() -> None:
    """Much would be said about lost answers, all of them wanted."""
    logging.disable()
    # Nor need the collector look again and again at what was imported.
    gc.freeze()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """All jitter follows from a seed, so that a replay is one."""
    real, seeds = random.Random, random.Random(~seed)

    class Seeded(real):
        def __init__(self, own: float | str | bytes | None = None) -> None:
            super().__init__(seeds.random() if own is None else own)

    random.Random = Seeded  # type: ignore[misc]
    try:
        yield
    finally:
        random.Random = real  # type: ignore[misc]
