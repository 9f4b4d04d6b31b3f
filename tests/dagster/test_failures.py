"""What goes wrong is clear, costs nothing twice, and is retried only where that helps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from rapidata_core.sandbox.process import Sandbox
from rapidata_dagster import RapidataResource, rapidata_labels

Question = dict[str, Any]
Materialize = Callable[..., dg.ExecuteInProcessResult]
RETRIES = dg.RetryPolicy(max_retries=2)


def metadata_of(result: dg.ExecuteInProcessResult, node: str) -> dict[str, Any]:
    """The values of an asset's only materialisation in a run."""
    (event,) = result.asset_materializations_for_node(node)
    return {name: value.value for name, value in event.metadata.items()}


def labels_asset(
    directory: Path, ask: Callable[[], Question], **options: Any
) -> dg.AssetsDefinition:
    @rapidata_labels(directory=directory, retry_policy=RETRIES, **options)
    def labels() -> Question:
        return ask()

    return labels


def failure_of(result: dg.ExecuteInProcessResult) -> tuple[str, dict[str, Any]]:
    """Message and metadata of the only failed step, which was tried once."""
    assert not result.success
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert not [event for event in result.all_events if event.is_step_up_for_retry]
    failure = event.step_failure_data.user_failure_data
    assert failure is not None
    metadata = {name: value.value for name, value in failure.metadata.items()}
    return failure.description or "", metadata


def test_bad_question_sends_nothing(
    sandbox: Sandbox, materialize: Materialize, question: Question, tmp_path: Path
) -> None:
    bad = {**question, "instruction": " ", "responses_per_datapoint": 0}
    result = materialize(labels_asset(tmp_path, lambda: bad), raise_on_error=False)
    message, _ = failure_of(result)
    assert "instruction: must not be blank" in message
    assert "responses_per_datapoint" in message
    assert sandbox.requests() == []
    sandbox.assert_paid_jobs(0)


def test_unknown_audience(
    sandbox: Sandbox, materialize: Materialize, question: Question, tmp_path: Path
) -> None:
    labels = labels_asset(tmp_path, lambda: question, audience_id="aud_nobody")
    message, _ = failure_of(materialize(labels, raise_on_error=False))
    assert "aud_nobody" in message
    sandbox.assert_paid_jobs(0)


def test_missing_credentials(
    sandbox: Sandbox,
    materialize: Materialize,
    question: Question,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RAPIDATA_CLIENT_ID")
    monkeypatch.delenv("RAPIDATA_CLIENT_SECRET")
    labels = labels_asset(tmp_path, lambda: question)
    message, _ = failure_of(materialize(labels, resource=RapidataResource(), raise_on_error=False))
    assert "RAPIDATA_CLIENT_SECRET" in message
    assert sandbox.requests() == []


def test_over_budget(
    sandbox: Sandbox, materialize: Materialize, question: Question, tmp_path: Path
) -> None:
    labels = labels_asset(tmp_path, lambda: question, max_cost=0.59)
    message, _ = failure_of(materialize(labels, raise_on_error=False))
    assert "max_cost=0.59" in message
    sandbox.assert_paid_jobs(0)
    enough = labels_asset(tmp_path, lambda: question, max_cost=0.6)
    assert materialize(enough).success
    sandbox.assert_paid_jobs(1)


@pytest.mark.parametrize(
    ("state", "details", "expected"),
    [
        ("Failed", {"failure_message": "a bad file"}, "failed: a bad file"),
        ("ManualApproval", {"review_reason": "a new account"}, "(a new account)"),
        ("Paused", {}, "is paused; resume it"),
    ],
)
def test_job_that_does_not_go_on(
    sandbox: Sandbox,
    materialize: Materialize,
    question: Question,
    tmp_path: Path,
    state: str,
    details: dict[str, str],
    expected: str,
) -> None:
    labels = labels_asset(tmp_path, lambda: question)
    found = metadata_of(materialize(labels), "labels")
    sandbox.set_job_state(found["rapidata/job_id"], state, **details)

    message, metadata = failure_of(materialize(labels, raise_on_error=False))

    assert expected in message
    assert metadata["rapidata/state"] == state
    assert metadata["rapidata/job_url"] == found["rapidata/job_url"]
    sandbox.assert_paid_jobs(1)


def test_retry_of_a_step_that_failed_after_it_paid(
    sandbox: Sandbox, materialize: Materialize, question: Question, tmp_path: Path
) -> None:
    busy = {"phase": "before", "action": "status", "status": 429, "retry_after": 3600}
    sandbox.faults([{**busy, "path": "/job/.*/download-results"}])
    attempts: list[int] = []

    def ask() -> Question:
        attempts.append(sandbox.ledger()["paid_jobs"])
        return question

    result = materialize(labels_asset(tmp_path, ask))

    assert attempts == [0, 1]
    assert metadata_of(result, "labels")["rapidata/adopted"] is True
    sandbox.assert_paid_jobs(1)


def test_passing_trouble_is_retried(
    sandbox: Sandbox, materialize: Materialize, question: Question, tmp_path: Path
) -> None:
    busy = {"path": "/jobs", "phase": "before", "action": "status", "status": 429}
    sandbox.faults([{**busy, "retry_after": 3600}])
    result = materialize(labels_asset(tmp_path, lambda: question))
    assert [event for event in result.all_events if event.is_step_up_for_retry]
    assert metadata_of(result, "labels")["rapidata/adopted"] is False
    sandbox.assert_paid_jobs(1)


def test_one_run_for_several_partitions_is_refused(
    sandbox: Sandbox, materialize: Materialize, question: Question, tmp_path: Path
) -> None:
    days = dg.StaticPartitionsDefinition(["monday", "tuesday"])
    labels = labels_asset(tmp_path, lambda: question, partitions_def=days)
    both = {
        "dagster/asset_partition_range_start": "monday",
        "dagster/asset_partition_range_end": "tuesday",
    }
    result = materialize(labels, tags=both, raise_on_error=False)
    assert not result.success
    sandbox.assert_paid_jobs(0)
