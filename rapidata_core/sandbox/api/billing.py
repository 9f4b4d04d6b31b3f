"""The balance and the ledger."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, func, select

from rapidata_core.sandbox import money
from rapidata_core.sandbox.api.call import Call, Endpoint, JsonObject
from rapidata_core.sandbox.clock import rfc3339
from rapidata_core.sandbox.lifecycle import Job
from rapidata_core.sandbox.store import Store, ledger


def spent(store: Store) -> int:
    """The sum of the ledger."""
    return store.number(select(func.sum(ledger.c.amount)))


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
        "currentPeriodUsage": money.number(spent(call.store)),
        "effectiveLimit": None,
        "availableAmount": money.number(balance(call.store)),
        "minimumSpendCommitment": 0.0,
        "platformFee": None,
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


ENDPOINTS = (Endpoint("GET", "/billing/summary", get_summary),)
