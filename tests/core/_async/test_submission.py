"""One logical task, one paid job. The sandbox's ledger is the judge."""

from datetime import datetime

import pytest

from rapidata_core import AsyncRapidataClient, CompareJob, SpendCap, errors
from rapidata_core._async.api.definitions import AsyncDefinitionApi
from rapidata_core._async.api.jobs import AsyncJobApi
from rapidata_core.concurrency import async_map, async_monotonic, async_sleep
from rapidata_core.policy.submission import identify

# Seconds; long enough for a few requests on a busy machine. Some tests wait for twice as long.
SETTLE = 2.0
SPEC = CompareJob(name="n", instruction="Which?", data_type="text", datapoints=[["a", "b"]])
OTHER = SPEC.model_copy(update={"instruction": "Which one?"})
POST_JOB = {"method": "POST", "path": "/job$"}


@pytest.fixture
async def client(rapidata_sandbox):
    async with AsyncRapidataClient(environment=rapidata_sandbox.url, settle=SETTLE) as client:
        yield client


@pytest.fixture
async def elsewhere(rapidata_sandbox):
    """A client of another process, or of the same one after a restart."""
    async with AsyncRapidataClient(environment=rapidata_sandbox.url, settle=SETTLE) as client:
        yield client


def definitions(sandbox):
    """The definitions that were made, not cloned."""
    return paths(sandbox).count("/job/definition")


def paths(sandbox, method="POST"):
    return [r["path"] for r in sandbox.requests() if r["method"] == method]


async def test_the_same_key_pays_once(client, rapidata_sandbox):
    first = await client.submit(SPEC, "global", key="k")
    second = await client.submit(SPEC, "global", key="k")
    assert (first.adopted, second.adopted) == (False, True)
    assert first.job_id == second.job_id
    assert first.estimated_cost == second.estimated_cost > 0
    rapidata_sandbox.assert_paid_jobs(1)


async def test_what_a_tolerant_attempt_left_behind_is_not_enough_for_a_strict_one(
    client, rapidata_sandbox
):
    gone = "https://404.status.invalid/x.jpg"
    spec = CompareJob(
        name="n",
        instruction="Which?",
        datapoints=[["https://a.example/1.jpg", "https://a.example/2.jpg"], [gone, gone + "?2"]],
    )
    rapidata_sandbox.faults(
        [{**POST_JOB, "nth": 1, "phase": "before", "action": "status", "status": 400}]
    )
    with pytest.raises(errors.ValidationError):
        await client.submit(spec, "global", key="k", failure_tolerance=0.5)
    with pytest.raises(errors.FailedUploadException):
        await client.submit(spec, "global", key="k")
    rapidata_sandbox.assert_paid_jobs(0)
    paid = await client.submit(spec, "global", key="k", failure_tolerance=0.5)
    assert len([p for p in paths(rapidata_sandbox) if p == "/job/definition"]) == 1
    rapidata_sandbox.assert_paid_jobs(1)
    assert not paid.adopted


async def test_an_audience_of_ones_own_people(client, rapidata_sandbox):
    audience = await client.audience.create_unlisted_audience(name="Colleagues")
    submission = await client.submit(SPEC, audience, key="k")
    assert submission.audience_id == audience.id
    rapidata_sandbox.assert_paid_jobs(1)


async def test_another_machine_pays_nothing_either(client, elsewhere, rapidata_sandbox):
    first = await client.submit(SPEC, "global", key="k")
    assert (await elsewhere.submit(SPEC, "global", key="k")).job_id == first.job_id
    rapidata_sandbox.assert_paid_jobs(1)


async def test_other_keys_and_namespaces_are_other_tasks(client, rapidata_sandbox):
    await client.submit(SPEC, "global", key="k")
    await client.submit(SPEC, "global", key="k2")
    async with AsyncRapidataClient(environment=rapidata_sandbox.url, namespace="dev") as dev:
        assert not (await dev.submit(SPEC, "global", key="k")).adopted
    rapidata_sandbox.assert_paid_jobs(3)


async def test_the_same_key_for_other_work_is_refused(client, rapidata_sandbox):
    first = await client.submit(SPEC, "global", key="k")
    with pytest.raises(errors.SubmissionConflictError) as caught:
        await client.submit(OTHER, "global", key="k")
    assert caught.value.job_id == first.job_id
    rapidata_sandbox.assert_paid_jobs(1)


