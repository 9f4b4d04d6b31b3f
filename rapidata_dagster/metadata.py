"""What a materialisation says about its labels, and how to read it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

import dagster as dg

from rapidata_core.results.schema import labels_schema
from rapidata_core.types import Manifest, Submission

if TYPE_CHECKING:
    from dagster import DagsterInstance

_PREVIEW_ROWS = 10
_COLUMNS = {
    column.name: dg.TableColumn(
        column.name,
        column.type,
        description=column.meaning,
        constraints=dg.TableColumnConstraints(nullable=column.nullable),
    )
    for column in labels_schema()
}


def describe_submission(submission: Submission, job_url: str) -> dict[str, Any]:
    """Metadata of a job that has just been found or created."""
    return {
        "rapidata/job_id": submission.job_id,
        "rapidata/job_url": dg.MetadataValue.url(job_url),
        "rapidata/adopted": submission.adopted,
        "rapidata/estimated_cost": submission.estimated_cost,
    }


def describe_labels(manifest: Manifest, *, adopted: bool, partitioned: bool) -> dict[str, Any]:
    """Metadata of written labels: Dagster's own keys, the manifest, and a glance at the winners."""
    return {
        "dagster/uri": manifest.labels,
        "dagster/column_schema": dg.TableSchema([*_COLUMNS.values()]),
        f"dagster/{'partition_row_count' if partitioned else 'row_count'}": manifest.label_count,
        **{f"rapidata/{name}": value for name, value in manifest.as_dict().items()},
        "rapidata/job_url": dg.MetadataValue.url(manifest.job_url),
        "rapidata/adopted": adopted,
        "rapidata/preview": _preview(manifest.labels),
    }


def labels_manifest(
    instance: DagsterInstance, asset_key: dg.AssetKey, partition_key: str | None = None
) -> Manifest:
    """Where the newest labels of an asset are, and what they are about.

    Args:
        instance: Usually ``context.instance``.
        asset_key: The labels asset; ``prompt_alignment.key`` of the decorated function.
        partition_key: Which of its partitions, if it has any.

    Raises:
        LookupError: It has not been materialised.
    """
    wanted = dg.AssetRecordsFilter(
        asset_key=asset_key, asset_partitions=None if partition_key is None else [partition_key]
    )
    for record in instance.fetch_materializations(wanted, limit=1).records:
        if record.asset_materialization is not None:
            return _manifest_in(record.asset_materialization.metadata)
    partition = "" if partition_key is None else f", partition {partition_key!r},"
    raise LookupError(f"{asset_key.to_user_string()}{partition} has not been materialised yet")


def _manifest_in(metadata: Mapping[str, dg.MetadataValue[Any]]) -> Manifest:
    # Labels of earlier versions say less.
    said = {
        field.name: metadata[f"rapidata/{field.name}"].value
        for field in fields(Manifest)
        if f"rapidata/{field.name}" in metadata
    }
    return Manifest(**said)


def _preview(path: str) -> dg.TableMetadataValue:
    from upath import UPath

    # pyarrow says nothing about its types.
    parquet: Any = import_module("pyarrow.parquet")
    columns = ["datapoint", "label", "agreement"]
    with UPath(path).open("rb") as file:
        batches = parquet.ParquetFile(file).iter_batches(_PREVIEW_ROWS, columns=columns)
        first = next(batches, None)
        rows: list[dict[str, Any]] = [] if first is None else first.to_pylist()
    return dg.MetadataValue.table(
        [dg.TableRecord(row) for row in rows],
        dg.TableSchema([_COLUMNS[name] for name in columns]),
    )
