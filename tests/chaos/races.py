"""Many submissions of one key at the same moment, from several processes: one job remains."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from rapidata_core import RapidataClient
from rapidata_core.errors import RapidataError
from rapidata_core.sandbox.process import Sandbox
from tests.chaos.platform import outstanding
from tests.chaos.runner import SPEC

PROCESSES = 4
THREADS = 5
# Twenty runners on a busy machine get in one another's way for a second or two.
SETTLE = 10.0
HEAD_START = 0.3


@dataclass(frozen=True)
class Race:
    """What was left when everybody was through.

    Attributes:
        lost: Runners that got no job, or another one than the rest.
        requests: How many it took, of all together.
    """

    runners: int
    duplicates: int
    lost: int
    requests: int
    notes: str = ""


def race(rounds: int = 1) -> list[Race]:
    """Let all runners start together, a few times."""
    with (
        Sandbox.start() as sandbox,
        ProcessPoolExecutor(PROCESSES, mp_context=get_context("forkserver")) as pool,
    ):
        # Whoever is late because of its imports is no rival.
        list(pool.map(_warm_up, range(PROCESSES)))
        return [_round(sandbox, pool) for _ in range(rounds)]


def _round(sandbox: Sandbox, pool: ProcessPoolExecutor) -> Race:
    sandbox.reset()
    account = sandbox.client_id, sandbox.client_secret, sandbox.url
    start = time.time() + HEAD_START
    ends = [
        end
        for ends in pool.map(partial(_submit_all, account, start), range(PROCESSES))
        for end in ends
    ]
    charged = outstanding(sandbox.ledger()["entries"])
    wrong = [end for end in ends if end not in charged]
    return Race(
        runners=len(ends),
        duplicates=max(0, len(charged) - 1),
        lost=len(wrong),
        requests=len(sandbox.requests()),
        notes="; ".join(sorted(set(wrong))),
    )


def _warm_up(_: int) -> None:
    time.sleep(HEAD_START)


def _submit_all(account: tuple[str, str, str], start: float, _: int) -> list[str]:
    """One process's part: every thread has a client of its own."""
    time.sleep(max(0.0, start - time.time()))
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda _: _submit(account), range(THREADS)))


def _submit(account: tuple[str, str, str]) -> str:
    try:
        with RapidataClient(*account, settle=SETTLE) as client:
            return client.submit(SPEC, "global", key="task").job_id
    except RapidataError as error:
        return f"{type(error).__name__}: {error}"
