"""The asset service."""

from __future__ import annotations

from collections.abc import Sequence

from rapidata_core._async.transport import AsyncTransport
from rapidata_core.http import segment
from rapidata_core.policy.retry import Call
from rapidata_core.wire.asset import BatchCreated, BatchResult, BatchStatus


class AsyncAssetApi:
    """``/asset…``"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create_batch(self, urls: Sequence[str], correlation_id: str) -> BatchCreated:
        """``POST /asset/batch-upload``. A second copy of an upload costs nothing, so it repeats."""
        return await self._transport.ask(
            "POST",
            "/asset/batch-upload",
            BatchCreated,
            call=Call.REPEATABLE,
            about="the upload of URLs",
            json={"urls": list(urls), "correlationId": correlation_id},
        )

    async def batch_status(self, batch_ids: Sequence[str]) -> BatchStatus:
        """``GET /asset/batch-upload/status``"""
        return await self._transport.read(
            "/asset/batch-upload/status",
            BatchStatus,
            about="the upload of URLs",
            params=[("batchUploadIds", batch_id) for batch_id in batch_ids],
        )

    async def batch_result(self, batch_id: str) -> BatchResult:
        """``GET /asset/batch-upload/{id}``"""
        return await self._transport.read(
            f"/asset/batch-upload/{segment(batch_id)}",
            BatchResult,
            about=f"batch upload {batch_id!r}",
        )
