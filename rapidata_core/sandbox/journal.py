"""What was asked of the sandbox, without secrets."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from typing import Any

from rapidata_core.sandbox.clock import rfc3339

CAPACITY = 10_000
_MAX_BODY = 64 * 1024
_MAX_KEPT = 64 * 1024 * 1024
_SECRET_PATHS = ("/connect/",)


@dataclass(frozen=True, slots=True)
class Entry:
    """One request and its answer.

    Attributes:
        status: ``None`` when the connection was dropped without an answer.
        body: The JSON that was sent; empty when it is secret or very long.
        body_bytes: The size of what was sent.
        answer: What was answered; empty when it is secret or very long.
        answer_bytes: The size of what was answered.
        fault: The fault that struck it, if one did.
    """

    method: str
    path: str
    query: str
    status: int | None
    body: bytes
    body_bytes: int
    at: int
    user_agent: str
    answer: bytes
    answer_bytes: int
    fault: dict[str, Any] | None

    @property
    def kept(self) -> int:
        """The memory that it takes, roughly."""
        return len(self.body) + len(self.answer)

    def json(self, *, answers: bool = False) -> dict[str, Any]:
        """The entry as the control API shows it."""
        answer = {"answer": _shown(self.answer, self.answer_bytes)} if answers else {}
        return {
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "status": self.status,
            "body": _shown(self.body, self.body_bytes),
            "body_bytes": self.body_bytes,
            "answer_bytes": self.answer_bytes,
            "at": rfc3339(self.at),
            "user_agent": self.user_agent,
            "fault": self.fault,
            **answer,
        }


class Journal:
    """The newest requests, in order; kept in memory, because reads should not cost a commit."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._kept = 0

    def note(
        self,
        *,
        method: str,
        path: str,
        query: str,
        status: int | None,
        body: bytes,
        content_type: str,
        at: int,
        user_agent: str,
        answer: bytes,
        fault: dict[str, Any] | None = None,
    ) -> None:
        """Remember a request."""
        secret = path.startswith(_SECRET_PATHS)
        file = "json" not in content_type
        entry = Entry(
            method=method,
            path=path,
            query="" if secret else query,
            status=status,
            body=b"" if secret or file or len(body) > _MAX_BODY else body,
            body_bytes=len(body),
            at=at,
            user_agent=user_agent,
            answer=b"" if secret or len(answer) > _MAX_BODY else answer,
            answer_bytes=len(answer),
            fault=fault,
        )
        self._entries.append(entry)
        self._kept += entry.kept
        while len(self._entries) > CAPACITY or self._kept > _MAX_KEPT:
            self._kept -= self._entries.popleft().kept

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._kept = 0

    def json(self, *, answers: bool = False) -> list[dict[str, Any]]:
        """All entries, oldest first; on request with what was answered."""
        return [entry.json(answers=answers) for entry in self._entries]


def _shown(content: bytes, size: int) -> Any:
    """The JSON; else how long the content was."""
    if not size:
        return None
    try:
        return json.loads(content)
    except ValueError:
        return {"omitted_bytes": size}
