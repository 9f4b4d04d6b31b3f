"""A real Airflow on this machine, for a while: its four services, SQLite, and its REST API.

It shares nothing with any other Airflow: it has a folder, ports and secrets of its own.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer")
START_TIMEOUT = 300.0
STOP_TIMEOUT = 20.0
LOG_LINES = 60


class DeploymentError(Exception):
    """Airflow does not do what it should."""


class Deployment:
    """Airflow, from the beginning of a ``with`` block to its end.

    Args:
        home: An empty folder for everything that Airflow keeps.
        dags: The folder of the DAG files.
        variables: Further environment variables, for example connections.

    Attributes:
        api: The REST API.
    """

    def __init__(self, home: Path, dags: Path, variables: Mapping[str, str]) -> None:
        port = free_port()
        self.api = Api(f"http://127.0.0.1:{port}")
        self._home = home
        self._environ = {**settings(home, dags, port), **variables}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        try:
            self._migrate()
            for service in SERVICES:
                self.start(service)
            self.wait_for("Airflow", self.api.is_healthy, START_TIMEOUT)
            self.api.log_in()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, service: str) -> None:
        """Start one of the services, in a process group of its own."""
        with self._log_of(service).open("ab") as output:
            self._processes[service] = subprocess.Popen(
                [sys.executable, "-m", "airflow", service],
                cwd=self._home,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, service: str) -> None:
        """End one of the services as a crash would."""
        process = self._processes.pop(service)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """End all services."""
        deadline = time.monotonic() + STOP_TIMEOUT
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            end_group(process, deadline)
        self._processes.clear()

    def wait_for(self, what: str, is_there: Callable[[], Any], timeout: float) -> Any:
        """Ask again and again until the answer is truthy; returns it.

        Raises:
            DeploymentError: It takes longer than so many seconds, or a service has ended.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                if found := is_there():
                    return found
            except HTTPError as error:
                # A DAG that has not been read yet, say, or a database that is locked for a moment.
                if error.code != 404 and error.code < 500:
                    raise
            # Not listening yet.
            except (URLError, OSError):
                pass
            for service, process in self._processes.items():
                if process.poll() is not None:
                    raise DeploymentError(f"{service} ended with status {process.returncode}")
            if time.monotonic() > deadline:
                raise DeploymentError(f"{what} was not there after {timeout:.0f} s")
            time.sleep(0.5)

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run, as soon as it has been read.

        Raises:
            DeploymentError: A DAG file cannot be imported.
        """
        self.wait_for(f"the DAG {dag_id}", lambda: self._has_dag(dag_id), START_TIMEOUT)
        self.api.patch(f"/dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str, **params: Any) -> Run:
        """Start a run of a DAG with these parameters; see :meth:`unpause`."""
        self.unpause(dag_id)
        body = {"logical_date": None, "conf": params}
        run = self.api.post(f"/dags/{dag_id}/dagRuns", body)
        return Run(self.api, dag_id, run["dag_run_id"])

    def last_words(self) -> str:
        """The ends of the services' logs: what went wrong is nearly always there."""
        found: list[str] = []
        for service in ("migrate", *SERVICES):
            if self._log_of(service).exists():
                lines = self._log_of(service).read_text(errors="replace").splitlines()
                telling = [line for line in lines if "http.access" not in line]
                found += [f"--- {service}", *telling[-LOG_LINES:]]
        return "\n".join(found)

    def _has_dag(self, dag_id: str) -> bool:
        for error in self.api.get("/importErrors")["import_errors"]:
            raise DeploymentError(f"{error['filename']}: {error['stack_trace']}")
        return bool(self.api.get(f"/dags/{dag_id}"))

    def _migrate(self) -> None:
        with self._log_of("migrate").open("wb") as output:
            subprocess.run(
                [sys.executable, "-m", "airflow", "db", "migrate"],
                cwd=self._home,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=True,
                timeout=START_TIMEOUT,
            )

    def _log_of(self, service: str) -> Path:
        return self._home / f"{service}.log"


