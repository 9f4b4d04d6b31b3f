"""Signals: jobs on a schedule."""

from datetime import timedelta

import pytest

from rapidata_core import AsyncRapidataClient, SignalRunStatus, errors
from rapidata_core._async.api.signals import AsyncSignalApi
from rapidata_core.concurrency import async_map
from rapidata_core.policy.retry import Call, RetryPolicy
from rapidata_core.policy.signals import Intent, described
from rapidata_core.policy.submission import key_marker

HOUR = 3600


@pytest.fixture
async def definition(client):
    return await client.job.create_compare_job_definition(
        name="Which one", instruction="Which?", datapoints=[["a", "b"]], data_type="text"
    )


@pytest.fixture
async def signal(client, definition):
    return await client.signals.create_signal("Hourly", "global", definition, 1)


def sent(sandbox, method, ending):
    return [
        request
        for request in sandbox.requests()
        if request["method"] == method and request["path"].endswith(ending)
    ]


def lost(path):
    return {"method": "POST", "path": path, "phase": "after_commit", "action": "drop"}


def refused(path):
    return {"method": "POST", "path": path, "phase": "before", "action": "status", "status": 503}


async def test_a_signal_as_the_documents_make_it(client, rapidata_sandbox, hurry, definition):
    audience = await client.audience.get_audience_by_id("aud_MU1GZYoESyO")
    signal = await client.signals.create_signal(
        name="Daily prompt alignment",
        audience=audience,
        job_definition=definition,
        interval_hours=24,
    )
    assert (signal.name, signal.description) == ("Daily prompt alignment", None)
    assert (signal.audience_id, signal.job_definition_id) == (audience.id, definition.id)
    assert (signal.interval_hours, signal.revision_number) == (24, None)
    assert (signal.is_paused, signal.is_public, signal.last_run_at) == (False, False, None)
    assert signal.next_run_at - signal.created_at == timedelta(hours=24)
    rapidata_sandbox.assert_paid_jobs(0)
    await signal.trigger()
    job = await signal.wait_for_next_job(timeout=600)
    assert (job.definition_id, job.audience_id) == (definition.id, audience.id)
    rapidata_sandbox.advance(HOUR)
    assert (await job.get_results())["results"]
    rapidata_sandbox.advance(24 * HOUR)
    jobs = await signal.get_jobs(page_size=10)
    assert [await one.get_status() for one in jobs][1] == "Completed"
    assert jobs[1].id == job.id
    assert [one.id for one in await signal.get_jobs(page_size=1)] == [jobs[0].id]
    assert [one.id for one in await signal.get_jobs(sort_descending=False)] == [job.id, jobs[0].id]
    await signal.reload()
    assert signal.last_run_at is not None
    rapidata_sandbox.assert_paid_jobs(2)


async def test_ids_a_pinned_revision_and_everything_else(client, definition):
    signal = await client.signals.create_signal(
        "Pinned", "global", definition.id, 0.5, "for tests", 1, True
    )
    again = await client.signals.get_signal_by_id(signal.id)
    assert (again.description, again.revision_number) == ("for tests", 1)
    assert (again.interval_hours, again.is_public) == (0.5, True)


async def test_managing_a_signal(client, rapidata_sandbox, signal):
    await signal.pause()
    assert signal.is_paused is True
    rapidata_sandbox.advance(3 * HOUR)
    assert await signal.get_runs() == []
    await signal.resume()
    assert signal.is_paused is False
    await signal.update()
    await signal.update(name="Twice an hour", interval_hours=0.5)
    assert (signal.name, signal.interval_hours) == ("Twice an hour", 0.5)
    [request] = sent(rapidata_sandbox, "PATCH", signal.id)
    # What was not given is absent: an explicit null might clear it.
    assert request["body"] == {"name": "Twice an hour", "intervalSeconds": 1800}
    await signal.update(description="new")
    assert (signal.name, signal.description) == ("Twice an hour", "new")
    await signal.delete()
    with pytest.raises(errors.NotFoundError):
        await signal.reload()


