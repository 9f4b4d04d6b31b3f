"""Waiting for jobs: who looks, how often, and what those who wait get to know."""

import logging
import pickle
import threading

import pytest

from rapidata_core import AsyncRapidataClient, errors
from rapidata_core._async import watch
from rapidata_core._async.api.jobs import AsyncJobApi
from rapidata_core.concurrency import async_map, async_sleep
from rapidata_core.policy.polling import PollingPolicy
from rapidata_core.policy.retry import RetryPolicy

LONG = 14 * 24 * 3600
EMPTY_PAGE = {"items": [], "page": 1, "pageSize": 100, "total": 0, "totalPages": 0}


async def make_jobs(client, count, audience_id="global"):
    """Ids of new jobs of one definition."""
    definition = await client.job.create_compare_job_definition(
        name="Watched", instruction="Which?", datapoints=[["a", "b"]], data_type="text"
    )
    jobs = AsyncJobApi(client._transport)
    return [
        (
            await jobs.create(
                definition_id=definition.id,
                audience_id=audience_id,
                revision_number=1,
                name=f"watched {number}",
            )
        ).job_id
        for number in range(count)
    ]


async def all_at_once(*acts):
    async def run(act):
        return await act()

    return await async_map(run, acts, len(acts))


class Looks:
    """What was asked since this was made."""

    def __init__(self, sandbox):
        self._sandbox = sandbox
        self._before = len(sandbox.requests())

    def paths(self):
        return [
            (one["method"], one["path"], one["query"])
            for one in self._sandbox.requests()[self._before :]
        ]

    def pages(self):
        """How many ids each look had."""
        return [query.count("id%5Bin%5D") for _, path, query in self.paths() if path == "/jobs"]

    def singles(self):
        return [path for method, path, _ in self.paths() if path.startswith("/job/")]

    def of(self, ending):
        return [path for _, path, _ in self.paths() if path.endswith(ending)]


async def test_two_hundred_wait_with_a_few_requests(client, rapidata_sandbox):
    job_ids = await make_jobs(client, 200)
    looks = Looks(rapidata_sandbox)
    told, everybody = set(), threading.Lock()
    marks = []

    async def wait(job_id):
        def on_progress(progress):
            with everybody:
                told.add(job_id)
                if len(told) == 200 and not marks:
                    # Everybody has seen their job once. Now they all complete.
                    marks.append(len(looks.pages()))
                    rapidata_sandbox.advance(LONG)

        await client.job.wait(job_id, on_progress=on_progress, poll_interval=0.5)

    await async_map(wait, job_ids, 200)
    assert looks.singles() == []
    assert max(looks.pages()) == 100
    # Two pages are enough; those who are about to leave may be asked about once more.
    assert len(looks.pages()) - marks[0] <= 6
    assert len(looks.of("/user-metrics")) <= 2


async def test_many_who_wait_for_one_job_are_one_id(client, rapidata_sandbox):
    [job_id] = await make_jobs(client, 1)
    looks = Looks(rapidata_sandbox)
    told = []

    async def wait(_):
        def on_progress(progress):
            told.append(progress.state)
            if len(told) == 20:
                rapidata_sandbox.advance(LONG)

        await client.job.wait(job_id, on_progress=on_progress, poll_interval=0.2)

    await async_map(wait, range(20), 20)
    assert set(looks.pages()) == {1}
    assert told.count("Completed") == 20


async def test_many_clients_share_the_looks_and_the_token(client, rapidata_sandbox):
    job_ids = await make_jobs(client, 20)
    looks = Looks(rapidata_sandbox)
    told = []

    async def wait(job_id):
        def on_progress(progress):
            told.append(job_id)
            if len(told) == 20:
                marks.append(len(looks.pages()))
                rapidata_sandbox.advance(LONG)

        async with AsyncRapidataClient(environment=rapidata_sandbox.url) as mine:
            await mine.job.wait(job_id, on_progress=on_progress, poll_interval=0.5)

    marks = []
    await async_map(wait, job_ids, 20)
    assert len(looks.pages()) - marks[0] <= 6
    # Who leads needs one; most never do.
    assert len(looks.of("/connect/token")) <= 8
    assert looks.singles() == []


async def test_nobody_is_remembered_who_waits_no_more(client, rapidata_sandbox, monkeypatch):
    [job_id] = await make_jobs(client, 1)
    made = []
    of = watch._watchers.of
    monkeypatch.setattr(watch._watchers, "of", lambda key: made.append(of(key)) or made[-1])
    with pytest.raises(errors.WaitTimeoutError):
        await client.job.wait(job_id, timeout=0)
    rapidata_sandbox.advance(LONG)
    await client.job.wait(job_id)
    assert made
    for watcher in made:
        assert (watcher._waiters, watcher._idle, watcher._leader) == ({}, {}, None)


