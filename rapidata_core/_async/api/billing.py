"""The billing service."""

from __future__ import annotations

from rapidata_core._async.transport import AsyncTransport
from rapidata_core.wire.billing import BillingPeriodAnswer, BillingSummary, OutstandingAnswer


class AsyncBillingApi:
    """``/billing…``"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def summary(self) -> BillingSummary:
        """``GET /billing/summary``"""
        return await self._transport.read("/billing/summary", BillingSummary, about="the balance")

    async def active_period(self) -> BillingPeriodAnswer:
        """``GET /billing-period/active``; 404 while there is nothing to bill"""
        return await self._transport.read(
            "/billing-period/active", BillingPeriodAnswer, about="active billing period"
        )

    async def outstanding(self) -> OutstandingAnswer:
        """``GET /billing/outstanding``"""
        return await self._transport.read(
            "/billing/outstanding", OutstandingAnswer, about="what is owed"
        )
