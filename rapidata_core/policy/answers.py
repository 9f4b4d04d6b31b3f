"""From an HTTP answer to an error that says what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from rapidata_core.errors import (
    AuthenticationError,
    NotFoundError,
    RapidataError,
    RateLimitedError,
    ServerError,
    ValidationError,
)

# Of a request that repeating could carry out a second time.
UNKNOWN = (
    "so it is unknown whether the request was carried out; it was not sent again. Look before you "
    "try again."
)


def problem_document(body: bytes) -> dict[str, Any]:
    """The platform's problem+json, or nothing when the body is something else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", document) if isinstance(document, dict) else {}


def error_for(
    *,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    request: str,
    about: str,
    environment: str,
    attempts: int,
    repeatable: bool = True,
    retry_after: float | None = None,
) -> RapidataError:
    """The error for an answer that is not a success.

    Args:
        status: HTTP status.
        headers: HTTP headers; keys in lower case.
        body: The whole body.
        request: Method and path.
        about: The object in question in words, for example ``audience 'aud_1'``.
        environment: Where the client is pointed at.
        attempts: How many times the request was sent.
        repeatable: Whether sending it again does no harm.
        retry_after: Seconds that the platform asks us to wait.
    """
    document = problem_document(body)
    facts: dict[str, Any] = {
        "status_code": status,
        "details": document or None,
        "trace_id": headers.get("x-trace-id") or document.get("traceId"),
        "request": request,
        "attempts": attempts,
    }
    said = _what_the_platform_says(document)
    if status == 401:
        return AuthenticationError(
            f"The platform refused the token for {about}. Check that the client id and secret "
            f"belong to {environment!r} and are still valid.{said}",
            **facts,
        )
    if status == 403:
        return AuthenticationError(
            f"These credentials may not use {about}. Ask its owner to share it, or use the "
            f"credentials of the right account.{said}",
            **facts,
        )
    if status == 404:
        return NotFoundError(
            f"There is no {about} in {environment!r}. Check the id, and that it belongs to this "
            f"account.{said}",
            **facts,
        )
    if status == 429:
        return RateLimitedError(
            f"The platform is rate limiting {about}. Try again later or send less at once.{said}",
            retry_after=retry_after,
            **facts,
        )
    if status in {400, 409, 413, 415, 422}:
        return ValidationError(about, _reasons(document, status), **facts)
    if 300 <= status < 400:
        return ServerError(
            f"The platform redirected the request about {about}; redirects are not followed, so "
            f"that the token stays with its host. Check environment={environment!r}.",
            **facts,
        )
    advice = ". It is usually safe to try again later." if repeatable else f", {UNKNOWN}"
    return ServerError(f"The platform failed on {about}{advice}{said}", **facts)


def _what_the_platform_says(document: Mapping[str, Any]) -> str:
    said = document.get("detail") or document.get("title")
    return f" The platform says: {said}" if said else ""


def _reasons(document: Mapping[str, Any], status: int) -> list[str]:
    errors = document.get("errors")
    if isinstance(errors, dict) and errors:
        fields = cast("dict[str, Any]", errors)
        return [
            f"{field}: {said}" for field, all_said in fields.items() for said in _list(all_said)
        ]
    said = document.get("detail") or document.get("title")
    return [str(said or f"the platform answered {status}")]


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]
