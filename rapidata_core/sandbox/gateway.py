"""The outermost layer: reads a request, lets a fault strike it, and writes it into the journal.

It closes a connection by calling ``scope["state"]["abort"]``, after which ``receive`` has to say
``http.disconnect``; it waits by ``asyncio.sleep`` alone. So it can be driven without a server, and
on a clock of one's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from rapidata_core.sandbox.api.call import Endpoint
from rapidata_core.sandbox.clock import Clock
from rapidata_core.sandbox.faults import Fault, FaultPlan
from rapidata_core.sandbox.journal import Journal
from rapidata_core.sandbox.routing import Routes

_PIECES = 10
"""How many pieces a slow body comes in."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request, read completely, and who answers it."""

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes
    endpoint: Endpoint
    parameters: Mapping[str, str]


class Gateway:
    """An ASGI application around the platform."""

    def __init__(
        self,
        routes: Routes,
        platform: Callable[[Request], Awaitable[Response]],
        befall: Callable[[Fault, Response | None], None],
        clock: Callable[[], Clock],
        faults: FaultPlan,
        journal: Journal,
        latency: float,
    ) -> None:
        self._routes = routes
        self._platform = platform
        self._befall = befall
        self._clock = clock
        self._faults = faults
        self._journal = journal
        self._latency = latency

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = await self._read(scope, receive)
        if not request.endpoint.recorded:
            await (await self._platform(request))(scope, receive, send)
            return
        at = self._clock().now()
        fault = self._faults.next_for(request.method, request.path)
        answer = await self._answer(request, fault)
        self._note(request, at, answer, fault)
        lateness = self._latency + _lateness(fault)
        if lateness:
            # Each answer waits on its own, as on a long line, and holds up no other one.
            await asyncio.sleep(lateness)
        if answer is None:
            await _drop(scope, receive)
        elif fault is None or fault.phase in ("before", "after_commit"):
            await answer(scope, receive, send)
        else:
            await _send_badly(fault, answer, scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive) -> Request:
        method, path = scope["method"], scope["path"]
        endpoint, parameters = self._routes.find(method, path)
        return Request(
            method=method,
            path=path,
            query=scope["query_string"].decode("latin-1"),
            headers=Headers(scope=scope),
            body=await _body(receive),
            endpoint=endpoint,
            parameters=parameters,
        )

    async def _answer(self, request: Request, fault: Fault | None) -> Response | None:
        """The platform's answer, or what a fault makes of it; ``None`` drops the connection."""
        if fault is None:
            return await self._platform(request)
        if fault.phase == "before":
            if fault.action == "delay":
                await asyncio.sleep(fault.seconds)
            self._strike(fault, None)
            if fault.takes_the_answer:
                return fault.answer
        answer = await self._platform(request)
        if fault.phase == "after_commit":
            self._strike(fault, answer)
            if fault.takes_the_answer:
                return fault.answer
        return answer

    def _strike(self, fault: Fault, answer: Response | None) -> None:
        if fault.action == "kill":
            _signal(fault.pid, signal.SIGKILL)
        else:
            self._befall(fault, answer)

    def _note(
        self, request: Request, at: int, answer: Response | None, fault: Fault | None
    ) -> None:
        shown = fault or self._faults.lag_for(request.method, request.path)
        self._journal.note(
            method=request.method,
            path=request.path,
            query=request.query,
            status=None if answer is None else answer.status_code,
            body=request.body,
            content_type=request.headers.get("content-type", ""),
            at=at,
            user_agent=request.headers.get("user-agent", ""),
            answer=b"" if answer is None else bytes(answer.body),
            fault=None if shown is None else shown.json(),
        )


async def _body(receive: Receive) -> bytes:
    message = await receive()
    parts: list[bytes] = [message.get("body", b"")]
    while message.get("more_body", False):
        message = await receive()
        parts.append(message.get("body", b""))
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _lateness(fault: Fault | None) -> float:
    """How much later an answer is sent, after its request was carried out."""
    if fault is None or (fault.action, fault.phase) != ("delay", "after_commit"):
        return 0.0
    return fault.seconds


async def _send_badly(
    fault: Fault, answer: Response, scope: Scope, receive: Receive, send: Send
) -> None:
    """Send an answer as a fault has it: not all of it, slowly, or to somebody who dies of it."""
    match fault.action:
        case "truncate":
            await _truncate(answer, scope, receive, send)
        case "delay":
            await _trickle(answer, fault.seconds, send)
        case _:
            # Stopped before, so that it cannot do anything with the answer.
            _signal(fault.pid, signal.SIGSTOP)
            await answer(scope, receive, send)
            _signal(fault.pid, signal.SIGKILL)
            await _drop(scope, receive)


async def _truncate(answer: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send the head and half of the body; an answer without a body is lost as a whole."""
    if answer.body:
        await send(_head(answer))
        half = bytes(answer.body[: len(answer.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
    await _drop(scope, receive)


async def _trickle(answer: Response, seconds: float, send: Send) -> None:
    """Send the body piece by piece."""
    await send(_head(answer))
    body = bytes(answer.body)
    for place in range(_PIECES):
        await asyncio.sleep(seconds / _PIECES)
        piece = body[len(body) * place // _PIECES : len(body) * (place + 1) // _PIECES]
        more = place + 1 < _PIECES
        await send({"type": "http.response.body", "body": piece, "more_body": more})


def _head(answer: Response) -> Message:
    return {
        "type": "http.response.start",
        "status": answer.status_code,
        "headers": answer.raw_headers,
    }


def _signal(pid: int, number: signal.Signals) -> None:
    # It may have ended by itself since the fault was planned.
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


async def _drop(scope: Scope, receive: Receive) -> None:
    """Close the connection without more of an answer, and wait until the server has noticed."""
    scope["state"]["abort"]()
    while (await receive())["type"] != "http.disconnect":
        pass
