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
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote
from weakref import WeakKeyDictionary, finalize

from rapidata_core import __version__

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
# What the library tells of a request just before its first byte leaves, and a way to stop it then.
DEPARTURE = "send_request_headers.started"
TooLate = httpx.ConnectTimeout
FAILED = (httpx.TransportError, httpx.DecodingError)
Response = httpx.Response
# Where the library logs a line per request.
LOGGER = httpx.__name__

_HEADERS = {"User-Agent": f"rapidata-orchestration/{__version__}"}
_TIMEOUT = httpx.Timeout(60.0, connect=15.0)
# httpx's pool slows down as it grows; more than this gains nothing.
CONNECTIONS = 32
_LIMITS = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)


def segment(identifier: str) -> str:
    """An id as one segment of a path, whatever characters it has."""
    return quote(identifier, safe="")


@lru_cache
def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """The process's TLS context: making one takes some 20 ms and 1 MB, so all clients share it."""
    return ssl.create_default_context(cafile=ca_file)


class AsyncSession:
    """An HTTP client, bound to one event loop."""

    def __init__(self, ca_file: str | None) -> None:
        self.client = httpx.AsyncClient(
            verify=tls_context(ca_file),
            headers=_HEADERS,
            timeout=_TIMEOUT,
            limits=_LIMITS,
            follow_redirects=False,
        )


class AsyncSessions:
    """One session per event loop: connections cannot move between loops."""

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
    """An HTTP client, bound to one process."""

    def __init__(self, ca_file: str | None) -> None:
        self.client = httpx.Client(
            verify=tls_context(ca_file),
            headers=_HEADERS,
            timeout=_TIMEOUT,
            limits=_LIMITS,
            follow_redirects=False,
        )
        # A client that nobody closes, as in most scripts, leaves no open sockets behind.
        finalize(self, _close, self.client, os.getpid())


def _close(client: httpx.Client, pid: int) -> None:
    # A child must not speak on connections that belong to its parent, not even to say goodbye.
    if pid == os.getpid():
        client.close()


class Sessions:
    """One session per process: Airflow forks its tasks from processes that may have used us.

    A forked child that went on with its parent's connections would garble the parent's TLS stream.
    """

    def __init__(self, ca_file: str | None) -> None:
        self._ca_file = ca_file
        # Inherited sessions stay in here, unused. No lock guards it: it could be held at a fork.
        self._by_process: dict[int, Session] = {}

    def current(self) -> Session:
        """This process's session."""
        pid = os.getpid()
        session = self._by_process.get(pid)
        # Of threads that come here together, setdefault lets one win.
        return session or self._by_process.setdefault(pid, Session(self._ca_file))

    def close(self) -> None:
        """Close this process's session; the next request opens a new one."""
        session = self._by_process.pop(os.getpid(), None)
        if session is not None:
            session.client.close()
