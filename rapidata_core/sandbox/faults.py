"""Planned misfortune: answers that fail or get lost, before or after the work was done."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from starlette.responses import Response

from rapidata_core.sandbox.api.call import Fields, JsonObject
from rapidata_core.sandbox.problems import plain
from rapidata_core.sandbox.replies import encode

Phase = Literal["before", "after_commit"]
_PHASES = ("before", "after_commit")
_ACTIONS = ("drop", "status")


@dataclass
class Fault:
    """Happens once, at the nth matching request after it was planned.

    Attributes:
        path: Matches the whole path.
        phase: ``before`` the request is executed, which it then is not, or ``after_commit``.
        action: ``drop`` closes the connection without an answer, ``status`` answers something else.
    """

    method: str | None
    path: re.Pattern[str]
    nth: int
    phase: Phase
    action: str
    status: int
    headers: dict[str, str]
    body: bytes
    content_type: str
    seen: int = field(default=0)

    def matches(self, method: str, path: str) -> bool:
        """Whether a request is meant, be it the nth or another one."""
        return self.method in (None, method) and self.path.fullmatch(path) is not None

    def response(self) -> Response:
        """The answer instead of the real one."""
        return Response(self.body, self.status, self.headers, self.content_type)


class FaultPlan:
    """The faults that are still to happen."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def plan(self, wanted: list[JsonObject]) -> int:
        """Add faults; returns how many are planned now.

        Raises:
            Problem: A fault is malformed; none is added then.
        """
        self._faults += [_read(one) for one in wanted]
        return len(self._faults)

    def clear(self) -> None:
        """Forget all faults."""
        self._faults.clear()

    def next_for(self, method: str, path: str) -> Fault | None:
        """Count a request; returns the fault that strikes it, which is then spent."""
        due: Fault | None = None
        for fault in self._faults:
            if fault.matches(method, path):
                fault.seen += 1
                if due is None and fault.seen >= fault.nth:
                    due = fault
        if due is not None:
            self._faults.remove(due)
        return due


def _read(wanted: JsonObject) -> Fault:
    fields = Fields(wanted)
    method = fields.optional_text("method")
    nth = fields.optional_whole("nth") if "nth" in fields else 1
    status = fields.optional_whole("status") or 0
    retry_after = wanted.get("retry_after")
    phase, action = fields.text("phase"), fields.text("action")
    content_type = fields.optional_text("content_type")
    if phase not in _PHASES:
        fields.wrong("phase", f"phase is one of {', '.join(_PHASES)}.")
    if action not in _ACTIONS:
        fields.wrong("action", f"action is one of {', '.join(_ACTIONS)}.")
    if action == "status" and not 200 <= status <= 599:
        fields.wrong("status", "status is between 200 and 599.")
    if nth is None or nth < 1:
        fields.wrong("nth", "nth counts from 1.")
    path = _pattern(fields)
    fields.check()
    body, kind = _body(wanted.get("body"), status)
    return Fault(
        method=method.upper() if method else None,
        path=path,
        nth=nth or 1,
        phase=cast(Phase, phase),
        action=action,
        status=status,
        headers={} if retry_after is None else {"Retry-After": str(retry_after)},
        body=body,
        content_type=content_type or kind,
    )


def _pattern(fields: Fields) -> re.Pattern[str]:
    try:
        return re.compile(fields.text("path"))
    except re.error as error:
        fields.wrong("path", f"path is not a regular expression: {error}.")
        return re.compile("")


def _body(body: Any, status: int) -> tuple[bytes, str]:
    if isinstance(body, str):
        return body.encode(), "text/plain"
    if body is None and status >= 400:
        return encode(plain(status).body("0" * 32)), "application/problem+json"
    return (b"", "text/plain") if body is None else (json.dumps(body).encode(), "application/json")
