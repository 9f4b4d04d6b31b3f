"""``client.billing``: what was spent, what is owed, and what is left."""

from __future__ import annotations

from rapidata_core._async.api.billing import AsyncBillingApi
from rapidata_core._async.spend import actual_cost
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.errors import refuse_blank
from rapidata_core.types import Balance, BillingPeriod, OutstandingBalance


class AsyncBilling:
    """``client.billing``: the whole organization's figures, and what single jobs have cost."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport
        self._billing = AsyncBillingApi(transport)

    async def get_balance(self) -> Balance:
        """What may still be spent."""
        summary = await self._billing.summary()
        return Balance(
            mode=summary.mode,
            available=summary.available_amount,
            spent=summary.current_period_usage,
            limit=summary.effective_limit,
        )

    async def get_current_billing_period(self) -> BillingPeriod:
        """What the current period has cost so far.

        Raises:
            NotFoundError: There is none: nothing has been spent yet.
        """
        summary = await self._billing.summary()
        period = await self._billing.active_period()
        return BillingPeriod(
            id=period.id,
            start_date=period.start_date,
            end_date=period.end_date,
            status=period.status,
            outstanding_cost=period.total_net_cost,
            gross_cost=period.total_gross_cost,
            discount=period.total_discount,
            response_count=period.total_response_count,
            credits=summary.available_amount,
            effective_limit=summary.effective_limit,
        )

    async def get_outstanding_balance(self) -> OutstandingBalance:
        """What is owed: invoices that are not paid, and ended periods without an invoice."""
        answer = await self._billing.outstanding()
        return OutstandingBalance(
            total=answer.total_outstanding,
            unpaid_invoices=answer.unpaid_invoices_amount,
            unpaid_invoice_count=answer.unpaid_invoice_count,
            awaiting_invoice=answer.awaiting_invoice_amount,
            accruing=answer.current_period_accrued,
            currency=answer.currency,
        )

    async def get_job_cost(self, job_id: str) -> float | None:
        """What a job has cost, after discounts.

        Returns:
            None where the bill does not tell: before the job is completed and all its answers are
            on the bill, and to credentials that may not see it.

        Raises:
            NotFoundError: There is no such job.
        """
        refuse_blank(job_id=job_id)
        return await actual_cost(self._transport, job_id)
