import json
import subprocess
import sys

PRINT_MODULES = "import json, sys; print(json.dumps(sorted(sys.modules)))"
HEAVY = {"pandas", "pyarrow", "httpx", "httpx2", "upath", "rapidata_core.sandbox"}


def modules_after(statement: str) -> set[str]:
    code = f"{statement}; {PRINT_MODULES}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stdout))


def test_import_loads_nothing_heavy_beyond_dagster() -> None:
    ours = modules_after("import rapidata_dagster") - modules_after("import dagster")
    assert "rapidata_dagster.assets" in ours
    assert ours & HEAVY == set()


def test_library_is_registered() -> None:
    from dagster_shared.libraries import DagsterLibraryRegistry

    import rapidata_dagster

    registered = DagsterLibraryRegistry.get()["rapidata-orchestration"]
    assert registered == rapidata_dagster.__version__
