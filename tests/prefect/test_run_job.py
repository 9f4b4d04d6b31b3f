"""The task, on a real Prefect server and a sandbox whose ledger says what was paid."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from prefect import flow, unmapped
from prefect.logging.handlers import APILogHandler
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from pydantic import SecretStr

from rapidata_core import parse_job
from rapidata_core.errors import (
    AuthenticationError,
    BudgetExceededError,
    JobFailedError,
    JobNeedsAttentionError,
    NotFoundError,
    SubmissionConflictError,
    ValidationError,
    WaitTimeoutError,
)
from rapidata_core.sandbox.process import Sandbox
from rapidata_prefect import RapidataCredentials, run_job
from rapidata_prefect import tasks as tasks_module

pytestmark = pytest.mark.usefixtures("prefect_server")

Question = Callable[..., dict[str, Any]]
Result = dict[str, Any]
SPENT_ALREADY = {
    "method": "GET",
    "path": "/job/[^/]+/download-results",
    "phase": "before",
    "action": "status",
    "status": 403,
}


@flow
async def label(job: Any, directory: str, **options: Any) -> Result:
    return await run_job(job, directory=directory, poll_interval=0.2, **options)


def artifacts(api: str, kind: str, job_id: str, name: str) -> list[dict[str, Any]]:
    """A job's artifacts; jobs of other tests have the same ids, but not the same name."""
    key = f"rapidata-{kind}-{job_id.lower().replace('_', '-')}"
    wanted = {"artifacts": {"key": {"any_": [key]}}}
    found = httpx.post(f"{api}/artifacts/filter", json=wanted).raise_for_status().json()
    return [one for one in found if one["description"].startswith(name)]


def stored(api: str, kind: str) -> str:
    """Everything of a kind that the server has, as it would show it."""
    return httpx.post(f"{api}/{kind}/filter", json={}).raise_for_status().text


# --- what comes out -------------------------------------------------------------------------------


async def test_the_manifest_and_the_files(
    sandbox: Sandbox, question: Question, tmp_path: Path
) -> None:
    result = await label(question(), str(tmp_path))
    sandbox.assert_paid_jobs(1)
    (entry,) = sandbox.ledger()["entries"]
    assert result == {
        "job_id": entry["id"],
        "job_url": f"{sandbox.url}/audiences/global/job/{entry['id']}",
        "name": "Colours",
        "definition_id": result["definition_id"],
        "audience_id": "global",
        "estimated_cost": entry["amount"],
        "actual_cost": entry["amount"],
        "labels": str(tmp_path / entry["id"] / "labels.parquet"),
        "label_count": 2,
        "responses": str(tmp_path / entry["id"] / "responses.parquet"),
        "response_count": 6,
        "mean_agreement": result["mean_agreement"],
        "quality": None,
        "adopted": False,
    }
    labels = pd.read_parquet(result["labels"])
    assert result["mean_agreement"] == pytest.approx(labels["agreement"].mean())
    assert json.loads(json.dumps(result)) == result
    assert len(labels) == 2
    assert len(pd.read_parquet(result["responses"])) == 6


@pytest.mark.parametrize("form", ["mapping", "json", "spec"])
async def test_every_form_of_a_spec(
    sandbox: Sandbox, question: Question, tmp_path: Path, form: str
) -> None:
    forms = {"mapping": question(), "json": json.dumps(question()), "spec": parse_job(question())}

    @flow
    async def once() -> Result:
        return await run_job(forms[form], directory=tmp_path, poll_interval=0.2)

    assert (await once())["label_count"] == 2
    sandbox.assert_paid_jobs(1)


async def test_the_artifacts_show_progress_and_lead_to_the_job(
    sandbox: Sandbox, question: Question, tmp_path: Path, prefect_server: str
) -> None:
    result = await label(question() | {"name": "Shown"}, str(tmp_path))
    (progress,) = artifacts(prefect_server, "progress", result["job_id"], "Shown")
    assert (progress["type"], progress["data"]) == ("progress", 100.0)
    assert progress["description"] == "Shown: Completed"
    (link,) = artifacts(prefect_server, "job", result["job_id"], "Shown")
    assert f"({sandbox.url}/audiences/global/job/{result['job_id']})" in link["data"]
    runs = json.loads(stored(prefect_server, "task_runs"))
    (run,) = [run for run in runs if run["id"] == progress["task_run_id"]]
    assert run["name"] == "rapidata: Shown"
    assert "rapidata" in run["tags"]


