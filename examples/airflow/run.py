"""Run the DAG of this folder once in a real Airflow, and print what it made.

    rapidata-orchestration sandbox exec -- python examples/airflow/run.py OUTPUT_DIR

Reads RAPIDATA_ENVIRONMENT, RAPIDATA_CLIENT_ID and RAPIDATA_CLIENT_SECRET. Prints progress on
standard error, and on standard output one line of JSON per job.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

from rapidata_core import RapidataClient

HERE = Path(__file__).resolve().parent
DAG = "human_labels"
TASKS = ("prompt_alignment", "likert_rating")
START_TIMEOUT = 180.0
RUN_TIMEOUT = 300.0
STOP_TIMEOUT = 20.0
LOG_LINES = 60


class RunError(Exception):
    """The run did not end well."""


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        return fail("usage: run.py OUTPUT_DIR")
    if not os.environ.get("RAPIDATA_CLIENT_ID") or not os.environ.get("RAPIDATA_CLIENT_SECRET"):
        return fail(f"RAPIDATA_CLIENT_ID or RAPIDATA_CLIENT_SECRET is not set\n{__doc__}")
    output = Path(arguments[0]).resolve()
    with tempfile.TemporaryDirectory(
        prefix="rapidata-airflow-", ignore_cleanup_errors=True
    ) as home:
        log = Path(home) / "standalone.log"
        port = free_port()
        try:
            with airflow(settings(Path(home), port, output), log) as process:
                api = Api(f"http://127.0.0.1:{port}", process)
                api.wait_until_up()
                manifests = run_once(api)
        except (RunError, OSError) as failure:
            # The last lines of a long log: what went wrong is nearly always there.
            lines = log.read_text(errors="replace").splitlines()
            tail = [line for line in lines if "http.access" not in line][-LOG_LINES:]
            return fail("\n".join([*tail, "", str(failure)]))
    for manifest in manifests:
        print(json.dumps({**manifest, "engine": "airflow"}))
    return 0


def run_once(api: Api) -> list[dict[str, Any]]:
    """Trigger the DAG, tell what happens, and return what the tasks returned."""
    run_id = api.trigger()
    say(f"Started the run {run_id}")
    deadline = time.monotonic() + RUN_TIMEOUT
    told: dict[str, str] = {}
    with RapidataClient() as client:
        while True:
            # The run first: when it has ended, the states of its tasks are final.
            state = api.get(f"/dags/{DAG}/dagRuns/{run_id}")["state"]
            for task, what in progress_of(api, client, run_id).items():
                if told.get(task) != what:
                    say(f"{task}: {what}")
                    told[task] = what
            if state == "success":
                return [api.xcom(run_id, task, "return_value") for task in TASKS]
            if state == "failed":
                raise RunError(f"The run failed: {told}\n{api.task_logs(run_id)}")
            if time.monotonic() > deadline:
                raise RunError(f"The run is not done after {RUN_TIMEOUT:.0f} s: {told}")
            time.sleep(1)


def progress_of(api: Api, client: RapidataClient, run_id: str) -> dict[str, str]:
    """What each task is doing; a deferred task waits for people, so how far they are."""
    found: dict[str, str] = {}
    for task in api.get(f"/dags/{DAG}/dagRuns/{run_id}/taskInstances")["task_instances"]:
        name, state = task["task_id"], task["state"] or "waiting"
        if state == "deferred":
            job = client.job.get_job_by_id(api.xcom(run_id, name, "job_id"))
            progress = job.get_progress()
            state = f"{state}, job {progress.state} {progress.completion_percentage:.0f} %"
        found[name] = state
    return found


class Api:
    """Airflow's REST API, as far as it is needed here."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self._url = url
        self._process = process
        self._token = ""
        # A proxy of the environment has no business between us and our own machine.
        self._opener = build_opener(ProxyHandler({}))

    def wait_until_up(self) -> None:
        """Wait for the four services, and until the DAG has been read."""
        say("Starting Airflow: API server, scheduler, triggerer, DAG processor")
        self._wait_for("Airflow", self._is_healthy)
        self._token = self._call("GET", "/auth/token")["access_token"]
        self._wait_for(f"the DAG {DAG}", self._has_dag)

    def trigger(self) -> str:
        return self._call("POST", f"/api/v2/dags/{DAG}/dagRuns", {"logical_date": None})[
            "dag_run_id"
        ]

    def get(self, path: str) -> Any:
        return self._call("GET", f"/api/v2{path}")

    def xcom(self, run_id: str, task: str, key: str) -> Any:
        path = f"/dags/{DAG}/dagRuns/{run_id}/taskInstances/{task}/xcomEntries/{key}"
        return self.get(f"{path}?stringify=false")["value"]

    def task_logs(self, run_id: str) -> str:
        """The ends of the tasks' logs."""
        lines: list[str] = []
        path = f"/dags/{DAG}/dagRuns/{run_id}/taskInstances"
        for task in self.get(path)["task_instances"]:
            log = self.get(f"{path}/{task['task_id']}/logs/{task['try_number']}")
            events = [readable(line) for line in log["content"][-LOG_LINES:]]
            lines += [f"--- {task['task_id']}: {task['state']}", *events]
        return "\n".join(lines)

    def _is_healthy(self) -> bool:
        health = self._call("GET", "/api/v2/monitor/health")
        services = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all((health.get(name) or {}).get("status") == "healthy" for name in services)

    def _has_dag(self) -> bool:
        return bool(self.get(f"/dags/{DAG}"))

    def _wait_for(self, what: str, is_there: Any) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            if self._process.poll() is not None:
                raise RunError(f"Airflow ended with status {self._process.returncode}")
            try:
                if is_there():
                    return
            # Not listening yet, or (404) not known yet.
            except (URLError, OSError):
                pass
            if time.monotonic() > deadline:
                raise RunError(f"{what} was not there after {START_TIMEOUT:.0f} s")
            time.sleep(0.5)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        request = Request(self._url + path, method=method)
        request.add_header("Content-Type", "application/json")
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        data = None if body is None else json.dumps(body).encode()
        with self._opener.open(request, data, timeout=30) as response:
            return json.load(response)


