"""From what a handler returns to an HTTP response."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from rapidata_core.sandbox.problems import Problem

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def encode(value: Any) -> bytes:
    """JSON, compact, in UTF-8."""
    # A lone surrogate came in as a JSON escape and goes out as one.
    return _ENCODER.encode(value).encode("utf-8", "backslashreplace")


def reply(value: Any) -> Response:
    """200 with JSON, or 204 for ``None``; a response stays what it is."""
    if isinstance(value, Response):
        return value
    if value is None:
        return Response(status_code=204)
    return Response(encode(value), media_type="application/json")


def problem_reply(problem: Problem, trace_id: str) -> Response:
    """An error."""
    headers = {"x-trace-id": trace_id}
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(
        encode(problem.body(trace_id)),
        status_code=problem.status,
        media_type="application/problem+json",
        headers=headers,
    )
