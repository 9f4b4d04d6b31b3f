"""Planned misfortune: what goes wrong, with which requests, and when.

A request meets one fault at most, the first that is due; that lists lag comes on top of it. What a
fault does to an answer is in :mod:`rapidata_core.sandbox.gateway`, what it does to the platform
itself in :mod:`rapidata_core.sandbox.misfortunes`.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, cast

from starlette.responses import Response

from rapidata_core.sandbox import money
from rapidata_core.sandbox.api.call import Fields, JsonObject
from rapidata_core.sandbox.clock import microseconds
from rapidata_core.sandbox.problems import Problem, invalid, plain
from rapidata_core.sandbox.replies import encode

Phase = Literal["before", "after_commit", "mid_body", "slow", "after_answer"]
Action = Literal[
    "drop",
    "status",
    "delay",
    "truncate",
    "expire_tokens",
    "spend",
    "review",
    "stick",
    "lag",
    "kill",
]

_LONGEST = 366 * 86_400
_MOST_READS = 1000
_RICHEST = 10**9


@dataclass(frozen=True)
class _Kind:
    """What an action goes together with.

    Attributes:
        phases: When it can happen; a single phase need not be said.
        fields: What else belongs to it.
        only: The only request that it can strike, which need not be said.
        lasts: It strikes every request until it is cleared.
    """

    phases: tuple[Phase, ...]
    fields: tuple[str, ...] = ()
    only: tuple[str, str] | None = None
    lasts: bool = False


_KINDS: dict[str, _Kind] = {
    "drop": _Kind(("before", "after_commit")),
    "status": _Kind(("before", "after_commit"), ("status", "retry_after", "body", "content_type")),
    "delay": _Kind(("before", "after_commit", "slow"), ("seconds",)),
    "truncate": _Kind(("mid_body",)),
    "expire_tokens": _Kind(("before",)),
    "spend": _Kind(("before",), ("amount",)),
    "review": _Kind(("after_commit",), only=("POST", "/job")),
    "stick": _Kind(("after_commit",), only=("POST", "/asset/batch-upload")),
    "lag": _Kind(("before",), ("seconds", "reads"), lasts=True),
    "kill": _Kind(("before", "after_commit", "after_answer"), ("pid",)),
}


@dataclass(eq=False)
class Fault:
    """Something that goes wrong.

    Attributes:
        method: ``None`` means all.
        path: Matches the whole path.
        nth: It happens once, at the nth matching request after it was planned.
        probability: It happens at each matching request with this probability instead.
        answer: What is answered instead, by the action ``status``.
        seconds: How long a delay or a lag is.
        reads: How many reads of a list a lag is.
        amount: What is spent, in millionths.
        pid: Who is killed.
        seen: How many requests have matched.
    """

    method: str | None
    path: re.Pattern[str]
    nth: int
    probability: float | None
    phase: Phase
    action: Action
    answer: Response | None = None
    seconds: float = 0.0
    reads: int = 0
    amount: int = 0
    pid: int = 0
    seen: int = 0

    @property
    def takes_the_answer(self) -> bool:
        """Whether the platform's own answer is never sent."""
        return self.action in ("drop", "status", "kill") and self.phase != "after_answer"

    def matches(self, method: str, path: str) -> bool:
        """Whether a request is meant, be it the nth or another one."""
        return self.method in (None, method) and self.path.fullmatch(path) is not None

    def strikes(self, dice: random.Random) -> bool:
        """Count a matching request; returns whether the fault is due."""
        self.seen += 1
        if self.probability is not None:
            return dice.random() < self.probability
        return self.seen >= self.nth

    def json(self) -> JsonObject:
        """The fault as the journal shows it."""
        return {"phase": self.phase, "action": self.action}


@dataclass(eq=False)
class _Lag:
    """Lists that do not show yet what is new.

    Attributes:
        since: When it was planned.
        reads: When each list was read, the last so many times that its objects wait for.
    """

    fault: Fault
    since: int
    reads: dict[str, deque[int]] = field(default_factory=dict[str, deque[int]])

    def shown_before(self, path: str, now: int) -> int:
        """The moment before which an object was created, if this read of a list shows it."""
        if not self.fault.reads:
            return now - microseconds(self.fault.seconds) + 1
        count = self.fault.reads
        # What was there before the lag was planned has been read often enough.
        reads = self.reads.setdefault(path, deque([self.since] * count, maxlen=count))
        moment = reads[0]
        reads.append(now)
        return moment