def readable(line: dict[str, Any]) -> str:
    """One line of a task's log, with the error that it may carry."""
    errors = [
        f"{error['exc_type']}: {error['exc_value']}" for error in line.get("error_detail") or []
    ]
    return "; ".join([str(line.get("event")), *errors])


def settings(home: Path, port: int, output: Path) -> dict[str, str]:
    """The environment of an Airflow that shares nothing with any other."""
    connection = {
        "conn_type": "rapidata",
        "login": os.environ["RAPIDATA_CLIENT_ID"],
        "password": os.environ["RAPIDATA_CLIENT_SECRET"],
        "host": os.environ.get("RAPIDATA_ENVIRONMENT"),
    }
    url = f"http://127.0.0.1:{port}"
    # The tasks get the credentials from the connection and from nowhere else.
    rest = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW_", "RAPIDATA_"))}
    return rest | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONN_RAPIDATA_DEFAULT": json.dumps(connection),
        "RAPIDATA_RESULTS": str(output),
        "RAPIDATA_cacheLocation": str(home / "uploads"),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(HERE / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        # The task processes find `airflow` beside the Python that runs this script.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONWARNINGS": "ignore",
    }


@contextmanager
def airflow(environ: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Airflow's four services in a process group of their own, which ends with the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "standalone"],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # Ending this script ends Airflow, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process group to end; insist on it after a while."""
    deadline = time.monotonic() + STOP_TIMEOUT
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
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def say(message: str) -> None:
    print(f"airflow: {message}", file=sys.stderr, flush=True)


def fail(message: str) -> int:
    say(message)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
