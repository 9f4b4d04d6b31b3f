"""The life of a job: states, progress, results of every kind, and what can be done about it."""

import pytest

from rapidata_core import (
    LocateMaxPoints,
    NoShuffle,
    errors,
    rapidata_config,
)

LONG = 14 * 24 * 3600


async def text_definition(client, name="Texts", pairs=1, **more):
    datapoints = [[f"left {n}", f"right {n}"] for n in range(pairs)]
    return await client.job.create_compare_job_definition(
        name=name, instruction="Which?", datapoints=datapoints, data_type="text", **more
    )


async def small_job(client, **more):
    audience = await client.audience.get_audience_by_id("global")
    return await audience.assign_job(await text_definition(client, **more))


def sent(sandbox, method, ending):
    return [r for r in sandbox.requests() if r["method"] == method and r["path"].endswith(ending)]


async def test_progress_tells_answers_and_recruiting(client, rapidata_sandbox):
    job = await small_job(client)
    progress = await job.get_progress()
    assert (progress.completion_percentage, progress.response_count) == (0.0, 0)
    rapidata_sandbox.advance(LONG)
    progress = await job.get_progress()
    assert (progress.state, progress.completion_percentage) == ("Completed", 100.0)
    assert progress.response_count == 10


async def test_when_it_was_done(client, rapidata_sandbox):
    job = await small_job(client)
    assert await job.completed_at is None
    rapidata_sandbox.advance(LONG)
    assert await job.completed_at > (await client.job.get_job_by_id(job.id)).created_at


async def test_preliminary_results(client, rapidata_sandbox):
    job = await small_job(client, pairs=20)
    rapidata_sandbox.advance(8)
    assert await job.get_status() == "Running"
    early = await job.get_results(preliminary_results=True)
    count = len(early.responses())
    assert 0 < count < 200
    rapidata_sandbox.advance(LONG)
    # A job that is done has its final ones.
    final = await job.get_results(preliminary_results=True)
    assert len(final.responses()) == 200
    assert len(sent(rapidata_sandbox, "GET", "/download-results")) == 1


async def test_stale_results_are_made_anew(client, rapidata_sandbox):
    job = await small_job(client)
    rapidata_sandbox.advance(LONG)
    rapidata_sandbox.set_job_state(job.id, "StaleResults")
    assert len((await job.get_results())["results"]) == 1
    assert len(sent(rapidata_sandbox, "POST", "/retry")) == 1
    assert await job.get_status() == "Completed"


async def test_one_job_after_the_other(client, rapidata_sandbox):
    audience = await client.audience.get_audience_by_id("global")
    definition = await text_definition(client)
    first = await audience.assign_job(definition)
    second = await audience.assign_job(definition, run_after=first)
    third = await audience.assign_job(definition, run_after=second.id)
    bodies = [r["body"] for r in sent(rapidata_sandbox, "POST", "/job")]
    assert [body.get("precedingJobId") for body in bodies] == [None, first.id, second.id]
    await first.pause()
    rapidata_sandbox.advance(LONG)
    assert await second.get_status() == "Queued"
    await first.resume()
    rapidata_sandbox.advance(LONG)
    assert await third.get_status() == "Completed"


async def test_the_check_for_explicit_content_is_a_matter_of_configuration(
    client, rapidata_sandbox, monkeypatch
):
    await small_job(client)
    monkeypatch.setattr(rapidata_config.upload, "checkForExplicitContent", True)
    await small_job(client)
    bodies = [r["body"] for r in sent(rapidata_sandbox, "POST", "/job")]
    assert [body.get("checkForExplicitContent") for body in bodies] == [None, True]


async def test_a_setting_without_effect_is_doubted(client, caplog):
    await text_definition(client, settings=[LocateMaxPoints(), NoShuffle()])
    [message] = caplog.messages
    assert "'locate_max_points' has no effect on compare; it is for locate" in message


async def test_a_job_asks_the_revision_that_it_was_given(client, rapidata_sandbox):
    audience = await client.audience.get_audience_by_id("global")
    definition = await text_definition(client)
    old = await client.job.get_job_definition_by_id(definition.id)
    await definition.update(instruction="Which one?")
    await audience.assign_job(old)
    await audience.assign_job(definition)
    [found] = await client.job.find_job_definitions("Texts")
    await audience.assign_job(found)
    bodies = [r["body"] for r in sent(rapidata_sandbox, "POST", "/job")]
    assert [body["revisionNumber"] for body in bodies] == [1, 2, 2]