class FaultPlan:
    """The faults that are still to happen."""

    def __init__(self, seed: int, *, may_kill: bool = False) -> None:
        """An empty plan.

        Args:
            seed: Decides what happens with a probability.
            may_kill: Whether processes of this machine may be killed.
        """
        self._seed = seed
        self._may_kill = may_kill
        self.reset()

    def reset(self) -> None:
        """Forget all faults, and begin anew with what is random."""
        self._dice = random.Random(f"{self._seed}/faults")
        self.clear()

    def clear(self) -> None:
        """Forget all faults."""
        self._faults: list[Fault] = []
        self._lags: list[_Lag] = []

    def plan(self, wanted: list[JsonObject], now: int) -> int:
        """Add faults; returns how many are planned now.

        Raises:
            Problem: A fault is malformed; none is added then.
        """
        faults: list[Fault] = []
        errors: dict[str, list[str]] = {}
        for place, one in enumerate(wanted):
            try:
                faults.append(_read(one, self._may_kill))
            except Problem as problem:
                errors |= {f"[{place}].{key}": texts for key, texts in problem.errors.items()}
        if errors:
            raise invalid(errors)
        self._lags += [_Lag(fault, now) for fault in faults if fault.action == "lag"]
        self._faults += [fault for fault in faults if fault.action != "lag"]
        return len(self._faults) + len(self._lags)

    def next_for(self, method: str, path: str) -> Fault | None:
        """Count a request; returns the fault that strikes it, which is then spent if it is the nth.

        All faults count, and draw, so that none depends on what the others do.
        """
        if not self._faults:
            return None
        matching = [fault for fault in self._faults if fault.matches(method, path)]
        due = [fault for fault in matching if fault.strikes(self._dice)]
        if not due:
            return None
        if due[0].probability is None:
            self._faults.remove(due[0])
        return due[0]

    def lag_for(self, method: str, path: str) -> Fault | None:
        """The fault that makes a list lag."""
        lag = self._lag(method, path)
        return None if lag is None else lag.fault

    def shown_before(self, method: str, path: str, now: int) -> int | None:
        """Count a read of a list; it shows what was created before this moment, else all."""
        lag = self._lag(method, path)
        return None if lag is None else lag.shown_before(path, now)

    def _lag(self, method: str, path: str) -> _Lag | None:
        return next((lag for lag in self._lags if lag.fault.matches(method, path)), None)


def read_plan(content: bytes) -> list[JsonObject]:
    """The JSON of a plan; :meth:`FaultPlan.plan` reads the faults in it.

    Raises:
        Problem: It is not a list of objects.
    """
    try:
        wanted: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"The plan is not valid JSON: {error}.") from error
    if not isinstance(wanted, list):
        raise Problem(400, "The plan is not a list of faults.")
    faults = cast(list[Any], wanted)
    if not all(isinstance(one, dict) for one in faults):
        raise Problem(400, "The plan is not a list of faults.")
    return faults


def _read(wanted: JsonObject, may_kill: bool) -> Fault:
    fields = Fields(wanted)
    action = fields.text("action")
    kind = _KINDS.get(action)
    if kind is None:
        fields.wrong("action", f"action is one of {', '.join(_KINDS)}.")
        raise invalid(fields.errors)
    _refuse_others(fields, wanted, action, kind)
    method, path = _request(fields, action, kind)
    nth, probability = _turn(fields)
    fault = Fault(
        method=method,
        path=path,
        nth=nth,
        probability=probability,
        phase=_phase(fields, action, kind),
        action=cast(Action, action),
        answer=_answer(fields, wanted) if action == "status" else None,
        seconds=_seconds(fields) if action == "delay" or "seconds" in fields else 0.0,
        reads=_reads(fields) if "reads" in fields else 0,
        amount=_amount(fields) if action == "spend" else 0,
        pid=_pid(fields, may_kill) if action == "kill" else 0,
    )
    if action == "lag" and ("seconds" in fields) == ("reads" in fields):
        fields.wrong("seconds", "lag has either seconds or reads.")
    fields.check()
    return fault


def _refuse_others(fields: Fields, wanted: JsonObject, action: str, kind: _Kind) -> None:
    turn = () if kind.lasts else ("nth", "probability")
    known = ("action", "method", "path", "phase", *turn, *kind.fields)
    for key in wanted:
        if key in fields and key not in known:
            fields.wrong(key, f"{action} has no {key}.")


