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


def groups(platform, query=""):
    return platform.ok("GET", f"/billing/costs/groups{query}")


def test_what_was_charged_is_on_the_bill_by_job(platform):
    cheap = platform.compare_job(points=1, name="cheap")
    dear = platform.compare_job(points=3, name="dear")
    gone = platform.compare_job(points=2)
    platform.ok("DELETE", f"/job/{gone}")
    page = groups(platform)
    assert (page["total"], page["page"], page["pageSize"], page["totalPages"]) == (2, 1, 10, 1)
    assert page["items"][0] == {
        "_t": "AudienceJobBillingGroup",
        "id": f"sbx_group_{dear}",
        "name": "dear",
        "grossCost": 0.3,
        "discount": 0.0,
        "netCost": 0.3,
        "responseCount": 30,
        "jobId": dear,
        "audienceId": "global",
        "nonBillableCost": None,
        "nonBillableResponseCount": None,
    }
    assert page["items"][1]["jobId"] == cheap
    (second,) = groups(platform, "?page=2&page_size=1")["items"]
    assert second["jobId"] == cheap
    (cheapest, _) = groups(platform, "?sort=net_cost")["items"]
    assert cheapest["jobId"] == cheap
    period = platform.ok("GET", "/billing-period/active")
    assert sum(item["netCost"] for item in page["items"]) == period["totalNetCost"]
    assert sum(item["responseCount"] for item in page["items"]) == period["totalResponseCount"]


def test_the_bill_of_a_span_of_time(platform):
    early = platform.compare_job()
    platform.sandbox.advance(3600)
    moment = platform.ok("GET", f"/job/{early}")["completedAt"].replace("+00:00", "Z")
    late = platform.compare_job()
    # An answered job stays on the bill, whatever becomes of it.
    platform.ok("DELETE", f"/job/{early}")
    (before,) = groups(platform, f"?endDate={moment}")["items"]
    (after,) = groups(platform, f"?startDate={moment}")["items"]
    assert (before["jobId"], before["audienceId"]) == (early, "")
    assert (after["jobId"], after["audienceId"]) == (late, "global")
    assert platform.problem("GET", "/billing/costs/groups?startDate=soon", 400)["errors"]


def test_a_flow_is_on_the_bill_as_a_whole(platform, wire):
    body = {"name": "ranks", "criteria": "Which?", "maxResponses": 20, "minResponses": 10}
    flow_id = platform.ok("POST", "/flow/ranking", body)["flowId"]
    dataset_id = platform.dataset(
        [[wire.segment("asset", "Asset", {"_t": "TextAssetInput", "text": text})] for text in "ab"]
    )
    for _ in range(2):
        platform.ok("POST", f"/flow/ranking/{flow_id}/item", {"datasetId": dataset_id})
    (entry,) = groups(platform)["items"]
    assert (entry["_t"], entry["flowId"]) == ("RankingFlowBillingGroup", flow_id)
    assert (entry["name"], entry["responseCount"], entry["netCost"]) == ("ranks", 40, 0.4)


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