async def test_the_same_key_for_other_work_as_chosen(client, rapidata_sandbox):
    first = await client.submit(SPEC, "global", key="k")
    adopted = await client.submit(OTHER, "global", key="k", on_changed="adopt")
    assert (adopted.job_id, adopted.adopted) == (first.job_id, True)
    rapidata_sandbox.assert_paid_jobs(1)
    second = await client.submit(OTHER, "global", key="k", on_changed="new")
    assert not second.adopted
    # Both are there now, and each is found by what it asks.
    for on_changed in ("error", "adopt", "new"):
        again = await client.submit(OTHER, "global", key="k", on_changed=on_changed)
        assert again.job_id == second.job_id
        assert (await client.submit(SPEC, "global", key="k")).job_id == first.job_id
    rapidata_sandbox.assert_paid_jobs(2)


async def test_a_job_that_failed_is_still_the_job_of_its_key(client, rapidata_sandbox):
    first = await client.submit(SPEC, "global", key="k")
    rapidata_sandbox.set_job_state(first.job_id, "Failed")
    assert (await client.submit(SPEC, "global", key="k")).job_id == first.job_id
    await (await client.job.get_job_by_id(first.job_id)).delete()
    assert (await client.submit(SPEC, "global", key="k")).job_id != first.job_id
    assert definitions(rapidata_sandbox) == 1


async def test_a_job_whose_audience_was_deleted_is_still_the_job_of_its_key(
    client, rapidata_sandbox
):
    audience = await client.audience.create_unlisted_audience(name="Colleagues")
    first = await client.submit(SPEC, audience, key="k")
    await audience.delete()
    assert (await client.submit(SPEC, audience, key="k")).job_id == first.job_id


async def test_an_estimate_creates_no_job(client, rapidata_sandbox):
    estimate = await client.estimate(SPEC, "global")
    assert (estimate.datapoint_count, estimate.required_responses) == (1, 10)
    assert estimate.estimated_cost > 0
    assert await client.job.find_job_definitions() == []
    rapidata_sandbox.assert_paid_jobs(0)


async def test_what_was_uploaded_for_an_estimate_is_used(client, rapidata_sandbox):
    estimate = await client.estimate(SPEC, "global", key="k")
    assert await client.estimate(SPEC, "global", key="k") == estimate
    submission = await client.submit(SPEC, "global", key="k", max_cost=estimate.estimated_cost)
    assert submission.estimated_cost == estimate.estimated_cost
    assert definitions(rapidata_sandbox) == 1
    with pytest.raises(errors.NotFoundError):
        await client.estimate(SPEC, "nobody")


@pytest.mark.parametrize(
    "lost",
    [
        {"phase": "after_commit", "action": "drop"},
        {"phase": "after_commit", "action": "status", "status": 503},
        {"phase": "after_commit", "action": "status", "status": 500},
        {"phase": "after_commit", "action": "status", "status": 200, "body": "<html>"},
    ],
)
async def test_a_lost_answer_is_resolved_by_reading(client, rapidata_sandbox, lost):
    rapidata_sandbox.faults([{**POST_JOB, **lost}])
    submission = await client.submit(SPEC, "global", key="k")
    assert (await client.job.get_job_by_id(submission.job_id)).id == submission.job_id
    assert paths(rapidata_sandbox).count("/job") == 1
    rapidata_sandbox.assert_paid_jobs(1)


@pytest.mark.parametrize("status", [503, None])
async def test_an_unknown_outcome_is_read_until_it_is_known(client, rapidata_sandbox, status):
    action = {"action": "drop"} if status is None else {"action": "status", "status": status}
    rapidata_sandbox.faults([{**POST_JOB, "phase": "before", **action}])
    assert not (await client.submit(SPEC, "global", key="k")).adopted
    first, second = (r for r in rapidata_sandbox.requests() if r["path"] == "/job")
    assert seconds(second["at"]) - seconds(first["at"]) > SETTLE
    assert definitions(rapidata_sandbox) == 1
    rapidata_sandbox.assert_paid_jobs(1)


