"""What a token endpoint's answer means, when a token is due, and whose it is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

import pydantic

from rapidata_core.config import Settings
from rapidata_core.errors import AuthenticationError, RapidataError, ServerError
from rapidata_core.policy.answers import problem_document
from rapidata_core.wire.auth import TokenAnswer

# A token is renewed this many seconds before it expires, or after four fifths of a short life.
_LEEWAY = 60.0
# OAuth2 leaves the life of a token open; the platform's is an hour.
_DEFAULT_LIFE = 3600.0


@dataclass(frozen=True)
class Token:
    """A bearer token.

    Attributes:
        value: The secret itself.
        expires_at: Unix seconds.
        renew_at: Unix seconds from which on it is renewed before it is used again.
    """

    value: str = field(repr=False)
    expires_at: float
    renew_at: float

    @classmethod
    def living(cls, value: str, life: float, now: float) -> Token:
        """A token that expires ``life`` seconds from ``now``."""
        return cls(value, now + life, now + life - min(_LEEWAY, life / 5))


def account_digest(settings: Settings) -> str:
    """Who logs in, where and how; clients of whom it is the same can share a token.

    The secret is part of it, so that a wrong one gets nobody else's token, and cannot be read back.
    """
    account = (
        settings.client_id,
        settings.client_secret,
        settings.endpoints.auth,
        settings.scope,
        settings.ca_file,
        settings.token_file and str(settings.token_file),
    )
    return hashlib.sha256(json.dumps(account).encode()).hexdigest()


def read_answer(
    *, status: int, content_type: str, body: bytes, url: str, client_id: str | None, now: float
) -> Token:
    """The token in the endpoint's answer.

    Raises:
        AuthenticationError: The endpoint refused the credentials, or is no token endpoint.
        ServerError: The endpoint failed.
    """
    if status >= 500:
        raise ServerError(f"The token endpoint {url} failed. Try again later.", status_code=status)
    if status != 200:
        raise _refusal(status, body, url, client_id)
    try:
        answer = TokenAnswer.model_validate_json(body)
    except pydantic.ValidationError:
        # The body may hold a token, so it is not quoted.
        raise AuthenticationError(
            f"{url} answered {content_type or 'something'} that is no token. Is the environment "
            "right, and is no proxy or login page in between?",
            status_code=status,
        ) from None
    return Token.living(answer.access_token, answer.expires_in or _DEFAULT_LIFE, now)


def _refusal(status: int, body: bytes, url: str, client_id: str | None) -> RapidataError:
    code = str(problem_document(body).get("error") or "")
    if code in {"invalid_client", "unauthorized_client", "invalid_grant"} or status == 401:
        message = (
            f"{url} refused client id {client_id!r} or its secret. They may be mistyped, expired, "
            "deleted, or belong to another environment; create new ones in the Rapidata "
            "dashboard under Settings > Tokens."
        )
    else:
        reason = f" ({code})" if code else ""
        message = f"{url} gave no token{reason}. Is the environment right?"
    return AuthenticationError(message, status_code=status)
