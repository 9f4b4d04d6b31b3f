import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from rapidata_core import CompareJob
from rapidata_core.sandbox.process import Sandbox
from rapidata_dagster import RapidataResource, labels_manifest, rapidata_labels

Question = dict[str, Any]
Materialize = Callable[..., dg.ExecuteInProcessResult]


def metadata_of(result: dg.ExecuteInProcessResult, node: str) -> dict[str, Any]:
    """The values of an asset's only materialisation in a run."""
    (event,) = result.asset_materializations_for_node(node)
    return {name: value.value for name, value in event.metadata.items()}


def test_labels_are_an_asset_that_others_read(
    sandbox: Sandbox,
    instance: dg.DagsterInstance,
    materialize: Materialize,
    question: Question,
    tmp_path: Path,
) -> None:
    @rapidata_labels(directory=tmp_path / "labels")
    def prompt_alignment() -> CompareJob:
        """What labelers are asked."""
        return CompareJob(**question)

    @dg.asset(deps=[prompt_alignment])
    def winners(context: dg.AssetExecutionContext) -> list[str]:
        manifest = labels_manifest(context.instance, prompt_alignment.key)
        return list(pd.read_parquet(manifest.labels)["label"])

    result = materialize(prompt_alignment, winners)

    found = metadata_of(result, "prompt_alignment")
    (entry,) = sandbox.ledger()["entries"]
    folder = tmp_path / "labels" / "prompt_alignment" / entry["id"]
    labels = pd.read_parquet(folder / "labels.parquet")
    (event,) = result.asset_materializations_for_node("prompt_alignment")
    preview = event.metadata["rapidata/preview"]
    assert isinstance(preview, dg.TableMetadataValue)
    del found["rapidata/preview"]
    glance = labels[["datapoint", "label", "agreement"]].to_dict("records")
    assert [dict(record.data) for record in preview.records] == glance
    schema = found.pop("dagster/column_schema")
    assert [column.name for column in schema.columns] == list(labels.columns)
    definition_id = found.pop("rapidata/definition_id")
    assert definition_id.startswith("sbx_definition_")
    assert found == {
        "dagster/row_count": 4,
        "dagster/uri": str(folder / "labels.parquet"),
        "rapidata/actual_cost": entry["amount"],
        "rapidata/adopted": False,
        "rapidata/audience_id": "global",
        "rapidata/estimated_cost": entry["amount"],
        "rapidata/job_id": entry["id"],
        "rapidata/job_url": f"{sandbox.url}/audiences/global/job/{entry['id']}",
        "rapidata/label_count": 4,
        "rapidata/labels": str(folder / "labels.parquet"),
        "rapidata/mean_agreement": pytest.approx(labels["agreement"].mean()),
        "rapidata/name": "Prompt alignment",
        "rapidata/quality": None,
        "rapidata/response_count": 60,
        "rapidata/responses": str(folder / "responses.parquet"),
    }
    assert len(pd.read_parquet(folder / "responses.parquet")) == 60
    assert result.output_for_node("winners") == list(labels["label"])
    assert event.tags["dagster/data_version"] == entry["id"]
    assert labels_manifest(instance, prompt_alignment.key).definition_id == definition_id
    (spec,) = prompt_alignment.specs
    assert spec.description == "What labelers are asked."


def test_job_is_linked_and_progress_logged_while_it_runs(
    sandbox: Sandbox,
    instance: dg.DagsterInstance,
    materialize: Materialize,
    question: Question,
    tmp_path: Path,
) -> None:
    @rapidata_labels(directory=tmp_path)
    def labels() -> Question:
        return question

    result = materialize(labels)

    (record,) = instance.fetch_observations(labels.key, limit=5).records
    assert record.asset_observation is not None
    job_id = record.asset_observation.metadata["rapidata/job_id"].value
    events = [entry.message for entry in instance.all_logs(result.run_id)]
    assert sandbox.ledger()["entries"][0]["id"] == job_id
    assert f"Job {job_id}: 100 % Completed" in events
    assert any(message.startswith(f"Created job {job_id}: http") for message in events)


def test_unchanged_question_is_adopted_and_a_changed_one_paid(
    sandbox: Sandbox, materialize: Materialize, question: Question, tmp_path: Path
) -> None:
    @rapidata_labels(directory=tmp_path)
    def labels() -> Question:
        return question

    first = metadata_of(materialize(labels), "labels")
    question["name"] = "Renamed for people"
    again = metadata_of(materialize(labels), "labels")
    assert again["rapidata/job_id"] == first["rapidata/job_id"]
    assert (first["rapidata/adopted"], again["rapidata/adopted"]) == (False, True)
    sandbox.assert_paid_jobs(1)

    question["responses_per_datapoint"] = 5
    changed = metadata_of(materialize(labels), "labels")
    assert changed["rapidata/adopted"] is False
    assert changed["rapidata/response_count"] == 20
    sandbox.assert_paid_jobs(2)
    # The old answers are kept beside the new ones.
    assert Path(first["rapidata/labels"]).exists()


def test_same_question_of_another_asset_is_another_job(
    sandbox: Sandbox, materialize: Materialize, question: Question, tmp_path: Path
) -> None:
    @rapidata_labels(directory=tmp_path, key=["a", "b"])
    def one() -> Question:
        return question

    @rapidata_labels(directory=tmp_path, key=["a", "c"])
    def other() -> Question:
        return question

    result = materialize(one, other)
    assert Path(metadata_of(result, "a__b")["rapidata/labels"]).parts[-4:-2] == ("a", "b")
    sandbox.assert_paid_jobs(2)