async def test_another_name_keeps_the_key(client, rapidata_sandbox):
    spec = {
        "type": "compare",
        "name": "Before",
        "instruction": "Which?",
        "data_type": "text",
        "datapoints": [["a", "b"]],
    }
    submission = await client.submit(spec, "global", key="k")
    job = await client.job.get_job_by_id(submission.job_id)
    assert (await job.rename("After")).name == "After"
    assert [found.name for found in await client.job.find_jobs("Aft")] == ["After"]
    again = await client.submit(spec, "global", key="k")
    assert (again.job_id, again.adopted) == (submission.job_id, True)
    with pytest.raises(errors.ValidationError, match="must not be blank"):
        await job.rename(" ")


async def test_a_resume_whose_answer_is_lost(client, rapidata_sandbox, impatient):
    job = await small_job(client)
    await job.pause()
    lose_next(rapidata_sandbox, ".*/resume", "before")
    with pytest.raises(errors.AmbiguousSubmissionError, match="before you resume it again"):
        await job.resume()
    lose_next(rapidata_sandbox, ".*/resume", "after_commit")
    await job.resume()
    assert len(sent(rapidata_sandbox, "POST", "/resume")) == 2
    assert await job.get_status() != "Paused"


async def test_a_retry_whose_answer_is_lost(client, rapidata_sandbox, impatient):
    job = await small_job(client)
    rapidata_sandbox.advance(LONG)
    rapidata_sandbox.set_job_state(job.id, "StaleResults")
    lose_next(rapidata_sandbox, ".*/retry", "after_commit")
    assert len((await job.get_results())["results"]) == 1
    assert len(sent(rapidata_sandbox, "POST", "/retry")) == 1


async def test_who_is_refused_because_another_runner_was_faster_is_content(
    client, rapidata_sandbox
):
    """The state has changed by then, so for us it looks like a refusal after the deed."""
    job = await small_job(client)
    refused = {"method": "POST", "phase": "after_commit", "action": "status", "status": 409}
    await job.pause()
    rapidata_sandbox.faults([{**refused, "path": ".*/resume"}])
    await job.resume()
    rapidata_sandbox.advance(LONG)
    rapidata_sandbox.set_job_state(job.id, "StaleResults")
    rapidata_sandbox.faults([{**refused, "path": ".*/retry"}])
    assert len((await job.get_results())["results"]) == 1
    assert len(sent(rapidata_sandbox, "POST", "/retry")) == 1
    # Where nothing has changed, it is a refusal.
    await (other := await small_job(client)).pause()
    rapidata_sandbox.faults([{**refused, "path": ".*/resume", "phase": "before"}])
    with pytest.raises(errors.ValidationError):
        await other.resume()


async def test_a_job_that_the_balance_does_not_cover(client, rapidata_sandbox, caplog):
    audience = await client.audience.get_audience_by_id("global")
    definition = await text_definition(client, pairs=2, responses_per_datapoint=40_000)
    await audience.assign_job(definition)
    assert caplog.messages == []
    job = await audience.assign_job(definition)
    assert "it will stop when the money is used up" in caplog.text
    rapidata_sandbox.advance(LONG)
    with pytest.raises(errors.JobNeedsAttentionError, match="raise the balance"):
        await job.wait()
    # The platform refuses, so it is known that nothing happened.
    with pytest.raises(errors.ValidationError):
        await job.resume()


async def test_what_to_do_is_said_for_every_state(client, rapidata_sandbox):
    job = await small_job(client)
    for state, advice in {
        "ManualApproval": "review",
        "SpendLimited": "raise the balance",
        "Paused": r"job\.resume\(\)",
        "Blocked": "dashboard",
    }.items():
        rapidata_sandbox.set_job_state(job.id, state)
        with pytest.raises(errors.JobNeedsAttentionError, match=advice):
            await job.wait()
    rapidata_sandbox.set_job_state(job.id, "Failed")
    with pytest.raises(errors.JobFailedError):
        await job.display_progress_bar(refresh_rate=0.01)


def lose_next(sandbox, path, phase):
    sandbox.faults([{"method": "POST", "path": path, "phase": phase, "action": "drop"}])
