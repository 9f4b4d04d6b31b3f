"""The one place that knows the HTTP library.

httpx2, the maintained continuation of httpx with the same interface, costs a third to two thirds
of the CPU, so it is used where it is installed (extra ``speed``). None of the library's types or
exceptions appear in our signatures: code that catches ``httpx.ConnectError`` would silently miss
the other library's.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    import httpx
else:
    try:
        import httpx2 as httpx
    except ImportError:
        import httpx

# Raised before a byte of the request was sent.
NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.ProxyError,
)
FAILED = (httpx.TransportError, httpx.DecodingError)
Response = httpx.Response

_TIMEOUT = httpx.Timeout(60.0, connect=15.0)
_LIMITS = httpx.Limits(max_connections=32, max_keepalive_connections=32)


def segment(identifier: str) -> str:
    """An id as one segment of a path, whatever characters it has."""
    return quote(identifier, safe="")


@lru_cache
def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """The process's TLS context: making one takes some 20 ms and 1 MB, so all clients share it."""
    return ssl.create_default_context(cafile=ca_file)


class AsyncSession:
    """An HTTP client and a lock, both bound to one event loop."""

    def __init__(self, ca_file: str | None) -> None:
        self.client = httpx.AsyncClient(
            verify=tls_context(ca_file), timeout=_TIMEOUT, limits=_LIMITS, follow_redirects=False
        )
        self.lock = asyncio.Lock()


class AsyncSessions:
    """One session per event loop: connections and locks cannot move between loops."""

    def __init__(self, ca_file: str | None) -> None:
        self._ca_file = ca_file
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncSession] = (
            WeakKeyDictionary()
        )

    def current(self) -> AsyncSession:
        """The running loop's session."""
        loop = asyncio.get_running_loop()
        session = self._by_loop.get(loop)
        if session is None:
            session = self._by_loop[loop] = AsyncSession(self._ca_file)
        return session

    async def aclose(self) -> None:
        """Close the running loop's session; the next request opens a new one."""
        session = self._by_loop.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.client.aclose()


class Session:
    """An HTTP client and a lock, both bound to one process."""

    def __init__(self, ca_file: str | None) -> None:
        self.pid = os.getpid()
        self.client = httpx.Client(
            verify=tls_context(ca_file), timeout=_TIMEOUT, limits=_LIMITS, follow_redirects=False
        )
        self.lock = threading.Lock()


class Sessions:
    """One session per process: Airflow forks its tasks from processes that may have used us.

    A forked child that went on with its parent's connections would garble the parent's TLS
    stream, and a lock that another thread held at the fork would never be released.
    """

    def __init__(self, ca_file: str | None) -> None:
        self._ca_file = ca_file
        self._session: Session | None = None
        # Kept, never closed: closing would speak on connections that belong to the parent.
        self._inherited: list[Session] = []

    def current(self) -> Session:
        """This process's session."""
        session = self._session
        if session is not None and session.pid == os.getpid():
            return session
        if session is not None:
            self._inherited.append(session)
        self._session = session = Session(self._ca_file)
        return session

    def close(self) -> None:
        """Close this process's session; the next request opens a new one."""
        session, self._session = self._session, None
        if session is not None and session.pid == os.getpid():
            session.client.close()
