"""Datasets and their datapoints, written in either dialect, kept as segments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, select, update

from rapidata_core.sandbox.api import assets as asset_service
from rapidata_core.sandbox.api.call import Call, Endpoint, Fields, JsonObject
from rapidata_core.sandbox.clock import rfc3339
from rapidata_core.sandbox.listing import Field, Listing, page_of
from rapidata_core.sandbox.problems import Problem
from rapidata_core.sandbox.store import Store
from rapidata_core.sandbox.tables import datapoints, datasets, flow_items, groups, jobs
from rapidata_core.sandbox.tasks import options_problem

MAX_CONTEXT = 400

_DEFAULT_SCHEMA: list[JsonObject] = [
    {"key": "asset", "kind": "Asset", "label": "Asset", "required": True},
    {
        "key": "context",
        "kind": "Text",
        "label": "Context",
        "required": False,
        "maxLength": MAX_CONTEXT,
    },
    {"key": "context_asset", "kind": "Asset", "label": "Context asset", "required": False},
    {"key": "transcription", "kind": "Text", "label": "Transcription", "required": False},
]
_LEGACY = (
    ("asset", "Asset", "asset"),
    ("context", "Text", "context"),
    ("context_asset", "Asset", "contextAsset"),
    ("transcription", "Text", "transcription"),
)
_SHARED = ("context", "context_asset")
"""What a group of datapoints may have."""

_CONTENT = {"Text": "text", "Asset": "asset", "OptionList": "options"}
"""Which member of a segment holds its content."""


def find(store: Store, dataset_id: str) -> Row[Any] | None:
    """A dataset's row."""
    return store.find(datasets, id=dataset_id)


def create_dataset(call: Call) -> Any:
    """``POST /dataset``."""
    fields = call.fields()
    name = fields.text("name")
    schema = fields.optional_objects("schema")
    for definition in schema:
        if definition.get("kind") not in _CONTENT or not isinstance(definition.get("key"), str):
            fields.wrong("schema", f"{definition} is not a segment definition.")
    if schema and not any(_is_required_asset(definition) for definition in schema):
        fields.wrong("schema", "The schema has no required asset segment with the key asset.")
    fields.check()
    dataset_id = call.store.next_id("dataset")
    call.store.add(
        datasets,
        id=dataset_id,
        name=name,
        segment_schema=schema or _DEFAULT_SCHEMA,
        created_at=call.now,
    )
    return {"datasetId": dataset_id}


def rename_dataset(call: Call) -> None:
    """``PATCH /dataset/{id}/name``."""
    dataset = call.row(datasets, "Dataset", "dataset_id")
    fields = call.fields()
    name = fields.text("name")
    fields.check()
    call.store.write(update(datasets).where(datasets.c.id == dataset.id).values(name=name))


def get_dataset(call: Call) -> Any:
    """``GET /dataset/{id}``."""
    dataset = call.row(datasets, "Dataset", "dataset_id")
    return {"name": dataset.name, "schema": dataset.segment_schema}


def get_progress(call: Call) -> Any:
    """``GET /dataset/{id}/progress``."""
    dataset = call.row(datasets, "Dataset", "dataset_id")
    wanted = select(func.count()).where(datapoints.c.dataset_id == dataset.id)
    total = call.store.number(wanted)
    return {"total": total, "ready": total, "pending": 0, "failed": 0}


def create_datapoint(call: Call) -> Any:
    """``POST /dataset/{id}/datapoint``."""
    dataset = call.row(datasets, "Dataset", "dataset_id")
    fields = call.fields()
    segments = fields.optional_objects("segments") or legacy_segments(fields, _LEGACY)
    sort_index = fields.optional_whole("sortIndex")
    group = fields.optional_text("group")
    metadata = fields.optional_object("privateMetadata")
    _check_segments(call.store, fields, dataset.segment_schema, segments)
    fields.check()
    datapoint_id = call.store.next_id("datapoint")
    call.store.add(
        datapoints,
        id=datapoint_id,
        dataset_id=dataset.id,
        segments=segments,
        sort_index=sort_index,
        group_name=group,
        private_metadata=metadata,
        created_at=call.now,
    )
    return {"datapointId": datapoint_id}


