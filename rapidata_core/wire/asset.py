"""Assets and their batch uploads."""

from __future__ import annotations

from rapidata_core.wire.model import WireModel


class BatchCreated(WireModel):
    """``POST /asset/batch-upload``."""

    batch_upload_id: str


class BatchStatus(WireModel):
    """``GET /asset/batch-upload/status``: all batches of one correlation id together."""

    status: str
    completed_batches: list[str] = []


class BatchItem(WireModel):
    """One URL of a batch."""

    url: str
    status: str
    file_name: str | None = None
    error_message: str | None = None
    stage: str | None = None
    upstream_http_status: int | None = None


class BatchResult(WireModel):
    """``GET /asset/batch-upload/{id}``."""

    batch_upload_id: str
    status: str
    items: list[BatchItem]


class Uploaded(WireModel):
    """``POST /asset/file`` and ``POST /asset/url``."""

    file_name: str
    warnings: list[str] = []