def _request(fields: Fields, action: str, kind: _Kind) -> tuple[str | None, re.Pattern[str]]:
    """The method and the pattern of the path; narrowed down to what the action can strike."""
    method = (fields.optional_text("method") or "").upper() or None
    if kind.lasts:
        if method not in (None, "GET"):
            fields.wrong("method", f"{action} is about GET.")
        return "GET", _pattern(fields)
    if kind.only is None:
        return method, _pattern(fields)
    only_method, only_path = kind.only
    if method not in (None, only_method):
        fields.wrong("method", f"{action} is about {only_method} {only_path}.")
    if "path" in fields and _pattern(fields).fullmatch(only_path) is None:
        fields.wrong("path", f"{action} is about {only_method} {only_path}.")
    return only_method, re.compile(re.escape(only_path))


def _pattern(fields: Fields) -> re.Pattern[str]:
    try:
        return re.compile(fields.text("path"))
    except (re.error, OverflowError, RecursionError) as error:
        fields.wrong("path", f"path is not a regular expression: {error}.")
        return re.compile("")


def _turn(fields: Fields) -> tuple[int, float | None]:
    """Which of the matching requests: the nth, or each with a probability."""
    nth = fields.optional_whole("nth") if "nth" in fields else 1
    if nth is None or nth < 1:
        fields.wrong("nth", "nth counts from 1.")
    if "nth" in fields and "probability" in fields:
        fields.wrong("probability", "A fault has either nth or probability.")
    return nth or 1, fields.optional_share("probability")


def _phase(fields: Fields, action: str, kind: _Kind) -> Phase:
    if len(kind.phases) == 1 and "phase" not in fields:
        return kind.phases[0]
    phase = fields.text("phase")
    if phase not in kind.phases:
        fields.wrong("phase", f"The phase of {action} is {' or '.join(kind.phases)}.")
    return cast(Phase, phase)


def _answer(fields: Fields, wanted: JsonObject) -> Response | None:
    """What is answered instead."""
    status, body = fields.optional_whole("status") or 0, wanted.get("body")
    if not 200 <= status <= 599:
        fields.wrong("status", "status is between 200 and 599.")
    if status in (204, 304) and body is not None:
        fields.wrong("body", f"An answer {status} has no body.")
    retry_after = wanted.get("retry_after")
    if isinstance(retry_after, bool) or not isinstance(retry_after, int | float | str | None):
        fields.wrong("retry_after", "retry_after is a number or a date.")
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    content, usual = _body(body, status)
    content_type = fields.optional_text("content_type") or usual
    for key, text in (("retry_after", str(retry_after)), ("content_type", content_type)):
        if not (text.isascii() and text.isprintable() and text == text.strip()):
            fields.wrong(key, f"{key} cannot be in a header.")
    return None if fields.errors else Response(content, status, headers, content_type)


def _body(body: Any, status: int) -> tuple[bytes, str]:
    if isinstance(body, str):
        return body.encode("utf-8", "backslashreplace"), "text/plain"
    if body is None and status >= 400:
        return encode(plain(status).body("0" * 32)), "application/problem+json"
    return (b"", "text/plain") if body is None else (json.dumps(body).encode(), "application/json")


def _seconds(fields: Fields) -> float:
    seconds = fields.number("seconds")
    if not 0 <= seconds <= _LONGEST:
        fields.wrong("seconds", f"seconds is between 0 and {_LONGEST}.")
        return 0.0
    return seconds


def _reads(fields: Fields) -> int:
    reads = fields.optional_whole("reads") or 0
    if not 1 <= reads <= _MOST_READS:
        fields.wrong("reads", f"reads is between 1 and {_MOST_READS}.")
    return reads


def _amount(fields: Fields) -> int:
    amount = fields.number("amount")
    if not 0 < amount <= _RICHEST:
        fields.wrong("amount", f"amount is above 0, and at most {_RICHEST}.")
        return 0
    # As what answers cost, so that bills add up.
    if Decimal(str(amount)) % money.PRICE_PER_RESPONSE:
        fields.wrong("amount", f"amount is a multiple of {money.PRICE_PER_RESPONSE}.")
        return 0
    return money.micro(Decimal(str(amount)))


def _pid(fields: Fields, may_kill: bool) -> int:
    pid = fields.optional_whole("pid") or 0
    if not may_kill:
        fields.wrong("action", "kill is for a POSIX system, without --allow-remote.")
    elif pid <= 1 or pid == os.getpid():
        fields.wrong("pid", "pid is required and a process other than the first and the sandbox.")
    elif not _is_ours(pid):
        fields.wrong("pid", f"This user has no process {pid}.")
    return pid


def _is_ours(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError):
        return False
    return True