async def test_finding_signals_again(client, definition, signal):
    other = await client.signals.create_signal("Other", "global", definition, 2)
    assert [found.id for found in await client.signals.find_signals()] == [other.id, signal.id]
    assert [found.id for found in await client.signals.find_signals("ourl")] == [signal.id]
    assert [found.id for found in await client.signals.find_signals(amount=1, page=2)] == [
        signal.id
    ]
    assert repr(signal) == f"RapidataSignal(id={signal.id!r}, name='Hourly')"
    with pytest.raises(errors.NotFoundError, match="signal 'nope'"):
        await client.signals.get_signal_by_id("nope")


async def test_runs_say_what_became_of_them(rapidata_sandbox, signal):
    await signal.trigger()
    await signal.trigger()
    rapidata_sandbox.advance(60)
    skipped, done = await signal.get_runs()
    assert (done.status, done.trigger_source) == (SignalRunStatus.COMPLETED, "Manual")
    assert done.job_id
    assert done.started_at < done.completed_at
    assert (skipped.status, skipped.job_id) == (SignalRunStatus.SKIPPED, None)
    assert "still open" in skipped.skipped_reason
    assert [run.id for run in await signal.get_runs(page=2, page_size=1)] == [done.id]


async def test_the_job_of_a_trigger_is_no_other_ones(client, rapidata_sandbox, hurry, signal):
    # There are a manual run and a scheduled one already, and a scheduled one comes in between.
    other = await client.signals.get_signal_by_id(signal.id)
    await other.trigger()
    rapidata_sandbox.advance(HOUR - 10)
    known = {run.id for run in await signal.get_runs()}
    await signal.trigger()
    rapidata_sandbox.advance(30)
    job = await signal.wait_for_next_job()
    [run] = [run for run in await signal.get_runs() if run.job_id == job.id]
    assert run.trigger_source == "Manual"
    assert run.id not in known
    # Without a trigger, what comes next is the scheduled run.
    job = await signal.wait_for_next_job(timeout=None)
    [run] = [run for run in await signal.get_runs() if run.job_id == job.id]
    assert run.trigger_source == "Scheduled"


async def test_every_trigger_gets_its_own_run(rapidata_sandbox, hurry, signal):
    await signal.trigger()
    rapidata_sandbox.advance(60)
    await signal.trigger()
    rapidata_sandbox.advance(60)
    first, second = await signal.wait_for_next_job(), await signal.wait_for_next_job()
    assert [job.id for job in await signal.get_jobs(sort_descending=False)] == [
        first.id,
        second.id,
    ]


async def test_a_trigger_that_is_skipped_ends_the_wait(rapidata_sandbox, hurry, signal):
    await signal.trigger()
    job = await signal.wait_for_next_job()
    rapidata_sandbox.set_job_state(job.id, "Paused")
    await signal.trigger()
    with pytest.raises(errors.SignalRunError, match=r"still open.*trigger again") as caught:
        await signal.wait_for_next_job()
    assert (caught.value.signal_id, caught.value.status) == (signal.id, "Skipped")
    assert caught.value.run_id == (await signal.get_runs())[0].id
    rapidata_sandbox.assert_paid_jobs(1)


async def test_a_trigger_that_fails_ends_the_wait(client, rapidata_sandbox, hurry, signal):
    rapidata_sandbox.advance(1)
    definition = await client.job.get_job_definition_by_id(signal.job_definition_id)
    await client._transport.send(
        "DELETE", f"/job/definition/{definition.id}", call=Call.REPEATABLE, about="it"
    )
    await signal.trigger()
    with pytest.raises(errors.SignalRunError, match=f"Failed.*{definition.id}"):
        await signal.wait_for_next_job()
    rapidata_sandbox.assert_paid_jobs(0)


