"""What OpenLineage is told, as its own extractor takes it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset, BaseOperator
from airflow.utils.state import TaskInstanceState

from rapidata_airflow.lineage import dataset_name, facets
from rapidata_core import CompareJob
from rapidata_core.results import labels_schema
from rapidata_core.types import Manifest

SPEC = CompareJob(
    name="Red or blue", instruction="Which is red?", datapoints=[["a", "b"]], data_type="text"
)
MANIFEST = {
    **Manifest(
        job_id="job_1",
        job_url="https://app.rapidata.ai/audiences/global/job/job_1",
        name="Red or blue",
        definition_id="def_1",
        audience_id="global",
        estimated_cost=1.5,
        actual_cost=1.4,
        labels="s3://my_connection@bucket/labels/job_1/labels.parquet",
        label_count=10,
        responses="s3://my_connection@bucket/labels/job_1/responses.parquet",
        response_count=100,
        mean_agreement=0.8,
        quality={"passed": False, "checks": [{"name": "min_agreement", "passed": False}]},
    ).as_dict(),
    "adopted": True,
}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/data/labels.parquet", ("file", "/data/labels.parquet")),
        ("file:///data/labels", ("file", "/data/labels")),
        ("s3://bucket/labels/x", ("s3://bucket", "labels/x")),
        ("s3://my_connection@bucket/labels", ("s3://bucket", "labels")),
        ("https://user:secret@host/x", ("https://host", "x")),
        ("abfss://container@account.net/x", ("abfss://container@account.net", "x")),
        ("gs://bucket", ("gs://bucket", "/")),
    ],
)
def test_files_have_the_names_that_others_give_them(path: str, name: tuple[str, str]):
    assert dataset_name(path) == name


class Operator(BaseOperator):
    """What the lineage reads of operators: one that fetches results has no datapoints."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(task_id="labels")
        for name, value in fields.items():
            setattr(self, name, value)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        return facets(task_instance)


def extracted(**fields: Any) -> Any:
    """What OpenLineage's extractor finds, and as JSON."""
    managers = pytest.importorskip("airflow.providers.openlineage.extractors.manager")
    serde = pytest.importorskip("openlineage.client.serde")
    task = Operator(**fields)
    found = managers.ExtractorManager().extract_metadata(
        SimpleNamespace(run_id="a run"),
        task,
        TaskInstanceState.SUCCESS,
        SimpleNamespace(task=task),
    )
    return json.loads(serde.Serde.to_json(found))


def test_the_lineage_of_a_job():
    found = extracted(job=SPEC, datapoints="s3://bucket/images.parquet", manifest=MANIFEST)
    names = [(one["namespace"], one["name"]) for one in found["inputs"]]
    assert names == [
        ("s3://bucket", "images.parquet"),
        ("rapidata://app.rapidata.ai", "definitions/def_1"),
    ]
    labels, responses = found["outputs"]
    assert (labels["namespace"], labels["name"]) == ("s3://bucket", "labels/job_1/labels.parquet")
    assert responses["name"] == "labels/job_1/responses.parquet"
    assert labels["outputFacets"]["outputStatistics"]["rowCount"] == 10
    assert responses["outputFacets"]["outputStatistics"]["rowCount"] == 100
    fields = labels["facets"]["schema"]["fields"]
    assert [field["name"] for field in fields] == [column.name for column in labels_schema()]
    assert all(field["type"] and field["description"] for field in fields)
    (assertion,) = labels["facets"]["dataQualityAssertions"]["assertions"]
    assert (assertion["assertion"], assertion["success"]) == ("min_agreement", False)
    run = found["run_facets"]
    assert run["externalQuery"]["externalQueryId"] == "job_1"
    told = {name: value for name, value in run["rapidata_job"].items() if name in MANIFEST}
    assert told == {
        "job_id": "job_1",
        "job_url": MANIFEST["job_url"],
        "audience_id": "global",
        "definition_id": "def_1",
        "estimated_cost": 1.5,
        "actual_cost": 1.4,
        "label_count": 10,
        "response_count": 100,
        "mean_agreement": 0.8,
        "adopted": True,
    }
    assert found["job_facets"]["documentation"]["description"] == "Which is red?"


def test_answers_have_the_type_of_the_question():
    found = extracted(job={"type": "locate"}, manifest=MANIFEST)
    answer = [
        field["type"]
        for field in found["outputs"][1]["facets"]["schema"]["fields"]
        if field["name"] == "answer"
    ]
    assert answer == ["list<struct<x: double, y: double>>"]


def test_labels_without_a_gate_have_no_assertions():
    found = extracted(manifest={**MANIFEST, "quality": None})
    assert "dataQualityAssertions" not in found["outputs"][0]["facets"]


@pytest.mark.parametrize("datapoints", [[["a", "b"]], None, len])
def test_datapoints_that_are_no_file_are_no_dataset(datapoints: Any):
    found = extracted(datapoints=datapoints, manifest=MANIFEST)
    assert [one["name"] for one in found["inputs"]] == ["definitions/def_1"]


def test_an_asset_is_what_its_uri_says():
    found = extracted(datapoints=Asset("images", uri="s3://bucket/images"), manifest=MANIFEST)
    assert found["inputs"][0]["name"] == "images"


def test_answers_that_were_not_saved():
    kept = {name: MANIFEST[name] for name in ("job_id", "job_url", "definition_id")}
    found = extracted(job="{{ params.job }}", manifest=kept)
    assert not found.get("outputs")
    assert found["run_facets"]["rapidata_job"]["job_id"] == "job_1"


def test_a_task_that_came_to_nothing():
    found = extracted(job=SPEC, datapoints="/data/images.csv")
    assert [one["name"] for one in found["inputs"]] == ["/data/images.csv"]
    assert not found.get("outputs")
    assert not found.get("run_facets")