class Api:
    """Airflow's REST API.

    Attributes:
        url: Where Airflow is, its pages, too.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._token = ""
        # A proxy of the environment has no business between us and our own machine.
        self._opener = build_opener(ProxyHandler({}))

    def is_healthy(self) -> bool:
        """Whether all four services are up."""
        health = self._call("GET", "/api/v2/monitor/health")
        services = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all((health.get(name) or {}).get("status") == "healthy" for name in services)

    def log_in(self) -> None:
        """Get a token; everybody is an administrator."""
        self._token = self._call("GET", "/auth/token")["access_token"]

    def get(self, path: str) -> Any:
        """Read something."""
        return self._call("GET", f"/api/v2{path}")

    def post(self, path: str, body: Any) -> Any:
        """Make something."""
        return self._call("POST", f"/api/v2{path}", body)

    def patch(self, path: str, body: Any) -> Any:
        """Change something."""
        return self._call("PATCH", f"/api/v2{path}", body)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        request = Request(self.url + path, method=method)
        request.add_header("Content-Type", "application/json")
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        data = None if body is None else json.dumps(body).encode()
        with self._opener.open(request, data, timeout=30) as response:
            return json.load(response)


@dataclass(frozen=True)
class Run:
    """One run of a DAG."""

    api: Api
    dag_id: str
    run_id: str

    @property
    def path(self) -> str:
        """Where the API has it."""
        return f"/dags/{self.dag_id}/dagRuns/{self.run_id}"

    def state(self) -> str:
        """What the whole run is doing."""
        return self.api.get(self.path)["state"]

    def tasks(self) -> list[dict[str, Any]]:
        """The task instances, as the API shows them; of a mapped task all."""
        return self.api.get(f"{self.path}/taskInstances")["task_instances"]

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """What a task instance has told."""
        path = f"{self.path}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.api.get(f"{path}?stringify=false&map_index={map_index}")["value"]

    def task_logs(self) -> str:
        """The ends of the logs of all tries of all tasks."""
        lines: list[str] = []
        for task in self.tasks():
            for attempt in range(1, task["try_number"] + 1):
                lines.append(f"--- {task['task_id']}, try {attempt}: {task['state']}")
                lines += self.log(task, attempt)[-LOG_LINES:]
        return "\n".join(lines)

    def log(self, task: dict[str, Any], attempt: int) -> list[str]:
        """What one try of a task has said, its trigger included."""
        path = f"{self.path}/taskInstances/{task['task_id']}/logs/{attempt}"
        try:
            log = self.api.get(f"{path}?map_index={task['map_index']}")
        except HTTPError as error:
            return [f"(no log: {error})"]
        return [readable(line) for line in log["content"]]


def readable(line: dict[str, Any]) -> str:
    """One line of a task's log, with the error that it may carry."""
    errors = [
        f"{error['exc_type']}: {error['exc_value']}" for error in line.get("error_detail") or []
    ]
    return "; ".join([str(line.get("event")), *errors])


def settings(home: Path, dags: Path, port: int) -> dict[str, str]:
    """The environment of an Airflow that shares nothing with any other."""
    url = f"http://127.0.0.1:{port}"
    # The tasks get the platform's credentials from a connection and from nowhere else.
    rest = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW_", "RAPIDATA_"))}
    return rest | {
        "AIRFLOW_HOME": str(home),
        "RAPIDATA_cacheLocation": str(home / "uploads"),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
        # A DAG with a schedule would begin, and pay, before anybody has asked for it.
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        # Seconds that its services wait for one another; by default 5, after which they fail.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=20",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        # A task whose first request takes longer fails before it has begun, and a new API server on
        # a busy machine takes its time.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "NO_PROXY": "127.0.0.1,localhost",
        # The task processes find `airflow` beside the Python that runs this script.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONWARNINGS": "ignore",
    }


def end_group(process: subprocess.Popen[bytes], deadline: float) -> None:
    """Ask what is left of a process group to end; insist on it after the deadline."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            process.poll()
            os.killpg(process.pid, 0)
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
