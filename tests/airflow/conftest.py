"""A hermetic Airflow: nothing of the user's is read, and everything is gone afterwards.

Airflow reads its settings when it is first imported, so this comes before any such import.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rapidata_core.sandbox.process import Sandbox

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

    from rapidata_core import RapidataClient

REPOSITORY = Path(__file__).resolve().parents[2]
_HOME = tempfile.mkdtemp(prefix="rapidata-airflow-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)

for _name in [name for name in os.environ if name.startswith(("AIRFLOW_", "RAPIDATA_"))]:
    if _name not in ("RAPIDATA_DISABLE_OTLP", "RAPIDATA_SCREENSHOTS"):
        del os.environ[_name]
os.environ |= {
    "HOME": _HOME,
    "AIRFLOW_HOME": _HOME,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
    "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "examples" / "airflow" / "dags"),
    "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME}/airflow.db",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    # What Airflow deprecates among its own parts is not ours to mend.
    "PYTHONWARNINGS": "ignore",
}
assert "airflow" not in sys.modules, "Airflow was imported before its home was chosen"


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    return Path(_HOME)


@pytest.fixture(scope="session")
def compare_job() -> dict[str, Any]:
    path = REPOSITORY / "examples" / "jobs" / "prompt_alignment.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the connection ``rapidata_default``, from fields or from a URI."""

    def set_connection(uri: str = "", **fields: Any) -> None:
        connection = uri or json.dumps({"conn_type": "rapidata", **fields})
        monkeypatch.setenv("AIRFLOW_CONN_RAPIDATA_DEFAULT", connection)

    return set_connection


@pytest.fixture
def sandbox(
    rapidata_sandbox: Sandbox, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Sandbox:
    """A sandbox to which only the connection ``rapidata_default`` leads."""
    for name in rapidata_sandbox.environ:
        monkeypatch.delenv(name)
    connect_to(rapidata_sandbox, connect)
    return rapidata_sandbox


@pytest.fixture(scope="session")
def _quick_sandbox_process() -> Iterator[Sandbox]:
    # Slower than it could be: the first look at a job should still find people at work, also on a
    # machine with much to do.
    with Sandbox.start(speed=4) as sandbox:
        yield sandbox


@pytest.fixture
def quick_sandbox(_quick_sandbox_process: Sandbox, connect: Callable[..., None]) -> Sandbox:
    """A sandbox for whole DAGs, which go on by themselves when people have worked some seconds."""
    _quick_sandbox_process.reset()
    connect_to(_quick_sandbox_process, connect)
    return _quick_sandbox_process


def connect_to(sandbox: Sandbox, connect: Callable[..., None]) -> None:
    """Let the connection ``rapidata_default`` lead to a sandbox."""
    connect(
        login=sandbox.client_id,
        password=sandbox.client_secret,
        host=sandbox.url,
        # Whoever waits in a test waits for something that is about to be there.
        extra={"poll_interval": 0.1},
    )


class TaskInstance:
    """What tasks use of Airflow's."""

    def __init__(self, task_id: str, map_index: int, try_number: int, max_tries: int) -> None:
        self.dag_id = "labels"
        self.task_id = task_id
        self.run_id = "manual__2026-01-01"
        self.map_index = map_index
        self.try_number = try_number
        self.max_tries = max_tries
        self.start_date = datetime.now(UTC)
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = json.loads(json.dumps(value))

    def xcom_pull(self, *, key: str, task_ids: str = "", map_indexes: int = -1) -> Any:
        assert (task_ids or self.task_id) == self.task_id
        return self.xcoms.get(key)


@pytest.fixture
def context_of() -> Callable[..., Any]:
    """Make the context in which a task instance's operator is executed."""

    def make(
        operator: BaseOperator,
        map_index: int = -1,
        try_number: int = 1,
        max_tries: int = 2,
        **facts: Any,
    ) -> dict[str, Any]:
        ti = TaskInstance(operator.task_id, map_index, try_number, max_tries)
        return {"ti": ti, "outlet_events": {}, **facts}

    return make


@pytest.fixture
def go_on() -> Callable[..., Any]:
    """Let the trigger of a deferred task fire, and finish the task as another worker would."""
    from airflow.sdk.module_loading import import_string

    async def event_of(trigger: Any) -> Any:
        async with asyncio.timeout(30):
            (event,) = [event.payload async for event in trigger.run()]
        return event

    def finish(deferred: Any, operator: BaseOperator, context: Any) -> Any:
        path, arguments = json.loads(json.dumps(deferred.trigger.serialize()))
        quick = {"first_poll_delay": 0.0, "poll_interval": 0.05}
        event = asyncio.run(event_of(import_string(path)(**{**arguments, **quick})))
        handed = json.loads(json.dumps({"event": event, **(deferred.kwargs or {})}))
        return getattr(operator, deferred.method_name)(context, **handed)

    return finish


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[RapidataClient]:
    """A client of the sandbox, to look at what tasks have done there."""
    from rapidata_core import RapidataClient

    with RapidataClient(sandbox.client_id, sandbox.client_secret, sandbox.url) as client:
        yield client


@pytest.fixture
def job_id(client: RapidataClient, compare_job: dict[str, Any]) -> str:
    """A job that people work on."""
    from rapidata_core import parse_job

    return client.submit(parse_job(compare_job), "global", key="one").job_id