async def test_waiting_for_the_schedule_passes_skipped_firings_over(
    client, rapidata_sandbox, hurry, signal
):
    await signal.trigger()
    job = await signal.wait_for_next_job()
    rapidata_sandbox.set_job_state(job.id, "Paused")
    rapidata_sandbox.advance(2 * HOUR)
    with pytest.raises(errors.WaitTimeoutError, match="wait again"):
        await signal.wait_for_next_job(timeout=0)
    await job.resume()
    later = await signal.wait_for_next_job(timeout=None, poll_interval=600)
    assert later.id == (await signal.get_jobs())[0].id != job.id
    assert [run.status for run in await signal.get_runs()][1:3] == ["Skipped", "Skipped"]


async def test_no_firing_between_two_waits_is_missed(rapidata_sandbox, hurry, signal):
    first = await signal.wait_for_next_job(timeout=None, poll_interval=600)
    rapidata_sandbox.advance(2 * HOUR)
    second = await signal.wait_for_next_job(timeout=0)
    third = await signal.wait_for_next_job(timeout=0)
    assert [job.id for job in await signal.get_jobs(sort_descending=False)] == [
        first.id,
        second.id,
        third.id,
    ]


async def test_waiting_ends(signal, rapidata_sandbox):
    with pytest.raises(errors.WaitTimeoutError, match="wait again"):
        await signal.wait_for_next_job(timeout=0)
    with pytest.raises(errors.ValidationError, match="poll_interval"):
        await signal.wait_for_next_job(poll_interval=0)
    run = await signal.trigger()
    rapidata_sandbox.advance(10)
    # The trigger is not forgotten.
    job = await signal.wait_for_next_job(timeout=0)
    assert {run.id: run.job_id for run in await signal.get_runs()} == {run.id: job.id}


async def test_a_look_that_fails_does_not_end_the_wait(rapidata_sandbox, hurry, signal):
    impatient = RetryPolicy(attempts=1)
    async with AsyncRapidataClient(environment=rapidata_sandbox.url, retry=impatient) as client:
        again = await client.signals.get_signal_by_id(signal.id)
        await again.trigger()
        failed = {"method": "GET", "path": f"/signal/{signal.id}/run", "phase": "before"}
        rapidata_sandbox.faults([failed | {"action": "status", "status": 500}])
        rapidata_sandbox.faults([failed | {"action": "drop", "nth": 2}])
        assert (await again.wait_for_next_job()).id


async def test_a_signal_whose_answer_is_lost_is_found_and_not_created_twice(
    client, rapidata_sandbox, hurry, definition, signal
):
    # One of the same name, definition and audience is there already; it is not mistaken for ours.
    rapidata_sandbox.faults([lost("/signal")])
    twin = await client.signals.create_signal("Hourly", "global", definition, 3)
    assert twin.id != signal.id
    assert twin.interval_hours == 3
    assert len(await client.signals.find_signals()) == 2
    assert len(sent(rapidata_sandbox, "POST", "/signal")) == 2


async def test_a_signal_that_was_not_created_is_not_created_by_guessing(
    client, rapidata_sandbox, hurry, definition, signal
):
    rapidata_sandbox.faults([refused("/signal")])
    with pytest.raises(errors.AmbiguousSubmissionError, match="find_signals"):
        await client.signals.create_signal("Hourly", "global", definition, 1)
    assert len(await client.signals.find_signals()) == 1
    assert len(sent(rapidata_sandbox, "POST", "/signal")) == 2


async def test_a_signal_that_cannot_be_read_is_named(client, rapidata_sandbox, definition):
    rapidata_sandbox.faults(
        [
            {
                "method": "GET",
                "path": "/signal/.*",
                "phase": "before",
                "action": "status",
                "status": 403,
            }
        ]
    )
    with pytest.raises(errors.AmbiguousSubmissionError, match="Do not create it again") as caught:
        await client.signals.create_signal("Hourly", "global", definition, 1)
    [found] = await client.signals.find_signals()
    assert found.id in str(caught.value)


