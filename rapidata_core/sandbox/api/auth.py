"""The token endpoint, and the check of access tokens.

A token is a signed expiry time, so it needs no storage and outlives resets and restarts, as a
client that caches its token expects. It also has a generation: that all tokens expire is planned by
letting the next one begin.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from starlette.responses import JSONResponse

from rapidata_core.sandbox.api.call import Call, Endpoint
from rapidata_core.sandbox.problems import Problem
from rapidata_core.sandbox.settings import OWNER_MAIL, Account

LIFETIME = 3600
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def token(call: Call) -> Any:
    """``POST /connect/token``: client credentials, as Basic authentication or in the body."""
    form = {
        key: values[-1]
        for key, values in parse_qs(call.raw_body.decode("utf-8", "replace")).items()
    }
    # Credentials are judged first: a caller with a wrong secret learns nothing else.
    if not _matches(call.account, *(_basic(call.headers) or _posted(form))):
        return _refusal(401, "invalid_client", "The client credentials are not the sandbox's.")
    if form.get("grant_type") != "client_credentials":
        return _refusal(400, "unsupported_grant_type", "Only client_credentials is supported.")
    answer = {
        "access_token": issue(
            call.account, int(time.time()) + LIFETIME, call.store.token_generation
        ),
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "scope": form.get("scope", "openid email api"),
    }
    return JSONResponse(answer, headers=_NO_STORE)


def userinfo(call: Call) -> Any:
    """``GET /connect/userinfo``."""
    return {
        "sub": call.account.owner_id,
        "email": OWNER_MAIL,
        "name": "Sandbox",
        "role": ["Customer"],
    }


def issue(account: Account, expires_at: int, generation: int = 0) -> str:
    """An access token that is valid until a time of the machine's clock."""
    payload = f"{generation:x}-{expires_at:x}"
    return f"sbx.{payload}.{_signature(account, payload)}"


def require_token(account: Account, authorization: str, generation: int) -> None:
    """Check the Authorization header of an API call.

    Args:
        account: Whose token it has to be.
        authorization: The header.
        generation: Tokens of earlier generations have expired.

    Raises:
        Problem: 401, the token is missing, foreign or expired.
    """
    scheme, _, given = authorization.partition(" ")
    prefix, _, rest = given.strip().partition(".")
    payload, _, signature = rest.partition(".")
    expected = _signature(account, payload)
    genuine = hmac.compare_digest(signature.encode(), expected.encode())
    if scheme.lower() != "bearer" or prefix != "sbx" or not genuine:
        raise Problem(401, "Unauthorized", "The access token is missing or not the sandbox's.")
    issued, _, expires_at = payload.partition("-")
    if int(expires_at, 16) <= time.time() or int(issued, 16) < generation:
        raise Problem(401, "Unauthorized", "The access token has expired.")


def _signature(account: Account, payload: str) -> str:
    key = account.client_secret.encode()
    return hmac.new(key, payload.encode(), hashlib.sha256).hexdigest()[:32]


def _basic(headers: Mapping[str, str]) -> tuple[str, str] | None:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ("", "")
    client_id, _, secret = decoded.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)


def _posted(form: Mapping[str, str]) -> tuple[str, str]:
    return form.get("client_id", ""), form.get("client_secret", "")


def _matches(account: Account, client_id: str, secret: str) -> bool:
    return hmac.compare_digest(client_id.encode(), account.client_id.encode()) and (
        hmac.compare_digest(secret.encode(), account.client_secret.encode())
    )


def _refusal(status: int, error: str, description: str) -> JSONResponse:
    body = {"error": error, "error_description": description}
    return JSONResponse(body, status_code=status, headers=_NO_STORE)


ENDPOINTS = (
    Endpoint("POST", "/connect/token", token, open=True),
    Endpoint("GET", "/connect/userinfo", userinfo),
)
