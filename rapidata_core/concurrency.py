"""The few things that tasks on an event loop and threads do differently, side by side.

Everything else is written once, in ``_async``; ``scripts/unasync.py`` swaps the names.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Hashable, Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, Generic, ParamSpec, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

Item = TypeVar("Item")
P = ParamSpec("P")
Result = TypeVar("Result")


async def async_sleep(seconds: float) -> None:
    """Pause the task."""
    await asyncio.sleep(seconds)


def sleep(seconds: float) -> None:
    """Pause the thread."""
    time.sleep(seconds)


def async_monotonic() -> float:
    """Seconds on the clock by which the event loop lets tasks sleep."""
    return asyncio.get_running_loop().time()


def monotonic() -> float:
    """Seconds on the clock by which threads sleep."""
    return time.monotonic()


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


async def async_each(
    function: Callable[[Item], Awaitable[object]], source: AsyncGenerator[Item, None], workers: int
) -> None:
    """Apply a coroutine function to items as they come, ``workers`` at a time.

    The first error ends it. Only one worker waits for the next item; the others work.
    """
    turn = asyncio.Lock()

    async def work() -> None:
        while True:
            async with turn:
                try:
                    item = await anext(source)
                except StopAsyncIteration:
                    return
            await function(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    finally:
        await source.aclose()


def thread_each(
    function: Callable[[Item], object], source: Generator[Item, None], workers: int
) -> None:
    """Apply a function to items as they come, in ``workers`` threads.

    The first error ends it. Only one thread waits for the next item; the others work.
    """
    turn = threading.Lock()
    ended = threading.Event()
    nothing = object()

    def work() -> None:
        while True:
            with turn:
                item = nothing if ended.is_set() else next(source, nothing)
            if item is nothing:
                return
            try:
                function(item)  # pyright: ignore[reportArgumentType] - not `nothing`
            except BaseException:
                ended.set()
                raise

    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="rapidata") as pool:
        futures = [pool.submit(work) for _ in range(workers)]
        try:
            for future in futures:
                future.result()
        finally:
            # Also when this thread is interrupted: nobody should work on.
            ended.set()
    source.close()


class AsyncFlights:
    """Identical work that is under way already is not begun again."""

    def __init__(self) -> None:
        self._running: dict[tuple[int, str], asyncio.Future[Any]] = {}

    async def once(self, key: str, work: Callable[[], Awaitable[Result]]) -> Result:
        """Do the work, or wait for whoever is doing it; both get its result or its error.

        Args:
            key: What makes it the same work.
            work: Does it.
        """
        loop = asyncio.get_running_loop()
        slot = (id(loop), key)
        while True:
            mine = loop.create_future()
            running = self._running.setdefault(slot, mine)
            if running is mine:
                break
            await asyncio.wait([running])
            if not running.cancelled():
                return running.result()
            # Whoever did it was told to stop; that says nothing about us.
        try:
            result = await work()
            mine.set_result(result)
            return result
        except Exception as error:
            mine.set_exception(error)
            # Asked for, so that the loop does not complain where nobody else waits for it.
            mine.exception()
            raise
        finally:
            mine.cancel()
            del self._running[slot]


class Flights:
    """Identical work that is under way already is not begun again."""

    def __init__(self) -> None:
        # By process: work that another thread of a forked process's parent does never ends here.
        self._running: dict[tuple[int, str], Future[Any]] = {}

    def once(self, key: str, work: Callable[[], Result]) -> Result:
        """Do the work, or wait for whoever is doing it; both get its result or its error.

        Args:
            key: What makes it the same work.
            work: Does it.
        """
        slot = (os.getpid(), key)
        while True:
            mine: Future[Any] = Future()
            # Of threads that come here together, setdefault lets one win.
            running = self._running.setdefault(slot, mine)
            if running is mine:
                break
            try:
                return running.result()
            except CancelledError:
                # Whoever did it was interrupted; that says nothing about us.
                continue
        try:
            result = work()
            mine.set_result(result)
            return result
        except Exception as error:
            mine.set_exception(error)
            raise
        finally:
            del self._running[slot]
            mine.cancel()


class AsyncBell:
    """Wakes one task. A ring while the task is awake is kept for its next sleep."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake the task."""
        self._rung.set()

    async def sleep(self, until: float) -> None:
        """Sleep until somebody rings, or until a time of :func:`async_monotonic`."""
        try:
            async with asyncio.timeout_at(None if until == float("inf") else until):
                await self._rung.wait()
        except TimeoutError:
            pass
        self._rung.clear()


class Bell:
    """Wakes one thread. A ring while the thread is awake is kept for its next sleep."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self) -> None:
        """Wake the thread."""
        self._rung.set()

    def sleep(self, until: float) -> None:
        """Sleep until somebody rings, or until a time of :func:`monotonic`."""
        self._rung.wait(min(until - monotonic(), threading.TIMEOUT_MAX))
        self._rung.clear()


class AsyncShared(Generic[Result]):
    """One object per key and event loop, as long as somebody holds it."""

    def __init__(self, make: Callable[[], Result]) -> None:
        self._make = make
        self._by_loop: WeakKeyDictionary[
            asyncio.AbstractEventLoop, WeakValueDictionary[Hashable, Result]
        ] = WeakKeyDictionary()

    def of(self, key: Hashable) -> Result:
        """The running loop's object, made if nobody holds one."""
        held = self._by_loop.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
        return _held_or_made(held, key, self._make)


class Shared(Generic[Result]):
    """One object per key and process, as long as somebody holds it."""

    def __init__(self, make: Callable[[], Result]) -> None:
        self._make = make
        # By process, lock and all: in a forked child, nobody goes on with what the parent's
        # threads were doing, or releases what they had locked.
        self._by_process: dict[
            int, tuple[threading.Lock, WeakValueDictionary[Hashable, Result]]
        ] = {}

    def of(self, key: Hashable) -> Result:
        """This process's object, made if nobody holds one."""
        fresh = (threading.Lock(), WeakValueDictionary[Hashable, Result]())
        # Of threads that come here together, setdefault lets one win.
        lock, held = self._by_process.setdefault(os.getpid(), fresh)
        with lock:
            return _held_or_made(held, key, self._make)


def _held_or_made(
    held: WeakValueDictionary[Hashable, Result], key: Hashable, make: Callable[[], Result]
) -> Result:
    found = held.get(key)
    if found is None:
        found = held[key] = make()
    return found