def create_group(call: Call) -> None:
    """``POST /dataset/{id}/group``: what the datapoints of a group share; the last one counts."""
    dataset = call.row(datasets, "Dataset", "dataset_id")
    fields = call.fields()
    name = fields.text("group")
    segments = fields.optional_objects("segments") or legacy_segments(fields, _LEGACY)
    schema = [part for part in _DEFAULT_SCHEMA if part["key"] in _SHARED]
    _check_segments(call.store, fields, schema, segments)
    fields.check()
    key = groups.c.dataset_id == dataset.id, groups.c.name == name
    if not call.store.write(update(groups).where(*key).values(segments=segments)):
        call.store.add(groups, dataset_id=dataset.id, name=name, segments=segments)


def list_failed_datapoints(call: Call) -> Any:
    """``GET /dataset/{id}/datapoints/failed``: none, as nothing is fetched after its upload."""
    call.row(datasets, "Dataset", "dataset_id")
    return {"datapoints": []}


def get_datapoint(call: Call) -> Any:
    """``GET /datapoint/{id}``."""
    row = call.row(datapoints, "Datapoint", "datapoint_id")
    return _datapoint(call.store, row) | {
        "state": "Ready",
        "sortIndex": row.sort_index,
        "createdAt": rfc3339(row.created_at),
    }


def delete_datapoint(call: Call) -> None:
    """``DELETE /datapoint/{id}``: what is being asked already stays."""
    row = call.row(datapoints, "Datapoint", "datapoint_id")
    for table in (jobs, flow_items):
        asked = table.c.dataset_id == row.dataset_id, table.c.last_datapoint >= row.seq
        if call.store.number(select(func.count()).select_from(table).where(*asked)):
            raise Problem(409, "The datapoint is in use.", "A job or a flow item asks about it.")
    call.store.write(delete(datapoints).where(datapoints.c.seq == row.seq))


def list_datapoints(call: Call) -> Any:
    """``GET /dataset/{id}/datapoints``; in the intended order unless sorted otherwise."""
    dataset = call.row(datasets, "Dataset", "dataset_id")
    return datapoints_page(call, datapoints.c.dataset_id == dataset.id)


def shorten_contexts(call: Call) -> Any:
    """``POST /datasets/shorten-context``: cuts at a word instead of asking a model."""
    fields = call.fields()
    items = fields.optional_objects("items")
    contexts = [item.get("context") for item in items]
    if not all(isinstance(context, str) for context in contexts):
        fields.wrong("items", "Every item needs a context.")
    fields.check()
    return {"items": [{"shortenedContext": _shorten(str(context))} for context in contexts]}


def legacy_segments(fields: Fields, members: Iterable[tuple[str, str, str]]) -> list[JsonObject]:
    """The segments that the older dialect's separate fields stand for.

    Args:
        fields: The request.
        members: The key and the kind of each segment, and the field.
    """
    segments: list[JsonObject] = []
    for key, kind, name in members:
        content = (fields.optional_text if kind == "Text" else fields.optional_object)(name)
        if content is not None:
            segments.append({"key": key, "kind": kind, _CONTENT[kind]: content})
    return segments


def read_context(store: Store, fields: Fields) -> JsonObject:
    """What is shown beside something, as far as it is given, under the names of the columns."""
    found: JsonObject = {}
    if "context" in fields:
        context = found["context"] = fields.optional_text("context")
        _check_length(fields, "context", context or "", MAX_CONTEXT)
    if "contextAsset" in fields:
        asset = found["context_asset"] = fields.optional_object("contextAsset")
        if asset is not None:
            fields.note("contextAsset", asset_service.problems(store, asset))
    return found


def points_of(store: Store, dataset_id: str, last: int) -> Sequence[Row[Any]]:
    """The datapoints up to the last one that something asks about, in the intended order."""
    columns = datapoints.c
    wanted = select(datapoints).where(columns.dataset_id == dataset_id, columns.seq <= last)
    return store.read(wanted.order_by(columns.sort_index, columns.seq)).all()


def _is_required_asset(definition: Mapping[str, Any]) -> bool:
    return (
        definition.get("key") == "asset"
        and definition.get("kind") == "Asset"
        and bool(definition.get("required"))
    )