async def test_others_go_on_when_the_leader_leaves(client, rapidata_sandbox):
    job_ids = await make_jobs(client, 3)

    async def impatient():
        with pytest.raises(errors.WaitTimeoutError) as caught:
            await client.job.wait(job_ids[0], timeout=0.3, poll_interval=0.1)
        assert caught.value.job_id == job_ids[0]
        assert caught.value.state in {"Submitted", "Running"}

    async def careless():
        def on_progress(progress):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await client.job.wait(job_ids[1], on_progress=on_progress)

    async def patient():
        await async_sleep(0.05)
        await client.job.wait(job_ids[2], poll_interval=0.1)

    async def later():
        await async_sleep(0.6)
        rapidata_sandbox.advance(LONG)

    await all_at_once(impatient, careless, patient, later)


async def test_a_newcomer_does_not_wait_for_the_leader_to_wake_up(client, rapidata_sandbox):
    slow, quick = await make_jobs(client, 2)

    async def leader():
        await client.job.wait(slow, poll_interval=60)

    async def newcomer():
        await async_sleep(0.2)
        rapidata_sandbox.advance(LONG)
        looks = Looks(rapidata_sandbox)
        await client.job.wait(quick, timeout=0)
        # The leader asks for itself in passing.
        assert looks.pages() == [2]

    await all_at_once(leader, newcomer)


async def test_the_last_look_is_at_the_deadline(client, rapidata_sandbox):
    [job_id] = await make_jobs(client, 1)

    async def wait():
        # The only look before is at the beginning.
        await client.job.wait(job_id, timeout=0.5, poll_interval=60)

    async def complete():
        await async_sleep(0.2)
        rapidata_sandbox.advance(LONG)

    await all_at_once(wait, complete)


async def test_jobs_that_the_list_lacks_are_looked_up_now_and_then(client, rapidata_sandbox):
    [job_id] = await make_jobs(client, 1)
    rapidata_sandbox.advance(3)
    looks = Looks(rapidata_sandbox)
    lag = {"method": "GET", "path": "/jobs", "phase": "before", "action": "status"}
    rapidata_sandbox.faults([lag | {"status": 200, "body": EMPTY_PAGE}] * 4)
    states = []

    def on_progress(progress):
        states.append(progress.state)

    async def wait():
        await client.job.wait(job_id, on_progress=on_progress)

    async def ask_in_passing():
        for _ in range(3):
            await async_sleep(0.1)
            with pytest.raises(errors.NotFoundError):
                await client.job.wait("nope")
        rapidata_sandbox.advance(LONG)

    await all_at_once(wait, ask_in_passing)
    assert states[0] == "Running"
    assert states[-1] == "Completed"
    assert len([path for path in looks.singles() if path == f"/job/{job_id}"]) == 1


async def test_a_request_that_is_refused_for_one_id_is_split(client, rapidata_sandbox):
    job_ids = await make_jobs(client, 2)
    rapidata_sandbox.advance(LONG)
    fault = {"method": "GET", "path": "/jobs", "phase": "before", "action": "status"}
    rapidata_sandbox.faults([fault | {"status": 400}] * 2)
    await async_map(client.job.wait, job_ids, 2)


async def test_a_job_that_is_deleted_ends_one_wait(client, rapidata_sandbox):
    gone, stays = await make_jobs(client, 2)

    async def bereft():
        with pytest.raises(errors.NotFoundError, match=gone):
            await client.job.wait(gone, poll_interval=0.1)

    async def other():
        await client.job.wait(stays, poll_interval=0.1)

    async def delete():
        await async_sleep(0.2)
        await AsyncJobApi(client._transport).delete(gone)
        await async_sleep(0.3)
        rapidata_sandbox.advance(LONG)

    await all_at_once(bereft, other, delete)


async def test_failures_are_looked_past_for_a_while(rapidata_sandbox, monkeypatch, caplog):
    policy = PollingPolicy(fastest=0.05, slowest=0.05, error_budget=0.5)
    monkeypatch.setattr("rapidata_core._async.jobs.steady", lambda _: policy)
    fault = {"method": "GET", "path": "/jobs", "phase": "before", "action": "status"}
    impatient = AsyncRapidataClient(environment=rapidata_sandbox.url, retry=RetryPolicy(attempts=1))
    async with impatient as client:
        job_ids = await make_jobs(client, 3)
        rapidata_sandbox.advance(LONG)
        rapidata_sandbox.faults([fault | {"status": 503}] * 3)
        await async_map(client.job.wait, job_ids, 3)
        assert "will look again" in caplog.text
        rapidata_sandbox.faults([fault | {"status": 503}] * 2000)

        async def wait(job_id):
            with pytest.raises(errors.ServerError):
                await client.job.wait(job_id)

        looks = Looks(rapidata_sandbox)
        await async_map(wait, job_ids, 3)
        # All of them are told by the same looks.
        assert 3 <= len(looks.pages()) <= 14
        rapidata_sandbox.clear_faults()


