"""The core's tests run on both HTTP libraries, hermetically."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


def pytest_addoption(parser):
    parser.addoption(
        "--http",
        choices=["httpx2", "httpx"],
        default="httpx2",
        help="the HTTP library to test with; httpx2 is what the extra `speed` installs",
    )


def pytest_configure(config):
    if config.getoption("--http") == "httpx":
        # As if the extra were not installed.
        sys.modules["httpx2"] = None


@pytest.fixture(autouse=True)
def _hermetic(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("CLIENT_ID", "CLIENT_SECRET", "ENVIRONMENT", "TOKEN_FILE", "NAMESPACE", "SETTLE"):
        monkeypatch.delenv(f"RAPIDATA_{name}", raising=False)
    _forget_configuration()
    _forget_tokens()
    yield
    _forget_configuration()


def _forget_configuration():
    """Have it read anew: a test's variables and home are its own, and imports come before both."""
    config = sys.modules.get("rapidata_core.config")
    if config is not None:
        vars(config.rapidata_config).clear()


def _forget_tokens():
    """A server of another test may have had the same port."""
    for half in ("_async", "_sync"):
        auth = sys.modules.get(f"rapidata_core.{half}.auth")
        if auth is not None:
            auth._living.clear()


class ScriptedServer:
    """A server that answers what a test tells it to, for what no sandbox would answer.

    Attributes:
        url: Its base URL.
        seen: Method, path, headers and body of every request.
    """

    def __init__(self):
        self._answers = defaultdict(list)
        self.seen = []
        self.on("POST", "/connect/token", {"access_token": "token-1", "expires_in": 3600})
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server._answer(self)

            do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def on(self, method, path, *answers):
        """Answer with each of these in turn, and go on with the last one.

        An answer is a JSON document, a ``(status, headers, body)`` triple, ``"drop"``, or a
        function that makes one of these.
        """
        self._answers[method, path] = list(answers)

    def requests(self, path):
        return [request for request in self.seen if request["path"] == path]

    def close(self):
        self._http.shutdown()
        self._http.server_close()

    def _answer(self, handler):
        path = handler.path.split("?")[0]
        length = int(handler.headers.get("Content-Length") or 0)
        self.seen.append(
            {
                "method": handler.command,
                "path": path,
                "headers": dict(handler.headers),
                "body": handler.rfile.read(length),
            }
        )
        script = self._answers.get((handler.command, path)) or [(404, {}, b"{}")]
        answer = script.pop(0) if len(script) > 1 else script[0]
        if callable(answer):
            answer = answer()
        if answer == "drop":
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
            return
        if isinstance(answer, dict):
            answer = (200, {"Content-Type": "application/json"}, json.dumps(answer).encode())
        status, headers, body = answer
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        # A body that is shorter than announced ends with the connection.
        handler.close_connection = "Content-Length" in headers
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture
def scripted():
    server = ScriptedServer()
    yield server
    server.close()
