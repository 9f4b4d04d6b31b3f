"""A fast sandbox, a Dagster that forgets everything, and a home that is nobody's."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from rapidata_core.config import rapidata_config
from rapidata_core.sandbox.process import Sandbox
from rapidata_dagster import RapidataResource

JOBS = Path(__file__).parents[2] / "examples" / "jobs"
Materialize = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture(scope="session")
def fast_sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(speed=50) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DAGSTER_HOME", "RAPIDATA_TOKEN_FILE", "RAPIDATA_NAMESPACE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    # Imports may have read it with the user's own home.
    vars(rapidata_config).clear()
    return home


@pytest.fixture
def sandbox(fast_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    fast_sandbox.reset()
    for name, value in fast_sandbox.environ.items():
        monkeypatch.setenv(name, value)
    return fast_sandbox


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral(str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def materialize(instance: dg.DagsterInstance) -> Materialize:
    """Run assets in this process, with the resource as users configure it."""

    def run(*assets: dg.AssetsDefinition, **options: Any) -> dg.ExecuteInProcessResult:
        resource = options.pop("resource", None) or RapidataResource(
            client_id=dg.EnvVar("RAPIDATA_CLIENT_ID"),
            client_secret=dg.EnvVar("RAPIDATA_CLIENT_SECRET"),
        )
        return dg.materialize(
            assets, instance=instance, resources={"rapidata": resource}, **options
        )

    return run


@pytest.fixture
def question() -> dict[str, Any]:
    return json.loads((JOBS / "prompt_alignment.json").read_text())