async def test_a_deadline_while_nothing_can_be_seen(rapidata_sandbox):
    fault = {"method": "GET", "path": "/jobs", "phase": "before", "action": "drop"}
    impatient = AsyncRapidataClient(environment=rapidata_sandbox.url, retry=RetryPolicy(attempts=1))
    async with impatient as client:
        rapidata_sandbox.faults([fault] * 100)
        with pytest.raises(errors.WaitTimeoutError) as caught:
            await client.job.wait("job_x", timeout=0.2, poll_interval=0.1)
        assert (caught.value.job_id, caught.value.state) == ("job_x", "unknown")
        rapidata_sandbox.clear_faults()


async def test_refused_credentials_end_all_waits(client, rapidata_sandbox):
    job_ids = await make_jobs(client, 2)
    fault = {"method": "GET", "path": "/jobs", "phase": "before", "action": "status"}
    rapidata_sandbox.faults([fault | {"status": 403}] * 4)

    async def wait(job_id):
        with pytest.raises(errors.AuthenticationError):
            await client.job.wait(job_id)

    await async_map(wait, job_ids, 2)
    rapidata_sandbox.clear_faults()


async def test_only_what_lacks_a_reason_is_read_by_itself(client, rapidata_sandbox):
    [failed, done] = await make_jobs(client, 2)
    rapidata_sandbox.set_job_state(failed, "Failed", failure_message="the dog ate it")
    rapidata_sandbox.set_job_state(done, "Completed")
    looks = Looks(rapidata_sandbox)
    await client.job.wait(done)
    assert looks.singles() == []
    with pytest.raises(errors.JobFailedError, match="the dog ate it"):
        await client.job.wait(failed)
    assert looks.singles() == [f"/job/{failed}"]


async def test_a_reason_that_cannot_be_read_hides_nothing(rapidata_sandbox):
    impatient = AsyncRapidataClient(environment=rapidata_sandbox.url, retry=RetryPolicy(attempts=1))
    async with impatient as client:
        [job_id] = await make_jobs(client, 1)
        rapidata_sandbox.set_job_state(job_id, "Failed")
        rapidata_sandbox.faults(
            [{"method": "GET", "path": "/job/.*", "phase": "before", "action": "drop"}]
        )
        with pytest.raises(errors.JobFailedError, match="cannot be read now"):
            await client.job.wait(job_id)


async def test_somebody_else_may_act(client, rapidata_sandbox, caplog):
    caplog.set_level(logging.WARNING, "rapidata_core")
    [job_id] = await make_jobs(client, 1)
    rapidata_sandbox.set_job_state(job_id, "ManualApproval", review_reason="ContentFlagged")
    looks = Looks(rapidata_sandbox)
    states = []

    async def wait():
        await client.job.wait(
            job_id,
            on_progress=lambda progress: states.append(progress.state),
            poll_interval=0.05,
            on_attention={"ManualApproval": "wait"},
        )

    async def approve():
        await async_sleep(0.5)
        assert states == ["ManualApproval"]
        assert len(looks.pages()) > 3
        await AsyncJobApi(client._transport).resume(job_id)
        rapidata_sandbox.advance(LONG)

    await all_at_once(wait, approve)
    assert states[-1] == "Completed"
    [warning] = [text for text in caplog.messages if "Waiting goes on" in text]
    assert "review" in warning
    assert "(ContentFlagged)" in warning


async def test_a_job_is_resumed_once_each_time_that_it_is_held(client, rapidata_sandbox):
    [job_id] = await make_jobs(client, 1)
    looks = Looks(rapidata_sandbox)
    states = []

    def on_progress(progress):
        states.append(progress.state)
        if progress.state == "Running":
            if states.count("Running") == 1:
                rapidata_sandbox.set_job_state(job_id, "Blocked")
            else:
                rapidata_sandbox.advance(LONG)

    rapidata_sandbox.advance(2)
    await AsyncJobApi(client._transport).pause(job_id)
    await client.job.wait(
        job_id,
        on_progress=on_progress,
        poll_interval=0.1,
        on_attention={"Paused": "resume", "Blocked": "resume"},
    )
    assert [states[0], states[-1]] == ["Paused", "Completed"]
    assert "Blocked" in states
    assert len(looks.of("/resume")) == 2


