"""Uploads: files and URLs become names on the platform, each of them only once."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Sequence
from functools import partial

from rapidata_core._async.api.assets import AsyncAssetApi
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.concurrency import async_map, async_offload, async_sleep
from rapidata_core.config import rapidata_config
from rapidata_core.errors import AuthenticationError, RapidataError, ValidationError
from rapidata_core.http import CONNECTIONS
from rapidata_core.jobs.datapoint import is_url
from rapidata_core.local_files import LocalFile, look_at, read
from rapidata_core.policy.uploads import (
    ABORTED,
    AssetProblem,
    FilePart,
    batches,
    file_key,
    outcome,
    problem_with,
    scope_of,
    url_key,
)
from rapidata_core.upload_cache import URL_SECONDS, FileState, UploadCache

_log = logging.getLogger("rapidata_core.upload")
_FIRST_PAUSE = 0.1
_BATCH_TIMEOUT = 1800.0
_BATCHES_AT_ONCE = 4
# So many new names are stored at a time: a crash loses no more.
_STORED_AT_ONCE = 100


async def upload_asset(transport: AsyncTransport, item: str) -> str:
    """Upload one file or URL, unless it was uploaded before.

    Args:
        transport: Where to.
        item: A URL, or the path of a local file.

    Returns:
        The platform's name of it.

    Raises:
        ValidationError: There is no such file, or the platform does not take it.
    """
    return (await upload_assets(transport, [item]))[item]


async def upload_assets(transport: AsyncTransport, items: Iterable[str]) -> dict[str, str]:
    """Upload some files and URLs one by one; see :func:`upload_asset`.

    Returns:
        The platform's names by item.

    Raises:
        ValidationError: Some cannot be uploaded; it lists them all.
    """
    assets = AsyncAssets(transport)
    wanted = list(dict.fromkeys(items))
    await assets.prepare(wanted)
    _refuse(assets.problems)
    await async_map(assets.fetch, wanted, assets.workers)
    await assets.store()
    _refuse(assets.problems)
    return {item: assets.names[item] for item in wanted}


def _refuse(problems: dict[str, AssetProblem]) -> None:
    if problems:
        listed = [f"{item[:200]!r}: {found.reason}" for item, found in problems.items()]
        cause = next((found.exception for found in problems.values() if found.exception), None)
        raise ValidationError("upload", listed) from cause


class AsyncAssets:
    """The assets of one piece of work.

    Attributes:
        names: The platform's name by item.
        problems: Why there is none, by item.
        cached: Items whose name is an old one; the platform may not know it any more.
        waiting: URLs that the platform is to fetch in batches.
        workers: Requests at a time.
    """

    def __init__(self, transport: AsyncTransport) -> None:
        options = rapidata_config.upload
        self._api = AsyncAssetApi(transport)
        self._flights = transport.flights
        self._compression = options.compression
        self._scope = scope_of(transport.settings, self._compression)
        self._cache = (
            UploadCache(options.cacheLocation, options.cacheTimeout)
            if options.cacheToDisk
            else None
        )
        self._batch_size = options.batchSize
        self._longest_pause = options.batchPollInterval
        # Batches that are under way, with their URLs, and ids of those that ended.
        self._batches: dict[str, list[str]] = {}
        self._ended: set[str] = set()
        self._correlation = ""
        self._deadline = 0.0
        self._by_key: dict[str, str] = {}
        self._new_names: dict[str, str] = {}
        self._new_digests: dict[str, tuple[FileState, str]] = {}
        self.workers = min(options.maxWorkers, CONNECTIONS)
        self.names: dict[str, str] = {}
        self.problems: dict[str, AssetProblem] = {}
        self.cached: set[str] = set()
        self.waiting: set[str] = set()

    async def prepare(self, items: Collection[str]) -> None:
        """Look at the files and into the cache; nothing is sent.

        Args:
            items: Files, which :meth:`fetch` uploads then, and URLs, for :meth:`submit_batches`
                or, one by one, :meth:`fetch`.
        """
        new = [item for item in dict.fromkeys(items) if item not in self.names]
        for item in new:
            self.problems.pop(item, None)
        if new:
            await async_offload(self._look, new)

    def _look(self, items: Sequence[str]) -> None:
        urls = [item for item in items if is_url(item)]
        states: dict[str, FileState] = {}
        for path in set(items).difference(urls):
            found = look_at(path)
            if isinstance(found, str):
                self.problems[path] = AssetProblem(found)
            else:
                states[path] = found
        if self._cache is not None:
            digests = self._cache.digests(states) if states else {}
            self._take_known({path: self._file_key(path, d) for path, d in digests.items()}, None)
            self._take_known({url: url_key(self._scope, url) for url in urls}, URL_SECONDS)
        self.waiting.update(url for url in urls if url not in self.names)

    def _take_known(self, keys: dict[str, str], seconds: float | None) -> None:
        """Take over the names that the cache has, by item."""
        if self._cache is None or not keys:
            return
        known = self._cache.names(keys.values(), seconds)
        found = {item: known[key] for item, key in keys.items() if key in known}
        self.names.update(found)
        self.cached.update(found)

    def _file_key(self, path: str, digest: str) -> str:
        return file_key(self._scope, digest, path)

    async def submit_batches(self) -> None:
        """Let the platform begin to fetch the URLs that are not known yet."""
        urls = list(self.waiting)
        if not urls:
            return
        _log.info("uploading %d URLs", len(urls))
        self._correlation = str(uuid.uuid4())
        self._deadline = time.monotonic() + _BATCH_TIMEOUT

        async def submit(batch: list[str]) -> None:
            try:
                created = await self._api.create_batch(batch, self._correlation, self._compression)
                self._batches[created.batch_upload_id] = batch
            except AuthenticationError:
                raise
            except RapidataError as error:
                self._fail(batch, problem_with(error))

        await async_map(submit, batches(urls, self._batch_size), _BATCHES_AT_ONCE)

    async def fetch_batches(self) -> AsyncGenerator[list[str], None]:
        """Wait for what :meth:`submit_batches` began.

        Yields:
            URLs as they are decided: each has a name or a problem then.
        """
        yield [url for url in self.waiting if url in self.problems]
        pause = min(_FIRST_PAUSE, self._longest_pause)
        while self._batches:
            await async_sleep(pause)
            pause = min(pause * 1.5, self._longest_pause)
            problem = await self._look_at_batches()
            for batch_id, batch in list(self._batches.items()):
                if problem is not None:
                    self._fail(batch, problem)
                if problem is not None or batch_id in self._ended:
                    del self._batches[batch_id]
                    yield batch
        self.waiting.clear()

    async def _look_at_batches(self) -> AssetProblem | None:
        """Take in the batches that ended; returns what keeps the others from ever ending."""
        try:
            status = await self._api.batch_status(self._correlation)
            # Aborted batches are not listed as completed; their items say what became of them.
            ended = self._batches if status.status == ABORTED else status.completed_batches
            for batch_id in [batch_id for batch_id in self._batches if batch_id in set(ended)]:
                await self._take_batch(batch_id, self._batches[batch_id])
                self._ended.add(batch_id)
        except AuthenticationError:
            raise
        except RapidataError as error:
            return problem_with(error)
        if self._ended.issuperset(self._batches) or time.monotonic() < self._deadline:
            return None
        minutes = _BATCH_TIMEOUT / 60
        return AssetProblem(f"the platform has not fetched it in {minutes:.0f} minutes")

    async def _take_batch(self, batch_id: str, urls: Sequence[str]) -> None:
        result = await self._api.batch_result(batch_id)
        for item in result.items:
            found = outcome(item)
            if isinstance(found, str):
                self._learn(item.url, url_key(self._scope, item.url), found)
            else:
                self.problems[item.url] = found
        unknown = [url for url in urls if url not in self.names and url not in self.problems]
        self._fail(unknown, AssetProblem("the platform did not report it"))
        await self.store()

    def _fail(self, items: Iterable[str], problem: AssetProblem) -> None:
        self.problems.update(dict.fromkeys(items, problem))

    async def fetch(self, item: str) -> None:
        """Make sure that a file or a single URL has a name or a problem."""
        if item not in self.names and item not in self.problems:
            await self._upload(item)

    async def _upload(self, item: str, *, again: bool = False) -> None:
        try:
            if is_url(item):
                key = url_key(self._scope, item)
                await self._once(item, key, partial(self._send_url, item))
            else:
                await self._fetch_file(item, again)
        except AuthenticationError:
            raise
        except (RapidataError, OSError) as error:
            self.problems[item] = problem_with(error)

    async def _fetch_file(self, path: str, again: bool) -> None:
        file, key = await async_offload(self._read, path)
        if again or path not in self.names:
            await self._once(path, key, partial(self._send_file, file))

    def _read(self, path: str) -> tuple[LocalFile, str]:
        file = read(path)
        key = self._file_key(path, file.digest)
        self._new_digests[path] = (file.state, file.digest)
        if path not in self.names:
            # Not known by its path and times, perhaps by its content.
            self._take_known({path: key}, None)
        return file, key

    async def _once(self, item: str, key: str, send: Callable[[], Awaitable[str]]) -> None:
        """Upload something, unless the same is known or on its way."""
        known = self._by_key.get(key)
        self._learn(item, key, known or await self._flights.once(key, send))
        if len(self._new_names) >= _STORED_AT_ONCE:
            await self.store()

    def _learn(self, item: str, key: str, name: str) -> None:
        self.names[item] = self._by_key[key] = self._new_names[key] = name

    async def _send_url(self, url: str) -> str:
        return (await self._api.upload_url(url, self._compression)).file_name

    async def _send_file(self, file: LocalFile) -> str:
        part = FilePart(file.path, file.name, file.content)
        name = (await self._api.upload_file(part, self._compression)).file_name
        if file.content is None and file.changed:
            # What was sent is not what was read before.
            raise OSError(f"{file.path!r} was written to while it was uploaded")
        return name

    async def renew(self, items: Iterable[str]) -> None:
        """Upload again what the platform does not know any more by the name in the cache."""
        for item in items:
            # Of several datapoints with the same asset, one does it and the others wait.
            await self._flights.once(f"renew {id(self)} {item}", partial(self._renew, item))

    async def _renew(self, item: str) -> None:
        if item not in self.cached:
            return
        _log.info("uploading %s again: the platform does not know its old name", item)
        await self._upload(item, again=True)
        self.cached.discard(item)

    async def store(self) -> None:
        """Store the new names in the cache."""
        # Threads add to these at any time, and a copy is made in one step.
        names, digests = dict(self._new_names), dict(self._new_digests)
        for key in names:
            self._new_names.pop(key, None)
        for path in digests:
            self._new_digests.pop(path, None)
        if self._cache is not None and names:
            await async_offload(self._cache.remember, names)
        if self._cache is not None and digests:
            await async_offload(self._cache.remember_digests, digests)
