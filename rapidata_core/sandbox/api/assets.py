"""Uploads of files and URLs. Nothing is fetched: the sandbox has no network.

A stored name derives from what was uploaded, so uploading the same thing twice gives the same
name, and a name that a client cached outlives a restart of the sandbox. To simulate failures, a
URL whose host ends in ``.invalid`` cannot be resolved, and ``https://404.status.invalid/...``
answers with that status.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Row, select, update

from rapidata_core.sandbox.api.call import Call, Endpoint, JsonObject
from rapidata_core.sandbox.clock import SECOND
from rapidata_core.sandbox.collection import Asset, original_name
from rapidata_core.sandbox.listing import last
from rapidata_core.sandbox.problems import Problem, invalid
from rapidata_core.sandbox.store import Store
from rapidata_core.sandbox.tables import assets, batch_items, batches

_PROCESSING = SECOND // 5
_NEVER = (1 << 63) - 1
_MAX_URLS = 1000
_ISSUED = re.compile(r"sbx-[0-9a-f]{24}-(.+)", re.DOTALL)
_STATUS_HOST = re.compile(r"([1-5][0-9]{2})\.status\.invalid")


def find(store: Store, file_name: str) -> Asset | None:
    """The asset with a stored name.

    A name that this sandbox would have issued is accepted even when the upload is forgotten,
    because clients cache names beyond the life of an in-memory sandbox.
    """
    row = store.find(assets, file_name=file_name)
    if row is not None:
        return Asset(row.file_name, row.original_name, row.source_url)
    issued = _ISSUED.fullmatch(file_name)
    return None if issued is None else Asset(file_name, issued.group(1))


def existing(store: Store, file_name: str) -> Asset:
    """An asset that something refers to; it was checked when that was created."""
    asset = find(store, file_name)
    if asset is None:
        raise invalid({"asset": [f"No uploaded file has the name {file_name}."]})
    return asset


def output(asset: Asset) -> JsonObject:
    """An uploaded file in an answer."""
    metadata: JsonObject = {
        "originalFilename": {
            "_t": "OriginalFilenameMetadata",
            "originalFilename": asset.original_name,
        }
    }
    if asset.source_url is not None:
        metadata["sourceUrl"] = {"_t": "SourceUrlMetadataModel", "url": asset.source_url}
    return {
        "_t": "FileAsset",
        "fileName": asset.file_name,
        "metadata": metadata,
        "identifier": asset.file_name,
    }


def problems(store: Store, asset: Any) -> Iterator[str]:
    """Everything that is wrong with an asset in a request."""
    match asset:
        case {"_t": "TextAssetInput", "text": str(text)} if text:
            return
        case {"_t": "ExistingAssetInput", "name": str(name)}:
            if find(store, name) is None:
                yield f"No uploaded file has the name {name}."
        case {"_t": "MultiAssetInput", "assets": [_, *_] as parts}:
            for part in parts:
                yield from problems(store, part)
        case _:
            yield f"{asset!r} is not an asset."


def shown(store: Store, asset: Mapping[str, Any]) -> JsonObject:
    """An asset in an answer, of one that came in a request and was found to be right."""
    if asset["_t"] == "MultiAssetInput":
        parts = [shown(store, part) for part in asset["assets"]]
        identifier = "+".join(part["identifier"] for part in parts)
        return {"_t": "MultiAsset", "assets": parts, "metadata": {}, "identifier": identifier}
    if asset["_t"] == "TextAssetInput":
        text = asset["text"]
        return {"_t": "TextAsset", "text": text, "metadata": {}, "identifier": text}
    return output(existing(store, asset["name"]))


def upload_url(call: Call) -> Any:
    """``POST /asset/url``."""
    url = last(call.query, "url")
    if not url:
        raise invalid({"url": ["url is required."]})
    failure = _failure(url)
    if failure is not None:
        message, stage, status = failure
        raise Problem(400, message, stage=stage, upstreamHttpStatus=status)
    return _uploaded(_keep_url(call.store, url), None)


def upload_file(call: Call) -> Any:
    """``POST /asset/file``."""
    if call.upload is None:
        raise invalid({"file": ["file is required, as a part of a multipart form."]})
    name, content = call.upload.name, call.upload.content
    original = name.replace("\\", "/").rpartition("/")[2] or "file"
    stored = _stored_name(content + b"\0" + original.encode(), original)
    call.store.add_or_keep(assets, file_name=stored, original_name=original, size=len(content))
    return _uploaded(stored, len(content))


def create_batch(call: Call) -> Any:
    """``POST /asset/batch-upload``."""
    fields = call.fields()
    urls = fields.optional_texts("urls")
    correlation = fields.optional_text("correlationId")
    if not urls:
        fields.wrong("urls", "urls is required.")
    if len(urls) > _MAX_URLS:
        fields.wrong("urls", f"A batch has at most {_MAX_URLS} URLs.")
    fields.check()
    batch_id = call.store.next_id("batch")
    call.store.add(
        batches,
        id=batch_id,
        correlation_id=correlation,
        created_at=call.now,
        ready_at=call.now + _PROCESSING,
    )
    rows = [_batch_row(call.store, batch_id, place, url) for place, url in enumerate(urls)]
    call.store.add_many(batch_items, rows)
    return {"batchUploadId": batch_id}


def get_batch_status(call: Call) -> Any:
    """``GET /asset/batch-upload/status``: of a correlation id, or of several batches."""
    correlation = last(call.query, "correlationId")
    ids = [value for key, value in call.query if key == "batchUploadIds"]
    if correlation is None and not ids:
        raise invalid({"correlationId": ["correlationId or batchUploadIds is required."]})
    wanted = (
        batches.c.id.in_(ids) if correlation is None else batches.c.correlation_id == correlation
    )
    found = call.store.read(
        select(batches).where(wanted).order_by(batches.c.created_at, batches.c.id)
    )
    batch_rows = found.all()
    done = [row.id for row in batch_rows if row.ready_at <= call.now]
    items = [item for row in batch_rows for item in _items(call.store, row.id)]
    ready = [item for item in items if item.batch_id in done]
    return {
        "status": "Completed" if len(done) == len(batch_rows) else "Processing",
        "completedBatches": done,
        **_counts(len(items), ready),
    }


def get_batch(call: Call) -> Any:
    """``GET /asset/batch-upload/{id}``."""
    row = call.row(batches, "Batch upload", "batch_id")
    items = _items(call.store, row.id)
    ready = row.ready_at <= call.now
    return {
        "batchUploadId": row.id,
        "status": "Completed" if ready else "Processing",
        "items": [
            _item(item) if ready else {"url": item.url, "status": "Pending"} for item in items
        ],
        **_counts(len(items), items if ready else []),
    }


def stick(store: Store, batch_id: str) -> None:
    """Let a batch stay in the state that it is in for ever."""
    store.write(update(batches).where(batches.c.id == batch_id).values(ready_at=_NEVER))


def _uploaded(file_name: str, size: int | None) -> JsonObject:
    return {
        "fileName": file_name,
        "warnings": [],
        "wasCompressed": False,
        "originalSizeBytes": size,
        "finalSizeBytes": size,
    }


def _keep_url(store: Store, url: str) -> str:
    original = original_name(url)
    stored = _stored_name(url.encode(), original)
    store.add_or_keep(assets, file_name=stored, original_name=original, source_url=url)
    return stored


def _stored_name(content: bytes, original: str) -> str:
    return f"sbx-{hashlib.blake2b(content, digest_size=12).hexdigest()}-{original}"


def _failure(url: str) -> tuple[str, str, int | None] | None:
    """Why a URL cannot be uploaded: a message, the stage and the other server's status."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "The URL is malformed.", "validation", None
    if parts.scheme.lower() not in ("http", "https") or not host:
        return "The URL is not an http or https URL.", "validation", None
    answered = _STATUS_HOST.fullmatch(host)
    if answered is not None:
        return f"The server answered {answered.group(1)}.", "download", int(answered.group(1))
    if host.endswith(".invalid"):
        return f"The host {host} does not exist.", "download", None
    return None


