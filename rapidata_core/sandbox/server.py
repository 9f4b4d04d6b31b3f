"""Runs the platform in the foreground until it is told to stop."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from rapidata_core.sandbox.app import create_app
from rapidata_core.sandbox.faults import read_plan
from rapidata_core.sandbox.problems import Problem
from rapidata_core.sandbox.settings import Account, Settings
from rapidata_core.sandbox.store import Store, StoreError


class ServerError(Exception):
    """The sandbox cannot start; the message says why and what to do."""


@dataclass(frozen=True)
class Ready:
    """Where a sandbox is, once it answers."""

    url: str
    account: Account
    ca_file: Path | None
    authority: str

    @property
    def vendor_environment(self) -> str | None:
        """What makes the vendor's SDK come here, which is possible over TLS only.

        The SDK builds ``https://api.{environment}``; with a leading ``@`` that prefix becomes the
        user part of the URL.
        """
        return None if self.ca_file is None else f"@{self.authority}"

    def json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "api_url": self.url,
            "environment": self.url,
            "client_id": self.account.client_id,
            "client_secret": self.account.client_secret,
            "ca_file": None if self.ca_file is None else str(self.ca_file),
            "vendor_environment": self.vendor_environment,
            "pid": os.getpid(),
        }


def serve(
    settings: Settings, announce: Callable[[Ready], None], *, until_stdin_closes: bool
) -> None:
    """Run a sandbox until SIGTERM, SIGINT or, if wanted, the end of standard input.

    Args:
        settings: How to run it.
        announce: Called once, when the sandbox answers.
        until_stdin_closes: End when the process at the other end of standard input is gone.

    Raises:
        ServerError: The address, the database or the plan of faults cannot be used.
    """
    try:
        store = Store(settings.db, settings.seed, settings.speed, settings.start)
    except StoreError as error:
        raise ServerError(str(error)) from error
    with (
        closing(store),
        closing(_listen(settings)) as listener,
        _certificates(settings) as certificates,
    ):
        app = _app(settings, store)
        _run(settings, store, app, certificates, listener, announce, until_stdin_closes)


def _app(settings: Settings, store: Store) -> ASGIApp:
    try:
        faults = [] if settings.faults is None else read_plan(settings.faults.read_bytes())
        # A sandbox that strangers reach does nothing to the processes of this machine.
        may_kill = os.name == "posix" and not settings.allow_remote
        return create_app(store, settings.latency, faults, may_kill=may_kill)
    except OSError as error:
        raise ServerError(f"Cannot read {settings.faults}: {error.strerror or error}.") from error
    except Problem as problem:
        wrong = [f"{key}: {text}" for key, texts in problem.errors.items() for text in texts]
        reason = " ".join(wrong or [problem.detail])
        raise ServerError(f"{settings.faults} is no plan of faults: {reason}") from problem


@contextmanager
def _certificates(settings: Settings) -> Generator[tuple[Path | None, Path | None]]:
    """The files of the authority and of the server, while the sandbox runs with TLS."""
    if not settings.tls:
        yield None, None
        return
    # Imported here, because making certificates needs a library that nothing else does.
    from rapidata_core.sandbox import tls

    with tempfile.TemporaryDirectory(prefix="rapidata-sandbox-") as folder:
        yield tls.certificate_files(Path(folder))


class _Protocol(H11Protocol):
    """Lets the application close a connection without an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "abort": transport.abort}


class _Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def _run(
    settings: Settings,
    store: Store,
    app: ASGIApp,
    certificates: tuple[Path | None, Path | None],
    listener: socket.socket,
    announce: Callable[[Ready], None],
    until_stdin_closes: bool,
) -> None:
    ca_file, server_file = certificates
    config = uvicorn.Config(
        app,
        ssl_certfile=server_file,
        ssl_keyfile=server_file,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        # Dates come from the simulated clock; a Server header would only cost bytes.
        date_header=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    ready = _ready(settings, store, listener, ca_file)
    server = _Server(config, lambda: announce(ready))
    _end_quietly_on_signals(server)
    if until_stdin_closes:
        threading.Thread(target=_watch_stdin, args=(server,), daemon=True).start()
    server.run(sockets=[listener])


def _ready(
    settings: Settings, store: Store, listener: socket.socket, ca_file: Path | None
) -> Ready:
    everywhere = settings.host != "localhost" and ipaddress.ip_address(settings.host).is_unspecified
    host = "127.0.0.1" if everywhere else settings.host
    port: int = listener.getsockname()[1]
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    scheme = "http" if ca_file is None else "https"
    return Ready(f"{scheme}://{authority}", Account.of(store.seed), ca_file, authority)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets that name their protocol; without it the body of an
    # answer waits some 40 ms for the acknowledgement of its header.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise ServerError(
            f"Cannot listen on {settings.host}:{settings.port} ({error.strerror or error}). "
            "Choose another port with --port, or --port 0 for any free one."
        ) from error
    listener.listen(1024)
    return listener


def _end_quietly_on_signals(server: uvicorn.Server) -> None:
    """Make signals end the server and nothing else.

    After its shutdown uvicorn raises the signal again for whoever handled it before; the default
    would then kill the process before temporary files are gone.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _watch_stdin(server: uvicorn.Server) -> None:
    """Stop the server when standard input ends: its writer is gone, however it died."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    server.should_exit = True
