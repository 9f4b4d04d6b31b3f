"""The audience service."""

from __future__ import annotations

from rapidata_core._async.transport import AsyncTransport
from rapidata_core.http import segment
from rapidata_core.wire.audience import AudienceAnswer


class AsyncAudienceApi:
    """``/audience…``"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def get(self, audience_id: str) -> AudienceAnswer:
        """``GET /audience/{id}``"""
        return await self._transport.read(
            f"/audience/{segment(audience_id)}", AudienceAnswer, about=f"audience {audience_id!r}"
        )