async def test_nobody_pays_again_who_cannot_read(client, elsewhere, rapidata_sandbox):
    blind = {"method": "GET", "path": "/jobs", "phase": "before", "action": "status", "nth": 3}
    rapidata_sandbox.faults(
        [{**POST_JOB, "phase": "after_commit", "action": "drop"}, {**blind, "status": 403}]
    )
    with pytest.raises(errors.AmbiguousSubmissionError, match="Submit again with the same key"):
        await client.submit(SPEC, "global", key="k")
    assert (await elsewhere.submit(SPEC, "global", key="k", attempt=2)).adopted
    assert paths(rapidata_sandbox).count("/job") == 1
    rapidata_sandbox.assert_paid_jobs(1)


async def test_a_platform_that_loses_every_answer_is_left_alone(rapidata_sandbox):
    rapidata_sandbox.faults([{**POST_JOB, "phase": "before", "action": "drop"}] * 9)
    async with AsyncRapidataClient(environment=rapidata_sandbox.url, settle=0.5) as hasty:
        with pytest.raises(errors.AmbiguousSubmissionError, match="4 times an answer was lost"):
            await hasty.submit(SPEC, "global", key="k")
    # On a slow machine it may leave out a round, because its ticket is too old.
    assert 1 < paths(rapidata_sandbox).count("/job") <= 4
    rapidata_sandbox.assert_paid_jobs(0)


def seconds(moment):
    return datetime.fromisoformat(moment).timestamp()


IDENTITY = identify(SPEC, "global", "k", "")


async def ticket(client, name):
    """What a runner leaves before it pays."""
    return await client.job.create_job_definition(SPEC.model_copy(update={"name": name}))


@pytest.mark.parametrize(("attempt", "lives"), [(1, 2), (2, 4)])
async def test_a_runner_that_may_be_about_to_pay_is_waited_for(
    client, rapidata_sandbox, attempt, lives
):
    left = await ticket(client, IDENTITY.ticket("n", "abcd"))
    submission = await client.submit(SPEC, "global", key="k", attempt=attempt)
    # It asks what was left behind.
    assert submission.definition_id == left.id
    found = rapidata_sandbox.requests()
    [paid] = [seconds(r["at"]) for r in found if r["path"] == "/job"]
    [made] = [seconds(r["at"]) for r in found if r["path"] == "/job/definition"]
    assert paid - made > lives * SETTLE
    rapidata_sandbox.assert_paid_jobs(1)


async def test_the_job_of_the_runner_that_was_waited_for_is_adopted(
    client, elsewhere, rapidata_sandbox
):
    """Also one that pays when its ticket is about to run out."""
    left = await ticket(elsewhere, IDENTITY.ticket("n", "abcd"))

    async def runner(number):
        if number:
            return await client.submit(SPEC, "global", key="k")
        await async_sleep(SETTLE)
        audience = await elsewhere.audience.get_audience_by_id("global")
        job = await audience.assign_job(left)
        await AsyncJobApi(elsewhere._transport).rename(job.id, IDENTITY.job("n"))
        return job.id

    other, mine = await async_map(runner, range(2), workers=2)
    assert mine.adopted
    assert mine.job_id == other
    rapidata_sandbox.assert_paid_jobs(1)


async def test_a_draft_claims_nothing(client, rapidata_sandbox):
    left = await ticket(client, IDENTITY.draft("n"))
    assert (await client.submit(SPEC, "global", key="k")).definition_id == left.id
    found = rapidata_sandbox.requests()
    [paid] = [seconds(r["at"]) for r in found if r["path"] == "/job"]
    [made] = [seconds(r["at"]) for r in found if r["path"] == "/job/definition"]
    assert paid - made < 2 * SETTLE


async def test_tickets_are_given_back(client, rapidata_sandbox):
    """So that whoever tries next does not wait for nobody."""
    with pytest.raises(errors.BudgetExceededError):
        await client.submit(SPEC, "global", key="k", max_cost=0)
    await client.submit(SPEC, "global", key="k")
    await client.submit(SPEC, "global", key="k2")
    names = [found.name for found in await client.job.find_job_definitions()]
    # The second attempt cloned what the first one had uploaded.
    assert names == ["n"] * 3
    renamed = [r["body"]["name"] for r in rapidata_sandbox.requests() if r["method"] == "PATCH"]
    assert renamed[:2] == [IDENTITY.draft("n")] * 2
    assert len(renamed) == 3


REFUSED = {**POST_JOB, "phase": "before", "action": "status", "status": 429, "retry_after": 0}


