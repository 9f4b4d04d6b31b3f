"""The ledger: exact, and never out of balance."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapidata_core.sandbox import money


def check_balance(sandbox):
    ledger = sandbox.ledger()
    amounts = [Decimal(str(entry["amount"])) for entry in ledger["entries"]]
    assert sum(amounts) == Decimal(1000) - Decimal(str(ledger["balance"]))
    return ledger


def test_a_job_is_charged_when_it_is_created(platform):
    definition_id = platform.definition(platform.pairs(3), votes=7)
    platform.problem("GET", f"/job/definition/{definition_id}/cost-estimate", 409)
    platform.sandbox.advance(0.5)
    estimate = platform.ok("GET", f"/job/definition/{definition_id}/cost-estimate")
    assert estimate == {
        "estimatedCost": 0.21,
        "costPerResponse": 0.01,
        "datapointCount": 3,
        "requiredResponses": 21,
    }
    assert platform.sandbox.ledger()["entries"] == []
    job_id = platform.job(definition_id, "paid")
    (entry,) = check_balance(platform.sandbox)["entries"]
    assert (entry["kind"], entry["id"], entry["name"], entry["amount"]) == (
        "job",
        job_id,
        "paid",
        0.21,
    )
    assert platform.ok("GET", f"/job/{job_id}/cost-estimate") == estimate
    summary = platform.ok("GET", "/billing/summary")
    assert (summary["availableAmount"], summary["currentPeriodUsage"]) == (999.79, 0.21)
    platform.sandbox.assert_paid_jobs(1)
    with pytest.raises(AssertionError, match="1 paid jobs, expected 2"):
        platform.sandbox.assert_paid_jobs(2)


def test_deleting_before_the_first_answer_gives_the_money_back(platform):
    early, late = platform.compare_job(), platform.compare_job()
    platform.ok("DELETE", f"/job/{early}")
    platform.sandbox.advance(5)
    platform.ok("DELETE", f"/job/{late}")
    ledger = check_balance(platform.sandbox)
    assert [(one["kind"], one["id"], one["amount"]) for one in ledger["entries"]] == [
        ("job", early, 0.3),
        ("job", late, 0.3),
        ("refund", early, -0.3),
    ]
    assert ledger["balance"] == 999.7
    platform.sandbox.assert_paid_jobs(1)


def test_a_job_beyond_the_balance_waits(platform):
    definition_id = platform.definition(platform.pairs(2), votes=40_000)
    first = platform.job(definition_id)
    body = {"jobDefinitionId": definition_id, "audienceId": "global"}
    second = platform.ok("POST", "/job", body)
    assert second["costWarning"] == {
        "estimatedCost": 800.0,
        "availableBalance": 200.0,
        "shortfall": 600.0,
    }
    path = f"/job/{second['jobId']}"
    platform.sandbox.advance(10_000)
    assert platform.state(second["jobId"]) == "SpendLimited"
    platform.problem("POST", f"{path}/resume", 409)
    platform.sandbox.assert_paid_jobs(1)
    # Nobody paid for it, so nobody gets anything back.
    platform.ok("DELETE", path)
    check_balance(platform.sandbox)
    platform.sandbox.assert_paid_jobs(1)
    assert platform.state(first) == "Completed"


def test_a_waiting_job_is_charged_when_it_can_be(platform):
    definition_id = platform.definition(platform.pairs(2), votes=40_000)
    first, second = platform.job(definition_id), platform.job(definition_id)
    platform.ok("DELETE", f"/job/{first}")
    platform.ok("POST", f"/job/{second}/resume")
    assert platform.state(second) == "Submitted"
    assert check_balance(platform.sandbox)["balance"] == 200.0
    platform.sandbox.assert_paid_jobs(1)
    platform.ok("POST", f"/job/{second}/pause")
    platform.ok("POST", f"/job/{second}/resume")
    platform.sandbox.assert_paid_jobs(1)


@given(st.lists(st.integers(min_value=1, max_value=10**6), max_size=20))
def test_amounts_survive_json(responses):
    total = sum(money.price(count) for count in responses)
    assert money.decimal(total) == sum(
        (Decimal(str(money.number(money.price(count)))) for count in responses), Decimal(0)
    )
    assert Decimal(str(money.number(total))) == money.decimal(total)


def test_finer_amounts_are_refused():
    with pytest.raises(ValueError, match="millionth"):
        money.micro(Decimal("0.0000001"))
