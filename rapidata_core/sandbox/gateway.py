"""The outermost layer: reads a request, lets a fault strike it, and writes it into the journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rapidata_core.sandbox.clock import Clock
from rapidata_core.sandbox.faults import Fault, FaultPlan
from rapidata_core.sandbox.journal import Entry, Journal

UNRECORDED = ("/_sandbox/", "/audiences/", "/definitions/")
"""Paths of the control API and of the pages: no fault strikes them and no journal lists them."""


class Gateway:
    """An ASGI application around the platform."""

    def __init__(
        self, app: ASGIApp, clock: Callable[[], Clock], faults: FaultPlan, journal: Journal
    ) -> None:
        self._app = app
        self._clock = clock
        self._faults = faults
        self._journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path: str = scope.get("path", "")
        if scope["type"] != "http" or path == "/" or path.startswith(UNRECORDED):
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        at = self._clock().now()
        fault = self._faults.next_for(scope["method"], path)
        answer: list[Message] = []
        if fault is None or fault.phase == "after_commit":
            await self._app(scope, _replay(body), _collector(answer))
        if fault is not None:
            answer = await _struck(fault, scope)
        self._note(scope, body, at, answer)
        if answer:
            for message in answer:
                await send(message)
        else:
            await _drop(scope, receive)

    def _note(self, scope: Scope, body: bytes, at: int, answer: list[Message]) -> None:
        headers = Headers(scope=scope)
        self._journal.note(
            Entry(
                method=scope["method"],
                path=scope["path"],
                query=cast(bytes, scope["query_string"]).decode("latin-1"),
                status=answer[0]["status"] if answer else None,
                body=body,
                content_type=headers.get("content-type", ""),
                at=at,
                user_agent=headers.get("user-agent", ""),
            )
        )


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _collector(answer: list[Message]) -> Send:
    async def send(message: Message) -> None:
        answer.append(message)

    return send


async def _struck(fault: Fault, scope: Scope) -> list[Message]:
    """The answer that a fault gives; empty when the connection is to be dropped."""
    answer: list[Message] = []
    if fault.action == "status":
        response: Response = fault.response()
        await response(scope, _replay(b""), _collector(answer))
    return answer


async def _drop(scope: Scope, receive: Receive) -> None:
    """Close the connection without an answer, and wait until the server has noticed."""
    scope["state"]["abort"]()
    while (await receive())["type"] != "http.disconnect":
        pass
