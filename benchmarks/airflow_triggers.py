"""Tasks that wait in one Airflow triggerer, beside a bare loop that waits for as many jobs.

The triggerer is a real one, on the newest Airflow and SQLite. Its database is written beforehand,
as ``deferred.py`` says; the jobs are on a sandbox over TLS, and make slow progress. When every
trigger has made its first look, it is watched for a minute. Then all jobs are completed at once.

The bare loop has an asyncio task for each job that asks for it, with the same HTTP library and as
often: what triggers do that know nothing of one another.

``triggerer_requests`` and ``triggerer_cpu`` are of that minute, without what Airflow's supervisor
of the triggers takes, which is ``supervisor_cpu``. ``triggerer_lag_p99_s`` is how late the event
loop is; ``triggerer_start_s`` is from the start of the process until all triggers have begun.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from figures import ROOT, child, of, report
from jobs import jobs_at_work
from load import cpu_seconds
from waiting import SECONDS

from rapidata_core.sandbox.process import Sandbox

TRIGGERER = (
    "triggerer_requests",
    "triggerer_cpu",
    "triggerer_rss_mb",
    "triggerer_lag_p99_s",
    "triggerer_start_s",
    "triggerer_all_fired_s",
)
TASKS = 1000
QUICK_TASKS = 100
POLL = 5.0
# Jobs of ten answers take an hour of real time.
SPEED = 0.0015
# Seconds after the last trigger has begun until each has looked twice.
SETTLED = 30.0
PATIENCE = 300.0
BARE = "waiting.bare(job_ids, {poll}, pathlib.Path('{folder}'))"
READY = """
import waiting
job_ids = json.loads(pathlib.Path('{folder}', 'jobs').read_text())
"""


def measure_triggerer(quick: bool, environment: str = ".venv-airflow") -> None:
    """Wait for many jobs for a minute.

    Args:
        quick: Whether fewer tasks will do.
        environment: Where Airflow is.
    """
    count = QUICK_TASKS if quick else TASKS
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Sandbox.start(tls=True, speed=SPEED) as sandbox,
    ):
        job_ids = jobs_at_work(sandbox, count)
        (Path(folder) / "jobs").write_text(json.dumps(job_ids))
        bare = _bare(sandbox, Path(folder))
        ours = _triggerer(Airflow(Path(folder), environment, sandbox), sandbox, count)
    measured = {"ours": [ours], "bare": [bare]}
    report(
        "triggerer_requests",
        "requests",
        of(measured, "requests", ("ours", "bare")),
        tasks=count,
        token_requests=ours["tokens"],
        until_settled=ours["requests_until_settled"],
    )
    cpu = of(measured, "cpu", ("ours", "bare"))
    report("triggerer_cpu", "s", cpu, supervisor_cpu=ours["supervisor_cpu"])
    report("triggerer_rss_mb", "MB", of(measured, "rss", ("ours", "bare")))
    lag = of(measured, "lag_p99", ("ours", "bare"))
    starting = {f"while_{name}": ours[f"lag_max_{name}"] for name in ("starting", "firing")}
    report("triggerer_lag_p99_s", "s", lag, longest=ours["lag_max"], **starting)
    report("triggerer_start_s", "s", {"ours": [ours["start"]]})
    report(
        "triggerer_all_fired_s",
        "s",
        {"ours": [ours["fired"]]},
        requests=ours["requests_firing"],
        completed=ours["completed"],
    )


class Airflow:
    """An Airflow of which only the triggerer runs.

    Args:
        home: A folder for everything that it keeps.
        environment: Where it is installed.
        sandbox: Where its connection leads.
    """

    def __init__(self, home: Path, environment: str, sandbox: Sandbox) -> None:
        self.home = home
        self.pulse = home / "pulse"
        self._python = ROOT / environment / "bin" / "python"
        connection = {
            "conn_type": "rapidata",
            "login": sandbox.client_id,
            "password": sandbox.client_secret,
            "host": sandbox.url,
        }
        self._environ = os.environ | {
            "HOME": str(home),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
            "CONNECTION": json.dumps(connection),
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": str(ROOT / "benchmarks"),
            "PYTHONWARNINGS": "ignore",
            "SSL_CERT_FILE": sandbox.ca_file or "",
        }

    def prepare(self) -> None:
        """Make the database, with a task that waits for each job."""
        (self.home / "dags").mkdir()
        self._run("-m", "airflow", "db", "migrate")
        jobs = str(self.home / "jobs")
        self._run("benchmarks/deferred.py", "prepare", jobs, str(self.pulse), str(POLL))

    @contextmanager
    def triggerer(self, capacity: int) -> Iterator[int]:
        """A triggerer, and its process id."""
        options = ["--capacity", str(capacity), "--skip-serve-logs"]
        with (self.home / "triggerer.log").open("wb") as output:
            process = subprocess.Popen(
                [self._python, "-m", "airflow", "triggerer", *options],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait()

    def begun(self) -> int:
        """How many triggers have begun; each has a log."""
        return sum(1 for _ in (self.home / "logs").rglob("*.trigger.*.log"))

    def waiting(self) -> int:
        """How many tasks wait for jobs."""
        uri = f"file:{self.home}/airflow.db?mode=ro"
        query = "SELECT count(*) FROM task_instance WHERE task_id = 'job' AND state = 'deferred'"
        with closing(sqlite3.connect(uri, uri=True, timeout=30)) as database:
            return database.execute(query).fetchone()[0]

    def outcomes(self) -> dict[str, int]:
        """How many waits ended in which way."""
        return json.loads(self._run("benchmarks/deferred.py", "outcomes").splitlines()[-1])

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [self._python, *arguments],
            cwd=ROOT,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        if done.returncode:
            raise SystemExit(f"{arguments} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout


def _triggerer(airflow: Airflow, sandbox: Sandbox, count: int) -> dict[str, Any]:
    airflow.prepare()
    before = len(sandbox.requests())
    started = time.time()
    # One more is the pulse.
    with airflow.triggerer(count + 1) as supervisor:
        _until(lambda: airflow.begun() > count)
        begun = time.time()
        time.sleep(SETTLED)
        runner = _only_child(supervisor)
        settled, at_rest = time.time(), len(sandbox.requests())
        cpu, supervisor_cpu = cpu_seconds(runner), cpu_seconds(supervisor)
        time.sleep(SECONDS)
        cpu, supervisor_cpu = cpu_seconds(runner) - cpu, cpu_seconds(supervisor) - supervisor_cpu
        watched, after = time.time(), len(sandbox.requests())
        memory = _megabytes(runner)
        sandbox.advance(30 * 86_400)
        completed = time.time()
        _until(lambda: airflow.waiting() == 0)
        fired = time.time()
        asked = sandbox.requests()[before:]
    ended = airflow.outcomes()
    lag = sorted(_lags(airflow.pulse, settled, watched))
    return {
        "requests": after - at_rest,
        "requests_until_settled": at_rest - before,
        "requests_firing": before + len(asked) - after,
        "tokens": sum(1 for entry in asked if entry["path"] == "/connect/token"),
        "cpu": cpu,
        "supervisor_cpu": supervisor_cpu,
        "rss": memory,
        "lag_p99": lag[int(0.99 * len(lag))],
        "lag_max": lag[-1],
        "lag_max_starting": max(_lags(airflow.pulse, started, settled)),
        "lag_max_firing": max(_lags(airflow.pulse, watched, fired)),
        "start": begun - started,
        "fired": fired - completed,
        "completed": ended.get("completed", 0),
    }


def _bare(sandbox: Sandbox, folder: Path) -> dict[str, float]:
    """The loop's minute."""
    before = len(sandbox.requests())
    environ = os.environ | sandbox.environ | {"PYTHONPATH": str(ROOT / "benchmarks")}
    code = BARE.format(poll=POLL, folder=folder)
    used = child(".venv", READY.format(folder=folder), code, environ)
    lag = sorted(_lags(folder / "bare-pulse", 0.0, float("inf")))
    requests = len(sandbox.requests()) - before
    return used | {"requests": requests, "lag_p99": lag[int(0.99 * len(lag))]}


def _lags(pulse: Path, since: float, until: float) -> list[float]:
    """How late an event loop was, in a span of time."""
    lines = (line.split() for line in pulse.read_text().splitlines())
    return [float(late) for at, late in lines if since <= float(at) <= until]


def _only_child(pid: int) -> int:
    (found,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(found)


def _megabytes(pid: int) -> float:
    """The memory of a process at its peak."""
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak) / 1024


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit(f"that took longer than {PATIENCE:.0f} s")
        time.sleep(0.5)
