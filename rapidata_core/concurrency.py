"""The few things that tasks on an event loop and threads do differently, side by side.

Everything else is written once, in ``_async``; ``scripts/unasync.py`` swaps the names.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Item = TypeVar("Item")
P = ParamSpec("P")
Result = TypeVar("Result")


async def async_sleep(seconds: float) -> None:
    """Pause the task."""
    await asyncio.sleep(seconds)


def sleep(seconds: float) -> None:
    """Pause the thread."""
    time.sleep(seconds)


async def async_offload(function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Do heavy work in a thread: other tasks share the event loop."""
    return await asyncio.to_thread(function, *args, **kwargs)


def offload(function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Do heavy work here: a thread that calls us has nothing else to do."""
    return function(*args, **kwargs)


async def async_map(
    function: Callable[[Item], Awaitable[Result]], items: Iterable[Item], workers: int
) -> list[Result]:
    """Apply a coroutine function to all items, ``workers`` at a time; the first error ends it."""
    turns = iter(enumerate(items))
    results: dict[int, Result] = {}

    async def work() -> None:
        # The workers share one iterator, so an item is taken exactly once.
        for index, item in turns:
            results[index] = await function(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [results[index] for index in range(len(results))]


def thread_map(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> list[Result]:
    """Apply a function to all items in threads, ``workers`` at a time; the first error ends it."""
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="rapidata") as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
