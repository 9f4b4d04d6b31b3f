"""One logical task that asks a definition which is there already, one paid job."""

import pytest

from rapidata_core import AsyncRapidataClient, CompareJob, SpendCap, errors
from rapidata_core._async.api.definitions import AsyncDefinitionApi
from rapidata_core.concurrency import async_map

SETTLE = 2.0
SPEC = CompareJob(name="Texts", instruction="Which?", data_type="text", datapoints=[["a", "b"]])
POST_JOB = {"method": "POST", "path": "/job$"}


@pytest.fixture
async def client(rapidata_sandbox):
    async with AsyncRapidataClient(environment=rapidata_sandbox.url, settle=SETTLE) as client:
        yield client


@pytest.fixture
async def definition(client):
    return await client.job.create_job_definition(SPEC)


async def test_the_same_key_pays_once(client, definition, rapidata_sandbox):
    first = await client.submit_definition(definition, "global", key="k")
    async with AsyncRapidataClient(environment=rapidata_sandbox.url) as elsewhere:
        second = await elsewhere.submit_definition(definition.id, "global", key="k")
    assert (first.adopted, second.adopted) == (False, True)
    assert first.job_id == second.job_id
    assert first.definition_id == definition.id
    assert first.estimated_cost == second.estimated_cost > 0
    rapidata_sandbox.assert_paid_jobs(1)
    assert (await client.job.get_job_by_id(first.job_id)).name == "Texts"


async def test_the_definition_stays_as_it_is(client, definition):
    """Tickets are clones of it."""
    await definition.wait_until_ready()
    api = AsyncDefinitionApi(client._transport)
    before = await api.get(definition.id), await api.get_revision(definition.id)
    with pytest.raises(errors.BudgetExceededError):
        await client.submit_definition(definition, "global", key="k", max_cost=0)
    await client.submit_definition(definition, "global", key="k")
    assert (await api.get(definition.id), await api.get_revision(definition.id)) == before


async def test_other_keys_pay_for_the_same_definition_again(client, definition, rapidata_sandbox):
    for key in ("a", "b"):
        assert not (await client.submit_definition(definition, "global", key=key)).adopted
    rapidata_sandbox.assert_paid_jobs(2)


@pytest.mark.parametrize("fault", ["drop", "status"])
@pytest.mark.parametrize("phase", ["before", "after_commit"])
async def test_a_lost_answer_pays_once(client, definition, rapidata_sandbox, phase, fault):
    status = {"status": 503} if fault == "status" else {}
    rapidata_sandbox.faults([{**POST_JOB, "phase": phase, "action": fault, **status}])
    submission = await client.submit_definition(definition, "global", key="k")
    assert (await client.job.get_job_by_id(submission.job_id)).id == submission.job_id
    rapidata_sandbox.assert_paid_jobs(1)


async def test_racing_runners_pay_once(definition, rapidata_sandbox):
    async def run(_):
        where = rapidata_sandbox.url
        async with AsyncRapidataClient(environment=where, settle=10) as client:
            return await client.submit_definition(definition.id, "global", key="k")

    submissions = await async_map(run, range(5), workers=5)
    assert len({submission.job_id for submission in submissions}) == 1
    assert [submission.adopted for submission in submissions].count(False) == 1
    rapidata_sandbox.assert_paid_jobs(1)


async def test_what_is_not_there_cannot_be_asked(client, definition, rapidata_sandbox):
    with pytest.raises(errors.NotFoundError, match="nothing"):
        await client.submit_definition("nothing", "global", key="k")
    with pytest.raises(errors.NotFoundError, match="revision 7"):
        await client.submit_definition(definition, "global", key="k", revision_number=7)
    with pytest.raises(errors.NotFoundError, match="nobody"):
        await client.submit_definition(definition, "nobody", key="k")
    await definition.delete()
    with pytest.raises(errors.NotFoundError, match=definition.id):
        await client.submit_definition(definition, "global", key="k")
    rapidata_sandbox.assert_paid_jobs(0)


async def test_a_job_outlives_its_definition(client, definition, rapidata_sandbox):
    first = await client.submit_definition(definition, "global", key="k")
    await definition.delete()
    again = await client.submit_definition(definition.id, "global", key="k")
    assert (again.job_id, again.adopted) == (first.job_id, True)
    rapidata_sandbox.assert_paid_jobs(1)


async def test_the_same_key_for_other_work_is_refused(client, definition, rapidata_sandbox):
    first = await client.submit_definition(definition, "global", key="k")
    other = await client.job.create_job_definition(SPEC)
    with pytest.raises(errors.SubmissionConflictError) as caught:
        await client.submit_definition(other, "global", key="k")
    assert caught.value.job_id == first.job_id
    with pytest.raises(errors.SubmissionConflictError):
        await client.submit_definition(definition, "global", key="k", revision_number=1)
    with pytest.raises(errors.SubmissionConflictError):
        await client.submit(SPEC, "global", key="k")
    adopted = await client.submit_definition(other, "global", key="k", on_changed="adopt")
    assert adopted.job_id == first.job_id
    rapidata_sandbox.assert_paid_jobs(1)
    assert not (await client.submit_definition(other, "global", key="k", on_changed="new")).adopted
    rapidata_sandbox.assert_paid_jobs(2)


async def test_a_new_revision_is_no_other_work(client, definition, rapidata_sandbox):
    first = await client.submit_definition(definition.id, "global", key="k")
    await definition.update(responses_per_datapoint=20)
    for asked in (definition, definition.id):
        assert (await client.submit_definition(asked, "global", key="k")).job_id == first.job_id
    second = await client.submit_definition(definition.id, "global", key="k2")
    assert second.estimated_cost == pytest.approx(2 * first.estimated_cost)


async def test_the_revision_that_is_meant_is_paid(client, definition, rapidata_sandbox):
    """What a definition stands for, or what was asked for; at its own price."""
    old = await client.job.get_job_definition_by_id(definition.id)
    await definition.update(responses_per_datapoint=20)
    latest = await client.submit_definition(definition.id, "global", key="latest")
    half = latest.estimated_cost / 2
    stands_for = await client.submit_definition(old, "global", key="stands for", max_cost=half)
    asked_for = await client.submit_definition(
        definition, "global", key="asked for", revision_number=1, max_cost=half
    )
    assert stands_for.estimated_cost == asked_for.estimated_cost == pytest.approx(half)
    posted = [r["body"] for r in rapidata_sandbox.requests() if r["path"] == "/job"]
    assert [body["revisionNumber"] for body in posted] == [2, 1, 1]
    assert {body["jobDefinitionId"] for body in posted} == {definition.id}
    # The definition that was made to get the price of the old one is gone again.
    assert len(await client.job.find_job_definitions()) == 4
    with pytest.raises(errors.BudgetExceededError):
        await client.submit_definition(definition, "global", key="dear", max_cost=half)


async def test_a_cap_counts(client, definition, rapidata_sandbox):
    cap = SpendCap("dag/", amount=0.1, period="day")
    await client.submit_definition(definition, "global", key="dag/a", cap=cap)
    with pytest.raises(errors.BudgetExceededError, match="dag/"):
        await client.submit_definition(definition, "global", key="dag/b", cap=cap)
    rapidata_sandbox.assert_paid_jobs(1)


async def test_all_that_is_wrong_is_told_at_once(client, rapidata_sandbox):
    with pytest.raises(errors.ValidationError) as caught:
        await client.submit_definition(" ", "", key="", revision_number=0)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "job_definition",
        "audience",
        "key",
        "revision_number",
    ]
    assert rapidata_sandbox.requests() == []
