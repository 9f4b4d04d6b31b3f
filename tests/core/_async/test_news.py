"""Runs and jobs that ended since somebody looked last, and waiting for one of them."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from rapidata_core import AsyncRapidataClient, FinishedJob, SignalRunStatus, errors

HOUR = 3600


@pytest.fixture
async def definition(client):
    return await client.job.create_compare_job_definition(
        name="Which one", instruction="Which?", datapoints=[["a", "b"]], data_type="text"
    )


@pytest.fixture
async def other(client):
    return await client.job.create_compare_job_definition(
        name="Another one", instruction="Which?", datapoints=[["c", "d"]], data_type="text"
    )


@pytest.fixture
async def audience(client):
    return await client.audience.get_audience_by_id("global")


@pytest.fixture
async def signal(client, definition):
    return await client.signals.create_signal("Daily", "global", definition, 24)


def asked(sandbox, beginning):
    return [
        request["path"]
        for request in sandbox.requests()
        if request["method"] == "GET" and request["path"].startswith(beginning)
    ]


def kept(news):
    """The cursor as somebody finds it after a restart."""
    return json.loads(json.dumps(news.cursor))


async def test_every_run_is_told_once_over_restarts(client, rapidata_sandbox, signal):
    await signal.trigger()
    rapidata_sandbox.advance(HOUR)
    first = await client.signals.news(signal.id)
    assert first.items == []
    run = await signal.trigger()
    second = await client.signals.news(signal.id, kept(first))
    assert second.items == []
    rapidata_sandbox.advance(HOUR)
    async with AsyncRapidataClient(environment=rapidata_sandbox.url) as restarted:
        third = await restarted.signals.news(signal.id, kept(second))
    assert [(item.id, item.status) for item in third.items] == [(run.id, SignalRunStatus.COMPLETED)]
    assert third.items[0].job_id is not None
    assert third.items[0].completed_at is not None
    assert (await client.signals.news(signal.id, kept(third))).items == []
    # Whoever did not keep the cursor is told again.
    assert (await client.signals.news(signal.id, kept(second))).items == third.items


async def test_what_is_open_at_the_beginning_is_told_later(client, rapidata_sandbox, signal):
    run = await signal.trigger()
    news = await client.signals.news(signal.id)
    rapidata_sandbox.advance(HOUR)
    assert [item.id for item in (await client.signals.news(signal.id, news.cursor)).items] == [
        run.id
    ]


async def test_runs_without_a_job_are_told_by_their_status(
    client, rapidata_sandbox, signal, definition
):
    news = await client.signals.news(signal.id)
    open_run = await signal.trigger()
    skipped = await signal.trigger()
    news = await client.signals.news(signal.id, news.cursor)
    assert [(item.id, item.status) for item in news.items] == [
        (skipped.id, SignalRunStatus.SKIPPED)
    ]
    rapidata_sandbox.advance(HOUR)
    await definition.delete()
    failed = await signal.trigger()
    rapidata_sandbox.advance(HOUR)
    news = await client.signals.news(signal.id, news.cursor)
    assert [(item.id, item.status) for item in news.items] == [
        (open_run.id, SignalRunStatus.COMPLETED),
        (failed.id, SignalRunStatus.FAILED),
    ]


async def test_runs_since_a_time(client, rapidata_sandbox, signal):
    early = await signal.trigger()
    rapidata_sandbox.advance(HOUR)
    late = await signal.trigger()
    rapidata_sandbox.advance(HOUR)
    since = early.started_at + timedelta(seconds=1)
    news = await client.signals.news(signal.id, since=since)
    assert [item.id for item in news.items] == [late.id]
    # The time is for the beginning only.
    assert (await client.signals.news(signal.id, news.cursor, since=early.started_at)).items == []


async def test_runs_that_fill_more_than_a_page(client, rapidata_sandbox, definition):
    signal = await client.signals.create_signal("Often", "global", definition, 1)
    news = await client.signals.news(signal.id)
    rapidata_sandbox.advance(120 * HOUR)
    news = await client.signals.news(signal.id, news.cursor)
    told = [item.id for item in news.items]
    rapidata_sandbox.advance(HOUR)
    news = await client.signals.news(signal.id, news.cursor)
    told += [item.id for item in news.items]
    assert len(told) == len(set(told)) > 115
    starts = [item.started_at for item in news.items]
    assert starts == sorted(starts)


async def test_a_look_costs_one_request(client, rapidata_sandbox, signal):
    await signal.trigger()
    news = await client.signals.news(signal.id)
    before = len(asked(rapidata_sandbox, "/signal"))
    await client.signals.news(signal.id, news.cursor)
    assert len(asked(rapidata_sandbox, "/signal")) == before + 1


async def test_news_of_no_signal(client):
    with pytest.raises(errors.NotFoundError):
        await client.signals.news("signal_nobody_made")
    with pytest.raises(errors.ValidationError, match="signal_id: must not be blank"):
        await client.signals.news(" ")
    with pytest.raises(errors.ValidationError, match="None to begin anew"):
        await client.signals.news("signal", {"since": None})


async def test_every_job_is_told_once(client, rapidata_sandbox, audience, definition):
    before = await audience.assign_job(definition)
    rapidata_sandbox.advance(HOUR)
    open_job = await audience.assign_job(definition)
    news = await client.job.news()
    assert news.items == []
    new_job = await audience.assign_job(definition)
    assert (await client.job.news(kept(news))).items == []
    rapidata_sandbox.advance(HOUR)
    news = await client.job.news(kept(news))
    assert [item.id for item in news.items] == [open_job.id, new_job.id]
    told = news.items[0]
    assert told == FinishedJob(
        id=open_job.id,
        name="Which one",
        state="Completed",
        definition_id=definition.id,
        audience_id="global",
        completed_at=told.completed_at,
        url=open_job.url,
    )
    assert isinstance(told.completed_at, datetime)
    assert (await client.job.news(kept(news))).items == []
    assert before.id not in json.dumps(news.cursor)


async def test_a_job_that_fails_is_told_with_its_reason(
    client, rapidata_sandbox, audience, definition
):
    news = await client.job.news()
    job = await audience.assign_job(definition)
    rapidata_sandbox.set_job_state(job.id, "Failed", failure_message="the dog ate it")
    [told] = (await client.job.news(news.cursor)).items
    assert (told.state, told.failure_message) == ("Failed", "the dog ate it")
    assert told.completed_at is None


async def test_jobs_of_one_kind_only(client, rapidata_sandbox, audience, definition, other):
    chosen = {
        "job_definition_id": other.id,
        "audience_id": "global",
        "name": "Another",
    }
    beginnings = {name: await client.job.news(**{name: chosen[name]}) for name in chosen}
    elsewhere = await client.job.news(audience_id="aud_MU1GZYoESyO")
    ours = await audience.assign_job(other)
    theirs = await audience.assign_job(definition)
    rapidata_sandbox.advance(HOUR)
    for name, news in beginnings.items():
        told = await client.job.news(news.cursor, **{name: chosen[name]})
        expected = [ours.id, theirs.id] if name == "audience_id" else [ours.id]
        assert [item.id for item in told.items] == expected
    assert not (await client.job.news(elsewhere.cursor, audience_id="aud_MU1GZYoESyO")).items


async def test_jobs_that_are_deleted_are_not_told(client, rapidata_sandbox, audience, definition):
    open_job = await audience.assign_job(definition)
    news = await client.job.news()
    new_job = await audience.assign_job(definition)
    news = await client.job.news(news.cursor)
    for job in (open_job, new_job):
        await job.delete()
    rapidata_sandbox.advance(HOUR)
    news = await client.job.news(news.cursor)
    assert (news.items, news.cursor["open"]) == ([], [])


async def test_an_old_job_that_is_open_is_read_by_its_id(
    client, rapidata_sandbox, audience, definition
):
    paused = await audience.assign_job(definition)
    await paused.pause()
    rapidata_sandbox.advance(24 * HOUR)
    done = await audience.assign_job(definition)
    rapidata_sandbox.advance(HOUR)
    news = await client.job.news()
    assert news.cursor["open"] == [paused.id]
    before = len(asked(rapidata_sandbox, "/job"))
    news = await client.job.news(news.cursor)
    # One for what is new, one for what is open.
    assert len(asked(rapidata_sandbox, "/job")) == before + 2
    assert done.id in news.cursor["seen"]
    await paused.resume()
    rapidata_sandbox.advance(HOUR)
    assert [item.id for item in (await client.job.news(news.cursor)).items] == [paused.id]


async def test_news_of_jobs_with_wrong_arguments(client):
    with pytest.raises(errors.ValidationError, match="must have a zone"):
        await client.job.news(since=datetime(2026, 11, 21))  # noqa: DTZ001
    with pytest.raises(errors.ValidationError) as refusal:
        await client.job.news(audience_id="", name=" ")
    assert [problem.split(":")[0] for problem in refusal.value.problems] == ["audience_id", "name"]


async def test_waiting_for_the_job_of_a_run(client, rapidata_sandbox, signal, hurry):
    triggered = await signal.trigger()
    run = await client.signals.wait_for_run(signal.id, triggered.id, timeout=60)
    assert run.id == triggered.id
    assert (await client.job.get_job_by_id(run.job_id)).definition_id == signal.job_definition_id


async def test_waiting_for_a_run_that_makes_no_job(client, rapidata_sandbox, signal, hurry):
    await signal.trigger()
    skipped = await signal.trigger()
    with pytest.raises(errors.SignalRunError, match="still open") as caught:
        await client.signals.wait_for_run(signal.id, skipped.id, timeout=60)
    assert caught.value.run_id == skipped.id
    with pytest.raises(errors.ValidationError, match="is a run of signal"):
        await client.signals.wait_for_run("another", skipped.id)
    with pytest.raises(errors.NotFoundError):
        await client.signals.wait_for_run(signal.id, "run_nobody_made")


async def test_waiting_for_the_next_run_with_a_job(client, rapidata_sandbox, signal, hurry):
    first = await signal.trigger()
    skipped = await signal.trigger()
    rapidata_sandbox.advance(HOUR)
    with pytest.raises(errors.WaitTimeoutError, match="next run"):
        await client.signals.wait_for_next_run(signal.id, first.id, timeout=0)
    third = await signal.trigger()
    # The one that was skipped is passed over.
    for after in (first.id, skipped.id, skipped.started_at):
        run = await client.signals.wait_for_next_run(signal.id, after, timeout=60)
        assert run.id == third.id
        assert run.job_id is not None
    assert (await client.signals.wait_for_next_run(signal.id, first.started_at)).id == first.id
    with pytest.raises(errors.ValidationError, match="must have a zone"):
        await client.signals.wait_for_next_run(signal.id, datetime(2026, 11, 21))  # noqa: DTZ001
    with pytest.raises(errors.ValidationError, match="is a run of signal"):
        await client.signals.wait_for_next_run("another", first.id)


async def test_waiting_with_a_clock_that_is_ahead(client, rapidata_sandbox, signal):
    await signal.trigger()
    rapidata_sandbox.advance(HOUR)
    future = datetime(2100, 1, 1, tzinfo=UTC)
    with pytest.raises(errors.WaitTimeoutError):
        await client.signals.wait_for_next_run(signal.id, future, timeout=0)