def _check_segments(
    store: Store,
    fields: Fields,
    schema: Sequence[Mapping[str, Any]],
    segments: Sequence[Mapping[str, Any]],
) -> None:
    known = {definition["key"]: definition for definition in schema}
    given = {segment.get("key") for segment in segments}
    for segment in segments:
        key = segment.get("key")
        definition = known.get(key) if isinstance(key, str) else None
        if definition is None:
            fields.wrong("segments", f"{key} is not a segment of the dataset.")
        else:
            _check_segment(store, fields, definition, segment)
    for key, definition in known.items():
        if definition.get("required") and key not in given:
            fields.wrong(key, f"The segment {key} is required.")


def _check_segment(
    store: Store, fields: Fields, definition: Mapping[str, Any], segment: Mapping[str, Any]
) -> None:
    key, kind = definition["key"], definition["kind"]
    content = segment.get(_CONTENT[kind])
    if segment.get("kind") != kind or content is None:
        fields.wrong(key, f"The segment {key} must be of the kind {kind}, in {_CONTENT[kind]}.")
    elif kind == "Text":
        _check_text(fields, key, content, definition.get("maxLength"))
    elif kind == "Asset":
        fields.note(key, asset_service.problems(store, content))
    else:
        problem = options_problem(content)
        if problem is not None:
            fields.wrong(key, f"{key}: {problem}")


def _check_text(fields: Fields, key: str, content: Any, limit: int | None) -> None:
    if not isinstance(content, str) or not content:
        fields.wrong(key, f"The text of {key} must not be empty.")
    elif limit is not None:
        _check_length(fields, key, content, limit)


def _check_length(fields: Fields, key: str, text: str, limit: int) -> None:
    if len(text) > limit:
        fields.wrong(key, f"{key} has {len(text)} characters; at most {limit} are allowed.")


def _datapoint(store: Store, row: Row[Any]) -> JsonObject:
    by_key = {segment["key"]: segment for segment in row.segments}
    return {
        "id": row.id,
        "datasetId": row.dataset_id,
        "segments": [_segment(store, segment) for segment in row.segments],
        # In the older dialect.
        "asset": asset_service.shown(store, by_key["asset"]["asset"]),
    }


def _segment(store: Store, segment: Mapping[str, Any]) -> JsonObject:
    return {
        "key": segment["key"],
        "kind": segment["kind"],
        "originalText": segment.get("text"),
        "englishText": segment.get("text"),
        "asset": None
        if segment.get("asset") is None
        else asset_service.shown(store, segment["asset"]),
        "options": segment.get("options"),
    }


def datapoints_page(call: Call, *conditions: ColumnElement[bool]) -> JsonObject:
    """A page of the datapoints that meet some conditions."""
    columns = datapoints.c
    listing = Listing(
        rows=select(datapoints).where(*conditions),
        order=(columns.sort_index, columns.seq),
        fields={"id": Field(columns.id), "created_at": Field(columns.created_at, "time")},
        sorts={"id": columns.id, "created_at": columns.created_at},
    )
    return page_of(call.store, listing, call.query, lambda row: _datapoint(call.store, row))


def _shorten(context: str) -> str:
    if len(context) <= MAX_CONTEXT:
        return context
    return context[:MAX_CONTEXT].rpartition(" ")[0] or context[:MAX_CONTEXT]


ENDPOINTS = (
    Endpoint("POST", "/dataset", create_dataset),
    Endpoint("POST", "/datasets/shorten-context", shorten_contexts),
    Endpoint("GET", "/dataset/{dataset_id}", get_dataset),
    Endpoint("PATCH", "/dataset/{dataset_id}/name", rename_dataset),
    Endpoint("GET", "/dataset/{dataset_id}/progress", get_progress),
    Endpoint("POST", "/dataset/{dataset_id}/datapoint", create_datapoint),
    Endpoint("GET", "/dataset/{dataset_id}/datapoints", list_datapoints),
    Endpoint("GET", "/dataset/{dataset_id}/datapoints/failed", list_failed_datapoints),
    Endpoint("POST", "/dataset/{dataset_id}/group", create_group),
    Endpoint("GET", "/datapoint/{datapoint_id}", get_datapoint),
    Endpoint("DELETE", "/datapoint/{datapoint_id}", delete_datapoint),
)
