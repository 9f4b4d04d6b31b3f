"""What importing the package costs: Prefect's server and workers import it when they start."""

from __future__ import annotations

import json
import subprocess
import sys


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_the_package_imports_nothing_that_prefect_does_not() -> None:
    added = modules_after("import rapidata_prefect") - modules_after(
        "import prefect\nimport prefect.blocks.abstract"
    )
    ours = {name for name in added if name.split(".")[0].startswith("rapidata_")}
    assert ours == {"rapidata_core", "rapidata_prefect", "rapidata_prefect.credentials"}
    assert added == ours


def test_the_task_needs_no_tables_and_no_sandbox() -> None:
    added = modules_after("from rapidata_prefect import run_job")
    assert "rapidata_prefect.tasks" in added
    heavy = {"pandas", "pyarrow", "numpy", "rapidata_core.sandbox", "rapidata_core._async"}
    assert not added & heavy
