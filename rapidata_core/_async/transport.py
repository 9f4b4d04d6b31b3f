"""One HTTP call, in all its patience: token, retries by policy, errors that say what to do."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from json import dumps
from pathlib import Path
from typing import Any, TypeVar

import pydantic

from rapidata_core._async.auth import AsyncTokens
from rapidata_core.concurrency import AsyncFlights, async_monotonic, async_offload, async_sleep
from rapidata_core.config import Settings
from rapidata_core.errors import AuthenticationError, RapidataError, ServerError, TransportError
from rapidata_core.http import (
    DEPARTURE,
    FAILED,
    NEVER_SENT,
    AsyncSessions,
    Response,
    TooLate,
    segment,
)
from rapidata_core.policy.answers import UNKNOWN, error_for
from rapidata_core.policy.retry import (
    Call,
    Failure,
    RetryPolicy,
    delay_before_retry,
    retry_after_seconds,
)
from rapidata_core.policy.tokens import Token, read_answer
from rapidata_core.policy.uploads import FilePart
from rapidata_core.wire.model import PAGE_SIZE, Page, WireModel

Model = TypeVar("Model", bound=WireModel)
Item = TypeVar("Item", bound=WireModel)
Result = TypeVar("Result")
Parameters = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Trouble:
    """An attempt that failed: what the policy judges, and what is raised when it gives up."""

    failure: Failure
    problem: RapidataError


class AsyncTransport:
    """Sends requests to the platform's own hosts, and to no other."""

    def __init__(
        self,
        settings: Settings,
        retry: RetryPolicy | None = None,
        on_token: Callable[[str], object] | None = None,
    ) -> None:
        self.settings = settings
        self._retry = retry or RetryPolicy()
        self._sessions = AsyncSessions(settings.ca_file)
        self._tokens = AsyncTokens(settings, self._fetch_token, on_token)
        self._chance = random.Random()
        # Uploads and submissions that are under way.
        self.flights = AsyncFlights()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._sessions.aclose()

    def page(self, *parts: str) -> str:
        """The URL of a page of the dashboard."""
        return "/".join([self.settings.endpoints.app, *map(segment, parts)])

    async def read(
        self, path: str, answer: type[Model], *, about: str, params: Parameters = ()
    ) -> Model:
        """``GET`` and parse. See :meth:`send` for the arguments and errors."""
        return await self.ask("GET", path, answer, call=Call.REPEATABLE, about=about, params=params)

    async def read_page(
        self,
        path: str,
        answer: type[Page[Item]],
        *,
        about: str,
        page: int,
        size: int,
        sort: str | None = "-created_at",
        filters: Parameters = (),
    ) -> list[Item]:
        """One page of a list, newest first unless sorted otherwise. See :meth:`send`."""
        params = [("page", str(page)), ("page_size", str(size))]
        sorting = [] if sort is None else [("sort", sort)]
        found = await self.read(path, answer, about=about, params=[*params, *sorting, *filters])
        return found.items

    async def read_all(
        self, path: str, answer: type[Page[Item]], *, about: str, params: Parameters = ()
    ) -> list[Item]:
        """All pages of a list. See :meth:`send` for the arguments and errors."""
        items: list[Item] = []
        number = 1
        while True:
            paging = [("page", str(number)), ("page_size", str(PAGE_SIZE))]
            page = await self.read(path, answer, about=about, params=[*paging, *params])
            items += page.items
            if len(page.items) < PAGE_SIZE or (page.total is not None and len(items) >= page.total):
                return items
            number += 1

    async def ask(
        self, method: str, path: str, answer: type[Model], *, call: Call, about: str, **body: Any
    ) -> Model:
        """Send and parse the answer. See :meth:`send` for the arguments and errors.

        Raises:
            ServerError: The answer is not what the contract says. A paid call may have been
                carried out nevertheless.
        """
        content = await self.send(method, path, call=call, about=about, **body)
        try:
            return answer.model_validate_json(content)
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise ServerError(
                f"The platform's answer about {about} is not what its contract says: "
                f"{field}: {first['msg']}",
                request=f"{method} {path}",
            ) from None

    async def send(
        self,
        method: str,
        path: str,
        *,
        call: Call,
        about: str,
        params: Parameters = (),
        json: Mapping[str, Any] | None = None,
        file: FilePart | None = None,
        before: float | None = None,
        into: Path | None = None,
    ) -> bytes:
        """Send a request until it is answered or patience ends.

        Args:
            method: HTTP method.
            path: Path on the API host, starting with a slash.
            call: What repeating the request would do; decides what is repeated.
            about: The object in question, in words, for error messages.
            params: Query parameters, repeated where the platform wants lists.
            json: Body.
            file: A file to send instead, as the part ``file`` of a form.
            before: The time of our own clock after which it must not leave us any more.
            into: A file to write the body to piece by piece, for bodies that may be large. A
                failed attempt can leave some of it there.

        Returns:
            The body of the answer; empty as long as the platform is still making it, and if it went
            into a file.

        Raises:
            RapidataError: The subclass says what is wrong.
        """
        assert path.startswith("/"), path
        request = f"{method} {path}"
        headers = {"Accept": "*/*"}
        content = None
        if json is not None:
            # Once for all attempts.
            content = encode(json)
            headers["Content-Type"] = "application/json"
        elif file is not None and file.content is not None:
            content, headers["Content-Type"] = file.form(file.content)

        async def depart(event: str, _: object) -> None:
            # Waiting for a token, a place in the pool, a proxy or TLS may have taken long.
            if before is not None and event.endswith(DEPARTURE) and async_monotonic() >= before:
                raise TooLate("too late")

        departure = None if before is None else {"trace": depart}

        async def once(attempt: int) -> bytes | Trouble:
            refused: str | None = None
            while True:
                token = await self._tokens.get(refused)
                session = self._sessions.current()
                try:
                    with _streamed(file) as files:
                        async with session.client.stream(
                            method,
                            self.settings.endpoints.api + path,
                            params=list(params) or None,
                            headers={"Authorization": f"Bearer {token}", **headers},
                            content=content,
                            files=files,
                            extensions=departure,
                        ) as answer:
                            if into is not None and answer.status_code == 200:
                                await _save(answer, into)
                                return b""
                            await answer.aread()
                except FAILED as error:
                    sent = not isinstance(error, NEVER_SENT)
                    return self._unreachable(error, sent, request, attempt, call)
                if answer.status_code in {200, 202, 204}:
                    # 202: asked for, but not there yet. What it says about that is not the answer.
                    return b"" if answer.status_code == 202 else answer.content
                if answer.status_code == 401 and refused is None:
                    # Refused, so not carried out: one more try with a new token is safe even for
                    # a paid call.
                    refused = token
                    continue
                if answer.status_code == 404 and method == "DELETE" and attempt > 1:
                    # The attempt before, whose answer was lost, has deleted it.
                    return b""
                failure = _failure(answer)
                problem = error_for(
                    status=answer.status_code,
                    headers=answer.headers,
                    body=answer.content,
                    request=request,
                    about=about,
                    environment=self.settings.environment,
                    attempts=attempt,
                    repeatable=call is Call.REPEATABLE,
                    retry_after=failure.retry_after,
                )
                return Trouble(failure, problem)

        return await self._patiently(call, once)

    async def _fetch_token(self) -> Token:
        """Ask the token endpoint; asking twice does no harm, so it is repeated like a read."""
        url = f"{self.settings.endpoints.auth}/connect/token"

        async def once(attempt: int) -> Token | Trouble:
            try:
                answer = await self._sessions.current().client.post(
                    url,
                    data={"grant_type": "client_credentials", "scope": self.settings.scope},
                    auth=(self.settings.client_id or "", self.settings.client_secret or ""),
                )
            except FAILED as error:
                # Whatever became of the log-in, the request that it was for was not sent.
                return self._unreachable(
                    error, False, "POST /connect/token", attempt, Call.REPEATABLE
                )
            try:
                return read_answer(
                    status=answer.status_code,
                    content_type=answer.headers.get("content-type", ""),
                    body=answer.content,
                    url=url,
                    client_id=self.settings.client_id,
                    now=time.time(),
                )
            except (AuthenticationError, ServerError) as error:
                return Trouble(_failure(answer), error)

        return await self._patiently(Call.REPEATABLE, once)

    async def _patiently(
        self, call: Call, once: Callable[[int], Awaitable[Result | Trouble]]
    ) -> Result:
        """Try until there is a result or the policy says to give up."""
        attempt = 0
        while True:
            attempt += 1
            outcome = await once(attempt)
            if not isinstance(outcome, Trouble):
                return outcome
            delay = delay_before_retry(call, outcome.failure, attempt, self._retry, self._chance)
            if delay is None:
                raise outcome.problem
            await async_sleep(delay)

    def _unreachable(
        self, error: Exception, sent: bool, request: str, attempts: int, call: Call
    ) -> Trouble:
        where = self.settings.environment
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        if not sent:
            message = (
                f"Cannot reach {where!r} ({what}). Check the environment setting, the network and "
                "the proxy; nothing was sent."
            )
        elif call is Call.REPEATABLE:
            message = f"{where!r} did not answer completely ({what}). Try again later."
        else:
            message = f"{where!r} did not answer completely ({what}), {UNKNOWN}"
        problem = TransportError(message, sent=sent, request=request, attempts=attempts)
        return Trouble(Failure(sent=sent), problem)


def encode(document: Mapping[str, Any]) -> bytes:
    """JSON as it is sent."""
    return dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


@contextmanager
def _streamed(file: FilePart | None) -> Generator[dict[str, Any] | None]:
    """A file that is too large to be held in memory, opened for one attempt."""
    if file is None or file.content is not None:
        yield None
        return
    with open(file.path, "rb") as content:
        yield {"file": (file.name, content, file.content_type)}


async def _save(answer: Response, path: Path) -> None:
    """Write a body to a file; that it is as long as announced, the HTTP library makes sure."""
    with await async_offload(path.open, "wb") as file:
        async for piece in answer.aiter_bytes():
            file.write(piece)


def _failure(answer: Response) -> Failure:
    asked = retry_after_seconds(answer.headers.get("retry-after"), datetime.now(UTC))
    return Failure(status=answer.status_code, sent=True, retry_after=asked)