def _batch_row(store: Store, batch_id: str, place: int, url: str) -> JsonObject:
    failure = _failure(url)
    message, stage, status = failure or (None, None, None)
    return {
        "batch_id": batch_id,
        "position": place,
        "url": url,
        "file_name": _keep_url(store, url) if failure is None else None,
        "error_message": message,
        "stage": stage,
        "upstream_status": status,
    }


def _items(store: Store, batch_id: str) -> list[Row[Any]]:
    wanted = select(batch_items).where(batch_items.c.batch_id == batch_id)
    return list(store.read(wanted.order_by(batch_items.c.position)))


def _item(row: Row[Any]) -> JsonObject:
    if row.file_name is not None:
        return {"url": row.url, "status": "Completed", "fileName": row.file_name, "warnings": []}
    return {
        "url": row.url,
        "status": "Failed",
        "errorMessage": row.error_message,
        "stage": row.stage,
        "upstreamHttpStatus": row.upstream_status,
    }


def _counts(total: int, ready: Iterable[Row[Any]]) -> JsonObject:
    fates = [row.file_name is not None for row in ready]
    return {
        "totalCount": total,
        "completedCount": fates.count(True),
        "failedCount": fates.count(False),
    }


ENDPOINTS = (
    Endpoint("POST", "/asset/url", upload_url),
    Endpoint("POST", "/asset/file", upload_file),
    Endpoint("POST", "/asset/batch-upload", create_batch),
    Endpoint("GET", "/asset/batch-upload/status", get_batch_status),
    Endpoint("GET", "/asset/batch-upload/{batch_id}", get_batch),
)
