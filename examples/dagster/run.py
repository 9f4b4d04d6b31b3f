"""Materialises the assets of definitions.py in a real Dagster, and prints where the labels are.

    python examples/dagster/run.py OUTPUT_DIR

It starts ``dagster dev`` (webserver, daemon and code server) with a home of its own, launches the
job through the daemon's run queue, tells on standard error how it goes, and prints one line of
JSON per labelling job on standard output. Where the platform is, RAPIDATA_* variables say.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import dagster as dg
from dagster_graphql import DagsterGraphQLClient

from rapidata_core import RapidataClient
from rapidata_dagster import labels_manifest

DEFINITIONS = Path(__file__).with_name("definitions.py")
LABELS = [dg.AssetKey("prompt_alignment"), dg.AssetKey("likert_rating")]
START_SECONDS = 120
RUN_SECONDS = 900
SETTINGS = """
telemetry:
  enabled: false
run_coordinator:
  module: dagster
  class: QueuedRunCoordinator
# What the platform's client has to say, for example about money, belongs into the run's log.
python_logs:
  managed_python_loggers: [rapidata_core]
  python_log_level: INFO
"""
Value = TypeVar("Value")


def main() -> int:
    # So that whoever ends this process ends Dagster, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    output = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="dagster-home-") as name:
        home = Path(name)
        (home / "dagster.yaml").write_text(SETTINGS)
        os.environ |= {"DAGSTER_HOME": name, "LABELS_DIRECTORY": str(output)}
        try:
            with dagster_dev(home / "dagster.log") as webserver:
                return materialize(webserver)
        except TimeoutError as error:
            say(f"{error}; the end of Dagster's log:\n{tail(home / 'dagster.log')}")
            return 1


@contextmanager
def dagster_dev(log: Path) -> Iterator[DagsterGraphQLClient]:
    """A running Dagster; all its processes are gone afterwards."""
    port = free_port()
    say("starting Dagster")
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster", "dev", "-f", DEFINITIONS, "-p", str(port)],
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield wait_for("Dagster did not start", START_SECONDS, lambda: connect(process, port))
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            say("Dagster does not stop by itself; killing it")
        end_session(process.pid)
        process.wait()


def connect(process: subprocess.Popen[bytes], port: int) -> DagsterGraphQLClient | None:
    if process.poll() is not None:
        raise TimeoutError(f"Dagster ended with status {process.returncode}")
    # The webserver listens once it has loaded the definitions.
    with socket.socket() as probe:
        listening = probe.connect_ex(("127.0.0.1", port)) == 0
    return DagsterGraphQLClient("127.0.0.1", port_number=port) if listening else None


def materialize(webserver: DagsterGraphQLClient) -> int:
    """Run the job and print the manifests; returns the exit status."""
    run_id = webserver.submit_job_execution("labels")
    say(f"launched run {run_id}")
    with dg.DagsterInstance.get() as instance:
        try:
            status = watch(instance, run_id)
        except TimeoutError:
            # The labelling jobs live on; running this again adopts them.
            say(f"not finished after {RUN_SECONDS} s")
            return 1
        if status is not dg.DagsterRunStatus.SUCCESS:
            for failure in failures(instance, run_id):
                say(failure)
            return 1
        for key in LABELS:
            manifest = labels_manifest(instance, key)
            print(json.dumps({"engine": "dagster", **manifest.as_dict()}), flush=True)
    return 0


def watch(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    """Tell what changes until the run is over."""
    told: dict[str, str] = {}

    def look() -> dg.DagsterRunStatus | None:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        for subject, news in [("run", run.status.value), *progress(instance, platform)]:
            if told.get(subject) != news:
                told[subject] = news
                say(f"{subject}: {news}")
        return run.status if run.is_finished else None

    with RapidataClient() as platform:
        return wait_for(f"run {run_id} is not done", RUN_SECONDS, look)


def progress(instance: dg.DagsterInstance, platform: RapidataClient) -> Iterator[tuple[str, str]]:
    """How far the labelling jobs are; their assets tell their ids as soon as they have them."""
    for key in LABELS:
        for record in instance.fetch_observations(key, limit=1).records:
            job_id = record.asset_observation.metadata["rapidata/job_id"].value
            seen = platform.job.get_job_by_id(job_id).get_progress()
            yield (
                key.to_user_string(),
                f"{seen.completion_percentage:.0f} % {seen.state} ({job_id})",
            )


def failures(instance: dg.DagsterInstance, run_id: str) -> Iterator[str]:
    """Why the run failed, step by step."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        failed = entry.get_dagster_event().step_failure_data
        yield f"{entry.step_key}: {failed.error_display_string}"


def wait_for(problem: str, seconds: float, look: Callable[[], Value | None]) -> Value:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(1)
    raise TimeoutError(f"{problem} after {seconds} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end_session(leader: int) -> None:
    """End what the process that we started has left behind."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def tail(log: Path, lines: int = 40) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
