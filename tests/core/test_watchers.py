"""What tasks and processes do to those who wait for jobs."""

import asyncio
import gc
import os
import threading
import time

import pytest

from rapidata_core import AsyncRapidataClient, RapidataClient, errors
from rapidata_core._async import watch as async_watch
from rapidata_core._sync import watch as sync_watch
from rapidata_core.concurrency import AsyncBell, AsyncShared, Bell, Shared, async_monotonic

LONG = 14 * 24 * 3600


@pytest.fixture
def job_ids(rapidata_sandbox):
    with RapidataClient(environment=rapidata_sandbox.url) as client:
        definition = client.job.create_compare_job_definition(
            name="Watched", instruction="Which?", datapoints=[["a", "b"]], data_type="text"
        )
        audience = client.audience.get_audience_by_id("global")
        return [audience.assign_job(definition).id for _ in range(3)]


def looks(sandbox):
    return [one for one in sandbox.requests() if one["path"] == "/jobs"]


async def until(holds):
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - it is another process that changes it
            await asyncio.sleep(0.01)


async def test_a_leader_that_is_cancelled_asleep_or_asking(rapidata_sandbox, job_ids, monkeypatch):
    asking, asked_by = asyncio.Event(), []
    look = async_watch.AsyncWatcher._look

    async def slow_look(self, transport, page):
        asked_by.append(asyncio.current_task())
        if len(asked_by) in {2, 3}:
            asking.set()
            # As if the platform did not answer.
            await asyncio.sleep(60)
        return await look(self, transport, page)

    monkeypatch.setattr(async_watch.AsyncWatcher, "_look", slow_look)
    async with AsyncRapidataClient(environment=rapidata_sandbox.url) as client:
        tasks = [
            asyncio.create_task(client.job.wait(job_id, poll_interval=0.2)) for job_id in job_ids
        ]
        for _ in range(2):
            await asyncio.wait_for(asking.wait(), 10)
            asking.clear()
            leader = asked_by[-1]
            leader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leader
        [last] = [task for task in tasks if not task.done()]
        rapidata_sandbox.advance(LONG)
        await asyncio.wait_for(last, 10)
        assert len(set(asked_by)) == 3


async def test_one_who_is_called_to_lead_and_cancelled_calls_the_next(rapidata_sandbox, job_ids):
    async with AsyncRapidataClient(environment=rapidata_sandbox.url) as client:
        tasks = [
            asyncio.create_task(client.job.wait(job_id, poll_interval=0.2)) for job_id in job_ids
        ]
        await until(lambda: len(looks(rapidata_sandbox)) >= 3)
        # Whoever leads, the next one is called and is cancelled before it wakes up.
        watcher = async_watch._watchers.of(client._transport.settings)
        owners = dict(zip(job_ids, tasks, strict=True))
        first = owners[watcher._leader.job_id]
        second = owners[next(iter(watcher._idle)).job_id]
        [last] = [task for task in tasks if task not in {first, second}]
        first.cancel()
        second.cancel()
        rapidata_sandbox.advance(LONG)
        await asyncio.wait_for(last, 10)


async def test_a_leader_whose_client_is_broken_harms_nobody_else(
    rapidata_sandbox, job_ids, monkeypatch
):
    look = async_watch.AsyncWatcher._look
    async with (
        AsyncRapidataClient(environment=rapidata_sandbox.url) as broken,
        AsyncRapidataClient(environment=rapidata_sandbox.url) as sound,
    ):

        async def breaking_look(self, transport, page):
            if transport is broken._transport:
                raise RuntimeError("this client has been closed")
            return await look(self, transport, page)

        monkeypatch.setattr(async_watch.AsyncWatcher, "_look", breaking_look)
        first = asyncio.create_task(broken.job.wait(job_ids[0]))
        second = asyncio.create_task(sound.job.wait(job_ids[1], poll_interval=0.1))
        with pytest.raises(RuntimeError, match="closed"):
            await asyncio.wait_for(first, 10)
        rapidata_sandbox.advance(LONG)
        await asyncio.wait_for(second, 10)


