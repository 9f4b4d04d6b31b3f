"""What Airflow learns about the package, and what it costs to load it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files

import jsonschema
import pytest
from airflow.providers_manager import ProvidersManager
from airflow.sdk.module_loading import import_string
from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

from rapidata_airflow import __version__
from rapidata_airflow.get_provider_info import get_provider_info


def test_the_metadata_follow_airflows_schema():
    schema = json.loads((files("airflow") / "provider_info.schema.json").read_text("utf-8"))
    jsonschema.validate(get_provider_info(), schema)


def test_everything_that_the_metadata_name_is_there():
    info = get_provider_info()
    modules = [
        module
        for kind in ("hooks", "operators", "triggers")
        for entry in info[kind]
        for module in entry["python-modules"]
    ]
    classes = [entry["hook-class-name"] for entry in info["connection-types"]]
    for name in [*modules, *classes, *info["extra-links"]]:
        import_string(name)


def test_airflow_discovers_the_provider():
    manager = ProvidersManager()
    assert manager.providers["rapidata-orchestration"].version == __version__
    hook = ProvidersManagerTaskRuntime().hooks["rapidata"]
    assert hook is not None
    assert hook.hook_class_name == "rapidata_airflow.hooks.rapidata.RapidataHook"
    assert hook.connection_id_attribute_name == "rapidata_conn_id"
    assert "rapidata_airflow.links.RapidataJobLink" in manager.extra_links_class_names
    assert "extra__rapidata__namespace" in manager.connection_form_widgets
    behaviour = manager.field_behaviours["rapidata"]
    assert behaviour["relabeling"]["password"] == "Client secret"


@pytest.mark.parametrize(
    "heavy",
    ["pandas", "pyarrow", "rapidata_core.http", "rapidata_core._sync", "rapidata_core.sandbox"],
)
def test_parsing_a_dag_loads_nothing_heavy(heavy: str, loaded_while_parsing: set[str]):
    assert heavy not in loaded_while_parsing


@pytest.fixture(scope="module")
def loaded_while_parsing() -> set[str]:
    """The modules that importing all of the package adds to Airflow's own."""
    return _modules_of(
        "import sys, pkgutil, importlib, rapidata_core.errors",
        "import airflow.sdk.execution_time.task_runner, airflow.triggers.base",
        "before = set(sys.modules)",
        "import rapidata_airflow",
        "found = pkgutil.walk_packages(rapidata_airflow.__path__, 'rapidata_airflow.')",
        "[importlib.import_module(module.name) for module in found]",
        "assert 'rapidata_airflow.operators.job' in sys.modules",
        "print(*(set(sys.modules) - before))",
    )


def test_the_metadata_are_read_without_airflow():
    # Airflow reads them while its own settings are still being made.
    loaded = _modules_of(
        "import sys, rapidata_airflow.get_provider_info as info",
        "assert info.get_provider_info()",
        "print(*sys.modules)",
    )
    assert "rapidata_airflow" in loaded
    assert "airflow" not in loaded


def _modules_of(*lines: str) -> set[str]:
    command = [sys.executable, "-c", "\n".join(lines)]
    return set(subprocess.check_output(command, text=True, timeout=60).splitlines()[-1].split())