async def test_a_trigger_whose_answer_is_lost_is_found_and_not_repeated(
    rapidata_sandbox, hurry, signal
):
    rapidata_sandbox.faults([lost(f"/signal/{signal.id}/trigger")])
    await signal.trigger()
    assert (await signal.wait_for_next_job()).id
    rapidata_sandbox.advance(60)
    rapidata_sandbox.assert_paid_jobs(1)
    assert len(sent(rapidata_sandbox, "POST", "/trigger")) == 1


async def test_a_trigger_that_never_arrived_is_not_repeated(rapidata_sandbox, hurry, signal):
    await signal.trigger()
    rapidata_sandbox.advance(60)
    rapidata_sandbox.faults([refused(f"/signal/{signal.id}/trigger")])
    with pytest.raises(errors.AmbiguousSubmissionError, match="get_runs"):
        await signal.trigger()
    rapidata_sandbox.assert_paid_jobs(1)
    # Nothing is waited for that was not asked for.
    assert (await signal.wait_for_next_job(timeout=0)).id
    assert len(sent(rapidata_sandbox, "POST", "/trigger")) == 2


async def test_everything_that_is_wrong_is_said_at_once(client, rapidata_sandbox, signal):
    before = len(rapidata_sandbox.requests())
    with pytest.raises(errors.ValidationError) as caught:
        await client.signals.create_signal(" ", "", "", 0.01, revision_number=0)
    wrong = [problem.split(":")[0] for problem in caught.value.problems]
    assert wrong == ["name", "audience", "job_definition", "interval_hours", "revision_number"]
    for hours in (float("nan"), float("inf"), -1, True, "1"):
        with pytest.raises(errors.ValidationError, match="interval_hours"):
            await signal.update(interval_hours=hours)
    with pytest.raises(errors.ValidationError, match="name"):
        await signal.update(name="")
    with pytest.raises(errors.ValidationError, match="signal_id"):
        await client.signals.get_signal_by_id(" ")
    assert len(rapidata_sandbox.requests()) == before


async def test_a_definition_that_does_not_exist(client):
    with pytest.raises(errors.ValidationError, match="jobDefinitionId"):
        await client.signals.create_signal("n", "global", "nope", 1)


async def a_signal(client, interval_hours=1000, key=None):
    asked = await client.job.create_compare_job_definition(
        "n", "Which?", [["a", "b"]], data_type="text"
    )
    return await client.signals.create_signal("n", "global", asked, interval_hours, key=key)


async def test_creating_with_a_key_updates(restarted, rapidata_sandbox):
    async with restarted() as client:
        signal = await a_signal(client, key="k")
        assert signal.name == "n"
        definition = signal.job_definition_id
        create = client.signals.create_signal
        before = len(rapidata_sandbox.requests())
        same = await create("n", "global", definition, 1000, key="k")
        assert (same.id, same.name) == (signal.id, "n")
        assert [r["method"] for r in rapidata_sandbox.requests()[before:]] == ["GET"]
        await same.trigger(key="now")
        changed = await create("m", "global", definition, 500, "for us", key="k")
        assert changed.id == signal.id
        assert (changed.name, changed.description, changed.interval_hours) == ("m", "for us", 500)
        # What is not given stays, and so does what is written there about the trigger.
        await changed.update(name="o")
        unchanged = await create("o", "global", definition, 500, key="k")
        assert (unchanged.id, unchanged.description) == (signal.id, "for us")
        await unchanged.trigger(key="now")
        assert len(sent(rapidata_sandbox, "POST", "/trigger")) == 1
        # Other keys, other namespaces and no key mean other signals.
        assert (await create("o", "global", definition, 500, key="l")).id != signal.id
        assert (await create("o", "global", definition, 500)).id != signal.id
        assert len(await client.signals.find_signals()) == 3
        with pytest.raises(errors.ValidationError, match="key"):
            await create("o", "global", definition, 500, key=" ")


