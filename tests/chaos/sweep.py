"""Every request of every paid verb, interrupted in every way: real processes, real HTTP, SIGKILL.

A point is a verb, its nth request and what happens to it. The verb runs in a forked child, which
is killed there or sees a broken answer; then it runs again until it succeeds. The sandbox's money
ledger is the only judge.
"""

from __future__ import annotations

import gc
import os
import re
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from multiprocessing import get_context
from typing import Any

from rapidata_core import RapidataClient
from rapidata_core._sync import auth
from rapidata_core.errors import RapidataError
from rapidata_core.policy.retry import RetryPolicy
from rapidata_core.sandbox.process import Sandbox
from tests.chaos.platform import outstanding
from tests.chaos.runner import quiet
from tests.chaos.verbs import UNKEYED, VERBS, Verb

# Much longer than any request takes here, and short enough to be waited for a thousand times.
SETTLE = 0.3
ATTEMPTS = 6
DEADLINE = 60.0
# How a process ends; anything else says what went wrong.
DONE = "done"
KILLED = "killed"
HANGS = "hangs"

BEFORE_SEND = "killed before it is sent"
PHASES: dict[str, dict[str, Any] | None] = {
    BEFORE_SEND: None,
    "killed, not carried out": {"phase": "before", "action": "kill"},
    "killed, carried out": {"phase": "after_commit", "action": "kill"},
    "killed, answered": {"phase": "after_answer", "action": "kill"},
    "lost, not carried out": {"phase": "before", "action": "drop"},
    "lost, carried out": {"phase": "after_commit", "action": "drop"},
    "truncated": {"phase": "mid_body", "action": "truncate"},
}


@dataclass(frozen=True)
class Point:
    """A verb, its nth request, and what happens to it; no request for the undisturbed trace."""

    verb: str
    request: int | None = None
    phase: str = ""

    @property
    def replay(self) -> str:
        """The command that tries it again."""
        return f"python -m tests.chaos.replay {self.verb!r} {self.request} {self.phase!r}"


@dataclass(frozen=True)
class Outcome:
    """What the ledger says about a point.

    Attributes:
        requests: How many it took, from the first attempt to success.
        attempts: How many processes.
        struck: Whether it happened: how often a price is asked for is a matter of time, so the last
            request of a trace may not come.
        notes: What went wrong, if anything did.
    """

    point: Point
    duplicates: int = 0
    lost: int = 0
    unfinished: int = 0
    requests: int = 0
    attempts: int = 0
    struck: bool = False
    notes: str = ""

    @property
    def good(self) -> bool:
        return not (self.duplicates or self.lost or self.unfinished)


@dataclass(frozen=True)
class Swept:
    """A verb, with the length of its undisturbed trace."""

    verb: str
    clean_requests: int
    outcomes: list[Outcome]


def sweep(
    verbs: Sequence[Verb] = VERBS, phases: Sequence[str] = tuple(PHASES), lanes: int = 6
) -> list[Swept]:
    """Try all points of some verbs.

    Args:
        verbs: Which.
        phases: In which ways.
        lanes: How many sandboxes work at a time; most of the time a point waits.
    """
    # Lanes fork, so they must have one thread; a fork server's children do.
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__, "rapidata_core._sync.client"])
    with ProcessPoolExecutor(lanes, mp_context=context) as pool:
        clean = list(pool.map(attempt, [Point(verb.name) for verb in verbs]))
        bad = [outcome for outcome in clean if not outcome.good]
        points = [
            Point(outcome.point.verb, request, phase)
            for outcome in clean
            if outcome.good
            for request in range(1, outcome.requests + 1)
            for phase in phases
        ]
        outcomes = [*bad, *pool.map(attempt, points)]
    return [
        Swept(
            verb.name,
            found.requests,
            [outcome for outcome in outcomes if outcome.point.verb == verb.name],
        )
        for verb, found in zip(verbs, clean, strict=True)
    ]


def attempt(point: Point, say: Callable[[str], object] | None = None) -> Outcome:
    """Try one point; on request say what was asked of the sandbox."""
    try:
        return _attempt(point, say)
    except Exception:
        # It names the point, which the traceback of a pool would not.
        return Outcome(point, lost=1, notes=traceback.format_exc())


