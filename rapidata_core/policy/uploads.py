"""How uploads are cut into requests, what their answers mean, and by what they are known again."""

from __future__ import annotations

import json
import mimetypes
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from rapidata_core.config import CompressionConfig, Settings
from rapidata_core.errors import RapidataError
from rapidata_core.wire.asset import BatchItem

COMPLETED = "Completed"
ABORTED = "Aborted"

# The platform's documents name this message for every datapoint one of whose assets failed.
ASSET_FAILED = "One or more required assets failed to upload"

# After a lost answer, look this many seconds apart whether the datapoint is there. The platform may
# still be at work on it, and one that is sent twice is labelled, and paid, twice.
UPLOAD_PAUSES = (0.25, 0.75, 2.0, 4.0)

_BOUNDARY = os.urandom(16).hex()


@dataclass(frozen=True)
class AssetProblem:
    """Why an asset could not be uploaded.

    Attributes:
        reason: In words.
        stage: Where the platform failed on a URL.
        http_status: What the server behind the URL answered.
        exception: The error behind it, if there was one.
    """

    reason: str
    stage: str | None = None
    http_status: int | None = None
    exception: Exception | None = None


@dataclass(frozen=True)
class FilePart:
    """A file as it is sent.

    Attributes:
        path: Where it is.
        name: Its name for the platform.
        content: Its content; None if it is to be streamed from ``path``.
    """

    path: str
    name: str
    content: bytes | None = field(default=None, repr=False)

    @property
    def content_type(self) -> str:
        """By its name; the platform looks for itself."""
        return mimetypes.guess_type(self.name, strict=False)[0] or "application/octet-stream"

    def form(self, content: bytes) -> tuple[bytes, str]:
        """The body of a form with this file in it (RFC 7578), and its content type."""
        name = self.name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        head = (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            f"Content-Type: {self.content_type}\r\n\r\n"
        )
        body = b"".join((head.encode(), content, f"\r\n--{_BOUNDARY}--\r\n".encode()))
        return body, f"multipart/form-data; boundary={_BOUNDARY}"


def scope_of(settings: Settings, compression: CompressionConfig | None) -> str:
    """What an upload's name depends on beside its content: where it went, whose it is, how."""
    parts = [settings.environment, settings.client_id, compression_fields(compression)]
    return json.dumps(parts)


def file_key(scope: str, digest: str, path: str) -> str:
    """By what a file is known again. Its name counts: results name the files by it."""
    return json.dumps([scope, "file", digest, os.path.basename(path)])


def url_key(scope: str, url: str) -> str:
    """By what a URL is known again."""
    return json.dumps([scope, "url", url])


def compression_fields(compression: CompressionConfig | None) -> dict[str, Any]:
    """The settings of a compression in a body; what is not set is left to the platform."""
    if compression is None:
        return {}
    fields = {
        "enabled": compression.enabled,
        "quality": compression.quality,
        "maxDimension": compression.max_dimension,
    }
    return {name: value for name, value in fields.items() if value is not None}


def compression_parameters(compression: CompressionConfig | None) -> list[tuple[str, str]]:
    """The settings of a compression in a query."""
    names = {"enabled": "compress", "quality": "quality", "maxDimension": "maxdim"}
    fields = compression_fields(compression)
    return [(names[field], json.dumps(value)) for field, value in fields.items()]


def batches(urls: Sequence[str], size: int) -> Iterator[list[str]]:
    """Cut the URLs into batches that the platform accepts."""
    for start in range(0, len(urls), size):
        yield list(urls[start : start + size])


def outcome(item: BatchItem) -> str | AssetProblem:
    """The platform's file name of one URL of a batch, or why there is none."""
    if item.status == COMPLETED and item.file_name:
        return item.file_name
    reason = item.error_message or item.stage or f"ended as {item.status}"
    return AssetProblem(reason, item.stage, item.upstream_http_status)


def problem_with(error: Exception) -> AssetProblem:
    """What an error about one asset says."""
    details = (error.details or {}) if isinstance(error, RapidataError) else {}
    stage, status = details.get("stage"), details.get("upstreamHttpStatus")
    return AssetProblem(
        reason_of(error),
        stage if isinstance(stage, str) else None,
        status if isinstance(status, int) else None,
        error,
    )


def reason_of(error: Exception) -> str:
    """What went wrong, in words that are the same for all objects with the same problem."""
    if not isinstance(error, RapidataError):
        return f"{type(error).__name__}: {error}"
    details = error.details or {}
    fields = details.get("errors")
    if isinstance(fields, dict) and fields:
        said = [_texts(texts) for texts in cast("dict[str, Any]", fields).values()]
        return " ".join(text for texts in said for text in texts)
    return str(details.get("detail") or details.get("title") or error.message)


def _texts(value: Any) -> list[str]:
    return [
        str(text) for text in (cast("list[Any]", value) if isinstance(value, list) else [value])
    ]


def content_of(segments: Collection[Mapping[str, Any]]) -> tuple[Any, ...]:
    """What a datapoint is about, comparably: of one that was sent, and of one that was read."""
    return tuple(sorted((segment["key"], _content(segment)) for segment in segments))


def _content(segment: Mapping[str, Any]) -> str:
    if segment.get("asset") is not None:
        return json.dumps(_asset(segment["asset"]))
    if segment.get("options"):
        return json.dumps([option.get("value") for option in segment["options"]])
    return json.dumps(segment.get("text") or segment.get("originalText"))


def _asset(asset: Mapping[str, Any]) -> Any:
    if "assets" in asset:
        return [_asset(part) for part in asset["assets"]]
    return asset.get("name") or asset.get("fileName") or asset.get("text")
