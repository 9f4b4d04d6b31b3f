"""What OpenLineage is told about a job: what was asked, what it cost, and where the answers are.

OpenLineage's own package is imported only where it calls us, so it need not be installed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from airflow.sdk import Asset

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import (  # pyright: ignore[reportMissingTypeStubs]
        OperatorLineage,
    )
    from openlineage.client.event_v2 import Dataset, OutputDataset

    from rapidata_core.results.schema import Column

# Here the part before the @ is the container; elsewhere it is a connection, or credentials.
_AZURE = frozenset({"abfs", "abfss", "wasb", "wasbs"})
_TOLD = (
    "job_id",
    "job_url",
    "audience_id",
    "definition_id",
    "estimated_cost",
    "actual_cost",
    "label_count",
    "response_count",
    "mean_agreement",
    "adopted",
)


def facets(task_instance: Any) -> OperatorLineage[Any, Any]:
    """The lineage of a task that has had a job done.

    Args:
        task_instance: Its ``task`` may say with ``job`` and ``datapoints`` what was asked about
            what, and with ``manifest`` what came of it: what the task returns.
    """
    from airflow.providers.openlineage.extractors import (  # pyright: ignore[reportMissingTypeStubs]
        OperatorLineage,
    )

    task = task_instance.task
    job = getattr(task, "job", None)
    manifest: Mapping[str, Any] = getattr(task, "manifest", None) or {}
    return OperatorLineage(
        inputs=_inputs(manifest, getattr(task, "datapoints", None)),
        outputs=_outputs(manifest, _said(job, "type")),
        run_facets=_run_facets(manifest),
        job_facets=_job_facets(_said(job, "instruction")),
    )


def dataset_name(path: str) -> tuple[str, str]:
    """The namespace and the name by which OpenLineage knows a file or folder.

    Args:
        path: A local path, a URL, or an ``ObjectStoragePath`` as text.
    """
    parts = urlsplit(path)
    if not parts.scheme:
        return "file", os.path.abspath(path)
    if parts.scheme == "file":
        return "file", parts.path
    host = parts.netloc
    if parts.scheme not in _AZURE:
        host = host.rpartition("@")[2]
    return f"{parts.scheme}://{host}", parts.path.lstrip("/") or "/"


def _inputs(manifest: Mapping[str, Any], datapoints: object) -> list[Dataset]:
    from openlineage.client.event_v2 import InputDataset

    found: list[tuple[str, str]] = []
    if isinstance(datapoints, Asset):
        found.append(dataset_name(datapoints.uri))
    # Any other text was refused before the job was paid.
    elif isinstance(datapoints, str | os.PathLike):
        found.append(dataset_name(str(cast("Any", datapoints))))
    if manifest:
        platform = urlsplit(str(manifest["job_url"])).netloc
        found.append((f"rapidata://{platform}", f"definitions/{manifest['definition_id']}"))
    return [InputDataset(namespace, name) for namespace, name in found]


def _outputs(manifest: Mapping[str, Any], job_type: str | None) -> list[Dataset]:
    """The files; none if the answers were not saved."""
    from rapidata_core.results import labels_schema, responses_schema

    if "labels" not in manifest:
        return []
    labels = _table(manifest["labels"], manifest["label_count"], labels_schema())
    labels.facets = {**(labels.facets or {}), **_quality_facets(manifest)}
    responses = _table(
        manifest["responses"], manifest["response_count"], responses_schema(job_type or "")
    )
    return [labels, responses]


def _table(path: str, rows: int, columns: tuple[Column, ...]) -> OutputDataset:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset, schema_dataset

    fields = [
        schema_dataset.SchemaDatasetFacetFields(
            name=column.name, type=column.type, description=column.meaning
        )
        for column in columns
    ]
    namespace, name = dataset_name(path)
    return OutputDataset(
        namespace,
        name,
        facets={"schema": schema_dataset.SchemaDatasetFacet(fields)},
        outputFacets={
            "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                rowCount=rows
            )
        },
    )


def _quality_facets(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The checks of the quality gate; none without a gate."""
    from openlineage.client.facet_v2 import data_quality_assertions_dataset

    if manifest.get("quality") is None:
        return {}
    assertions = [
        data_quality_assertions_dataset.Assertion(assertion=check["name"], success=check["passed"])
        for check in manifest["quality"]["checks"]
    ]
    facet = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(assertions)
    return {"dataQualityAssertions": facet}


def _run_facets(manifest: Mapping[str, Any]) -> dict[str, Any]:
    from openlineage.client.facet_v2 import RunFacet, external_query_run

    if not manifest:
        return {}
    told = {name: manifest.get(name) for name in _TOLD}
    return {
        "externalQuery": external_query_run.ExternalQueryRunFacet(
            externalQueryId=manifest["job_id"], source="rapidata"
        ),
        "rapidata_job": RunFacet().with_additional_properties(**told),
    }


def _job_facets(instruction: str | None) -> dict[str, Any]:
    from openlineage.client.facet_v2 import documentation_job

    if instruction is None:
        return {}
    return {"documentation": documentation_job.DocumentationJobFacet(instruction)}


def _said(job: Any, field: str) -> str | None:
    """What a spec says, if it is one: it may also be text, or not be given."""
    if isinstance(job, Mapping):
        return cast("Mapping[str, Any]", job).get(field)
    return getattr(job, field, None)
