"""The example, from end to end, on a real server of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import SecretStr

from rapidata_core.sandbox.process import Sandbox
from rapidata_prefect import RapidataCredentials

ROOT = Path(__file__).parents[2]
RUN = ROOT / "examples" / "prefect" / "run.py"


def run_example(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(RUN), str(directory)],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.timeout(330)
def test_the_example(sandbox: Sandbox, tmp_path: Path) -> None:
    run = run_example(tmp_path)
    assert run.returncode == 0, run.stderr
    results = [json.loads(line) for line in run.stdout.splitlines()]
    counts = {one["name"]: (one["label_count"], one["response_count"]) for one in results}
    assert counts == {"Prompt alignment": (4, 60), "Likert rating": (3, 45)}
    assert {one["engine"] for one in results} == {"prefect"}
    for one in results:
        assert len(pd.read_parquet(one["responses"])) == one["response_count"]
        assert len(pd.read_parquet(one["labels"])) == one["label_count"]
    assert "Completed, 100 %" in run.stderr
    assert sandbox.client_secret not in run.stdout + run.stderr
    sandbox.assert_paid_jobs(2)


@pytest.mark.timeout(330)
def test_the_example_fails_with_the_reason(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAPIDATA_CLIENT_SECRET", "wrong")
    run = run_example(tmp_path)
    assert run.returncode != 0
    assert run.stdout == ""
    assert "AuthenticationError" in run.stderr
    assert "last words of the Prefect server:" in run.stderr
    sandbox.assert_paid_jobs(0)


async def test_the_flow_of_the_document(
    sandbox: Sandbox, tmp_path: Path, prefect_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "prefect.md").read_text(encoding="utf-8")
    (code,) = [one for one in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "@flow" in one]
    scope: dict[str, Any] = {}
    exec(compile(code, "prefect.md", "exec"), scope)
    block = RapidataCredentials(
        client_id=sandbox.client_id,
        client_secret=SecretStr(sandbox.client_secret),
        environment=sandbox.url,
    )
    await block.save("rapidata", overwrite=True)
    spec = json.loads((ROOT / "examples" / "jobs" / "prompt_alignment.json").read_text())
    result = await scope["prompt_alignment"](spec["datapoints"], spec["contexts"])
    assert (tmp_path / "labels" / result["job_id"] / "labels.parquet").exists()
    sandbox.assert_paid_jobs(1)
