"""The platform as an ASGI application."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from rapidata_core.sandbox import pages
from rapidata_core.sandbox.answers import answer, problem_answer
from rapidata_core.sandbox.api import (
    assets,
    audiences,
    auth,
    billing,
    datasets,
    definitions,
    jobs,
)
from rapidata_core.sandbox.api.call import Call, Endpoint, Upload
from rapidata_core.sandbox.api.control import Control
from rapidata_core.sandbox.clock import SECOND
from rapidata_core.sandbox.faults import FaultPlan
from rapidata_core.sandbox.gateway import Gateway
from rapidata_core.sandbox.journal import Journal
from rapidata_core.sandbox.problems import Problem, plain
from rapidata_core.sandbox.settings import Account
from rapidata_core.sandbox.store import Store

_ENDPOINTS = (
    *auth.ENDPOINTS,
    *audiences.ENDPOINTS,
    *assets.ENDPOINTS,
    *datasets.ENDPOINTS,
    *definitions.ENDPOINTS,
    *jobs.ENDPOINTS,
    *billing.ENDPOINTS,
    *pages.ENDPOINTS,
)


def create_app(store: Store) -> ASGIApp:
    """The platform on a store.

    Handlers are plain functions that are called on the event loop, one at a time and without
    awaiting, each within one transaction; :mod:`rapidata_core.sandbox.store` says why.
    """
    with store.transaction():
        if store.is_empty():
            audiences.add_given_audiences(store)
    faults, journal = FaultPlan(), Journal()
    platform = _Platform(store, Account.of(store.seed))
    endpoints = (*_ENDPOINTS, *Control(faults, journal).endpoints())
    app = Starlette(
        routes=[
            Route(endpoint.path, platform.route(endpoint), methods=[endpoint.method])
            for endpoint in endpoints
        ],
        exception_handlers={HTTPException: platform.not_routed},
    )
    app.router.redirect_slashes = False
    return Gateway(app, lambda: store.clock, faults, journal)


class _Platform:
    """Runs handlers, and turns what they return or raise into responses."""

    def __init__(self, store: Store, account: Account) -> None:
        self._store = store
        self._account = account
        self._numbers = itertools.count(1)

    def route(self, endpoint: Endpoint) -> Callable[[Request], Any]:
        """The Starlette endpoint for a handler."""

        async def respond(request: Request) -> Response:
            body = await request.body()
            try:
                upload = await _upload(request)
            except MultiPartException as error:
                return self._sign(
                    self._failed(Problem(400, "The form is malformed.", error.message))
                )
            return self._sign(self._run(endpoint, request, body, upload))

        return respond

    def not_routed(self, _request: Request, error: Exception) -> Response:
        """The answer to a path or a method that does not exist."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        return self._sign(self._failed(plain(status)))

    def _run(
        self, endpoint: Endpoint, request: Request, body: bytes, upload: Upload | None
    ) -> Response:
        try:
            if not endpoint.open:
                auth.require_token(self._account, request.headers.get("authorization", ""))
            call = Call(
                store=self._store,
                account=self._account,
                now=self._store.clock.now(),
                path=request.path_params,
                query=request.query_params.multi_items(),
                headers=request.headers,
                raw_body=body,
                upload=upload,
            )
            with self._store.transaction():
                return answer(endpoint.handler(call))
        except Problem as problem:
            return self._failed(problem)

    def _failed(self, problem: Problem) -> Response:
        return problem_answer(problem, self._trace_id(next(self._numbers)))

    def _sign(self, response: Response) -> Response:
        """Add the simulated time, by which clients may compare what the platform tells them."""
        response.headers["Date"] = formatdate(self._store.clock.now() // SECOND, usegmt=True)
        return response

    def _trace_id(self, number: int) -> str:
        return hashlib.blake2b(
            f"{self._store.seed}/trace/{number}".encode(), digest_size=16
        ).hexdigest()


async def _upload(request: Request) -> Upload | None:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return None
    async with request.form() as form:
        part = form.get("file")
        if not isinstance(part, UploadFile):
            return None
        return Upload(part.filename or "file", await part.read())