async def test_a_job_that_stays_paused_is_not_resumed_again(client, rapidata_sandbox):
    [job_id] = await make_jobs(client, 1)
    rapidata_sandbox.set_job_state(job_id, "Paused")
    fault = {"method": "POST", "path": ".*/resume", "phase": "before", "action": "status"}
    rapidata_sandbox.faults([fault | {"status": 204}])
    looks = Looks(rapidata_sandbox)
    with pytest.raises(errors.WaitTimeoutError):
        await client.job.wait(
            job_id, timeout=0.4, poll_interval=0.1, on_attention={"Paused": "resume"}
        )
    assert len(looks.of("/resume")) == 1


async def test_resuming_that_is_refused_is_said(client, rapidata_sandbox):
    [job_id] = await make_jobs(client, 1)
    rapidata_sandbox.set_job_state(job_id, "SpendLimited")
    rapidata_sandbox.faults(
        [
            {
                "method": "POST",
                "path": ".*/resume",
                "phase": "before",
                "action": "status",
                "status": 409,
            }
        ]
    )
    with pytest.raises(errors.ValidationError):
        await client.job.wait(job_id, on_attention={"SpendLimited": "resume"})


@pytest.mark.parametrize(
    ("wishes", "problem"),
    [
        ({"Sleeping": "wait"}, "'Sleeping' is none of"),
        ({"Failed": "wait"}, "'Failed' is none of"),
        ({"Paused": "cry"}, "'cry' is none of fail, wait, resume"),
        ({"ManualApproval": "resume"}, "only Paused, SpendLimited, Blocked can be resumed"),
    ],
)
async def test_wishes_that_make_no_sense(client, rapidata_sandbox, wishes, problem):
    with pytest.raises(errors.ValidationError, match="on_attention") as caught:
        await client.job.wait("job", on_attention=wishes)
    assert problem in str(caught.value)
    assert rapidata_sandbox.requests() == []


async def test_partial_results_at_a_deadline(client, rapidata_sandbox):
    [job_id] = await make_jobs(client, 1)
    job = await client.job.get_job_by_id(job_id)
    rapidata_sandbox.advance(4)
    await job.pause()
    rapidata_sandbox.set_job_state(job_id, "Running")
    with pytest.raises(errors.WaitTimeoutError):
        await job.get_results(timeout=0)
    with pytest.raises(errors.ValidationError, match="on_timeout"):
        await job.get_results(timeout=0, on_timeout="shrug")
    partial = await job.get_results(timeout=0, on_timeout="partial")
    assert partial.is_partial
    assert (await job.get_results(preliminary_results=True)).is_partial
    copy = pickle.loads(pickle.dumps(partial))
    assert copy == partial
    assert copy.is_partial
    rapidata_sandbox.set_job_state(job_id, "Completed")
    assert not (await job.get_results(timeout=0, on_timeout="partial")).is_partial
    assert not (await job.get_results(preliminary_results=True)).is_partial


async def test_stale_results_that_stay_stale_end_with_the_job(client, rapidata_sandbox):
    [job_id] = await make_jobs(client, 1)
    rapidata_sandbox.set_job_state(job_id, "StaleResults")
    rapidata_sandbox.faults(
        [
            {
                "method": "POST",
                "path": ".*/retry",
                "phase": "before",
                "action": "status",
                "status": 204,
            }
        ]
    )
    job = await client.job.get_job_by_id(job_id)
    with pytest.raises(errors.WaitTimeoutError) as caught:
        await job.get_results(timeout=0.3)
    assert caught.value.job_id == job_id


async def test_an_audience_is_asked_about_once_for_all_its_jobs(client, rapidata_sandbox):
    audience = await client.audience.create_audience("Nobody")
    job_ids = await make_jobs(client, 20, audience.id)
    looks = Looks(rapidata_sandbox)

    async def wait(job_id):
        with pytest.raises(errors.JobNeedsAttentionError, match="nobody has qualified") as caught:
            await client.job.wait(job_id, poll_interval=0.3)
        assert caught.value.job_id == job_id

    await async_map(wait, job_ids, 20)
    # Twice, and once more for each who came after the first look.
    assert len(looks.of("/user-metrics")) < 10


async def test_an_audience_that_is_gone(client, rapidata_sandbox):
    audience = await client.audience.create_audience("Gone")
    [job_id] = await make_jobs(client, 1, audience.id)
    await audience.delete()
    with pytest.raises(errors.JobNeedsAttentionError, match=f"audience {audience.id} is gone"):
        await client.job.wait(job_id, poll_interval=0.05)
