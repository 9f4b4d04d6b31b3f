"""What Airflow learns about the package, and what it costs to load it."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from importlib.resources import files
from pkgutil import iter_modules

import jsonschema
import pytest
from airflow.providers_manager import ProvidersManager
from airflow.sdk.module_loading import import_string
from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

from rapidata_airflow import __version__, links
from rapidata_airflow.decorators.job import rapidata_job_task
from rapidata_airflow.get_provider_info import get_provider_info


def test_the_metadata_follow_airflows_schema():
    schema = json.loads((files("airflow") / "provider_info.schema.json").read_text("utf-8"))
    jsonschema.validate(get_provider_info(), schema)


def test_everything_that_the_metadata_name_is_there():
    info = get_provider_info()
    classes = [entry["hook-class-name"] for entry in info["connection-types"]]
    decorators = [entry["class-name"] for entry in info["task-decorators"]]
    for name in [*classes, *decorators, *info["extra-links"], *info["notifications"]]:
        import_string(name)
    for name in _named_modules():
        importlib.import_module(name)


@pytest.mark.parametrize("folder", ["hooks", "operators", "sensors", "triggers"])
def test_the_metadata_name_every_module(folder: str):
    package = importlib.import_module(f"rapidata_airflow.{folder}")
    found = {
        f"rapidata_airflow.{folder}.{module.name}" for module in iter_modules(package.__path__)
    }
    # What the others of a folder have in common is not for users.
    common = {f"rapidata_airflow.{folder}.{name}" for name in ("owning", "saving", "waiting")}
    assert set(_named_modules(folder)) == found - common


def _named_modules(*folders: str) -> list[str]:
    info = get_provider_info()
    return [
        module
        for folder in folders or ("hooks", "operators", "sensors", "triggers")
        for entry in info[folder]
        for module in entry["python-modules"]
    ]


def test_the_metadata_name_every_link():
    public = {f"{link.__module__}.{link.__name__}" for link in links.RapidataLink.__subclasses__()}
    assert set(get_provider_info()["extra-links"]) == public


def test_airflow_discovers_the_provider():
    manager = ProvidersManager()
    assert manager.providers["rapidata-orchestration"].version == __version__
    runtime = ProvidersManagerTaskRuntime()
    hook = runtime.hooks["rapidata"]
    assert hook is not None
    assert hook.hook_class_name == "rapidata_airflow.hooks.rapidata.RapidataHook"
    assert hook.connection_id_attribute_name == "rapidata_conn_id"
    assert "rapidata_airflow.links.RapidataJobLink" in manager.extra_links_class_names
    assert "rapidata_airflow.notifications.rapidata.RapidataNotifier" in manager.notification
    assert runtime.taskflow_decorators["rapidata_job"] is rapidata_job_task


def test_the_form_of_a_connection():
    manager = ProvidersManager()
    widgets = {
        name: widget.field
        for name, widget in manager.connection_form_widgets.items()
        if name.startswith("extra__rapidata__")
    }
    fields = ("environment", "namespace", "max_cost_per_job", "poll_interval")
    assert set(widgets) == {f"extra__rapidata__{name}" for name in fields}
    cost = widgets["extra__rapidata__max_cost_per_job"]
    assert cost["schema"]["title"] == "Max cost per job"
    assert "number" in cost["schema"]["type"]
    behaviour = manager.field_behaviours["rapidata"]
    assert behaviour["relabeling"]["password"] == "Client secret"
    # The extra field says it; a host is for URIs.
    assert "host" in behaviour["hidden_fields"]


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