def _attempt(point: Point, say: Callable[[str], object] | None) -> Outcome:
    verb = next(verb for verb in (*VERBS, UNKEYED) if verb.name == point.verb)
    sandbox = _sandbox()
    sandbox.reset()
    with _client(sandbox) as client:
        prepared = verb.prepare(client, sandbox)
    charged, said = len(_charged(sandbox)), len(sandbox.requests())
    ends: list[str] = []
    while len(ends) < ATTEMPTS and DONE not in ends and HANGS not in ends:
        ends.append(_run(sandbox, verb, prepared, None if ends else point))
        sandbox.clear_faults()
    sandbox.advance(verb.seconds)
    requests = sandbox.requests()[said:]
    for request in requests if say else ():
        say(f"{request['at']} {request['method']} {request['path']}: {request['status']}")
    surplus = len(_charged(sandbox)) - charged - verb.charges
    outcome = Outcome(
        point,
        duplicates=max(0, surplus, _asked(requests, verb.ask) - 1),
        lost=max(0, -surplus, DONE not in ends and HANGS not in ends),
        unfinished=int(HANGS in ends),
        requests=len(requests),
        attempts=len(ends),
        struck=any(request["fault"] for request in requests) or ends[0] == KILLED,
    )
    return outcome if outcome.good else replace(outcome, notes=" | ".join(ends))


def _asked(requests: list[dict[str, Any]], path: str) -> int:
    """How often a paid request was carried out, whatever its sender saw of it."""
    return sum(
        request["method"] == "POST"
        and re.fullmatch(path, request["path"]) is not None
        and (request["fault"]["phase"] != "before" if request["fault"] else request["status"] < 300)
        for request in requests
    )


def _run(sandbox: Sandbox, verb: Verb, prepared: Any, point: Point | None) -> str:
    """Make the call in a child; returns how it ended."""
    ready, start = os.pipe()
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        # The plan has to know our id, so it is made only now.
        os.close(start)
        os.read(ready, 1)
        os.write(tell, _call(sandbox, verb, prepared, point).encode()[:4000])
        os._exit(0)
    os.close(tell)
    try:
        if point is not None:
            _plan(sandbox, point, pid)
        os.write(start, b".")
        return _end(pid) or os.read(told, 4000).decode(errors="replace")
    finally:
        for end in (ready, start, told):
            os.close(end)


def _plan(sandbox: Sandbox, point: Point, pid: int) -> None:
    fault = PHASES.get(point.phase)
    if fault is not None:
        victim = {"pid": pid} if fault["action"] == "kill" else {}
        sandbox.faults([{"path": ".*", "nth": point.request, **fault, **victim}])


def _call(sandbox: Sandbox, verb: Verb, prepared: Any, point: Point | None) -> str:
    """What the child does; returns how it ended."""
    # A process of its own would have to log in.
    auth._living.clear()
    try:
        client = _client(sandbox)
        if point is not None and point.phase == BEFORE_SEND:
            _die_before(client, point.request)
        verb.call(client, prepared)
    except RapidataError as error:
        # An engine would start the task again.
        return f"{type(error).__name__}: {error}"
    except BaseException:
        return traceback.format_exc()
    return DONE


def _die_before(client: RapidataClient, request: int | None) -> None:
    numbers = count(1)

    def hook(_request: object) -> None:
        if next(numbers) == request:
            os.kill(os.getpid(), signal.SIGKILL)

    client._transport._sessions.current().client.event_hooks = {"request": [hook]}


def _end(pid: int) -> str | None:
    """How a child ended that cannot tell it itself."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return KILLED if os.WIFSIGNALED(status) else None
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return HANGS


def _charged(sandbox: Sandbox) -> list[str]:
    return outstanding(sandbox.ledger()["entries"])


def _client(sandbox: Sandbox) -> RapidataClient:
    return RapidataClient(
        sandbox.client_id,
        sandbox.client_secret,
        sandbox.url,
        settle=SETTLE,
        retry=RetryPolicy(first_delay=0.02, longest_delay=0.1),
    )


_kept: dict[int, Sandbox] = {}


def _sandbox() -> Sandbox:
    """This lane's; it ends with the lane."""
    pid = os.getpid()
    if pid not in _kept:
        sandbox = _kept[pid] = Sandbox.start()
        # Also that nothing is remembered that was uploaded there.
        os.environ.update(sandbox.environ)
        quiet()
        # What is imported here is not imported in each child, and their collectors leave it alone.
        _call(sandbox, VERBS[0], None, None)
        gc.freeze()
    return _kept[pid]
