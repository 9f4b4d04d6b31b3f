"""Starts a sandbox as a child process and talks to it with the standard library alone.

So it works in any engine's environment, whatever versions of web libraries are installed there.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import ssl
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast
from urllib.parse import quote, urlsplit

START_TIMEOUT = 30.0
STOP_TIMEOUT = 5.0


class SandboxError(Exception):
    """The sandbox did not start, or refused what it was asked."""


class Sandbox:
    """A running sandbox.

    Use :meth:`start`, as a context manager or with :meth:`stop`. The process ends with its parent
    in any case.

    Attributes:
        url: Where the platform is.
        client_id: The account's id.
        client_secret: The account's secret.
        ca_file: With TLS, the authority to trust.
        pid: The server process.
    """

    def __init__(self, process: subprocess.Popen[str], ready: Mapping[str, Any]) -> None:
        self._process = process
        self.url: str = ready["api_url"]
        self.client_id: str = ready["client_id"]
        self.client_secret: str = ready["client_secret"]
        self.ca_file: str | None = ready["ca_file"]
        self.pid: int = ready["pid"]
        self._environment: str = ready["vendor_environment"] or ready["environment"]

    @classmethod
    def start(
        cls,
        *,
        port: int = 0,
        tls: bool = False,
        db: Path | str | None = None,
        seed: int | None = None,
        speed: float = 1.0,
        clock_start: str | None = None,
        latency: float = 0.0,
        faults: Sequence[Mapping[str, Any]] = (),
    ) -> Self:
        """Start a sandbox and wait until it answers.

        Args:
            port: 0 takes any free port.
            tls: Speak https, as the vendor's SDK needs it.
            db: The file that keeps everything; without it nothing outlives the process.
            seed: Decides ids, people and answers.
            speed: Simulated seconds per real second; 0 stops the clock between jumps.
            clock_start: Where the clock begins, as RFC 3339 text; now if not given.
            latency: Milliseconds that every answer of the platform takes longer.
            faults: What goes wrong from the beginning, until a reset.

        Raises:
            SandboxError: It did not start, and its own words are on standard error; or it refused
                the faults.
        """
        options = ["--port", str(port), "--speed", str(speed), "--latency", str(latency)]
        options += ["--tls"] if tls else []
        options += [] if db is None else ["--db", str(db)]
        options += [] if seed is None else ["--seed", str(seed)]
        options += [] if clock_start is None else ["--clock-start", clock_start]
        sandbox = cls.start_with(options)
        if faults:
            try:
                sandbox.faults(faults)
            except SandboxError:
                sandbox.stop()
                raise
        return sandbox

    @classmethod
    def start_with(cls, options: Sequence[str]) -> Self:
        """Start a sandbox with the options of ``rapidata-orchestration sandbox``."""
        command = [sys.executable, "-m", "rapidata_core.cli", "sandbox", *options]
        process = subprocess.Popen(
            [*command, "--json", "--until-stdin-closes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C in a terminal is for the command that uses the sandbox, not for the sandbox.
            start_new_session=True,
        )
        line = _first_line(process)
        if not line:
            status = _end(process)
            raise SandboxError(f"The sandbox did not start (exit status {status}).")
        return cls(process, json.loads(line))

    @property
    def environ(self) -> dict[str, str]:
        """The variables that lead a client here: ours, and over TLS the vendor's SDK as well."""
        variables = {
            "RAPIDATA_ENVIRONMENT": self._environment,
            "RAPIDATA_CLIENT_ID": self.client_id,
            "RAPIDATA_CLIENT_SECRET": self.client_secret,
            "SANDBOX_URL": self.url,
            # Nothing that it is given is worth remembering after it is gone.
            "RAPIDATA_cacheToDisk": "false",
        }
        if self.ca_file is not None:
            # The SDK's telemetry would try to reach the real platform's collector.
            variables |= {"SSL_CERT_FILE": self.ca_file, "RAPIDATA_DISABLE_OTLP": "1"}
        return variables

    def reset(self) -> None:
        """Back to the beginning: no objects, no faults, full balance, the clock at its start."""
        self.request("POST", "/_sandbox/reset")

    def advance(self, seconds: float) -> str:
        """Let the clock jump ahead; returns the new time."""
        return self.request("POST", "/_sandbox/clock", {"advance_seconds": seconds})["now"]

    def now(self) -> str:
        """The simulated time."""
        return self.request("GET", "/_sandbox/clock")["now"]

    def ledger(self) -> dict[str, Any]:
        """Balance, entries and ``paid_jobs``."""
        return self.request("GET", "/_sandbox/ledger")

    def requests(self, *, answers: bool = False) -> list[dict[str, Any]]:
        """What was asked of the platform, oldest first, without secrets.

        Where a fault struck, ``fault`` says its phase and action.

        Args:
            answers: Say also what was answered, as ``answer``.
        """
        query = "?answers=true" if answers else ""
        return self.request("GET", f"/_sandbox/requests{query}")["requests"]

    def faults(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """Plan what goes wrong, on top of what is planned already.

        For example ``[{"method": "POST", "path": "/job", "phase": "after_commit", "action":
        "drop"}]`` loses the answer of the next ``POST /job``. The sandbox's documentation has a
        table of all that there is.

        Raises:
            SandboxError: A fault is malformed; the message names the field. None is planned then.
        """
        self.request("POST", "/_sandbox/faults", list(faults))

    def clear_faults(self) -> None:
        """Forget the faults that have not happened yet, and end those that last."""
        self.request("DELETE", "/_sandbox/faults")

    def set_job_state(
        self,
        job_id: str,
        state: str,
        *,
        failure_message: str | None = None,
        review_reason: str | None = None,
    ) -> None:
        """Force a job into a state, where it stays until it is resumed, retried or forced again."""
        body = {"state": state, "failureMessage": failure_message, "reviewReason": review_reason}
        self.request("POST", f"/_sandbox/jobs/{quote(job_id, safe='')}/state", body)

    def assert_paid_jobs(self, expected: int) -> None:
        """Check how many jobs were paid and not given back.

        Raises:
            AssertionError: Another number was; the message lists the ledger.
        """
        ledger = self.ledger()
        if ledger["paid_jobs"] != expected:
            lines = [
                f"  {one['kind']} {one['id']} {one['name']!r} {one['amount']}"
                for one in ledger["entries"]
            ]
            raise AssertionError(
                "\n".join([f"{ledger['paid_jobs']} paid jobs, expected {expected}:", *lines])
            )

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request to the control API; returns the JSON of the answer, if any.

        Raises:
            SandboxError: The sandbox refused it.
        """
        connection = self._connect()
        with contextlib.closing(connection):
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
        if response.status >= 400:
            raise SandboxError(
                f"{method} {path}: {response.status} {content.decode(errors='replace')}"
            )
        return json.loads(content) if content else None

    def kill(self) -> None:
        """End the process as a crash would: nothing is flushed, nothing is cleaned up."""
        self._process.kill()
        _end(self._process)

    def stop(self) -> None:
        """End the sandbox and wait for it."""
        _end(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _connect(self) -> http.client.HTTPConnection:
        # http.client knows no proxies, so a proxy in the environment cannot get in between.
        where = urlsplit(self.url)
        if self.ca_file is None:
            return http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
        context = ssl.create_default_context(cafile=self.ca_file)
        return http.client.HTTPSConnection(
            where.hostname or "", where.port, timeout=30, context=context
        )


def _first_line(process: subprocess.Popen[str]) -> str:
    """The line that says that the sandbox is ready; empty when it ended or took too long."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    output = cast(IO[str], process.stdout)
    threading.Thread(target=lambda: lines.put(output.readline()), daemon=True).start()
    try:
        return lines.get(timeout=START_TIMEOUT)
    except queue.Empty:
        process.kill()
        return ""


def _end(process: subprocess.Popen[str]) -> int:
    """Close the child's input, which ends it; insist if it does not."""
    cast(IO[str], process.stdin).close()
    try:
        status = process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        status = process.wait()
    cast(IO[str], process.stdout).close()
    return status
