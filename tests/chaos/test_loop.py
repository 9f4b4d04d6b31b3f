"""Virtual time passes while everybody sleeps, and only then."""

import asyncio
import time

import pytest

from rapidata_core.concurrency import async_monotonic, async_offload, async_sleep
from rapidata_core.sandbox import clock
from tests.chaos.loop import StandstillError
from tests.chaos.platform import Platform, play


def test_sleepers_wake_in_their_order():
    seen = []

    async def sleeper(seconds):
        await async_sleep(seconds)
        seen.append((seconds, round(async_monotonic())))

    async def scene():
        await asyncio.gather(*map(sleeper, (3600, 5, 86_400)))

    play(scene)
    assert seen == [(5, 5), (3600, 3600), (86_400, 86_400)]


def test_a_sleep_that_is_too_short_for_a_float_ends():
    async def scene():
        await async_sleep(1e6)
        until = async_monotonic() + 1e-15
        while async_monotonic() <= until:
            await async_sleep(1e-15)

    play(scene)


def test_waiting_for_nothing_is_an_error():
    async def scene():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(StandstillError):
        play(scene)


def test_work_for_threads_takes_no_time():
    async def scene():
        assert await async_offload(int, "7") == 7
        with pytest.raises(ValueError, match="invalid literal"):
            await async_offload(int, "x")

    play(scene)


def test_the_sandbox_lives_in_virtual_time():
    async def scene():
        platform = await Platform.fresh()
        before = (await platform.control("GET", "/_sandbox/clock"))["now"]
        await async_sleep(90)
        after = (await platform.control("GET", "/_sandbox/clock"))["now"]
        return before, after

    before, after = play(scene)
    assert before.startswith("2026-01-01T00:00:00")
    assert after.startswith("2026-01-01T00:01:30")


def test_who_is_not_in_virtual_time_keeps_the_machines():
    play(Platform.fresh)

    async def elsewhere():
        return clock.real_now()

    for now in (clock.real_now(), asyncio.run(elsewhere())):
        assert abs(now / clock.SECOND - time.time()) < 60
