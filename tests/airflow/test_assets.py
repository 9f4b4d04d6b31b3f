"""What asset events say about labels, and assets that signals update."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.api.datamodels._generated import (
    AssetAliasReferenceAssetEventDagRun,
    AssetReferenceAssetEventDagRun,
)
from airflow.sdk.execution_time.comms import AssetEventDagRunReferenceResult
from airflow.sdk.execution_time.context import OutletEventAccessors, TriggeringAssetEventsAccessor

from rapidata_airflow.assets import announce, partition_problems, signal_asset, watched
from rapidata_airflow.version import AIRFLOW_3_3
from rapidata_core.errors import ValidationError
from rapidata_core.types import Manifest

LABELS, OTHER = Asset("labels"), Asset("other", uri="s3://bucket/other")


@pytest.fixture
def manifest() -> dict[str, Any]:
    manifest = Manifest(
        job_id="job_1",
        job_url="https://app.rapidata.ai/audiences/global/job/job_1",
        name="Which one",
        definition_id="def_1",
        audience_id="global",
        estimated_cost=1.5,
        actual_cost=None,
        labels="s3://bucket/labels/job_1/labels.parquet",
        label_count=10,
        responses="s3://bucket/labels/job_1/responses.parquet",
        response_count=100,
        mean_agreement=0.8,
        quality={"passed": True, "checks": []},
    )
    return {**manifest.as_dict(), "adopted": False}


@pytest.fixture
def context() -> Any:
    return {"outlet_events": OutletEventAccessors()}


def test_every_asset_gets_what_there_is_to_know(context: Any, manifest: dict[str, Any]):
    context["outlet_events"][OTHER].extra["mine"] = 1
    announce(context, [LABELS, OTHER, AssetAlias("alias")], manifest)
    extra = {
        "job_id": "job_1",
        "job_url": "https://app.rapidata.ai/audiences/global/job/job_1",
        "audience_id": "global",
        "definition_id": "def_1",
        "estimated_cost": 1.5,
        "actual_cost": None,
        "uri": "s3://bucket/labels/job_1/labels.parquet",
        "rows": 10,
        "responses": 100,
        "mean_agreement": 0.8,
        "quality_passed": True,
        "adopted": False,
    }
    assert context["outlet_events"][LABELS].extra == extra
    assert context["outlet_events"][OTHER].extra == {"mine": 1, **extra}
    assert len(context["outlet_events"]) == 2


def test_labels_without_a_gate(context: Any, manifest: dict[str, Any]):
    announce(context, [LABELS], {**manifest, "quality": None})
    assert context["outlet_events"][LABELS].extra["quality_passed"] is None


@pytest.mark.skipif(not AIRFLOW_3_3, reason="from Airflow 3.3 on, tasks choose partitions")
def test_events_have_a_partition(context: Any, manifest: dict[str, Any]):
    announce(context, [LABELS], manifest, "2026-11-21")
    assert context["outlet_events"][LABELS].partition_keys == {"2026-11-21"}
    announce(context, [OTHER], manifest)
    assert context["outlet_events"][OTHER].partition_keys == set()
    assert partition_problems("2026-11-21") == []
    for wrong in (" ", "k" * 251):
        (problem,) = partition_problems(wrong)
        assert problem.startswith("partition_key: must have 1 to 250 characters")
    # Airflow renders it later.
    assert partition_problems(object()) == []


@pytest.mark.skipif(AIRFLOW_3_3, reason="Airflow 3.2 cannot")
def test_older_airflows_know_no_such_partitions():
    assert partition_problems("k") == ["partition_key: needs Airflow 3.3 or later; leave it out"]


def test_no_partition_is_no_problem():
    assert partition_problems(None) == []


def test_the_asset_of_a_signal():
    asset = signal_asset("sig_1", outcomes=["Completed", "Failed"])
    assert (asset.name, asset.uri) == ("rapidata_signal_sig_1", "x-rapidata://signals/sig_1")
    (watcher,) = asset.watchers
    _, arguments = watcher.trigger.serialize()
    assert (arguments["signal_id"], arguments["outcomes"]) == ("sig_1", ["Completed", "Failed"])
    assert signal_asset("sig_1", name="Weekly labels", group="mine").name == "Weekly labels"
    with pytest.raises(ValidationError, match="signal_id: must not be blank"):
        signal_asset("")


def event(payload: Any, minute: int, *aliases: str, by_trigger: bool = True) -> Any:
    return AssetEventDagRunReferenceResult(
        asset=AssetReferenceAssetEventDagRun(name=LABELS.name, uri=LABELS.uri, extra={}),
        extra={"from_trigger": True, "payload": payload} if by_trigger else {"rows": 1},
        source_task_id=None,
        source_dag_id=None,
        source_run_id=None,
        source_map_index=None,
        source_aliases=[AssetAliasReferenceAssetEventDagRun(name=alias) for alias in aliases],
        timestamp=datetime(2026, 11, 21, 12, minute, tzinfo=UTC),
    )


def test_what_was_told_is_read_once_and_in_order():
    events = [
        event({"run_id": "b"}, 2),
        event({"run_id": "a"}, 1, "alias"),
        # Of a triggerer that died.
        event({"run_id": "a"}, 3),
        event(None, 4, by_trigger=False),
    ]
    context: Any = {"triggering_asset_events": TriggeringAssetEventsAccessor.build(events)}
    assert watched(context) == [{"run_id": "a"}, {"run_id": "b"}]
    context = {"triggering_asset_events": TriggeringAssetEventsAccessor.build([])}
    assert watched(context) == []