@pytest.mark.parametrize("field", ["audienceId", "isPublic", "revisionNumber"])
async def test_what_the_platform_does_not_change_is_a_conflict(restarted, field):
    other = {"audience": "sbx_other", "is_public": False, "revision_number": None}
    async with restarted() as client:
        signal = await a_signal(client, key="k")
        other["audience"] = (await client.audience.create_audience("Other")).id
        given = {"audience": "global", "is_public": True, "revision_number": 1}
        name = {"audienceId": "audience", "isPublic": "is_public"}.get(field, "revision_number")
        changed = {"audience": "global", name: other[name] if name == "audience" else given[name]}
        with pytest.raises(errors.KeyConflictError, match=f"{signal.id}.*{field}") as caught:
            await client.signals.create_signal(
                "n", job_definition=signal.job_definition_id, interval_hours=1, key="k", **changed
            )
        assert caught.value.object_id == signal.id
        assert field in caught.value.expected
        assert field in caught.value.found
        assert isinstance(caught.value, errors.FINAL)


async def test_of_signals_that_race_the_oldest_stays(restarted, rapidata_sandbox, monkeypatch):
    async with restarted() as one, restarted() as two:
        definition = await one.job.create_compare_job_definition(
            "n", "Which?", [["a", "b"]], data_type="text"
        )
        first = []

        class Late(AsyncSignalApi):
            async def create(self, body):
                if not first:
                    # Both have looked, and the other one is faster.
                    first.append(None)
                    first[0] = await two.signals.create_signal(
                        "n", "global", definition, 1, key="k"
                    )
                return await super().create(body)

        monkeypatch.setattr("rapidata_core._async.signals.AsyncSignalApi", Late)
        async with restarted() as slow:
            signal = await slow.signals.create_signal("n", "global", definition, 1, key="k")
        assert signal.id == first[0].id
        assert [found.id for found in await one.signals.find_signals()] == [signal.id]
        rapidata_sandbox.advance(HOUR + 10)
        rapidata_sandbox.assert_paid_jobs(1)


async def test_a_trigger_returns_its_run(restarted, rapidata_sandbox):
    async with restarted() as client:
        signal = await a_signal(client, interval_hours=1)
        run = await signal.trigger(key="a")
        assert run.trigger_source == "Manual"
        assert signal.description is None
        rapidata_sandbox.advance(10)
        again = await client.signals.get_signal_by_id(signal.id)
        assert again.description is None
        # Scheduled runs and other people's descriptions do not confuse it.
        await again.update(description="People write here")
        rapidata_sandbox.advance(2 * HOUR)
        assert (await again.trigger(key="a")).id == run.id
        job = await again.wait_for_next_job(timeout=0)
        assert job.id == (await again.trigger(key="a")).job_id
        await again.reload()
        assert again.description == "People write here"
        assert len(sent(rapidata_sandbox, "POST", "/trigger")) == 1
        # Without a key, every call fires.
        assert (await again.trigger()).id != run.id
        with pytest.raises(errors.ValidationError, match="key"):
            await again.trigger(key="")


@pytest.mark.parametrize("key", [None, "mine"])
async def test_what_is_too_expensive_is_not_fired(rapidata_sandbox, definition, signal, key):
    cost = (await definition.estimated_cost).estimated_cost
    with pytest.raises(errors.BudgetExceededError):
        await signal.trigger(key=key, max_cost=cost / 2)
    assert await signal.get_runs() == []
    await signal.trigger(key=key, max_cost=cost)
    rapidata_sandbox.advance(HOUR / 2)
    rapidata_sandbox.assert_paid_jobs(1)


async def test_a_limit_does_not_hide_what_the_key_has(rapidata_sandbox, signal):
    run = await signal.trigger(key="mine")
    assert (await signal.trigger(key="mine", max_cost=0)).id == run.id
    rapidata_sandbox.advance(HOUR / 2)
    rapidata_sandbox.assert_paid_jobs(1)