async def test_a_follower_gives_up_though_the_leader_gets_no_answer(
    rapidata_sandbox, job_ids, monkeypatch
):
    monkeypatch.setattr(async_watch, "_LAST_LOOK", 0.1)
    look = async_watch.AsyncWatcher._look
    count = []

    async def stuck_look(self, transport, page):
        count.append(page)
        if len(count) > 2:
            await asyncio.sleep(60)
        return await look(self, transport, page)

    monkeypatch.setattr(async_watch.AsyncWatcher, "_look", stuck_look)
    async with AsyncRapidataClient(environment=rapidata_sandbox.url) as client:
        leader = asyncio.create_task(client.job.wait(job_ids[0], poll_interval=0.2))
        await until(lambda: count)
        with pytest.raises(errors.WaitTimeoutError):
            await asyncio.wait_for(client.job.wait(job_ids[1], timeout=0.5, poll_interval=0.2), 10)
        leader.cancel()


def test_two_loops_do_not_meet(rapidata_sandbox, job_ids):
    outcomes = []

    async def wait(job_id):
        async with AsyncRapidataClient(environment=rapidata_sandbox.url) as client:
            await client.job.wait(job_id, poll_interval=0.1)
        outcomes.append(job_id)

    threads = [threading.Thread(target=asyncio.run, args=(wait(job_id),)) for job_id in job_ids[:2]]
    for thread in threads:
        thread.start()
    with RapidataClient(environment=rapidata_sandbox.url) as client:
        with pytest.raises(errors.WaitTimeoutError):
            client.job.wait(job_ids[2], timeout=0.3, poll_interval=0.1)
        rapidata_sandbox.advance(LONG)
        client.job.wait(job_ids[2])
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == sorted(job_ids[:2])


def test_a_loop_that_ended_leaves_nothing_behind(rapidata_sandbox, job_ids):
    async def abandon():
        client = AsyncRapidataClient(environment=rapidata_sandbox.url)
        task = asyncio.create_task(client.job.wait(job_ids[0], poll_interval=0.1))
        await asyncio.sleep(0.3)
        assert len(held(async_watch._watchers)) == 1
        task.cancel()
        await asyncio.wait([task])
        await client.aclose()

    def held(shared):
        gc.collect()
        return [key for held in shared._by_loop.values() for key in held]

    asyncio.run(abandon())
    assert held(async_watch._watchers) == []

    async def go_on():
        async with AsyncRapidataClient(environment=rapidata_sandbox.url) as client:
            await client.job.wait(job_ids[0])

    rapidata_sandbox.advance(LONG)
    asyncio.run(go_on())
    assert held(async_watch._watchers) == []


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_begins_anew(rapidata_sandbox, job_ids):
    client = RapidataClient(environment=rapidata_sandbox.url)
    ended = threading.Event()

    def wait():
        client.job.wait(job_ids[0], poll_interval=0.1)
        ended.set()

    thread = threading.Thread(target=wait)
    thread.start()
    deadline = time.monotonic() + 10
    while len(looks(rapidata_sandbox)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    watcher = sync_watch._watchers.of(client._transport.settings)
    # The worst moment: a lock is held, and the leader is in another thread of the parent.
    with watcher._lock:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                rapidata_sandbox.advance(LONG)
                client.job.wait(job_ids[1], timeout=10)
                status = 0
            finally:
                os._exit(status)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        time.sleep(0.02)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        pytest.fail("the child waits for its parent's threads")
    assert os.waitstatus_to_exitcode(status) == 0
    assert ended.wait(10)
    thread.join(10)
    client.close()


class Thing:
    """Something to share."""


async def test_tasks_share_what_somebody_holds():
    shared = AsyncShared(Thing)
    held = shared.of("a")
    assert shared.of("a") is held
    assert shared.of("b") is not held

    async def in_another_loop():
        return shared.of("a")

    assert await asyncio.to_thread(asyncio.run, in_another_loop()) is not held
    del held
    gc.collect()
    assert not [key for things in shared._by_loop.values() for key in things]


def test_threads_share_what_somebody_holds():
    shared = Shared(Thing)
    held = shared.of("a")
    others = []
    thread = threading.Thread(target=lambda: others.append(shared.of("a")))
    thread.start()
    thread.join(10)
    assert others == [held]
    del held
    others.clear()
    gc.collect()
    assert not [key for _, things in shared._by_process.values() for key in things]


async def test_a_ring_is_never_lost():
    bell, thread_bell = AsyncBell(), Bell()
    bell.ring()
    thread_bell.ring()
    async with asyncio.timeout(10):
        await bell.sleep(float("inf"))
        await asyncio.to_thread(thread_bell.sleep, float("inf"))
        # Once is once.
        await bell.sleep(async_monotonic() + 0.01)
        thread_bell.sleep(time.monotonic() - 1)
        waiting = asyncio.create_task(bell.sleep(float("inf")))
        await asyncio.sleep(0)
        bell.ring()
        await waiting
