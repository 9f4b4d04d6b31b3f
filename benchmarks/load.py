"""A cheap load on one endpoint: raw requests over connections that stay open."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

CONNECTIONS = 4


@dataclass(frozen=True)
class Load:
    """What a server did.

    Attributes:
        per_second: Requests answered in a second of wall time.
        cpu: The server's CPU seconds for one request.
    """

    per_second: float
    cpu: float


class Connections:
    """Connections to a sandbox, each with one request under way."""

    def __init__(self, url: str, token: str) -> None:
        where = urlsplit(url)
        self._token = token
        self._sockets = [
            socket.create_connection((where.hostname, where.port)) for _ in range(CONNECTIONS)
        ]
        for connection in self._sockets:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """A request as bytes."""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {self._token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def send(self, requests: list[bytes]) -> list[bytes]:
        """Send all requests; returns the bodies of the answers, which must be 200."""
        answers: list[bytes] = []
        for start in range(0, len(requests), CONNECTIONS):
            turn = list(zip(self._sockets, requests[start : start + CONNECTIONS], strict=False))
            for connection, request in turn:
                connection.sendall(request)
            answers += [_answer(connection) for connection, _ in turn]
        return answers

    def close(self) -> None:
        """Close them."""
        for connection in self._sockets:
            connection.close()


def load(connections: Connections, pid: int, request: bytes, count: int) -> Load:
    """Send one request many times."""
    before, started = cpu_seconds(pid), time.perf_counter()
    connections.send([request] * count)
    wall = time.perf_counter() - started
    return Load(per_second=count / wall, cpu=(cpu_seconds(pid) - before) / count)


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process since its start."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _answer(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 16)
    while b"\r\n\r\n" not in data:
        data += connection.recv(1 << 16)
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), data
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    parts, missing = [body], length - len(body)
    while missing > 0:
        parts.append(connection.recv(1 << 20))
        missing -= len(parts[-1])
    return b"".join(parts)
