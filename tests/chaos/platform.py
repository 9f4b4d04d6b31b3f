"""The sandbox inside this process, on the virtual clock, and the lines that lead to it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from rapidata_core.http import httpx
from rapidata_core.sandbox import clock
from rapidata_core.sandbox.app import create_app
from rapidata_core.sandbox.settings import Account
from rapidata_core.sandbox.store import Store
from tests.chaos.loop import VirtualLoop

URL = "http://127.0.0.1:1"
# Seconds from one end of a line to the other.
TRAVEL = (0.001, 0.05)

_machine_now = clock.real_now


@dataclass(frozen=True)
class Fault:
    """What becomes of one request.

    Attributes:
        outcome: What its sender sees: the ``answer``; ``refused``, there was no connection;
            ``lost``, the connection broke; ``truncated``, it broke within the answer; ``503`` or
            ``429`` instead of the answer; ``killed``, nothing more, ever.
        carried_out: Whether the platform does what is asked.
        stall: Seconds for which the sender stands still before it sends.
        late: Seconds from sending to the moment when the platform carries it out.
    """

    outcome: str
    carried_out: bool = True
    stall: float = 0.0
    late: float = 0.0

    def __str__(self) -> str:
        parts = [self.outcome, "carried out" if self.carried_out else "not carried out"]
        parts += [f"stalled {self.stall:.2f} s"] if self.stall else []
        parts += [f"{self.late:.2f} s late"] if self.late else []
        return ", ".join(parts)


FAULTLESS = Fault("answer")
Plan = Callable[[httpx.Request], Fault]


@dataclass(frozen=True)
class Answer:
    """What came back, up to where the connection broke."""

    status: int | None
    headers: list[tuple[bytes, bytes]]
    body: bytes
    complete: bool


class Platform:
    """This process's sandbox; a reset takes a tenth of the time that a new one takes."""

    def __init__(self) -> None:
        clock.real_now = _now
        self._store = Store(None, 0, 1.0)
        self._app = create_app(self._store)
        self.account = Account.of(self._store.seed)
        # Requests that are on their way, whatever became of their senders.
        self._under_way: set[asyncio.Task[Answer]] = set()

    @classmethod
    async def fresh(cls) -> Platform:
        """No objects, no faults."""
        platform = cls._kept()
        await platform.control("POST", "/_sandbox/reset")
        return platform

    @classmethod
    @cache
    def _kept(cls) -> Platform:
        return cls()

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        """One request to the sandbox's own endpoints; returns the JSON of the answer, if any."""
        content = b"" if body is None else json.dumps(body).encode()
        answer = await self.carry_out(httpx.Request(method, URL + path, content=content))
        assert answer.status in (200, 204), answer.body
        return json.loads(answer.body) if answer.body else None

    async def lag(self, seconds: float) -> None:
        """Let lists show what is new only after so many seconds."""
        if seconds:
            plan = [{"method": "GET", "path": ".*", "action": "lag", "seconds": seconds}]
            await self.control("POST", "/_sandbox/faults", plan)

    async def charged(self) -> list[str]:
        """What was charged and not given back."""
        return outstanding((await self.ledger())["entries"])

    async def ledger(self) -> dict[str, Any]:
        """Balance and entries."""
        return await self.control("GET", "/_sandbox/ledger")

    def send(self, request: httpx.Request, late: float) -> asyncio.Task[Answer]:
        """Put a request on its way: it arrives, even if its sender dies."""

        async def arrive() -> Answer:
            await asyncio.sleep(late)
            return await self.carry_out(request)

        task = asyncio.get_running_loop().create_task(arrive())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def carry_out(self, request: httpx.Request) -> Answer:
        """Let the sandbox answer."""
        exchange = _Exchange(request.content)
        url = request.url
        scope = {
            "type": "http",
            "method": request.method,
            "path": url.path,
            "raw_path": url.raw_path,
            "query_string": url.query,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "state": {"abort": exchange.abort},
        }
        await self._app(scope, exchange.receive, exchange.send)
        return exchange.answer()