@pytest.mark.parametrize("times", [1, 9])
async def test_a_refused_job_is_no_unknown_outcome(client, rapidata_sandbox, times):
    rapidata_sandbox.faults([REFUSED] * times)
    if times == 1:
        assert not (await client.submit(SPEC, "global", key="k")).adopted
    else:
        with pytest.raises(errors.RateLimitedError):
            await client.submit(SPEC, "global", key="k")
    # On one ticket, which is good for so long.
    assert [p for p in paths(rapidata_sandbox) if p.endswith("/clone")] == []
    assert 1 < paths(rapidata_sandbox).count("/job") <= 6
    rapidata_sandbox.assert_paid_jobs(1 if times == 1 else 0)


async def test_a_failed_look_is_an_error_not_an_empty_list(client, rapidata_sandbox):
    rapidata_sandbox.faults(
        [
            {"method": "GET", "path": "/jobs$", "nth": 1, "phase": "before", "action": "status"}
            | {"status": 400}
        ]
    )
    with pytest.raises(errors.ValidationError):
        await client.submit(SPEC, "global", key="k")
    assert [path for path in paths(rapidata_sandbox) if path != "/connect/token"] == []


async def test_too_expensive(client, rapidata_sandbox):
    with pytest.raises(errors.BudgetExceededError) as caught:
        await client.submit(SPEC, "global", key="k", max_cost=0.0001)
    assert caught.value.estimated_cost > 0.0001
    rapidata_sandbox.assert_paid_jobs(0)
    await client.submit(SPEC, "global", key="k", max_cost=caught.value.estimated_cost)
    rapidata_sandbox.assert_paid_jobs(1)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"audience": "nobody", "key": "k"}, errors.NotFoundError),
        ({"audience": "global", "key": ""}, errors.ValidationError),
        ({"audience": "global", "key": None}, errors.ValidationError),
        ({"audience": " ", "key": "k"}, errors.ValidationError),
        ({"audience": "global", "key": "k", "max_cost": "5"}, errors.ValidationError),
        ({"audience": "global", "key": "k", "max_cost": -1}, errors.ValidationError),
        ({"audience": "global", "key": "k", "attempt": 0}, errors.ValidationError),
        ({"audience": "global", "key": "k", "on_changed": "ask"}, errors.ValidationError),
    ],
)
async def test_bad_input_uploads_and_pays_nothing(client, rapidata_sandbox, arguments, error):
    with pytest.raises(error):
        await client.submit(SPEC, **arguments)
    assert [path for path in paths(rapidata_sandbox) if path != "/connect/token"] == []


async def test_racing_runners_pay_once(rapidata_sandbox):
    """They need not even delete a surplus job."""

    async def run(number):
        where = rapidata_sandbox.url
        async with AsyncRapidataClient(environment=where, settle=10) as client:
            return await client.submit(SPEC, "global", key="k")

    submissions = await async_map(run, range(6), workers=6)
    assert len({submission.job_id for submission in submissions}) == 1
    assert [submission.adopted for submission in submissions].count(False) == 1
    assert paths(rapidata_sandbox).count("/job") == 1
    rapidata_sandbox.assert_paid_jobs(1)


async def test_tasks_of_one_process_share_a_submission(client, rapidata_sandbox):
    async def run(_):
        return await client.submit(SPEC, "global", key="k")

    submissions = await async_map(run, range(5), workers=5)
    assert len({submission.job_id for submission in submissions}) == 1
    assert definitions(rapidata_sandbox) == 1
    rapidata_sandbox.assert_paid_jobs(1)


@pytest.mark.parametrize("state", ["Running", "Completed"])
async def test_what_a_race_left_is_cleared_away(client, rapidata_sandbox, state):
    """By whoever comes next; but not answers that people have given."""
    first = await client.submit(SPEC, "global", key="k")
    audience = await client.audience.get_audience_by_id("global")
    second = await audience.assign_job(await ticket(client, "n"))
    await AsyncJobApi(client._transport).rename(second.id, IDENTITY.job("n"))
    rapidata_sandbox.set_job_state(second.id, state)
    assert (await client.submit(SPEC, "global", key="k")).job_id == first.job_id
    assert len(await client.job.find_jobs()) == (1 if state == "Running" else 2)


JOB = {"jobDefinitionId": "d", "audienceId": "a", "state": "Running"}
STRANGER = {**JOB, "jobId": "j", "name": "A stranger's", "createdAt": "2026-01-01T00:00:00Z"}


