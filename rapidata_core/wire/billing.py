"""Money: read strictly, because a wrong number is worse than an error."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from rapidata_core.wire.model import WireModel

Amount = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Count = Annotated[int, Field(strict=True)]


class BillingSummary(WireModel):
    """``GET /billing/summary``."""

    mode: str
    current_period_usage: Amount
    effective_limit: Amount | None = None
    available_amount: Amount | None = None


class BillingPeriodAnswer(WireModel):
    """``GET /billing-period/active``."""

    id: str
    start_date: datetime
    end_date: datetime
    status: str
    total_gross_cost: Amount
    total_discount: Amount
    total_net_cost: Amount
    total_response_count: Count


class OutstandingAnswer(WireModel):
    """``GET /billing/outstanding``."""

    total_outstanding: Amount
    unpaid_invoices_amount: Amount
    unpaid_invoice_count: Count
    awaiting_invoice_amount: Amount
    current_period_accrued: Amount
    currency: str | None = None


class BillingGroup(WireModel):
    """An item of ``GET /billing/costs/groups``: what one job, flow or the like has cost."""

    id: str
    net_cost: Amount
    response_count: Count
    # Only where it is a job.
    job_id: str | None = None
