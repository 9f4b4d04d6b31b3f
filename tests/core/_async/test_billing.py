"""Money that was spent, is owed, and is left."""

from datetime import timedelta

import pytest

from rapidata_core import AsyncRapidataClient, ClassificationJob, CompareJob, errors
from rapidata_core._async.api.jobs import AsyncJobApi
from rapidata_core._async.spend import committed
from rapidata_core.concurrency import async_map
from rapidata_core.policy.spending import total
from rapidata_core.policy.submission import Identity, cap_digest
from rapidata_core.types import SpendCap
from rapidata_core.wire.job import JobListItem

SPEC = CompareJob(name="n", instruction="Which?", data_type="text", datapoints=[["a", "b"]])
EARLY = ClassificationJob(
    name="Pets",
    instruction="What do you see?",
    answer_options=["Cat", "Dog"],
    datapoints=["a purring animal", "a barking animal"],
    data_type="text",
    responses_per_datapoint=50,
    confidence_threshold=0.99,
)
READ_BILL = {
    "method": "GET",
    "path": "/billing/costs/groups",
    "phase": "before",
    "action": "status",
}
CAP = SpendCap("labels/", 5.0, timedelta(hours=1))
ITEM = {
    "jobId": "j",
    "name": f"n [rk:f.{cap_digest('', CAP.prefix)}.k]",
    "jobDefinitionId": "d",
    "audienceId": "a",
    "state": "Running",
    "createdAt": "2026-01-01T00:00:01Z",
}
ESTIMATE = {"estimatedCost": 1.0, "datapointCount": 1, "requiredResponses": 1}


def serve_job(scripted, state="Running"):
    scripted.on("GET", "/jobs", {"items": [ITEM]})
    scripted.on("GET", "/job/j", {**ITEM, "definitionId": "d", "state": state})
    scripted.on("GET", "/job/j/cost-estimate", ESTIMATE)


def bill(count):
    group = {"_t": "AudienceJobBillingGroup", "id": "g", "jobId": "j"}
    return {"items": [{**group, "netCost": 0.5, "responseCount": count}]}


async def start(client, spec, cap=CAP):
    """A job that is called as a submission with a cap calls it."""
    definition = await client.job.create_job_definition(spec)
    name = Identity("f0", "b0", cap_digest("", cap.prefix)).job(spec.name)
    created = await AsyncJobApi(client._transport).create(
        definition_id=definition.id, audience_id="global", revision_number=1, name=name
    )
    return await client.job.get_job_by_id(created.job_id)


async def listed(client, job):
    (item,) = await AsyncJobApi(client._transport).list([("id[eq]", job.id)])
    return item


async def test_a_job_is_on_the_bill(rapidata_sandbox):
    async with AsyncRapidataClient(environment=rapidata_sandbox.url) as client:
        before = await client.billing.get_balance()
        submission = await client.submit(
            {
                "type": "compare",
                "name": "Billed",
                "instruction": "Which?",
                "data_type": "text",
                "datapoints": [["a", "b"]],
            },
            "global",
            key="billed",
        )
        rapidata_sandbox.advance(3600)
        balance = await client.billing.get_balance()
        assert balance.available == pytest.approx(before.available - submission.estimated_cost)
        assert balance.spent == pytest.approx(submission.estimated_cost)
        period = await client.billing.get_current_billing_period()
        assert period.outstanding_cost == pytest.approx(period.gross_cost - period.discount)
        assert period.gross_cost == pytest.approx(submission.estimated_cost)
        assert period.response_count == 10
        assert period.credits == balance.available
        assert period.start_date < period.end_date
        owed = await client.billing.get_outstanding_balance()
        assert owed.total == pytest.approx(owed.unpaid_invoices + owed.awaiting_invoice)
        assert owed.accruing == pytest.approx(submission.estimated_cost)


# --- what a job has cost --------------------------------------------------------------------------


async def test_a_job_that_stops_early_costs_less_than_estimated(client, rapidata_sandbox, tmp_path):
    job = await start(client, EARLY)
    assert await job.actual_cost is None
    rapidata_sandbox.advance(3600)
    (entry,) = rapidata_sandbox.ledger()["entries"]
    cost = await job.actual_cost
    assert cost == entry["amount"] < (await job.estimated_cost).estimated_cost
    assert await client.billing.get_job_cost(job.id) == cost
    manifest = await job.save_results(tmp_path)
    assert (manifest.actual_cost, manifest.as_dict()["actual_cost"]) == (cost, cost)
    assert manifest.estimated_cost > cost


async def test_a_bill_that_may_not_be_seen(client, rapidata_sandbox, tmp_path):
    job = await start(client, EARLY)
    rapidata_sandbox.advance(3600)
    rapidata_sandbox.faults([{**READ_BILL, "status": 403}])
    assert await job.actual_cost is None
    rapidata_sandbox.faults([{**READ_BILL, "status": 403}])
    assert (await job.save_results(tmp_path)).actual_cost is None


async def test_a_bill_that_cannot_be_read_loses_no_results(
    client, rapidata_sandbox, tmp_path, caplog
):
    job = await start(client, EARLY)
    rapidata_sandbox.advance(3600)
    rapidata_sandbox.faults([{**READ_BILL, "status": 400}])
    manifest = await job.save_results(tmp_path)
    assert manifest.actual_cost is None
    assert (tmp_path / "labels.parquet").exists()
    assert f"cannot tell what job {job.id} has cost" in caplog.text
    rapidata_sandbox.faults([{**READ_BILL, "status": 400}])
    with pytest.raises(errors.ValidationError):
        await client.billing.get_job_cost(job.id)


