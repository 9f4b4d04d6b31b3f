"""The balance, the ledger, and the billing period."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Row, bindparam, func, literal, select

from rapidata_core.sandbox import money
from rapidata_core.sandbox.api.call import Call, Endpoint, JsonObject
from rapidata_core.sandbox.clock import SECOND, parse_rfc3339, rfc3339
from rapidata_core.sandbox.lifecycle import Job
from rapidata_core.sandbox.listing import Listing, last, page_of
from rapidata_core.sandbox.problems import invalid
from rapidata_core.sandbox.settings import ORGANIZATION_ID
from rapidata_core.sandbox.store import Store
from rapidata_core.sandbox.tables import flow_items, flows, jobs, ledger

# A flow is billed as a whole, whatever items it has.
_PAYER = func.coalesce(flow_items.c.flow_id, ledger.c.job_id)
_COST = func.sum(ledger.c.amount)
_BILL = (
    select(
        ledger,
        _PAYER.label("payer"),
        _COST.label("cost"),
        func.coalesce(flows.c.name, jobs.c.name, ledger.c.name).label("title"),
        flow_items.c.flow_id,
        jobs.c.audience_id,
    )
    .outerjoin(jobs, jobs.c.id == ledger.c.job_id)
    .outerjoin(flow_items, flow_items.c.id == ledger.c.job_id)
    .outerjoin(flows, flows.c.id == flow_items.c.flow_id)
    .where(ledger.c.at >= bindparam("begin", type_=BigInteger))
    .where(ledger.c.at < bindparam("end", type_=BigInteger))
    .group_by(_PAYER)
    .having(_COST != 0)
)
_GROUPS = Listing(
    rows=_BILL,
    order=(_COST.desc(), func.min(ledger.c.seq)),
    fields={},
    # All responses have the same price, and there are no discounts.
    sorts={
        "gross_cost": _COST,
        "discount": literal(0),
        "net_cost": _COST,
        "response_count": _COST,
    },
)
_FOREVER = 1 << 62


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


def spend(store: Store, amount: int, now: int) -> None:
    """Let money go for answers that somebody else of the account asked for."""
    entry = {"kind": "spend", "job_id": store.next_id("spend"), "name": "Somebody else's"}
    store.add(ledger, **entry, amount=amount, at=now)


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


def list_groups(call: Call) -> Any:
    """``GET /billing/costs/groups``: what was charged, by job or flow, the dearest first."""
    begin = _moment(call, "startDate", 0)
    end = _moment(call, "endDate", _FOREVER)
    return page_of(call.store, _GROUPS, call.query, _group, begin=begin, end=end)


def statement(store: Store) -> JsonObject:
    """The ledger; ``paid_jobs`` counts the charges that were not given back."""
    entries = [_entry(row) for row in store.read(select(ledger).order_by(ledger.c.seq))]
    kinds = [entry["kind"] for entry in entries]
    return {
        "balance": money.number(balance(store)),
        "entries": entries,
        "paid_jobs": kinds.count("job") - kinds.count("refund"),
    }


def _moment(call: Call, parameter: str, default: int) -> int:
    text = last(call.query, parameter)
    if not text:
        return default
    try:
        return parse_rfc3339(text)
    except (ValueError, OverflowError) as error:
        raise invalid({parameter: [f"{text!r} is not a time."]}) from error


def _group(row: Row[Any]) -> JsonObject:
    if row.flow_id is not None:
        # The platform's description knows no other kind of flow here.
        payer = {"_t": "RankingFlowBillingGroup", "flowId": row.payer}
    else:
        payer = {
            "_t": "AudienceJobBillingGroup",
            "jobId": row.payer,
            # The ledger does not know it, so that of a deleted job is lost.
            "audienceId": row.audience_id or "",
        }
    return {
        **payer,
        "id": f"sbx_group_{row.payer}",
        "name": row.title,
        "grossCost": money.number(row.cost),
        "discount": 0.0,
        "netCost": money.number(row.cost),
        "responseCount": row.cost // money.price(1),
        "nonBillableCost": None,
        "nonBillableResponseCount": None,
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
    Endpoint("GET", "/billing/costs/groups", list_groups),
)
