"""Datasets: datapoints on the platform, uploaded as soon as their assets are there."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rapidata_core._async.api.datasets import AsyncDatasetApi
from rapidata_core._async.assets import AsyncAssets, upload_asset, upload_assets
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.concurrency import async_each, async_map, async_sleep
from rapidata_core.config import rapidata_config
from rapidata_core.errors import (
    AuthenticationError,
    FailedUpload,
    RapidataError,
    ServerError,
    TransportError,
    ValidationError,
)
from rapidata_core.jobs.datapoint import Datapoint, Group
from rapidata_core.policy.uploads import (
    ASSET_FAILED,
    UPLOAD_PAUSES,
    AssetProblem,
    content_of,
    reason_of,
)
from rapidata_core.wire.model import PAGE_SIZE

__all__ = ["AsyncRapidataDataset", "Filled", "fill", "upload_asset", "upload_assets"]

_log = logging.getLogger("rapidata_core.upload")
_UNKNOWN = (
    "The answer was lost, and the dataset does not tell whether the datapoint is in it; "
    "trying again looks for it first"
)


@dataclass(frozen=True)
class Filled:
    """A new dataset and what became of its datapoints.

    Attributes:
        dataset: The dataset.
        successful: The datapoints that are in it.
        failed: Those that are not, and why.
    """

    dataset: AsyncRapidataDataset
    successful: list[Datapoint]
    failed: list[FailedUpload]


async def fill(
    transport: AsyncTransport,
    dataset: Mapping[str, Any],
    points: Sequence[Datapoint],
    groups: Sequence[Group] = (),
) -> Filled:
    """Create a dataset with datapoints. This costs nothing.

    Args:
        transport: Where to.
        dataset: The body of ``POST /dataset``: its ``name``, and perhaps its ``schema``.
        points: What to put into it.
        groups: The groups that the datapoints name.

    Raises:
        RapidataError: The dataset could not be created, or nothing may be done at all. That some
            datapoints fail is no error here.
    """
    created = await AsyncDatasetApi(transport).create(dataset)
    made = AsyncRapidataDataset(transport, created.dataset_id, dataset["name"], groups)
    successful, failed = await made.add_datapoints(points)
    return Filled(made, successful, failed)


class AsyncRapidataDataset:
    """Datapoints on the platform.

    Attributes:
        id: The dataset's id.
        name: Its name.
    """

    def __init__(
        self,
        transport: AsyncTransport,
        dataset_id: str,
        name: str,
        groups: Sequence[Group] = (),
    ) -> None:
        self._transport = transport
        self.id = dataset_id
        self.name = name
        self.record = Record(groups={group.name: group for group in groups})

    async def add_datapoints(
        self, datapoints: Iterable[Datapoint | FailedUpload]
    ) -> tuple[list[Datapoint], list[FailedUpload]]:
        """Add datapoints, for example those that failed before; each keeps its place.

        Args:
            datapoints: ``failed_uploads`` or ``detailed_failures`` of a
                :class:`rapidata_core.errors.FailedUploadException`, or corrected copies of them.

        Returns:
            Those that are in the dataset now, and those that failed.
        """
        points = [p.item if isinstance(p, FailedUpload) else p for p in datapoints]
        filling = AsyncFilling(self._transport, self.id, self.record)
        await filling.run(points)
        done, failed = filling.successful, filling.failed
        _log.info("dataset %s: %d datapoints added, %d failed", self.id, len(done), len(failed))
        return done, failed

    def __repr__(self) -> str:
        return f"RapidataDataset(id={self.id!r}, name={self.name!r})"


@dataclass
class Record:
    """What is known about a dataset's content.

    Attributes:
        groups: Groups that datapoints may name, by name.
        posted: Names of those that are on the platform.
        there: Ids of the datapoints that certainly are.
        added: The same datapoints as they were given, by their identity.
        unsure: Datapoints whose answer was lost, with what was sent, by the datapoint's identity.
    """

    groups: dict[str, Group]
    posted: set[str] = field(default_factory=set[str])
    there: set[str] = field(default_factory=set[str])
    added: dict[int, Datapoint] = field(default_factory=dict[int, Datapoint])
    unsure: dict[int, tuple[Datapoint, Mapping[str, Any]]] = field(
        default_factory=dict[int, tuple[Datapoint, Mapping[str, Any]]]
    )

    def needs(self, point: Datapoint) -> list[str]:
        """Everything that has to be uploaded before a datapoint: what its group shows, too."""
        group = self.groups.get(point.group) if point.group is not None else None
        return [*point.items(), *group.items()] if group else point.items()


class AsyncFilling:
    """One go at adding datapoints.

    A datapoint's request is sent once. When its answer is lost, the dataset is read after all
    others are through: what is there is not sent again, what is not is. Where reading does not
    tell, the datapoint counts as failed, and is looked for again before it is sent another time.

    Attributes:
        successful: The datapoints that were added.
        failed: Those that were not.
    """

    def __init__(self, transport: AsyncTransport, dataset_id: str, record: Record) -> None:
        self._api = AsyncDatasetApi(transport)
        self._assets = AsyncAssets(transport)
        self._dataset_id = dataset_id
        self._record = record
        self._unreachable: TransportError | None = None
        self.successful: list[Datapoint] = []
        self.failed: list[FailedUpload] = []

    async def run(self, points: Sequence[Datapoint]) -> None:
        """Add them.

        Raises:
            RapidataError: Nothing may be done at all. That some fail is no error here.
        """
        # Whoever retries twice has them in the dataset once, and pays for them once.
        self.successful += [point for point in points if id(point) in self._record.added]
        points = [point for point in points if id(point) not in self._record.added]
        items = dict.fromkeys(item for point in points for item in self._record.needs(point))
        await self._assets.prepare(items)
        # Of an earlier go; perhaps the dataset tells now.
        asked = [point for point, _ in self._record.unsure.values() if point in points]
        todo = [point for point in points if point not in asked] if asked else list(points)
        todo += await self._settle(asked) if asked else []
        tries = 1 + rapidata_config.upload.maxRetries
        try:
            while todo and tries:
                workers = min(self._assets.workers, len(todo))
                await async_each(self._add, self._ready(todo), workers)
                lost = [point for point in todo if id(point) in self._record.unsure]
                todo = await self._settle(lost) if lost else []
                tries -= 1
        finally:
            await self._assets.store()
        for point in todo:
            self._fail(point, "The platform failed on this datapoint again and again")
        await self._post_groups()

    async def _ready(self, points: Sequence[Datapoint]) -> AsyncGenerator[Datapoint, None]:
        """The datapoints as their URLs are there; files are uploaded one by one later."""
        missing: dict[int, int] = {}
        needed_by: dict[str, list[int]] = {}
        await self._assets.submit_batches()
        waiting = self._assets.waiting
        for place, point in enumerate(points):
            urls = waiting.intersection(self._record.needs(point)) if waiting else ()
            missing[place] = len(urls)
            for url in urls:
                needed_by.setdefault(url, []).append(place)
            if not urls:
                yield point
        async for batch in self._assets.fetch_batches():
            for place in (place for url in batch for place in needed_by.pop(url, ())):
                missing[place] -= 1
                if not missing[place]:
                    yield points[place]

    async def _add(self, point: Datapoint) -> None:
        if self._unreachable is not None:
            # Every other one would wait as long to learn the same.
            self._refuse(point, self._unreachable)
            return
        items = self._record.needs(point)
        while True:
            for item in items:
                await self._assets.fetch(item)
            problem = next((p for item in items if (p := self._assets.problems.get(item))), None)
            if problem is not None:
                self._fail_asset(point, problem)
                return
            old = [item for item in items if item in self._assets.cached]
            refused = await self._send(point)
            if refused is None:
                return
            if not old:
                self._refuse(point, refused)
                return
            # Perhaps it was refused because of a name that the platform does not know any more.
            # Once renewed, names are not old, so this ends.
            await self._assets.renew(old)

    async def _send(self, point: Datapoint) -> RapidataError | None:
        """Send it; returns the error if it was refused as it is."""
        body = point.body(self._assets.names)
        try:
            created = await self._api.add_datapoint(self._dataset_id, body)
        except AuthenticationError:
            raise
        except ValidationError as error:
            return error
        except TransportError as error:
            if error.sent:
                self._record.unsure[id(point)] = (point, body)
            else:
                self._unreachable = error
                self._refuse(point, error)
        except ServerError:
            self._record.unsure[id(point)] = (point, body)
        except RapidataError as error:
            self._refuse(point, error)
        else:
            self._succeed(point, created.datapoint_id)
        return None

    async def _settle(self, lost: Sequence[Datapoint]) -> list[Datapoint]:
        """Find out what became of datapoints whose answer was lost.

        Returns:
            Those that certainly are not there, to be sent again.
        """
        _log.warning("looking for %d datapoints whose answer was lost", len(lost))
        try:
            strangers = await self._strangers(len(lost))
        except AuthenticationError:
            raise
        except RapidataError as error:
            for point in lost:
                self._fail(point, _UNKNOWN, "OutcomeUnknown", error)
            return []
        by_content: dict[Any, list[str]] = {}
        for datapoint_id, content in strangers.items():
            by_content.setdefault(content, []).append(datapoint_id)
        absent: list[Datapoint] = []
        for point in lost:
            _, body = self._record.unsure[id(point)]
            found = by_content.get(content_of(body["segments"]))
            if found:
                self._succeed(point, found.pop())
                del self._record.unsure[id(point)]
            else:
                absent.append(point)
        if absent and any(by_content.values()):
            # Something is there that we cannot match: it may be any of them.
            for point in absent:
                self._fail(point, _UNKNOWN, "OutcomeUnknown")
            return []
        for point in absent:
            del self._record.unsure[id(point)]
        return absent

    async def _strangers(self, expected: int) -> dict[str, Any]:
        """The content of datapoints that are there without our knowing, by id."""
        known = len(self._record.there)
        total = known
        for pause in (0.0, *UPLOAD_PAUSES):
            await async_sleep(pause)
            total = (await self._api.progress(self._dataset_id)).total
            if total >= known + expected:
                break
        if total == known:
            return {}
        strangers: dict[str, Any] = {}
        page = 1
        while rows := await self._api.list_datapoints(self._dataset_id, page, PAGE_SIZE):
            for row in rows:
                if row.id not in self._record.there:
                    strangers[row.id] = content_of(row.segments)
            if len(rows) < PAGE_SIZE:
                break
            page += 1
        return strangers

    async def _post_groups(self) -> None:
        named = dict.fromkeys(point.group for point in self.successful if point.group is not None)
        new = [
            group
            for name in named
            if name not in self._record.posted and (group := self._record.groups.get(name))
        ]

        async def post(group: Group) -> None:
            await self._api.add_group(self._dataset_id, group.body(self._assets.names))
            self._record.posted.add(group.name)

        if new:
            await async_map(post, new, min(self._assets.workers, len(new)))

    def _succeed(self, point: Datapoint, datapoint_id: str) -> None:
        self._record.there.add(datapoint_id)
        self._record.added[id(point)] = point
        self.successful.append(point)

    def _refuse(self, point: Datapoint, error: RapidataError) -> None:
        self._fail(point, reason_of(error), "RapidataError", error)

    def _fail_asset(self, point: Datapoint, problem: AssetProblem) -> None:
        failure = FailedUpload(
            item=point,
            error_message=ASSET_FAILED,
            error_type="AssetUploadFailed",
            timestamp=datetime.now(UTC),
            exception=problem.exception,
            reason=problem.reason,
            stage=problem.stage,
            http_status=problem.http_status,
        )
        self.failed.append(failure)

    def _fail(
        self,
        point: Datapoint,
        message: str,
        kind: str = "RapidataError",
        error: Exception | None = None,
    ) -> None:
        self.failed.append(FailedUpload(point, message, kind, datetime.now(UTC), error))
