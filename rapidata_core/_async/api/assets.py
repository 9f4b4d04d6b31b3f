"""The asset service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rapidata_core._async.transport import AsyncTransport
from rapidata_core.config import CompressionConfig
from rapidata_core.http import segment
from rapidata_core.policy.retry import Call
from rapidata_core.policy.uploads import FilePart, compression_fields, compression_parameters
from rapidata_core.wire.asset import BatchCreated, BatchResult, BatchStatus, Uploaded


class AsyncAssetApi:
    """``/asset…``"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def upload_file(
        self, file: FilePart, compression: CompressionConfig | None = None
    ) -> Uploaded:
        """``POST /asset/file``. A second copy of an upload costs nothing, so it repeats."""
        return await self._transport.ask(
            "POST",
            "/asset/file",
            Uploaded,
            call=Call.REPEATABLE,
            about=f"file {file.path!r}",
            params=compression_parameters(compression),
            file=file,
        )

    async def upload_url(self, url: str, compression: CompressionConfig | None = None) -> Uploaded:
        """``POST /asset/url``: the platform fetches it before it answers."""
        return await self._transport.ask(
            "POST",
            "/asset/url",
            Uploaded,
            call=Call.REPEATABLE,
            about=f"URL {url!r}",
            params=[("url", url), *compression_parameters(compression)],
        )

    async def create_batch(
        self,
        urls: Sequence[str],
        correlation_id: str,
        compression: CompressionConfig | None = None,
    ) -> BatchCreated:
        """``POST /asset/batch-upload``: the platform fetches them in its own time."""
        body: dict[str, Any] = {"urls": list(urls), "correlationId": correlation_id}
        if compression is not None:
            body["compression"] = compression_fields(compression)
        return await self._transport.ask(
            "POST",
            "/asset/batch-upload",
            BatchCreated,
            call=Call.REPEATABLE,
            about="the upload of URLs",
            json=body,
        )

    async def batch_status(self, correlation_id: str) -> BatchStatus:
        """``GET /asset/batch-upload/status`` of all batches of a correlation id"""
        return await self._transport.read(
            "/asset/batch-upload/status",
            BatchStatus,
            about="the upload of URLs",
            params=[("correlationId", correlation_id)],
        )

    async def batch_result(self, batch_id: str) -> BatchResult:
        """``GET /asset/batch-upload/{id}``"""
        return await self._transport.read(
            f"/asset/batch-upload/{segment(batch_id)}",
            BatchResult,
            about=f"batch upload {batch_id!r}",
        )
