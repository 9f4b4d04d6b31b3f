"""Bearer tokens: fetched once, renewed early, shared between processes when asked to."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from rapidata_core.config import Settings
from rapidata_core.errors import AuthenticationError
from rapidata_core.http import AsyncSession
from rapidata_core.policy.tokens import Token


class AsyncTokens:
    """Gives out a valid token; at most one request for a new one is under way at a time."""

    def __init__(self, settings: Settings, fetch: Callable[[], Awaitable[Token]]) -> None:
        """Remember where tokens come from.

        Args:
            settings: Credentials and the token file.
            fetch: Asks the token endpoint.
        """
        self._settings = settings
        self._fetch = fetch
        self._token: Token | None = None

    async def get(self, session: AsyncSession, refused: str | None = None) -> str:
        """A token for the next request.

        Args:
            session: Its lock makes the renewal single-flight.
            refused: The token that the platform has just answered 401 to, if any.

        Raises:
            AuthenticationError: There is no way to get one.
        """
        if self._usable(refused):
            return self._value()
        async with session.lock:
            # Somebody may have renewed it while we waited: a task or thread, or a process that
            # shares the token file.
            if not self._usable(refused):
                self._take_over_shared()
            if not self._usable(refused):
                await self._renew()
            return self._value()

    def _usable(self, refused: str | None) -> bool:
        token = self._token
        return token is not None and token.value != refused and time.time() < token.renew_at

    def _value(self) -> str:
        assert self._token is not None
        return self._token.value

    async def _renew(self) -> None:
        if not self._settings.client_id:
            raise AuthenticationError(
                f"The token in {self._settings.token_file} is missing, expired or refused, and "
                "there are no credentials to get a new one with. Renew the file, or set "
                "RAPIDATA_CLIENT_ID and RAPIDATA_CLIENT_SECRET."
            )
        self._token = await self._fetch()
        if self._settings.token_file is not None:
            _write(self._settings.token_file, self._token, self._owner())

    def _take_over_shared(self) -> None:
        if self._settings.token_file is not None:
            shared = _read(self._settings.token_file, self._owner())
            self._token = shared or self._token

    def _owner(self) -> dict[str, str]:
        """Whose token it is: one account's token must not be used for another's work."""
        if not self._settings.client_id:
            return {}
        return {"client_id": self._settings.client_id, "auth": self._settings.endpoints.auth}


def _read(path: Path, owner: dict[str, str]) -> Token | None:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if any(stored.get(field) != value for field, value in owner.items()):
            return None
        now = time.time()
        return Token.living(str(stored["access_token"]), float(stored["expires_at"]) - now, now)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # Whatever is wrong with the file, a new token puts it right (or says that it cannot).
        return None


def _write(path: Path, token: Token, owner: dict[str, str]) -> None:
    """Replace the file in one step; only the user may read it."""
    document = {
        "access_token": token.value,
        "token_type": "Bearer",
        "expires_at": token.expires_at,
        **owner,
    }
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp creates the file with mode 0600.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
