"""Bearer tokens: fetched once for all clients of an account, renewed early.

Other processes get them through a file, when asked to.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from rapidata_core.concurrency import AsyncFlights, async_offload
from rapidata_core.config import Settings
from rapidata_core.errors import AuthenticationError
from rapidata_core.policy.tokens import Token, account_digest

# The living tokens by account. All clients of the process share them, those that were closed, too;
# a forked child inherits them.
_living: dict[str, Token] = {}
_flights = AsyncFlights()


class AsyncTokens:
    """Gives out a valid token of an account; all clients of the account share it.

    At most one request for a new one is under way at a time.
    """

    def __init__(
        self,
        settings: Settings,
        fetch: Callable[[], Awaitable[Token]],
        on_token: Callable[[str], object] | None = None,
    ) -> None:
        """Remember where tokens come from.

        Args:
            settings: Credentials and the token file.
            fetch: Asks the token endpoint.
            on_token: Told each token before it is given out for the first time.
        """
        self._settings = settings
        self._fetch = fetch
        self._on_token = on_token
        self._told: str | None = None
        self._account = account_digest(settings)
        # Without credentials, what the file says now tells whose token it is, so each client reads.
        self._living = _living if settings.client_id else dict[str, Token]()

    async def get(self, refused: str | None = None) -> str:
        """A token for the next request.

        Args:
            refused: The token that the platform has just answered 401 to, if any.

        Raises:
            AuthenticationError: There is no way to get one.
        """
        token = _usable(self._living.get(self._account), refused)
        if token is None:
            # Whoever had none, or another one, refused does not wait for the same.
            flight = f"{self._account} {refused}"
            token = await _flights.once(flight, partial(self._renew, refused))
        # Another client may have fetched it, so each tells for itself.
        if self._on_token is not None and token.value != self._told:
            await async_offload(self._on_token, token.value)
            self._told = token.value
        return token.value

    async def _renew(self, refused: str | None) -> Token:
        """Get and keep another token than the one that was refused."""
        # Somebody may have renewed it since we looked: a task or thread, or a process that shares
        # the token file.
        token = _usable(self._living.get(self._account), refused)
        token = token or _usable(self._stored(), refused) or await self._fetched()
        now = time.time()
        for account, other in list(self._living.items()):
            if other.expires_at < now:
                self._living.pop(account, None)
        self._living[self._account] = token
        return token

    async def _fetched(self) -> Token:
        if not self._settings.client_id:
            raise AuthenticationError(
                f"The token in {self._settings.token_file} is missing, expired or refused, and "
                "there are no credentials to get a new one with. Renew the file, or set "
                "RAPIDATA_CLIENT_ID and RAPIDATA_CLIENT_SECRET."
            )
        token = await self._fetch()
        if self._settings.token_file is not None:
            _write(self._settings.token_file, token, self._owner())
        return token

    def _stored(self) -> Token | None:
        path = self._settings.token_file
        return None if path is None else _read(path, self._owner())

    def _owner(self) -> dict[str, str]:
        """Whose token it is: one account's token must not be used for another's work."""
        if not self._settings.client_id:
            return {}
        return {"client_id": self._settings.client_id, "auth": self._settings.endpoints.auth}


def _usable(token: Token | None, refused: str | None) -> Token | None:
    """The token, unless it is due, or is the one that was refused."""
    if token is None or token.value == refused or token.renew_at <= time.time():
        return None
    return token


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