async def test_progress_is_shown_while_people_work(
    rapidata_sandbox: Sandbox, question: Question, tmp_path: Path, prefect_server: str
) -> None:
    job = question() | {"name": "Watched", "responses_per_datapoint": 500}
    running = asyncio.create_task(label(job, str(tmp_path)))
    job_id = await job_of(rapidata_sandbox, running)
    rapidata_sandbox.advance(8)
    seen: set[float] = set()
    for _ in range(100):
        seen |= {one["data"] for one in artifacts(prefect_server, "progress", job_id, "Watched")}
        if any(0 < percentage < 100 for percentage in seen):
            break
        await asyncio.sleep(0.1)
    rapidata_sandbox.advance(3600)
    assert (await running)["response_count"] == 1000
    assert any(0 < percentage < 100 for percentage in seen), seen
    (progress,) = artifacts(prefect_server, "progress", job_id, "Watched")
    assert progress["data"] == 100.0


async def test_artifacts_that_fail_are_logged_and_end_nothing(
    sandbox: Sandbox,
    question: Question,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("the server is away")

    monkeypatch.setattr(tasks_module, "acreate_progress_artifact", refuse)
    monkeypatch.setattr(tasks_module, "acreate_link_artifact", refuse)
    with caplog.at_level(logging.WARNING, "prefect.task_runs"):
        assert (await label(question(), str(tmp_path)))["label_count"] == 2
    assert "cannot store an artifact: ConnectionError: the server is away" in caplog.text
    sandbox.assert_paid_jobs(1)


# --- what is paid ---------------------------------------------------------------------------------


async def test_a_retry_of_the_task_adopts(
    sandbox: Sandbox, question: Question, tmp_path: Path
) -> None:
    sandbox.faults([SPENT_ALREADY])

    @flow
    async def retried() -> Result:
        patient = run_job.with_options(retries=1)
        return await patient(question(), directory=tmp_path, poll_interval=0.2)

    assert (await retried())["adopted"] is True
    sandbox.assert_paid_jobs(1)


async def test_a_retry_of_the_flow_run_adopts(
    sandbox: Sandbox, question: Question, tmp_path: Path
) -> None:
    results: list[Result] = []

    @flow(retries=1)
    async def retried() -> None:
        results.append(await run_job(question(), directory=tmp_path, poll_interval=0.2))
        if len(results) == 1:
            raise RuntimeError("a later step fails")

    await retried()
    first, second = results
    assert (first["adopted"], second["adopted"]) == (False, True)
    assert first["job_id"] == second["job_id"]
    sandbox.assert_paid_jobs(1)


async def test_a_subflow_that_its_parent_retries_adopts(
    sandbox: Sandbox, question: Question, tmp_path: Path
) -> None:
    """Prefect gives the subflow a new run then."""
    results: list[Result] = []
    runs: list[str] = []

    @flow
    async def child() -> None:
        from prefect.runtime import flow_run

        runs.append(flow_run.get_id() or "")
        results.append(await run_job(question(), directory=tmp_path, poll_interval=0.2))
        if len(results) == 1:
            raise RuntimeError("a later step fails")

    @flow(retries=1)
    async def parent() -> None:
        await child()

    await parent()
    assert len(set(runs)) == 2, "Prefect now keeps the subflow's run; simplify the default key"
    assert [result["adopted"] for result in results] == [False, True]
    sandbox.assert_paid_jobs(1)


async def test_another_flow_run_is_another_job(
    sandbox: Sandbox, question: Question, tmp_path: Path
) -> None:
    first, second = [await label(question(), str(tmp_path)) for _ in range(2)]
    assert first["job_id"] != second["job_id"]
    sandbox.assert_paid_jobs(2)


async def test_a_key_of_ones_own_is_one_job_over_flow_runs(
    sandbox: Sandbox, question: Question, tmp_path: Path
) -> None:
    first, second = [await label(question(), str(tmp_path), key="week 47") for _ in range(2)]
    assert first["job_id"] == second["job_id"]
    assert (first["adopted"], second["adopted"]) == (False, True)
    sandbox.assert_paid_jobs(1)


async def test_a_key_that_asked_something_else(
    sandbox: Sandbox, question: Question, tmp_path: Path
) -> None:
    await label(question(), str(tmp_path), key="week 47")
    with pytest.raises(SubmissionConflictError):
        await label(question("Is this a building?"), str(tmp_path), key="week 47")
    sandbox.assert_paid_jobs(1)


async def test_questions_at_the_same_time_are_a_job_each(
    sandbox: Sandbox, question: Question, tmp_path: Path
) -> None:
    @flow
    async def both() -> list[Result]:
        jobs = [question("Is this a colour?"), question("Is this a building?")]
        return await asyncio.gather(
            *(run_job(job, directory=tmp_path, poll_interval=0.2) for job in jobs)
        )

    first, second = await both()
    assert first["job_id"] != second["job_id"]
    sandbox.assert_paid_jobs(2)


async def test_the_same_question_twice_at_the_same_time_is_one_job(
    rapidata_sandbox: Sandbox, question: Question, tmp_path: Path
) -> None:
    """At the real pace: the job that loses is given back as long as nobody has answered."""

    @flow
    async def twice() -> list[Result]:
        return await asyncio.gather(
            *(run_job(question(), directory=tmp_path, poll_interval=0.2) for _ in range(2))
        )

    first, second = await twice()
    assert first["job_id"] == second["job_id"]
    rapidata_sandbox.assert_paid_jobs(1)


def test_mapped_in_a_synchronous_flow(sandbox: Sandbox, question: Question, tmp_path: Path) -> None:
    @flow
    def mapped() -> list[Result]:
        jobs = [question(f"Is this number {index}?") for index in range(3)]
        futures = run_job.map(
            [json.dumps(job) for job in jobs],
            directory=unmapped(tmp_path),
            poll_interval=unmapped(0.2),
        )
        return [future.result() for future in futures]

    assert len({result["job_id"] for result in mapped()}) == 3
    sandbox.assert_paid_jobs(3)


async def test_outside_a_flow_run_a_key_is_needed(
    sandbox: Sandbox, question: Question, tmp_path: Path
) -> None:
    with pytest.raises(ValidationError, match="key: is needed outside a flow run"):
        await run_job(question(), directory=tmp_path)
    assert sandbox.requests() == []
    for adopted in (False, True):
        result = await run_job(question(), directory=tmp_path, key="once", poll_interval=0.2)
        assert result["adopted"] is adopted
    sandbox.assert_paid_jobs(1)


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "options", "complaint"),
    [
        ({"instruction": ""}, {}, "instruction"),
        ({"answer_options": []}, {}, "answer_options"),
        ({"type": "telepathy"}, {}, "type: must be one of"),
        ({}, {"audience_id": " "}, "audience_id: must not be blank"),
        ({}, {"directory": ""}, "directory: must not be blank"),
        ({}, {"timeout": -1}, "timeout: must be at least 0"),
        ({}, {"poll_interval": 0}, "poll_interval: must be above 0"),
        ({}, {"key": ""}, "key"),
        ({}, {"max_cost": -1}, "max_cost"),
    ],
)
async def test_wrong_arguments_send_nothing(
    sandbox: Sandbox,
    question: Question,
    tmp_path: Path,
    change: dict[str, Any],
    options: dict[str, Any],
    complaint: str,
) -> None:
    @flow
    async def wrong() -> Result:
        return await run_job(question() | change, **({"directory": tmp_path} | options))

    with pytest.raises(ValidationError, match=complaint):
        await wrong()
    assert sandbox.requests() == []


