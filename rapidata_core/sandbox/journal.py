"""What was asked of the sandbox, without secrets."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from typing import Any

from rapidata_core.sandbox.clock import rfc3339

CAPACITY = 10_000
_MAX_BODY = 64 * 1024
_SECRET_PATHS = ("/connect/",)


@dataclass(frozen=True, slots=True)
class Entry:
    """One request; ``status`` is ``None`` when the connection was dropped without an answer."""

    method: str
    path: str
    query: str
    status: int | None
    body: bytes
    content_type: str
    at: int
    user_agent: str

    def json(self) -> dict[str, Any]:
        """The entry as the control API shows it."""
        return {
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "status": self.status,
            "body": self._body(),
            "at": rfc3339(self.at),
            "user_agent": self.user_agent,
        }

    def _body(self) -> Any:
        """The JSON that was sent; files, tokens and very long bodies are left out."""
        if not self.body:
            return None
        if "json" not in self.content_type or len(self.body) > _MAX_BODY:
            return {"omitted_bytes": len(self.body)}
        try:
            return json.loads(self.body)
        except ValueError:
            return {"omitted_bytes": len(self.body)}


class Journal:
    """The newest requests, in order; kept in memory, because reads should not cost a commit."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=CAPACITY)

    def note(self, entry: Entry) -> None:
        """Remember a request."""
        secret = entry.path.startswith(_SECRET_PATHS)
        kept = b"" if secret or len(entry.body) > _MAX_BODY else entry.body
        query = "" if secret else entry.query
        self._entries.append(
            Entry(
                entry.method,
                entry.path,
                query,
                entry.status,
                kept,
                entry.content_type,
                entry.at,
                entry.user_agent,
            )
        )

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def json(self) -> list[dict[str, Any]]:
        """All entries, oldest first."""
        return [entry.json() for entry in self._entries]