async def test_a_bill_that_is_not_complete_yet(scripted):
    serve_job(scripted, state="Completed")
    scripted.on("GET", "/job/j/progress", {"completionPercentage": 100, "responseCount": 10})
    scripted.on("GET", "/billing/costs/groups", bill(count=9), bill(count=10))
    async with AsyncRapidataClient("me", "s", scripted.url) as client:
        assert await client.billing.get_job_cost("j") is None
        assert await client.billing.get_job_cost("j") == 0.5


async def test_a_job_that_there_is_not(client):
    with pytest.raises(errors.NotFoundError):
        await client.billing.get_job_cost("nobody")
    with pytest.raises(errors.ValidationError):
        await client.billing.get_job_cost(" ")


# --- what a spend cap has left --------------------------------------------------------------------


async def test_jobs_of_a_cap_are_found_by_their_names(client, rapidata_sandbox, monkeypatch):
    monkeypatch.setattr("rapidata_core._async.spend.PAGE_SIZE", 2)
    assert await committed(client._transport, CAP) == 0
    jobs = [await start(client, SPEC) for _ in range(5)]
    await start(client, SPEC, SpendCap("other/", 1.0, timedelta(hours=1)))
    assert await committed(client._transport, CAP) == 0.5
    async with AsyncRapidataClient(environment=rapidata_sandbox.url, namespace="dev") as dev:
        assert await committed(dev._transport, CAP) == 0
    assert await committed(client._transport, CAP, until=await listed(client, jobs[2])) == 0.3


async def test_deleted_jobs_and_earlier_periods_do_not_count(client, rapidata_sandbox):
    day = SpendCap(CAP.prefix, CAP.amount, "day")
    await start(client, SPEC)
    rapidata_sandbox.advance(2 * 24 * 3600)
    deleted, _, last = [await start(client, SPEC) for _ in range(3)]
    await deleted.delete()
    # By our clock it is two days ago, and everything counts; the platform's clock decides.
    assert await committed(client._transport, day) == 0.3
    assert await committed(client._transport, day, until=await listed(client, last)) == 0.2


async def test_completed_jobs_count_with_what_they_have_cost(client, rapidata_sandbox):
    estimated = (await (await start(client, EARLY)).estimated_cost).estimated_cost
    assert await committed(client._transport, CAP) == estimated
    rapidata_sandbox.advance(1800)
    (entry,) = rapidata_sandbox.ledger()["entries"]
    assert await committed(client._transport, CAP) == entry["amount"] < estimated
    running = await start(client, EARLY)
    assert await committed(client._transport, CAP) == total([entry["amount"], estimated])
    await running.delete()
    for status in (400, 403):
        rapidata_sandbox.faults([{**READ_BILL, "status": status}])
        assert await committed(client._transport, CAP) == estimated


async def test_a_job_that_is_not_priced_yet_is_waited_for(scripted, monkeypatch):
    async def skip(_):
        pass

    monkeypatch.setattr("rapidata_core._async.spend.async_sleep", skip)
    serve_job(scripted)
    problem = (409, {"Content-Type": "application/problem+json"}, b'{"title":"not yet"}')
    scripted.on("GET", "/job/j/cost-estimate", problem, problem, ESTIMATE)
    async with AsyncRapidataClient("me", "s", scripted.url) as client:
        assert await committed(client._transport, CAP) == 1.0
    assert not scripted.requests("/billing/costs/groups")


async def test_a_job_that_was_deleted_since_it_was_listed(scripted):
    serve_job(scripted)
    scripted.on("GET", "/job/j/cost-estimate", (404, {}, b"{}"))
    async with AsyncRapidataClient("me", "s", scripted.url) as client:
        with pytest.raises(errors.NotFoundError, match="cost of job"):
            await committed(client._transport, CAP)
        scripted.on("GET", "/job/j", (404, {}, b"{}"))
        assert await committed(client._transport, CAP) == 0


async def test_a_job_counts_as_soon_as_what_is_older_shows(scripted):
    serve_job(scripted)
    mine = JobListItem.model_validate(ITEM)
    older = {**ITEM, "jobId": "older", "createdAt": "2026-01-01T00:00:00Z"}
    scripted.on("GET", "/job/older/cost-estimate", ESTIMATE)
    scripted.on("GET", "/jobs", {"items": []}, {"items": []}, {"items": [older, ITEM]})
    async with AsyncRapidataClient("me", "s", scripted.url, settle=0.2) as client:
        assert await committed(client._transport, CAP, until=mine) == 2.0
        scripted.on("GET", "/jobs", {"items": [older]})
        assert await committed(client._transport, CAP, until=mine) == 2.0


async def test_a_list_that_cannot_be_believed(scripted, monkeypatch):
    serve_job(scripted)
    async with AsyncRapidataClient("me", "s", scripted.url) as client:
        monkeypatch.setattr("rapidata_core._async.spend.PAGE_SIZE", 1)
        with pytest.raises(errors.ServerError, match="by the time of their creation"):
            await committed(client._transport, CAP)
        scripted.on("GET", "/jobs", {"items": [{**ITEM, "name": "A stranger's"}]})
        with pytest.raises(errors.ServerError, match="stranger"):
            await committed(client._transport, CAP)


async def test_racing_submissions_keep_the_cap(client, rapidata_sandbox):
    cap = SpendCap("race/", 0.25, timedelta(hours=1))

    async def run(number):
        try:
            return await client.submit(SPEC, "global", key=f"race/{number}", cap=cap)
        except errors.BudgetExceededError:
            return None

    paid = await async_map(run, range(4), workers=4)
    assert 1 <= len([one for one in paid if one is not None]) <= 2
    rapidata_sandbox.assert_paid_jobs(len([one for one in paid if one is not None]))
    assert await committed(client._transport, cap) <= cap.amount
