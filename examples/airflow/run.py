"""Run the DAG of this folder once in a real Airflow, and print what it made.

    rapidata-orchestration sandbox exec -- python examples/airflow/run.py OUTPUT_DIR

Reads RAPIDATA_ENVIRONMENT, RAPIDATA_CLIENT_ID and RAPIDATA_CLIENT_SECRET. Prints progress on
standard error, and on standard output one line of JSON per job.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

from deployment import Deployment, DeploymentError, Run

from rapidata_core import RapidataClient

HERE = Path(__file__).resolve().parent
DAG = "human_labels"
TASKS = ("prompt_alignment", "likert_rating")
RUN_TIMEOUT = 300.0


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        return fail("usage: run.py OUTPUT_DIR")
    if not os.environ.get("RAPIDATA_CLIENT_ID") or not os.environ.get("RAPIDATA_CLIENT_SECRET"):
        return fail(f"RAPIDATA_CLIENT_ID or RAPIDATA_CLIENT_SECRET is not set\n{__doc__}")
    variables = {
        "AIRFLOW_CONN_RAPIDATA_DEFAULT": connection(),
        "RAPIDATA_RESULTS": str(Path(arguments[0]).resolve()),
    }
    # Ending this script ends Airflow, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(
        prefix="rapidata-airflow-", ignore_cleanup_errors=True
    ) as home:
        airflow = Deployment(Path(home), HERE / "dags", variables)
        try:
            say("Starting Airflow: API server, scheduler, triggerer, DAG processor")
            with airflow:
                manifests = run_once(airflow)
        except (DeploymentError, SubprocessError, OSError) as failure:
            return fail(f"{airflow.last_words()}\n\n{failure}")
    for manifest in manifests:
        print(json.dumps({**manifest, "engine": "airflow"}))
    return 0


def run_once(airflow: Deployment) -> list[dict[str, Any]]:
    """Trigger the DAG, tell what happens, and return what the tasks returned."""
    run = airflow.trigger(DAG)
    say(f"Started the run {run.run_id}")
    deadline = time.monotonic() + RUN_TIMEOUT
    told: dict[str, str] = {}
    with RapidataClient() as client:
        while True:
            # The run first: when it has ended, the states of its tasks are final.
            state = run.state()
            for task, what in progress_of(run, client).items():
                if told.get(task) != what:
                    say(f"{task}: {what}")
                    told[task] = what
            if state == "success":
                return [run.xcom(task) for task in TASKS]
            if state == "failed":
                raise DeploymentError(f"The run failed: {told}\n{run.task_logs()}")
            if time.monotonic() > deadline:
                raise DeploymentError(f"The run is not done after {RUN_TIMEOUT:.0f} s: {told}")
            time.sleep(1)


def progress_of(run: Run, client: RapidataClient) -> dict[str, str]:
    """What each task is doing; a deferred task waits for people, so how far they are."""
    found: dict[str, str] = {}
    for task in run.tasks():
        name, state = task["task_id"], task["state"] or "waiting"
        if state == "deferred":
            job = client.job.get_job_by_id(run.xcom(name, "job_id"))
            progress = job.get_progress()
            state = f"{state}, job {progress.state} {progress.completion_percentage:.0f} %"
        found[name] = state
    return found


def connection() -> str:
    """Airflow's connection to the platform, as an environment variable holds it."""
    return json.dumps(
        {
            "conn_type": "rapidata",
            "login": os.environ["RAPIDATA_CLIENT_ID"],
            "password": os.environ["RAPIDATA_CLIENT_SECRET"],
            "host": os.environ.get("RAPIDATA_ENVIRONMENT"),
        }
    )


def say(message: str) -> None:
    print(f"airflow: {message}", file=sys.stderr, flush=True)


def fail(message: str) -> int:
    say(message)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