def test_namespaces_do_not_adopt_each_others_jobs(
    sandbox: Sandbox, materialize: Materialize, question: Question, tmp_path: Path
) -> None:
    @rapidata_labels(directory=tmp_path)
    def labels() -> Question:
        return question

    materialize(labels, resource=RapidataResource(namespace="staging"))
    materialize(labels, resource=RapidataResource(namespace="production"))
    sandbox.assert_paid_jobs(2)


def test_each_partition_has_its_job_and_folder(
    sandbox: Sandbox,
    instance: dg.DagsterInstance,
    materialize: Materialize,
    question: Question,
    tmp_path: Path,
) -> None:
    days = dg.StaticPartitionsDefinition(["2026-01-01", "..", "a/b"])

    @rapidata_labels(directory=tmp_path / "labels", partitions_def=days)
    def labels(context: dg.AssetExecutionContext) -> Question:
        assert context.partition_key in days.get_partition_keys()
        return question

    folders: dict[str, Path] = {}
    for day in days.get_partition_keys():
        found = metadata_of(materialize(labels, partition_key=day), "labels")
        assert found["dagster/partition_row_count"] == 4
        assert "dagster/row_count" not in found
        assert labels_manifest(instance, labels.key, day).job_id == found["rapidata/job_id"]
        folders[day] = Path(found["rapidata/labels"]).parent.parent
    sandbox.assert_paid_jobs(3)
    assert {folder.parent for folder in folders.values()} == {tmp_path / "labels" / "labels"}
    assert len(set(folders.values())) == 3

    again = metadata_of(materialize(labels, partition_key=".."), "labels")
    assert again["rapidata/adopted"] is True
    assert Path(again["rapidata/labels"]).parent.parent == folders[".."]
    sandbox.assert_paid_jobs(3)


def test_unpartitioned_labels_ignore_the_partition_of_their_run(
    sandbox: Sandbox, materialize: Materialize, question: Question, tmp_path: Path
) -> None:
    days = dg.StaticPartitionsDefinition(["monday", "tuesday"])

    @rapidata_labels(directory=tmp_path)
    def labels() -> Question:
        return question

    @dg.asset(partitions_def=days, deps=[labels])
    def report() -> None: ...

    for day in days.get_partition_keys():
        found = metadata_of(materialize(labels, report, partition_key=day), "labels")
        assert found["dagster/row_count"] == 4
    sandbox.assert_paid_jobs(1)


def test_upstream_data_config_and_resources_build_the_question(
    sandbox: Sandbox, materialize: Materialize, question: Question, tmp_path: Path
) -> None:
    class Effort(dg.Config):
        responses: int = 2

    @dg.asset
    def pairs() -> list[list[str]]:
        return question["datapoints"][:2]

    @dg.asset
    def contexts() -> list[str]:
        return question["contexts"][:2]

    @rapidata_labels(directory=tmp_path, ins={"shown": dg.AssetIn("contexts")})
    def labels(
        _context: dg.AssetExecutionContext,
        config: Effort,
        pairs: list[list[str]],
        shown: list[str],
        rapidata: RapidataResource,
    ) -> str:
        assert rapidata.get_client().audience.get_audience_by_id("global")
        asked = {**question, "datapoints": pairs, "contexts": shown}
        return json.dumps({**asked, "responses_per_datapoint": config.responses})

    result = materialize(
        pairs, contexts, labels, run_config={"ops": {"labels": {"config": {"responses": 3}}}}
    )
    assert metadata_of(result, "labels")["rapidata/response_count"] == 6
    sandbox.assert_paid_jobs(1)


def test_secret_is_in_no_event_and_no_run_config(
    sandbox: Sandbox,
    instance: dg.DagsterInstance,
    materialize: Materialize,
    question: Question,
    tmp_path: Path,
) -> None:
    @rapidata_labels(directory=tmp_path)
    def labels() -> Question:
        return question

    run_id = materialize(labels).run_id
    run = instance.get_run_by_id(run_id)
    kept = repr((run, [entry.to_json() for entry in instance.all_logs(run_id)]))
    assert "rapidata/job_id" in kept
    assert sandbox.client_secret not in kept


def test_labels_of_an_asset_that_was_never_materialized(instance: dg.DagsterInstance) -> None:
    with pytest.raises(LookupError, match="labels, partition 'monday', has not been"):
        labels_manifest(instance, dg.AssetKey("labels"), "monday")


def test_blank_directory_is_refused_before_anything_runs() -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="directory"):
        rapidata_labels(directory=" ")


def test_a_bill_that_may_not_be_seen_is_no_reason_to_fail(
    sandbox: Sandbox,
    instance: dg.DagsterInstance,
    materialize: Materialize,
    question: Question,
    tmp_path: Path,
) -> None:
    @rapidata_labels(directory=tmp_path)
    def labels() -> Question:
        return question

    sandbox.faults(
        [
            {"method": "GET", "path": "/billing/costs/groups", "phase": "before"}
            | {"action": "status", "status": 403}
        ]
    )
    found = metadata_of(materialize(labels), "labels")
    assert found["rapidata/actual_cost"] is None
    assert labels_manifest(instance, labels.key).actual_cost is None
