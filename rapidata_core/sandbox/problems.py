"""Errors as the platform answers them: ``application/problem+json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class Problem(Exception):  # noqa: N818 -- the word of the standard, RFC 9457
    """Ends a request with an error; whatever the request wrote is rolled back."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str | None = None,
        errors: Mapping[str, Sequence[str]] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail or title
        self.errors = {key: list(texts) for key, texts in (errors or {}).items()}
        self.extensions = extensions

    def body(self, trace_id: str) -> dict[str, Any]:
        """The JSON of the answer."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "traceId": trace_id,
        }
        if self.errors:
            body["errors"] = self.errors
        return body | self.extensions


def plain(status: int) -> Problem:
    """A problem that has nothing to say beyond its status."""
    return Problem(status, _TITLES.get(status, "Error"))


def invalid(errors: Mapping[str, Sequence[str]]) -> Problem:
    """400 with the list of what is wrong, field by field."""
    first = next(iter(errors.values()))[0]
    return Problem(400, "One or more validation errors occurred.", first, errors)


def missing(kind: str, object_id: str) -> Problem:
    """404 for an object that does not exist."""
    return Problem(404, f"{kind} not found", f"There is no {kind.lower()} with the id {object_id}.")


def not_simulated(field: str, what: str) -> Problem:
    """400 for something that the platform has and the sandbox does not."""
    return invalid({field: [f"The sandbox does not simulate {what} yet."]})
