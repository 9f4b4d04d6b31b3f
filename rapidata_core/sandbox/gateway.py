"""The outermost layer: reads a request, lets a fault strike it, and writes it into the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from rapidata_core.sandbox.api.call import Endpoint
from rapidata_core.sandbox.clock import Clock
from rapidata_core.sandbox.faults import FaultPlan
from rapidata_core.sandbox.journal import Journal
from rapidata_core.sandbox.routing import Routes


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
        clock: Callable[[], Clock],
        faults: FaultPlan,
        journal: Journal,
        latency: float,
    ) -> None:
        self._routes = routes
        self._platform = platform
        self._clock = clock
        self._faults = faults
        self._journal = journal
        self._latency = latency

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = await self._read(scope, receive)
        if request.endpoint.recorded:
            at = self._clock().now()
            answer = await self._answer(request)
            self._note(request, at, answer)
            if self._latency:
                # Each answer waits on its own, as on a long line, and holds up no other one.
                await asyncio.sleep(self._latency)
        else:
            answer = await self._platform(request)
        if answer is None:
            await _drop(scope, receive)
        else:
            await answer(scope, receive, send)

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

    async def _answer(self, request: Request) -> Response | None:
        """The platform's answer, or what a fault makes of it; ``None`` drops the connection."""
        fault = self._faults.next_for(request.method, request.path)
        answer: Response | None = None
        if fault is None or fault.phase == "after_commit":
            answer = await self._platform(request)
        if fault is not None:
            answer = fault.response() if fault.action == "status" else None
        return answer

    def _note(self, request: Request, at: int, answer: Response | None) -> None:
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
        )


async def _body(receive: Receive) -> bytes:
    message = await receive()
    parts: list[bytes] = [message.get("body", b"")]
    while message.get("more_body", False):
        message = await receive()
        parts.append(message.get("body", b""))
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _drop(scope: Scope, receive: Receive) -> None:
    """Close the connection without an answer, and wait until the server has noticed."""
    scope["state"]["abort"]()
    while (await receive())["type"] != "http.disconnect":
        pass
