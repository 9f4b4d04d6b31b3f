"""The balance, the ledger, and the billing period."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select

from rapidata_core.sandbox import money
from rapidata_core.sandbox.api.call import Call, Endpoint, JsonObject
from rapidata_core.sandbox.clock import SECOND, rfc3339
from rapidata_core.sandbox.lifecycle import Job
from rapidata_core.sandbox.settings import ORGANIZATION_ID
from rapidata_core.sandbox.store import Store
from rapidata_core.sandbox.tables import ledger


def spent(store: Store, *conditions: ColumnElement[bool]) -> int:
    """The sum of the ledger, or of some of its entries."""
    return store.number(select(func.sum(ledger.c.amount)).where(*conditions))


def balance(store: Store) -> int:
    """What is left of the start balance."""
    return money.micro(money.START_BALANCE) - spent(store)


def charge(store: Store, job: Job, now: int) -> None:
    """Take a job's price from the balance."""
    _enter(store, "job", job, money.price(job.responses), now)


def refund(store: Store, job: Job, now: int) -> None:
    """Give a job's price back."""
    _enter(store, "refund", job, -money.price(job.responses), now)


def get_summary(call: Call) -> Any:
    """``GET /billing/summary``."""
    return {
        "mode": "Prepaid",
        "currentPeriodUsage": money.number(spent(call.store, *_within(call.now))),
        "effectiveLimit": None,
        "availableAmount": money.number(balance(call.store)),
        "minimumSpendCommitment": 0.0,
        "platformFee": None,
    }


def get_active_period(call: Call) -> Any:
    """``GET /billing-period/active``: the month of the simulated clock."""
    period = _within(call.now)
    charged = spent(call.store, *period, ledger.c.amount > 0)
    refunded = -spent(call.store, *period, ledger.c.amount < 0)
    begin, end = _month(call.now)
    name = datetime.fromtimestamp(begin // SECOND, UTC).strftime("%Y-%m")
    items: list[JsonObject] = [{"_t": "RunningCost", "amount": money.number(charged)}]
    if refunded:
        items.append(
            {
                "_t": "Refund",
                "id": f"sbx_refund_{name}",
                "name": "Jobs deleted before the first answer",
                "amount": money.number(refunded),
                "comment": None,
                "quantity": 1,
                "unitPrice": money.number(refunded),
            }
        )
    return {
        "id": f"sbx_period_{name}",
        "organizationId": ORGANIZATION_ID,
        "startDate": rfc3339(begin),
        "endDate": rfc3339(end),
        "status": "Open",
        "totalGrossCost": money.number(charged - refunded),
        "totalDiscount": 0.0,
        "totalNetCost": money.number(charged - refunded),
        "totalResponseCount": (charged - refunded) // money.price(1),
        "lineItems": items,
    }


def get_outstanding(call: Call) -> Any:
    """``GET /billing/outstanding``: nothing, as everything is paid in advance."""
    return {
        "totalOutstanding": 0.0,
        "unpaidInvoicesAmount": 0.0,
        "unpaidInvoiceCount": 0,
        "awaitingInvoiceAmount": 0.0,
        "awaitingInvoicePeriodCount": 0,
        "currentPeriodAccrued": money.number(spent(call.store, *_within(call.now))),
        "settlementStale": False,
        "currency": "USD",
    }


def statement(store: Store) -> JsonObject:
    """The ledger; ``paid_jobs`` counts the charges that were not given back."""
    entries = [_entry(row) for row in store.read(select(ledger).order_by(ledger.c.seq))]
    kinds = [entry["kind"] for entry in entries]
    return {
        "balance": money.number(balance(store)),
        "entries": entries,
        "paid_jobs": kinds.count("job") - kinds.count("refund"),
    }


def _month(moment: int) -> tuple[int, int]:
    """The beginning and the end of the month that a moment lies in."""
    begin = datetime.fromtimestamp(moment // SECOND, UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    years, month = divmod(begin.month, 12)
    end = begin.replace(year=begin.year + years, month=month + 1)
    return int(begin.timestamp()) * SECOND, int(end.timestamp()) * SECOND


def _within(moment: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    begin, end = _month(moment)
    return ledger.c.at >= begin, ledger.c.at < end


def _enter(store: Store, kind: str, job: Job, amount: int, now: int) -> None:
    store.add(ledger, kind=kind, job_id=job.id, name=job.name, amount=amount, at=now)


def _entry(row: Row[Any]) -> JsonObject:
    return {
        "kind": row.kind,
        "id": row.job_id,
        "name": row.name,
        "amount": money.number(row.amount),
        "at": rfc3339(row.at),
    }


ENDPOINTS = (
    Endpoint("GET", "/billing/summary", get_summary),
    Endpoint("GET", "/billing-period/active", get_active_period),
    Endpoint("GET", "/billing/outstanding", get_outstanding),
)