async def test_a_limit_that_is_none_is_refused(rapidata_sandbox, signal):
    before = len(rapidata_sandbox.requests())
    with pytest.raises(errors.ValidationError, match="max_cost"):
        await signal.trigger(max_cost=-1)
    assert len(rapidata_sandbox.requests()) == before


async def test_a_key_is_remembered_after_others_have_fired(restarted, rapidata_sandbox):
    runs = {}
    async with restarted() as client:
        signal = await a_signal(client)
    for key in ("a", "b", "c"):
        async with restarted() as client:
            again = await client.signals.get_signal_by_id(signal.id)
            runs[key] = (await again.trigger(key=key)).id
            rapidata_sandbox.advance(HOUR)
    for key in ("c", "a", "b"):
        async with restarted() as client:
            again = await client.signals.get_signal_by_id(signal.id)
            assert (await again.trigger(key=key)).id == runs[key]
    assert len(set(runs.values())) == 3
    rapidata_sandbox.assert_paid_jobs(3)


async def test_a_key_that_died_before_it_fired_does_not_take_another_ones_run(
    restarted, rapidata_sandbox
):
    async with restarted() as client:
        signal = await a_signal(client)
        # Its process died before it fired; the next key comes first.
        task = client.signals.get_signal_by_id
        intent = Intent(key_marker("", f"{signal.id} a"), "0badcafe", "")
        await client._transport.send(
            "PATCH",
            f"/signal/{signal.id}",
            call=Call.REPEATABLE,
            about="it",
            json={"description": described(None, intent)},
        )
        b = await (await task(signal.id)).trigger(key="b")
        rapidata_sandbox.advance(HOUR)
        a = await (await task(signal.id)).trigger(key="a")
        assert a.id != b.id
    rapidata_sandbox.advance(HOUR)
    rapidata_sandbox.assert_paid_jobs(2)


async def test_a_skipped_trigger_is_surfaced_and_may_be_fired_again(restarted, rapidata_sandbox):
    async with restarted() as client:
        signal = await a_signal(client)
        await signal.trigger(key="a")
        job = await signal.wait_for_next_job()
        rapidata_sandbox.set_job_state(job.id, "Paused")
        run = await signal.trigger(key="b")
        assert run.status == SignalRunStatus.SKIPPED
        assert "still open" in run.skipped_reason
        with pytest.raises(errors.SignalRunError, match=r"still open.*trigger again"):
            await signal.wait_for_next_job()
        rapidata_sandbox.assert_paid_jobs(1)
        # It cost nothing, so the key has nothing yet.
        await job.resume()
        rapidata_sandbox.advance(HOUR)
        fired = await signal.trigger(key="b")
        assert fired.status != SignalRunStatus.SKIPPED
        assert (await signal.trigger(key="b")).id == fired.id
        assert (await signal.wait_for_next_job()).id != job.id
    rapidata_sandbox.assert_paid_jobs(2)


async def test_a_run_that_is_listed_late_is_waited_for(restarted, rapidata_sandbox, monkeypatch):
    async with restarted() as client:
        signal = await a_signal(client)
    hidden = []

    class Lagging(AsyncSignalApi):
        async def runs(self, signal_id, *arguments, **more):
            found = await super().runs(signal_id, *arguments, **more)
            hidden.append(None)
            return [] if len(hidden) < 8 else found

    monkeypatch.setattr("rapidata_core._async.trigger.AsyncSignalApi", Lagging)
    rapidata_sandbox.faults([lost(".*/trigger")])
    async with restarted() as client:
        again = await client.signals.get_signal_by_id(signal.id)
        run = await again.trigger(key="a")
        assert run.id == (await again.get_runs())[0].id
    rapidata_sandbox.advance(10)
    rapidata_sandbox.assert_paid_jobs(1)
    assert len(sent(rapidata_sandbox, "POST", "/trigger")) == 1


