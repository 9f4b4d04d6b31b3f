"""The platform as an ASGI application."""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import AsyncGenerator, Sequence
from email.utils import formatdate
from functools import lru_cache
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.responses import Response
from starlette.types import ASGIApp

from rapidata_core.sandbox import misfortunes, pages
from rapidata_core.sandbox.api import (
    assets,
    audiences,
    auth,
    benchmarks,
    billing,
    datasets,
    definitions,
    examples,
    flows,
    job_results,
    jobs,
    leaderboards,
    participants,
    samples,
    signals,
    standings,
)
from rapidata_core.sandbox.api.call import Call, JsonObject, Upload
from rapidata_core.sandbox.api.control import Control
from rapidata_core.sandbox.clock import SECOND
from rapidata_core.sandbox.faults import Fault, FaultPlan
from rapidata_core.sandbox.gateway import Gateway, Request
from rapidata_core.sandbox.journal import Journal
from rapidata_core.sandbox.problems import Problem, plain
from rapidata_core.sandbox.replies import problem_reply, reply
from rapidata_core.sandbox.routing import Routes
from rapidata_core.sandbox.settings import Account
from rapidata_core.sandbox.store import Store

_LOG = logging.getLogger(__name__)
_ENDPOINTS = (
    *auth.ENDPOINTS,
    *audiences.ENDPOINTS,
    *examples.ENDPOINTS,
    *assets.ENDPOINTS,
    *datasets.ENDPOINTS,
    *definitions.ENDPOINTS,
    *jobs.ENDPOINTS,
    *job_results.ENDPOINTS,
    *signals.ENDPOINTS,
    *flows.ENDPOINTS,
    *benchmarks.ENDPOINTS,
    *leaderboards.ENDPOINTS,
    *participants.ENDPOINTS,
    *samples.ENDPOINTS,
    *standings.ENDPOINTS,
    *billing.ENDPOINTS,
    *pages.ENDPOINTS,
)


def create_app(
    store: Store,
    latency: float = 0.0,
    faults: Sequence[JsonObject] = (),
    *,
    may_kill: bool = False,
) -> ASGIApp:
    """The platform on a store.

    Handlers are plain functions that are called on the event loop, one at a time and without
    awaiting, each within one transaction; :mod:`rapidata_core.sandbox.store` says why.

    Args:
        store: What it remembers.
        latency: Seconds that every answer of the platform's API takes longer.
        faults: What goes wrong from the beginning.
        may_kill: Whether faults may kill processes of this machine.

    Raises:
        Problem: A fault is malformed.
    """
    with store.transaction():
        if store.is_empty():
            audiences.add_given_audiences(store)
    plan, journal = FaultPlan(store.seed, may_kill=may_kill), Journal()
    plan.plan(list(faults), store.clock.now())
    routes = Routes((*_ENDPOINTS, *Control(plan, journal).endpoints()))
    platform = _Platform(store, Account.of(store.seed), plan)
    return Gateway(
        routes, platform.answer, platform.befall, lambda: store.clock, plan, journal, latency
    )


class _Platform:
    """Runs handlers, and turns what they return or raise into responses."""

    def __init__(self, store: Store, account: Account, faults: FaultPlan) -> None:
        self._store = store
        self._account = account
        self._faults = faults
        self._numbers = itertools.count(1)

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        try:
            response = self._run(request, await _upload(request))
        except Problem as problem:
            response = self._failed(problem)
        except Exception:
            _LOG.exception("%s %s failed", request.method, request.path)
            response = self._failed(plain(500))
        # Clients may compare what the platform tells them with the simulated time.
        now = self._store.clock.now()
        response.raw_headers.append((b"date", _http_date(now // SECOND)))
        return response

    def befall(self, fault: Fault, answer: Response | None) -> None:
        """Let a fault change the platform."""
        misfortunes.befall(self._store, fault, answer)

    def _run(self, request: Request, upload: Upload | None) -> Response:
        if not request.endpoint.open:
            authorization = request.headers.get("authorization", "")
            auth.require_token(self._account, authorization, self._store.token_generation)
        now = self._store.clock.now()
        self._store.shown_before = self._faults.shown_before(request.method, request.path, now)
        jobs.catch_up(self._store, now)
        signals.catch_up(self._store, now)
        call = Call(
            store=self._store,
            account=self._account,
            now=now,
            path=request.parameters,
            query=parse_qsl(request.query, keep_blank_values=True),
            headers=request.headers,
            raw_body=request.body,
            upload=upload,
        )
        with self._store.transaction():
            return reply(request.endpoint.handler(call))

    def _failed(self, problem: Problem) -> Response:
        return problem_reply(problem, self._trace_id(next(self._numbers)))

    def _trace_id(self, number: int) -> str:
        return hashlib.blake2b(
            f"{self._store.seed}/trace/{number}".encode(), digest_size=16
        ).hexdigest()


@lru_cache(maxsize=16)
def _http_date(seconds: int) -> bytes:
    return formatdate(seconds, usegmt=True).encode("ascii")


async def _upload(request: Request) -> Upload | None:
    """The file part of a form.

    Raises:
        Problem: The form is malformed.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return None
    # Imported here, because most sandboxes never get a file.
    from starlette.formparsers import MultiPartException, MultiPartParser

    async def stream() -> AsyncGenerator[bytes]:
        yield request.body

    try:
        form = await MultiPartParser(request.headers, stream()).parse()
    except MultiPartException as error:
        raise Problem(400, "The form is malformed.", error.message) from error
    try:
        part = form.get("file")
        if not isinstance(part, UploadFile):
            return None
        return Upload(part.filename or "file", await part.read())
    finally:
        await form.close()