class _Exchange:
    """One request and its answer, in the words of ASGI."""

    def __init__(self, content: bytes) -> None:
        self._content: bytes | None = content
        self._status: int | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._aborted = False

    def abort(self) -> None:
        self._aborted = True

    async def receive(self) -> dict[str, Any]:
        content, self._content = self._content, None
        if content is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(self, message: dict[str, Any]) -> None:
        if self._aborted:
            return
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], list(message.get("headers", ()))
        else:
            self._body += message.get("body", b"")

    def answer(self) -> Answer:
        return Answer(self._status, self._headers, bytes(self._body), not self._aborted)


class Line(httpx.AsyncBaseTransport):
    """The line from one process to the platform.

    Each request, and each answer, takes a moment: so other processes get in between.

    Attributes:
        dead: The process was killed: whatever its code still tries, nothing leaves it.
        crash: Called when the process is to die.
    """

    def __init__(self, platform: Platform, plan: Plan, crash: Callable[[], object]) -> None:
        self._platform = platform
        self._plan = plan
        # The schedule's seed decides.
        self._dice = random.Random()
        self.crash = crash
        self.dead = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, as far as the plan lets it come."""
        if self.dead:
            raise asyncio.CancelledError
        fault = self._plan(request)
        await asyncio.sleep(fault.stall + self._moment())
        answer = None
        if fault is FAULTLESS:
            answer = await self._platform.carry_out(request)
        elif fault.carried_out:
            answer = await self._answer(request, fault)
        await asyncio.sleep(self._moment())
        return await self._see(request, fault, answer)

    def _moment(self) -> float:
        return self._dice.uniform(*TRAVEL)

    async def _answer(self, request: httpx.Request, fault: Fault) -> Answer | None:
        task = self._platform.send(request, fault.late)
        # Who sees no answer does not wait until it would have come.
        waits = fault.outcome == "answer" or not fault.late
        return await asyncio.shield(task) if waits else None

    async def _see(
        self, request: httpx.Request, fault: Fault, answer: Answer | None
    ) -> httpx.Response:
        match fault.outcome:
            case "killed":
                self.dead = True
                self.crash()
                await _for_ever()
            case "refused":
                raise httpx.ConnectError("refused", request=request)
            case "lost":
                raise httpx.ReadError("lost", request=request)
            case "truncated":
                raise httpx.RemoteProtocolError("truncated", request=request)
            case "503" | "429":
                # Retry-After is worth reading on both.
                return httpx.Response(int(fault.outcome), headers={"Retry-After": "1"})
            case _:
                pass
        assert answer is not None
        return _response(request, answer)


def _response(request: httpx.Request, answer: Answer) -> httpx.Response:
    """What the HTTP library makes of an answer, or of what there is of it."""
    if answer.status is None:
        raise httpx.ReadError("no answer", request=request)
    if not answer.complete:
        raise httpx.RemoteProtocolError("half an answer", request=request)
    return httpx.Response(answer.status, headers=answer.headers, content=answer.body)


def outstanding(entries: list[dict[str, Any]]) -> list[str]:
    """What was charged in a ledger and not given back: ids, each as often as it was charged."""
    charged: list[str] = []
    for entry in entries:
        if entry["kind"] == "refund":
            charged.remove(entry["id"])
        else:
            charged.append(entry["id"])
    return charged


async def _for_ever() -> None:
    await asyncio.get_running_loop().create_future()


def _now() -> int:
    """Virtual time within its loop; whoever else is in this process keeps the machine's."""
    with suppress(RuntimeError):
        loop = asyncio.get_running_loop()
        if isinstance(loop, VirtualLoop):
            return loop.now()
    return _machine_now()


def play(scene: Callable[[], Awaitable[Any]]) -> Any:
    """Run something from the beginning of virtual time, and whatever it started to its end."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_awaited(scene))


async def _awaited(scene: Callable[[], Awaitable[Any]]) -> Any:
    return await scene()