async def test_runners_of_one_key_fire_once(restarted, rapidata_sandbox):
    async with restarted() as client:
        signal = await a_signal(client)

    async def fire(_):
        async with restarted(settle=2) as client:
            again = await client.signals.get_signal_by_id(signal.id)
            return (await again.trigger(key="a")).id

    runs = await async_map(fire, range(4), workers=4)
    rapidata_sandbox.advance(HOUR)
    rapidata_sandbox.assert_paid_jobs(1)
    async with restarted() as client:
        [paid] = await (await client.signals.get_signal_by_id(signal.id)).get_jobs()
    # A run that the platform skipped may have been seen first.
    last = await fire(None)
    async with restarted() as client:
        shown = await (await client.signals.get_signal_by_id(signal.id)).get_runs()
    assert {run.id: run.job_id for run in shown}[last] == paid.id
    assert last in runs


async def test_of_two_intents_the_last_one_fires(restarted, rapidata_sandbox, monkeypatch):
    async with restarted() as client:
        signal = await a_signal(client)
    written = []

    class Slow(AsyncSignalApi):
        async def update(self, signal_id, changes):
            await super().update(signal_id, changes)
            written.append(changes["description"])
            if len(written) == 1:
                # Another runner of the key has looked before us, and writes and fires after us.
                intent = Intent(key_marker("", f"{signal.id} a"), "0badcafe", "")
                await super().update(signal_id, {"description": described(None, intent)})
                await super().trigger(signal_id)

    monkeypatch.setattr("rapidata_core._async.trigger.AsyncSignalApi", Slow)
    async with restarted() as client:
        run = await (await client.signals.get_signal_by_id(signal.id)).trigger(key="a")
        [found] = await (await client.signals.get_signal_by_id(signal.id)).get_runs()
    assert found.id == run.id
    assert len(sent(rapidata_sandbox, "POST", "/trigger")) == 1


async def test_a_runner_that_was_asleep_for_too_long_does_not_fire(
    restarted, rapidata_sandbox, monkeypatch
):
    async with restarted() as client:
        signal = await a_signal(client)
    now = iter(range(0, 1000, 10))
    monkeypatch.setattr("rapidata_core._async.trigger.async_monotonic", lambda: next(now))
    async with restarted() as client:
        again = await client.signals.get_signal_by_id(signal.id)
        with pytest.raises(errors.AmbiguousSubmissionError, match="the same key"):
            await again.trigger(key="a")
    assert sent(rapidata_sandbox, "POST", "/trigger") == []


async def test_another_key_waits_for_the_job_of_the_one_before(
    restarted, rapidata_sandbox, monkeypatch
):
    async with restarted() as client:
        signal = await a_signal(client)
        await signal.trigger(key="a")

    class Jobless(AsyncSignalApi):
        async def run(self, run_id):
            found = await super().run(run_id)
            return found.model_copy(update={"audience_job_id": None, "status": "Pending"})

    monkeypatch.setattr("rapidata_core._async.trigger.AsyncSignalApi", Jobless)
    async with restarted() as client:
        again = await client.signals.get_signal_by_id(signal.id)
        with pytest.raises(errors.SignalRunError, match="has no job yet") as caught:
            await again.trigger(key="b")
        assert caught.value.signal_id == signal.id
        assert (await again.trigger(key="a")).id == caught.value.run_id
    assert len(sent(rapidata_sandbox, "POST", "/trigger")) == 1


async def test_a_list_that_is_not_filtered_stops_everything(
    restarted, rapidata_sandbox, monkeypatch
):
    async with restarted() as client:
        signal = await a_signal(client)

    class Careless(AsyncSignalApi):
        async def list(self, filters=(), **more):
            return await super().list((), **more)

    monkeypatch.setattr("rapidata_core._async.signals.AsyncSignalApi", Careless)
    async with restarted() as client:
        with pytest.raises(errors.ServerError, match="nothing was paid"):
            await client.signals.create_signal("n", "global", signal.job_definition_id, 1, key="k")
