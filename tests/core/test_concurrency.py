"""What tasks and threads do differently, side by side."""

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from rapidata_core import concurrency
from rapidata_core.concurrency import AsyncFlights, Flights, async_each, thread_each


async def test_tasks_with_the_same_work_share_it():
    flights, begun = AsyncFlights(), []
    release = asyncio.Event()

    async def work():
        begun.append(1)
        await release.wait()
        return "done"

    both = [asyncio.create_task(flights.once("k", work)) for _ in range(2)]
    other = asyncio.create_task(flights.once("other", work))
    await asyncio.sleep(0)
    release.set()
    assert await asyncio.gather(*both, other) == ["done"] * 3
    assert len(begun) == 2
    assert await flights.once("k", work) == "done"
    assert len(begun) == 3


async def test_tasks_share_errors_but_not_cancellation():
    flights, begun = AsyncFlights(), []
    release = asyncio.Event()

    async def work():
        begun.append(1)
        await release.wait()
        raise ValueError("no")

    first, second, third = (asyncio.create_task(flights.once("k", work)) for _ in range(3))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0.01)
    release.set()
    outcomes = await asyncio.gather(first, second, third, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [
        asyncio.CancelledError,
        ValueError,
        ValueError,
    ]
    assert len(begun) == 2


def test_threads_with_the_same_work_share_it(monkeypatch):
    begun, waiting, release = (threading.Event() for _ in range(3))

    class Noted(Future):
        def result(self, timeout=None):
            waiting.set()
            return super().result(timeout)

    monkeypatch.setattr(concurrency, "Future", Noted)
    flights = Flights()

    def work():
        begun.set()
        assert release.wait(10)
        return "done"

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(flights.once, "k", work)
        assert begun.wait(10)
        second = pool.submit(flights.once, "k", lambda: "not shared")
        assert waiting.wait(10)
        assert flights.once("other", lambda: "other") == "other"
        release.set()
        assert (first.result(10), second.result(10)) == ("done", "done")
    with pytest.raises(ZeroDivisionError):
        flights.once("k", lambda: 1 / 0)
    assert flights.once("k", lambda: 2) == 2


async def test_items_are_worked_on_as_they_come():
    seen, gate = [], asyncio.Event()

    async def source():
        yield 1
        yield 2
        # The next item only comes when the first ones are through.
        await gate.wait()
        yield 3

    async def work(item):
        seen.append(item)
        if len(seen) == 2:
            gate.set()

    await async_each(work, source(), 2)
    assert seen == [1, 2, 3]


def test_threads_work_on_items_as_they_come():
    seen, gate = [], threading.Event()

    def source():
        yield 1
        yield 2
        assert gate.wait(10)
        yield 3

    def work(item):
        seen.append(item)
        if len(seen) == 2:
            gate.set()

    thread_each(work, source(), 2)
    assert sorted(seen) == [1, 2, 3]


async def test_the_first_error_ends_the_tasks():
    closed = []

    async def source():
        try:
            for number in range(1000):
                yield number
                await asyncio.sleep(0)
        finally:
            closed.append(1)

    async def work(item):
        if item == 3:
            raise ValueError("three")

    with pytest.raises(ValueError, match="three"):
        await async_each(work, source(), 2)
    assert closed == [1]


def test_the_first_error_ends_the_threads():
    taken = []

    def source():
        for number in range(1000):
            taken.append(number)
            yield number

    def work(item):
        if item == 3:
            raise ValueError("three")

    with pytest.raises(ValueError, match="three"):
        thread_each(work, source(), 1)
    assert taken == [0, 1, 2, 3]
