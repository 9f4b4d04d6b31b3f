"""One Airflow for all tests of this folder, all DAGs of which run at the same time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.airflow.deployment import Deployment, Run
from rapidata_core import RapidataClient
from rapidata_core.sandbox.process import Sandbox

DAGS = Path(__file__).parent / "dags"
# What ends by itself must do so soon, and what takes long on a busy machine must be let.
SETTINGS = {
    "RAPIDATA_SETTLE": "4",
    "AIRFLOW__CORE__PARALLELISM": "3",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "40",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__ON_KILL_TIMEOUT": "120",
    "AIRFLOW__TRIGGERER__RUNNER_HEALTH_CHECK_THRESHOLD": "120",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Where a job takes some 3 seconds."""
    with Sandbox.start() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def patient_sandbox() -> Iterator[Sandbox]:
    """Where nobody answers, until a job is said to be complete."""
    with Sandbox.start(speed=0) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def definition_id(patient_sandbox: Sandbox) -> str:
    """A question that has its estimate already, which takes time."""
    with client_of(patient_sandbox) as client:
        found = _question(client)
    patient_sandbox.advance(60)
    return found


@pytest.fixture(scope="module")
def signal_id(sandbox: Sandbox) -> str:
    """A signal that fires only when it is told to."""
    with client_of(sandbox) as client:
        signal = client.signals.create_signal("A signal", "global", _question(client), 24 * 365)
    return signal.id


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def airflow(
    sandbox: Sandbox,
    patient_sandbox: Sandbox,
    definition_id: str,
    signal_id: str,
    results: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployment]:
    variables = {
        "AIRFLOW_CONN_RAPIDATA_DEFAULT": _connection(sandbox),
        "AIRFLOW_CONN_RAPIDATA_PATIENT": _connection(patient_sandbox),
        "RAPIDATA_DEFINITION": definition_id,
        "RAPIDATA_RESULTS": str(results),
        "RAPIDATA_SIGNAL": signal_id,
        "RAPIDATA_SINCE": sandbox.now(),
        **SETTINGS,
    }
    deployment = Deployment(tmp_path_factory.mktemp("airflow"), DAGS, variables)
    try:
        with deployment:
            yield deployment
    except BaseException:
        print(deployment.last_words())
        raise


@pytest.fixture(scope="module")
def runs(airflow: Deployment) -> dict[str, Run]:
    """A run of each DAG, by its name."""
    return {dag: airflow.trigger(dag) for dag in ("kills", "ended", "crashes", "anew", "race")}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any) -> Any:
    """Show with a failure what Airflow and its tasks have said."""
    report = yield
    if report.failed and (airflow := item.funcargs.get("airflow")):
        logs = [_logs(run) for run in item.funcargs.get("runs", {}).values()]
        report.sections.append(("Airflow", "\n".join([airflow.last_words(), *logs])))
    return report


def _logs(run: Run) -> str:
    try:
        return run.task_logs()
    except OSError as error:
        return f"(no logs of {run.dag_id}: {error})"


def client_of(sandbox: Sandbox) -> RapidataClient:
    return RapidataClient(sandbox.client_id, sandbox.client_secret, sandbox.url)


def _question(client: RapidataClient) -> str:
    definition = client.job.create_compare_job_definition(
        "A question",
        "Which is better?",
        [["left", "right"], ["up", "down"]],
        data_type="text",
        responses_per_datapoint=2,
    )
    return definition.id


def _connection(sandbox: Sandbox) -> str:
    return json.dumps(
        {
            "conn_type": "rapidata",
            "login": sandbox.client_id,
            "password": sandbox.client_secret,
            "host": sandbox.url,
        }
    )
