"""One logical task, one paid job. The sandbox's ledger is the judge."""

import pytest

from rapidata_core import AsyncRapidataClient, CompareJob, errors
from rapidata_core.concurrency import async_map
from rapidata_core.policy.submission import identify

SPEC = CompareJob(name="n", instruction="Which?", data_type="text", datapoints=[["a", "b"]])
OTHER = SPEC.model_copy(update={"instruction": "Which one?"})
POST_JOB = {"method": "POST", "path": "/job$"}


@pytest.fixture
async def client(rapidata_sandbox, monkeypatch):
    monkeypatch.setattr("rapidata_core._async.waiting.SETTLE_PAUSES", (0.05, 0.1))
    async with AsyncRapidataClient(environment=rapidata_sandbox.url) as client:
        yield client


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


async def test_another_machine_pays_nothing_either(client, rapidata_sandbox):
    first = await client.submit(SPEC, "global", key="k")
    async with AsyncRapidataClient(environment=rapidata_sandbox.url) as elsewhere:
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


@pytest.mark.parametrize("status", [502, 503, 504, None])
async def test_an_unknown_outcome_is_never_sent_again_blind(client, rapidata_sandbox, status):
    action = {"action": "drop"} if status is None else {"action": "status", "status": status}
    rapidata_sandbox.faults([{**POST_JOB, "phase": "before", **action}])
    with pytest.raises(errors.AmbiguousSubmissionError, match="Submit again with the same key"):
        await client.submit(SPEC, "global", key="k")
    assert paths(rapidata_sandbox).count("/job") == 1
    rapidata_sandbox.assert_paid_jobs(0)
    # Trying again looks first, and uses the definition that is there already.
    assert not (await client.submit(SPEC, "global", key="k")).adopted
    assert paths(rapidata_sandbox).count("/job/definition") == 1
    rapidata_sandbox.assert_paid_jobs(1)


async def test_a_refused_job_is_no_unknown_outcome(client, rapidata_sandbox):
    rapidata_sandbox.faults(
        [{**POST_JOB, "phase": "before", "action": "status", "status": 429, "retry_after": 0}]
    )
    with pytest.raises(errors.RateLimitedError):
        await client.submit(SPEC, "global", key="k")
    assert paths(rapidata_sandbox).count("/job") == 1
    rapidata_sandbox.assert_paid_jobs(0)


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
    ],
)
async def test_bad_input_uploads_and_pays_nothing(client, rapidata_sandbox, arguments, error):
    with pytest.raises(error):
        await client.submit(SPEC, **arguments)
    assert [path for path in paths(rapidata_sandbox) if path != "/connect/token"] == []


async def test_racing_runners_keep_one_job(client, rapidata_sandbox):
    async def run(_):
        return await client.submit(SPEC, "global", key="k")

    submissions = await async_map(run, range(5), workers=5)
    assert len({submission.job_id for submission in submissions}) == 1
    rapidata_sandbox.assert_paid_jobs(1)


JOB = {"jobDefinitionId": "d", "audienceId": "a", "state": "Running"}
STRANGER = {**JOB, "jobId": "j", "name": "A stranger's", "createdAt": "2026-01-01T00:00:00Z"}


async def test_a_platform_that_ignores_the_filter_is_not_paid(scripted):
    scripted.on("GET", "/jobs", {"items": [STRANGER]})
    async with AsyncRapidataClient("me", "s", scripted.url) as client:
        with pytest.raises(errors.ServerError, match='listed "A stranger\'s"'):
            await client.submit(SPEC, "global", key="k")
    assert [r["method"] for r in scripted.seen if r["path"] != "/connect/token"] == ["GET"]


async def test_a_lost_answer_in_a_race_leaves_one_job(scripted, monkeypatch):
    """Ours was created and its answer lost, while another runner's job is older: ours goes."""
    monkeypatch.setattr("rapidata_core._async.waiting.SETTLE_PAUSES", (0.01,))
    name = identify(SPEC, "global", "k", "").name("n")
    older = {**JOB, "jobId": "older", "name": name, "createdAt": "2026-01-01T00:00:00Z"}
    ours = {**JOB, "jobId": "ours", "name": name, "createdAt": "2026-01-01T00:00:01Z"}
    cost = {"estimatedCost": 1.0, "datapointCount": 1, "requiredResponses": 1}
    scripted.on("GET", "/jobs", {"items": []}, {"items": [older, ours]})
    scripted.on("GET", "/audience/global", {"id": "global", "name": "Everybody"})
    scripted.on("GET", "/job/definitions", {"items": [{"definitionId": "d", "name": name}]})
    scripted.on("GET", "/job/definition/d/revision", {"definitionId": "d", "revisionNumber": 1})
    scripted.on("GET", "/job/definition/d/cost-estimate", cost)
    scripted.on("POST", "/job", "drop")
    scripted.on("DELETE", "/job/ours", (404, {}, b"{}"))
    async with AsyncRapidataClient("me", "s", scripted.url) as client:
        submission = await client.submit(SPEC, "global", key="k")
    assert submission.job_id == "older"
    assert len(scripted.requests("/job")) == 1
    assert [r["path"] for r in scripted.seen if r["method"] == "DELETE"] == ["/job/ours"]