async def test_an_unknown_audience(sandbox: Sandbox, question: Question, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        await label(question(), str(tmp_path), audience_id="nobody")
    sandbox.assert_paid_jobs(0)


async def test_over_budget(sandbox: Sandbox, question: Question, tmp_path: Path) -> None:
    with pytest.raises(BudgetExceededError, match="max_cost"):
        await label(question(), str(tmp_path), max_cost=0.01)
    sandbox.assert_paid_jobs(0)


async def test_no_credentials(
    sandbox: Sandbox, question: Question, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAPIDATA_CLIENT_ID")
    monkeypatch.delenv("RAPIDATA_CLIENT_SECRET")
    with pytest.raises(AuthenticationError, match="RAPIDATA_CLIENT_ID"):
        await label(question(), str(tmp_path))
    assert sandbox.requests() == []


async def test_an_unknown_block(sandbox: Sandbox, question: Question, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no-such-block"):
        await label(question(), str(tmp_path), credentials="no-such-block")
    assert sandbox.requests() == []


# --- what goes wrong later ------------------------------------------------------------------------


async def job_of(sandbox: Sandbox, running: asyncio.Task[Any]) -> str:
    """The job that a flow pays for, as soon as it is paid."""
    for _ in range(300):
        if entries := sandbox.ledger()["entries"]:
            return entries[0]["id"]
        if running.done():
            break
        await asyncio.sleep(0.1)
    raise AssertionError(f"no job was paid: {running}")


@pytest.mark.parametrize(
    ("state", "details", "error", "words"),
    [
        ("Failed", {"failure_message": "no such images"}, JobFailedError, "no such images"),
        (
            "ManualApproval",
            {"review_reason": "ContentFlagged"},
            JobNeedsAttentionError,
            "ContentFlagged",
        ),
        ("SpendLimited", {}, JobNeedsAttentionError, "out of funds"),
        ("Paused", {}, JobNeedsAttentionError, "paused"),
    ],
)
async def test_states_in_which_no_answers_come(
    rapidata_sandbox: Sandbox,
    question: Question,
    tmp_path: Path,
    state: str,
    details: dict[str, str],
    error: type[Exception],
    words: str,
) -> None:
    job = question() | {"responses_per_datapoint": 500}
    running: asyncio.Task[Any] = asyncio.create_task(label(job, str(tmp_path)))
    job_id = await job_of(rapidata_sandbox, running)
    rapidata_sandbox.set_job_state(job_id, state, **details)
    with pytest.raises(error, match=words) as caught:
        await asyncio.wait_for(running, 30)
    assert getattr(caught.value, "job_id", None) == job_id
    assert not os.listdir(tmp_path)
    rapidata_sandbox.assert_paid_jobs(1)


async def test_a_timeout_names_the_job_and_the_next_run_adopts_it(
    rapidata_sandbox: Sandbox, question: Question, tmp_path: Path
) -> None:
    with pytest.raises(WaitTimeoutError) as caught:
        await label(question(), str(tmp_path), key="patience", timeout=0.1)
    rapidata_sandbox.advance(3600)
    result = await label(question(), str(tmp_path), key="patience")
    assert (result["job_id"], result["adopted"]) == (caught.value.job_id, True)
    rapidata_sandbox.assert_paid_jobs(1)


# --- secrets --------------------------------------------------------------------------------------


async def test_no_secret_in_anything_that_prefect_keeps_or_prints(
    sandbox: Sandbox,
    question: Question,
    tmp_path: Path,
    prefect_server: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name in sandbox.environ:
        monkeypatch.delenv(name)
    secrets = {"right": sandbox.client_secret, "wrong": "canary-that-opens-nothing"}
    for name, secret in secrets.items():
        block = RapidataCredentials(
            client_id=sandbox.client_id, client_secret=SecretStr(secret), environment=sandbox.url
        )
        await block.save(f"canary-{name}", overwrite=True)
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: True}):
        result = await label(question(), str(tmp_path), credentials="canary-right")
        with pytest.raises(AuthenticationError) as caught:
            await label(question(), str(tmp_path), credentials="canary-wrong")
        await APILogHandler.aflush()
    kinds = ["flow_runs", "task_runs", "logs", "artifacts", "block_documents"]
    kept = {kind: stored(prefect_server, kind) for kind in kinds}
    assert result["job_id"] in kept["logs"]
    assert result["job_id"] in kept["artifacts"]
    assert "AuthenticationError" in kept["flow_runs"]
    assert "canary-right" in kept["flow_runs"]
    printed = capfd.readouterr()
    shown = [*kept.values(), printed.out, printed.err, json.dumps(result), repr(caught.value)]
    for secret in secrets.values():
        assert not [text for text in shown if secret in text]


async def test_answers_stay_in_their_files(
    sandbox: Sandbox, question: Question, tmp_path: Path, prefect_server: str
) -> None:
    job = question() | {"datapoints": ["aquamarine-canary", "house-canary"]}

    @flow
    async def once() -> Result:
        return await run_job(job, directory=tmp_path, poll_interval=0.2)

    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: True}):
        result = await once()
        await APILogHandler.aflush()
    assert result["labels"].split("/")[-2] in stored(prefect_server, "logs")
    assert "aquamarine-canary" in pd.read_parquet(result["labels"]).to_csv()
    for kind in ["logs", "artifacts", "task_runs", "flow_runs"]:
        assert "aquamarine-canary" not in stored(prefect_server, kind)
