"""The billing service."""

from __future__ import annotations

from datetime import datetime

from rapidata_core._async.transport import AsyncTransport
from rapidata_core.wire.billing import (
    BillingGroup,
    BillingPeriodAnswer,
    BillingSummary,
    OutstandingAnswer,
)
from rapidata_core.wire.model import Page


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

    async def groups(self, start: datetime) -> list[BillingGroup]:
        """``GET /billing/costs/groups``: what everything has cost since a moment"""
        return await self._transport.read_all(
            "/billing/costs/groups",
            Page[BillingGroup],
            about="what jobs have cost",
            params=[("startDate", start.isoformat())],
        )