async def test_a_platform_that_ignores_the_filter_is_not_paid(scripted):
    scripted.on("GET", "/jobs", {"items": [STRANGER]})
    async with AsyncRapidataClient("me", "s", scripted.url) as client:
        with pytest.raises(errors.ServerError, match='listed "A stranger\'s"'):
            await client.submit(SPEC, "global", key="k")
    assert [r["method"] for r in scripted.seen if r["path"] != "/connect/token"] == ["GET"]


def cap_of(prefix, jobs):
    """A cap that allows so many jobs."""
    # Ten answers for a hundredth each.
    return SpendCap(prefix, amount=0.1 * jobs, period="day")


async def test_a_cap_covers_all_keys_that_begin_alike(client, rapidata_sandbox):
    cap = cap_of("dag/", 2)
    for key in ("dag/a", "dag/b", "dag/a"):
        await client.submit(SPEC, "global", key=key, cap=cap)
    with pytest.raises(errors.BudgetExceededError, match="dag/"):
        await client.submit(SPEC, "global", key="dag/c", cap=cap)
    await client.submit(SPEC, "global", key="other/c", cap=cap_of("other/", 1))
    rapidata_sandbox.assert_paid_jobs(3)
    # Adopting costs nothing.
    assert (await client.submit(SPEC, "global", key="dag/a", cap=cap_of("dag/", 0))).adopted
    with pytest.raises(errors.ValidationError, match="must begin with the cap's 'dag/'"):
        await client.submit(SPEC, "global", key="x", cap=cap)


async def test_racing_runners_keep_a_cap(rapidata_sandbox):
    """Each is about another key, so no ticket stands between them."""
    cap = cap_of("dag/", 2)

    async def run(number):
        where = rapidata_sandbox.url
        async with AsyncRapidataClient(environment=where, settle=10) as client:
            try:
                await client.submit(SPEC, "global", key=f"dag/{number}", cap=cap)
            except errors.BudgetExceededError:
                return 0
            return 1

    assert sum(await async_map(run, range(5), workers=5)) == 2
    rapidata_sandbox.assert_paid_jobs(2)


async def test_a_definition_that_was_edited_is_not_what_the_key_asked(client, rapidata_sandbox):
    first = await client.submit(SPEC, "global", key="k")
    edited = await client.job.get_job_definition_by_id(first.definition_id)
    await edited.update(responses_per_datapoint=1)
    await (await client.job.get_job_by_id(first.job_id)).delete()
    # It would cost a tenth as it is now.
    with pytest.raises(errors.BudgetExceededError):
        await client.submit(SPEC, "global", key="k", max_cost=first.estimated_cost / 5)
    second = await client.submit(SPEC, "global", key="k")
    assert second.definition_id != first.definition_id
    assert second.estimated_cost == first.estimated_cost


async def test_tasks_of_one_process_share_only_what_has_the_same_terms(client, rapidata_sandbox):
    async def run(jobs):
        try:
            await client.submit(SPEC, "global", key="dag/k", cap=cap_of("dag/", jobs))
        except errors.BudgetExceededError:
            return False
        return True

    assert await async_map(run, [0, 5], workers=2) == [False, True]
    rapidata_sandbox.assert_paid_jobs(1)


async def test_everything_that_carries_the_key_is_looked_at(client, rapidata_sandbox):
    """Not only as much as a page holds."""
    left = await ticket(client, IDENTITY.ticket("n", "abcd"))
    clone = AsyncDefinitionApi(client._transport).clone
    names = [IDENTITY.draft("n")] * 100
    await async_map(lambda name: clone(left.id, name), names, workers=8)
    await client.submit(SPEC, "global", key="k")
    found = rapidata_sandbox.requests()
    [paid] = [seconds(r["at"]) for r in found if r["path"] == "/job"]
    [made] = [seconds(r["at"]) for r in found if r["path"] == "/job/definition"]
    # It waited for the oldest, which may be about to pay.
    assert paid - made > 2 * SETTLE


async def test_a_paid_call_that_comes_too_late_is_not_sent(client, rapidata_sandbox):
    """A token has to be got, and a connection, after the ticket was found to be good."""
    transport = client._transport
    with pytest.raises(errors.TransportError, match="nothing was sent") as caught:
        await AsyncJobApi(transport).create(
            definition_id="d",
            audience_id="global",
            revision_number=1,
            name="n",
            before=async_monotonic(),
        )
    assert errors.is_undone(caught.value)
    assert "/job" not in paths(rapidata_sandbox)
