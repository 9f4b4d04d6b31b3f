"""Seeded misfortune: two faults somewhere in the attempts at one task, and who pays for them.

Everything about a schedule follows from its seed: what goes wrong where, whether a second runner
is at the same task, how late lists are, and all jitter. The promise rests on one assumption, that a
call is carried out and its object shows in lists within ``settle`` seconds, so no schedule breaks
it.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from rapidata_core import AsyncRapidataClient
from rapidata_core.http import httpx
from tests.chaos.platform import FAULTLESS, Fault, Platform, play
from tests.chaos.runner import SETTLE, Run, quiet, run, seeded
from tests.chaos.tasks import TASKS

# A submission sends some 15 requests; the faults of a run that was started again come later.
LAST_REQUEST = 32
# Lists and calls share the settle time; a little of it is left for the reader's clock.
WITHIN = 0.95 * SETTLE
# How often an engine starts a task again, and when everything has to be over.
ATTEMPTS = 8
DEADLINE = 3600.0
# So many requests of one process mean that it will not stop.
ENDLESS = 3000

Say = Callable[[str], None]


# A worker, ANY or PAID, and a number.
Place = tuple[int, str, int]
ANY, PAID = "request", "paid request"


@dataclass(frozen=True)
class Schedule:
    """What goes wrong.

    Attributes:
        faults: What becomes of a worker's nth request, or of its nth that costs something.
        starts: When each worker starts.
        pauses: Seconds between the end of a run and the next attempt.
        lag: Seconds until lists show what is new.
    """

    faults: dict[Place, Fault]
    starts: list[float]
    pauses: list[float]
    lag: float


@dataclass(frozen=True)
class Verdict:
    """What the money ledger and the workers say.

    Attributes:
        duplicates: What is charged beyond the one.
        lost: Workers that got nothing, or something else than whoever asks last.
        unfinished: Whether somebody was still at it at the deadline.
        notes: What else was seen.
    """

    verb: str
    seed: int
    duplicates: int
    lost: int
    unfinished: int
    requests: int
    notes: str = ""

    @property
    def good(self) -> bool:
        return not (self.duplicates or self.lost or self.unfinished)

    @property
    def replay(self) -> str:
        """The command that plays it again."""
        return f"python -m tests.chaos.replay {self.verb!r} {self.seed}"


def draw(seed: int, verb: str = "submit") -> Schedule:
    """The schedule of a seed, for something that is paid."""
    dice = random.Random(seed)
    lag = dice.uniform(0, WITHIN) if dice.random() < 1 / 3 else 0.0
    starts = [0.0]
    if dice.random() < 1 / 3 and TASKS[verb].runners > 1:
        starts.append(dice.choice([0.0, dice.uniform(0, 1), dice.uniform(0, 3 * SETTLE)]))
    faults = {_place(dice, len(starts)): _fault(dice, WITHIN - lag) for _ in range(2)}
    pauses = [dice.choice([0.0, dice.uniform(0, SETTLE)]) for _ in range(ATTEMPTS)]
    return Schedule(faults, starts, pauses, lag)


def _place(dice: random.Random, workers: int) -> Place:
    """Anywhere; one in three strikes where it can hurt most."""
    worker = dice.randrange(workers)
    if dice.random() < 1 / 3:
        return worker, PAID, dice.choice([1, 1, 2])
    return worker, ANY, dice.randint(1, LAST_REQUEST)


def _fault(dice: random.Random, most: float) -> Fault:
    """One fault; whoever stands still and what is late do not take longer than that together."""
    late = dice.choice([0.0, dice.uniform(0, most)])
    stall = dice.uniform(0, most - late) if dice.random() < 0.2 else 0.0
    outcome = dice.choices(
        ["killed", "lost", "truncated", "503", "429", "refused", "answer"],
        [6, 4, 2, 3, 1, 1, 1],
    )[0]
    if outcome in ("refused", "429"):
        return Fault(outcome, carried_out=False, stall=stall)
    if outcome in ("truncated", "answer"):
        return Fault(outcome, stall=stall, late=late if outcome == "answer" else 0.0)
    carried_out = dice.random() < 0.7
    return Fault(outcome, carried_out, stall, late if carried_out else 0.0)


def judge(seed: int, verb: str = "submit", say: Say | None = None) -> Verdict:
    """Play the schedule of a seed and look at the ledger afterwards."""
    return judge_schedule(draw(seed, verb), seed, verb, say)


def judge_schedule(
    schedule: Schedule, seed: int = 0, verb: str = "submit", say: Say | None = None
) -> Verdict:
    """Play any schedule; the seed decides what is left to chance in it."""
    with seeded(seed):
        return play(lambda: _Scene(schedule, seed, verb, say or _silent).play())


class _Scene:
    """One schedule, being played."""

    def __init__(self, schedule: Schedule, seed: int, verb: str, say: Say) -> None:
        self._schedule = schedule
        self._seed = seed
        self._verb = verb
        self._task = TASKS[verb]
        self._prepared = ""
        self._say = say
        self._sent: Counter[tuple[int, str]] = Counter()

    async def play(self) -> Verdict:
        schedule = self._schedule
        self._platform = await Platform.fresh()
        await self._prepare()
        await self._platform.lag(schedule.lag)
        self._tell(f"lag {schedule.lag:.2f} s, starts {schedule.starts}")
        try:
            async with asyncio.timeout(DEADLINE):
                workers = [self._work(worker) for worker in range(len(schedule.starts))]
                ends = await asyncio.gather(*workers)
                # Whatever is still under way arrives.
                await asyncio.sleep(SETTLE)
                last = await self._run(len(schedule.starts), 1)
        except (TimeoutError, _Endless):
            return self._verdict(unfinished=1)
        await asyncio.sleep(self._task.seconds)
        charged = await self._platform.charged()
        self._tell(f"charged: {charged}")
        duplicates = max(0, len(charged) - 1)
        there = charged[:1] if last.job_id is None else [last.job_id]
        lost = sum(end.job_id not in there for end in [*ends, last]) + (not charged)
        wrong = [end.error or f"got {end.job_id}" for end in [*ends, last]]
        notes = "; ".join(wrong) if duplicates or lost else ""
        return self._verdict(duplicates=duplicates, lost=lost, notes=notes)

    def _verdict(
        self, *, duplicates: int = 0, lost: int = 0, unfinished: int = 0, notes: str = ""
    ) -> Verdict:
        requests = sum(count for (_, kind), count in self._sent.items() if kind == ANY)
        return Verdict(self._verb, self._seed, duplicates, lost, unfinished, requests, notes)

    async def _prepare(self) -> None:
        """Make what the task needs, long before anything goes wrong."""
        if self._task.prepare is not None:
            made = await run(self._platform, lambda _: FAULTLESS, self._task.prepare)
            assert made.job_id is not None, made.error
            self._prepared = made.job_id
            await asyncio.sleep(2 * SETTLE)

    async def _work(self, worker: int) -> Run:
        """What an engine does: start the task again until it succeeds."""
        await asyncio.sleep(self._schedule.starts[worker])
        end = Run(error="never started")
        for attempt, pause in enumerate(self._schedule.pauses, 1):
            end = await self._run(worker, attempt)
            if end.job_id is not None:
                break
            await asyncio.sleep(pause)
        return end

    async def _run(self, worker: int, attempt: int) -> Run:
        def plan(request: httpx.Request) -> Fault:
            what = f"{request.method} {request.url.raw_path.decode()}"
            fault = self._next_fault(worker, what)
            note = "" if fault is FAULTLESS else f" => {fault}"
            self._tell(f"worker {worker}, {self._sent[worker, ANY]:3} {what}{note}")
            if self._sent[worker, ANY] > ENDLESS:
                raise _Endless
            return fault

        async def work(client: AsyncRapidataClient) -> str:
            return await self._task.call(client, self._prepared, attempt)

        end = await run(self._platform, plan, work)
        self._tell(f"worker {worker}, attempt {attempt} ends: {end.job_id or end.error}")
        return end

    def _next_fault(self, worker: int, what: str) -> Fault:
        fault = FAULTLESS
        for kind in (ANY, PAID) if re.fullmatch(self._task.paid, what) else (ANY,):
            self._sent[worker, kind] += 1
            fault = self._schedule.faults.get((worker, kind, self._sent[worker, kind]), fault)
        return fault

    def _tell(self, what: str) -> None:
        self._say(f"{asyncio.get_running_loop().time():9.3f} s  {what}")


class _Endless(BaseException):
    """A process that sends and sends; no code of ours may catch it."""


def _silent(_: str) -> None:
    pass


def judge_all(seeds: Iterable[int], verb: str = "submit", processes: int = 1) -> list[Verdict]:
    """Play many schedules, on several processes if wanted."""
    if processes == 1:
        return [judge(seed, verb) for seed in seeds]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=quiet) as pool:
        return list(pool.map(partial(judge, verb=verb), seeds, chunksize=50))
