"""Flows: batches that are ranked or classified as they come; and ``client.flow``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from rapidata_core._async.api.flows import AsyncFlowApi, Kind
from rapidata_core._async.batches import AsyncBatches
from rapidata_core._async.settling import sent_once
from rapidata_core._async.transport import AsyncTransport
from rapidata_core._async.upload import Filled, fill, upload_assets
from rapidata_core._async.waiting import find_out, steady, wait_until
from rapidata_core.errors import (
    FailedUploadException,
    FlowItemFailedError,
    ServerError,
    TransportError,
    ValidationError,
    refuse_blank,
)
from rapidata_core.jobs.checks import given
from rapidata_core.jobs.datapoint import asset_input
from rapidata_core.policy.flows import (
    ClassifyBatch,
    ClassifyChanges,
    ClassifyFlow,
    RankingBatch,
    RankingChanges,
    RankingFlow,
    check_attempt,
    distinct,
    has_ended,
)
from rapidata_core.policy.submission import Identity
from rapidata_core.types import (
    ClassifyDatapointResult,
    ClassifyFlowItemResult,
    FlowItemResult,
    FlowItemState,
    Setting,
)
from rapidata_core.wire.flow import FlowItemAnswer, ResultAsset

if TYPE_CHECKING:
    import pandas

_log = logging.getLogger("rapidata_core.flow")
_KINDS: dict[str, Kind] = {
    "Ranking": "ranking",
    "RankingFlow": "ranking",
    "Simple": "simple",
    "SimpleFlow": "simple",
}


class AsyncRapidataFlowItem:
    """One batch of a flow, at work until its time to live ends.

    Attributes:
        id: The item's id.
        flow_id: Its flow.
        dataset_id: The dataset with its datapoints, which no other item has.
    """

    def __init__(
        self, transport: AsyncTransport, kind: Kind, flow_id: str, item_id: str, dataset_id: str
    ) -> None:
        self._flows = AsyncFlowApi(transport)
        self._kind: Kind = kind
        self.id = item_id
        self.flow_id = flow_id
        self.dataset_id = dataset_id

    async def get_status(self) -> str:
        """Its state; see :class:`rapidata_core.types.FlowItemState`."""
        return (await self._flows.item(self.id)).state

    async def wait(self, timeout: float | None = None, poll_interval: float | None = None) -> str:
        """Wait until it collects no more answers.

        Args:
            timeout: Seconds to wait at most; None waits for ever.
            poll_interval: Seconds between looks; by default it grows with the time waited.

        Returns:
            Its last state: ``Completed``, ``Incomplete`` (its time ran out before it had enough
            answers; there are results nevertheless) or ``Stopped``.

        Raises:
            WaitTimeoutError: It takes longer; wait again.
            FlowItemFailedError: The platform ended it without results.
        """

        async def look() -> FlowItemAnswer | None:
            item = await self._flows.item(self.id)
            return item if has_ended(item.state) else None

        polling = steady(poll_interval)
        ended = await wait_until(
            look, what=f"The end of flow item {self.id}", timeout=timeout, polling=polling
        )
        if ended.state == FlowItemState.FAILED:
            why = ended.failure_message or "the platform gives no reason"
            raise FlowItemFailedError(
                f"Flow item {self.id} failed: {why}. Create a new batch.", flow_item_id=self.id
            )
        return ended.state

    async def get_results(
        self, timeout: float | None = None
    ) -> FlowItemResult | ClassifyFlowItemResult:
        """Wait until it has ended, then read its results; after an early end they are partial.

        Args:
            timeout: Seconds to wait at most; None waits for ever.

        Raises:
            WaitTimeoutError: It takes longer; wait again.
            FlowItemFailedError: The platform ended it without results.
        """
        await self.wait(timeout)
        if self._kind == "ranking":
            return await self._ranking()
        return await self._classification()

    async def get_win_loss_matrix(self, timeout: float | None = None) -> pandas.DataFrame:
        """How often the row's item was preferred to the column's, once a ranking has ended.

        Args:
            timeout: Seconds to wait at most; None waits for ever.

        Raises:
            ValidationError: It is no ranking.
        """
        import pandas

        if self._kind != "ranking":
            raise ValidationError(
                f"flow item {self.id!r}", ["is of a classify flow, where nothing is compared"]
            )
        await self.wait(timeout)
        answer = await self._flows.matrix(self.id)
        return pandas.DataFrame(
            answer.data,
            index=pandas.Index(distinct(answer.index)),
            columns=pandas.Index(distinct(answer.columns)),
        )

    async def get_response_count(self, timeout: float | None = None) -> float:
        """How many answers it collected, once it has ended.

        Args:
            timeout: Seconds to wait at most; None waits for ever.
        """
        await self.wait(timeout)
        if self._kind == "simple":
            return (await self._flows.classification(self.id)).total_responses
        matrix = await self._flows.matrix(self.id)
        count = sum(sum(row) for row in matrix.data)
        return int(count) if count == int(count) else count

    async def stop(self) -> None:
        """Collect no more answers; what there is by then are the results."""
        await self._flows.stop(self.id)

    async def _ranking(self) -> FlowItemResult:
        answer = await self._flows.ranking(self.id)
        names = distinct(_name(point.asset, point.id) for point in answer.datapoints)
        scores = (point.elo for point in answer.datapoints)
        return FlowItemResult(dict(zip(names, scores, strict=True)), answer.total_votes)

    async def _classification(self) -> ClassifyFlowItemResult:
        answer = await self._flows.classification(self.id)
        blueprint = (await self._flows.get(self.flow_id)).blueprint
        # Categories that nobody chose may be missing from the answer.
        none = dict.fromkeys((one.value for one in blueprint.categories) if blueprint else (), 0)
        names = distinct(_name(point.asset, point.datapoint_id) for point in answer.datapoints)
        results = [
            ClassifyDatapointResult(
                majority_value=point.majority_value,
                distribution=none | {one.value: one.count for one in point.distribution},
                response_count=point.response_count,
            )
            for point in answer.datapoints
        ]
        return ClassifyFlowItemResult(
            dict(zip(names, results, strict=True)), answer.total_responses
        )

    def __repr__(self) -> str:
        return f"RapidataFlowItem(id={self.id!r}, flow_id={self.flow_id!r})"


class AsyncRapidataFlow:
    """What flows of both kinds can do.

    Attributes:
        id: The flow's id.
        name: Its name.
    """

    kind: Kind

    def __init__(self, transport: AsyncTransport, flow_id: str, name: str) -> None:
        self._transport = transport
        self._flows = AsyncFlowApi(transport)
        self._batches = AsyncBatches(transport, flow_id)
        self.id = flow_id
        self.name = name

    async def get_flow_items(self, amount: int = 10, page: int = 1) -> list[AsyncRapidataFlowItem]:
        """Its batches, newest first.

        Args:
            amount: Items per page.
            page: Which page, from 1.
        """
        items = await self._flows.items(self.id, page=page, size=amount)
        return [self._item(item.id, item.dataset_id) for item in items]

    async def delete(self) -> None:
        """Delete the flow. The results of its batches stay readable."""
        await self._flows.delete(self.id)

    async def _create(
        self,
        batch: RankingBatch | ClassifyBatch,
        accept_failed_uploads: bool,
        key: str | None,
        attempt: int,
    ) -> AsyncRapidataFlowItem:
        """Upload a batch and start it, unless its key has one.

        Raises:
            FailedUploadException: Some of it could not be uploaded, and that is not accepted, or
                nothing could.
        """
        check_attempt(attempt, key)
        name = f"{self.name}_dataset"
        identity = None
        if key is not None:
            identity = batch.identify(self._transport.settings.namespace, key)
            found = await self._batches.find(identity, attempt)
            if found is not None:
                _log.info("adopting flow item %s: this key has it already", found.id)
                return self._item(found.id, found.dataset_id)
            name = identity.job(name)
        body: dict[str, Any] = {"timeToLiveInSeconds": batch.time_to_live}
        if isinstance(batch, RankingBatch):
            body["context"] = batch.context
            if batch.context_assets is not None:
                uploaded = await upload_assets(self._transport, batch.context_assets)
                body["contextAsset"] = asset_input(batch.context_assets, "media", uploaded)
        filled = await fill(self._transport, {"name": name}, batch.points())
        return await self._start(filled, body, accept_failed_uploads, identity)

    async def _start(
        self,
        filled: Filled,
        body: dict[str, Any],
        accept_failed_uploads: bool,
        identity: Identity | None,
        *,
        again: bool = False,
    ) -> AsyncRapidataFlowItem:
        # One item alone cannot be compared with anything.
        enough = len(filled.successful) >= (2 if self.kind == "ranking" else 1)
        if filled.failed and not (accept_failed_uploads and enough):

            async def retry() -> AsyncRapidataFlowItem:
                added, failed = await filled.dataset.add_datapoints(filled.failed)
                more = Filled(filled.dataset, [*filled.successful, *added], failed)
                # Called twice, it finds the batch that it started.
                return await self._start(more, body, accept_failed_uploads, identity, again=True)

            reasons = ", ".join(sorted({failure.error_message for failure in filled.failed}))
            raise FailedUploadException(
                f"{len(filled.failed)} of {len(filled.failed) + len(filled.successful)} datapoints "
                f"could not be uploaded: {reasons}. The batch was not started and nothing was "
                "paid; see detailed_failures, then retry(), or accept_failed_uploads=True.",
                detailed_failures=filled.failed,
                dataset=filled.dataset,
                retry=retry,
            )
        if filled.failed:
            _log.warning(
                "flow %s: a batch starts without %d datapoints that could not be uploaded",
                self.id,
                len(filled.failed),
            )
        dataset_id = filled.dataset.id
        body = {"datasetId": dataset_id, **body}
        found = await self._item_with(dataset_id) if again else None
        if identity is not None:
            found = found or await self._pay_patiently(body)
            kept = await self._batches.settle_race(identity, found)
            return self._item(kept.id, kept.dataset_id) if kept else self._item(found, dataset_id)
        return self._item(found or await self._pay(body), dataset_id)

    async def _item_with(self, dataset_id: str) -> str | None:
        """The item that has a dataset: the only one, as every batch has a dataset of its own."""
        items = await self._flows.items(self.id)
        return next((item.id for item in items if item.dataset_id == dataset_id), None)

    async def _pay(self, body: dict[str, Any]) -> str:
        """Make the paid call once, and know afterwards which item it made."""
        dataset_id = body["datasetId"]
        try:
            return (await self._flows.create_item(self.kind, self.id, body)).flow_item_id
        except (TransportError, ServerError) as error:
            return await find_out(
                lambda: self._item_with(dataset_id),
                error,
                request=f"POST /flow/{self.kind}/{self.id}/item",
                advice=f"Look in get_flow_items() for one with dataset_id {dataset_id!r} before "
                "you create the batch again.",
            )

    async def _pay_patiently(self, body: dict[str, Any]) -> str:
        """The same with a key: what certainly was not carried out is sent again."""

        async def send() -> str:
            return (await self._flows.create_item(self.kind, self.id, body)).flow_item_id

        return await sent_once(
            send,
            lambda: self._item_with(body["datasetId"]),
            request=f"POST /flow/{self.kind}/{self.id}/item",
            seconds=self._transport.settings.settle,
            advice="Create it again with the same key: that looks first.",
        )

    def _item(self, item_id: str, dataset_id: str) -> AsyncRapidataFlowItem:
        return AsyncRapidataFlowItem(self._transport, self.kind, self.id, item_id, dataset_id)

    def __repr__(self) -> str:
        kind = type(self).__name__.removeprefix("Async")
        return f"{kind}(id={self.id!r}, name={self.name!r})"


class AsyncRapidataRankingFlow(AsyncRapidataFlow):
    """Ranks the items of each batch by comparisons of two.

    Attributes:
        id: The flow's id.
        name: Its name.
    """

    kind: Kind = "ranking"

    async def create_new_flow_batch(
        self,
        datapoints: Sequence[str],
        context: str | None = None,
        context_assets: Sequence[str] | None = None,
        data_type: Literal["media", "text"] = "media",
        private_metadata: Sequence[dict[str, str]] | None = None,
        accept_failed_uploads: bool = False,
        time_to_live: int | None = None,
        key: str | None = None,
        attempt: int = 1,
    ) -> AsyncRapidataFlowItem:
        """Start to rank a batch, independently of all others. This costs money.

        Args:
            datapoints: URLs, paths of local files, or texts; two at least.
            context: Text shown with every comparison, at most 400 characters.
            context_assets: Images (URLs or paths) shown with every comparison, at most 10.
            data_type: ``media`` for URLs and paths, ``text`` for the texts themselves.
            private_metadata: One text-to-text mapping per datapoint that labelers never see.
            accept_failed_uploads: Rank what could be uploaded when something could not.
            time_to_live: Seconds, 20 to 3600, after which the batch ends with what it has. The
                platform's default is 240. The drain duration is part of it.
            key: The identity of the batch, the same over retries and restarts: the batch that the
                key has in this flow is returned instead of a new one. Without a key every call
                starts a batch.
            attempt: Which attempt of the caller's at the key, from 1. From the second on, a batch
                that an earlier one may have started is looked for until it must show, for
                ``settle`` seconds, before another one is paid.

        Raises:
            KeyConflictError: The key has a batch of something else.
            FailedUploadException: Some datapoints could not be uploaded; nothing was paid.
            AmbiguousSubmissionError: The answer was lost and the item did not show up.
        """
        batch = RankingBatch(
            **given(
                datapoints=datapoints,
                context=context,
                context_assets=context_assets,
                data_type=data_type,
                private_metadata=private_metadata,
                time_to_live=time_to_live,
            )
        )
        return await self._create(batch, accept_failed_uploads, key, attempt)

    async def update_config(
        self,
        instruction: str | None = None,
        starting_elo: int | None = None,
        min_responses: int | None = None,
        max_responses: int | None = None,
        drain_duration: int | None = None,
        serve_timeout: int | None = None,
    ) -> None:
        """Change what is given, for new batches only; nothing is sent when nothing is.

        Args:
            instruction: The question that labelers see.
            starting_elo: The score where everything starts.
            min_responses: Answers with which a batch whose time is over counts as completed.
            max_responses: Answers that end a batch.
            drain_duration: Seconds before the end of a batch from which it is shown to nobody new.
            serve_timeout: Seconds that a labeler has for an answer.
        """
        changes = RankingChanges(
            **given(
                instruction=instruction,
                starting_elo=starting_elo,
                min_responses=min_responses,
                max_responses=max_responses,
                drain_duration=drain_duration,
                serve_timeout=serve_timeout,
            )
        ).body()
        if changes:
            await self._flows.update(self.kind, self.id, changes)


class AsyncRapidataClassifyFlow(AsyncRapidataFlow):
    """Classifies each item of each batch.

    Attributes:
        id: The flow's id.
        name: Its name.
    """

    kind: Kind = "simple"

    async def create_new_flow_batch(
        self,
        datapoints: Sequence[str],
        contexts: Sequence[str] | None = None,
        context_assets: Sequence[Sequence[str]] | None = None,
        data_type: Literal["media", "text"] = "media",
        private_metadata: Sequence[dict[str, str]] | None = None,
        accept_failed_uploads: bool = False,
        time_to_live: int | None = None,
        key: str | None = None,
        attempt: int = 1,
    ) -> AsyncRapidataFlowItem:
        """Start to classify a batch. This costs money.

        Args:
            datapoints: URLs, paths of local files, or texts.
            contexts: One text per datapoint shown beside it, at most 400 characters each.
            context_assets: One list of images (URLs or paths) per datapoint shown beside it.
            data_type: ``media`` for URLs and paths, ``text`` for the texts themselves.
            private_metadata: One text-to-text mapping per datapoint that labelers never see.
            accept_failed_uploads: Classify what could be uploaded when something could not.
            time_to_live: Seconds, 20 to 3600, after which the batch ends with what it has. The
                platform's default is 240. The drain duration is part of it.
            key: The identity of the batch, the same over retries and restarts: the batch that the
                key has in this flow is returned instead of a new one. Without a key every call
                starts a batch.
            attempt: Which attempt of the caller's at the key, from 1. From the second on, a batch
                that an earlier one may have started is looked for until it must show, for
                ``settle`` seconds, before another one is paid.

        Raises:
            KeyConflictError: The key has a batch of something else.
            FailedUploadException: Some datapoints could not be uploaded; nothing was paid.
            AmbiguousSubmissionError: The answer was lost and the item did not show up.
        """
        batch = ClassifyBatch(
            **given(
                datapoints=datapoints,
                contexts=contexts,
                context_assets=context_assets,
                data_type=data_type,
                private_metadata=private_metadata,
                time_to_live=time_to_live,
            )
        )
        return await self._create(batch, accept_failed_uploads, key, attempt)

    async def update_config(self, drain_duration: int | None = None) -> None:
        """Change what is given, for new batches only; nothing is sent when nothing is.

        Args:
            drain_duration: Seconds before the end of a batch from which it is shown to nobody new.
        """
        changes = ClassifyChanges(**given(drain_duration=drain_duration)).body()
        if changes:
            await self._flows.update(self.kind, self.id, changes)


class AsyncFlows:
    """``client.flow``."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport
        self._flows = AsyncFlowApi(transport)

    async def create_ranking_flow(
        self,
        name: str,
        instruction: str,
        max_response_threshold: int = 100,
        min_response_threshold: int | None = None,
        validation_set_id: str | None = None,
        settings: Sequence[Setting] | None = None,
        drain_duration: int | None = None,
        serve_timeout: int | None = None,
    ) -> AsyncRapidataRankingFlow:
        """Create a flow that ranks. It costs nothing before it has batches.

        Args:
            name: For people, never shown to labelers.
            instruction: The question that labelers see with two items.
            max_response_threshold: Answers that end a batch.
            min_response_threshold: Answers with which a batch whose time is over counts as
                ``Completed`` rather than ``Incomplete``; by default the maximum.
            validation_set_id: Tasks with known answers that are mixed in.
            settings: Switches such as :func:`rapidata_core.AllowNeitherBoth`.
            drain_duration: Seconds before the end of a batch from which it is shown to nobody new.
            serve_timeout: Seconds that a labeler has for an answer.
        """
        least = max_response_threshold if min_response_threshold is None else min_response_threshold
        flow = RankingFlow(
            **given(
                name=name,
                instruction=instruction,
                max_responses=max_response_threshold,
                min_responses=least,
                validation_set_id=validation_set_id,
                settings=settings,
                drain_duration=drain_duration,
                serve_timeout=serve_timeout,
            )
        )
        created = await self._flows.create("ranking", flow.body())
        return AsyncRapidataRankingFlow(self._transport, created.flow_id, name)

    async def create_classify_flow(
        self,
        name: str,
        instruction: str,
        categories: Sequence[str] | Sequence[tuple[str, str]],
        max_responses_per_datapoint: int = 15,
        min_responses_per_datapoint: int = 10,
        validation_set_id: str | None = None,
        settings: Sequence[Setting] | None = None,
        drain_duration: int | None = None,
        serve_timeout: int | None = None,
    ) -> AsyncRapidataClassifyFlow:
        """Create a flow that classifies. It costs nothing before it has batches.

        Args:
            name: For people, never shown to labelers.
            instruction: The question that labelers see.
            categories: 2 to 8 categories, or pairs of what labelers see and what the results say.
            max_responses_per_datapoint: Answers that a datapoint gets at most.
            min_responses_per_datapoint: Answers per datapoint, on average, with which a batch
                whose time is over counts as ``Completed`` rather than ``Incomplete``.
            validation_set_id: Tasks with known answers that are mixed in.
            settings: Switches such as :func:`rapidata_core.NoShuffle`.
            drain_duration: Seconds before the end of a batch from which it is shown to nobody new.
            serve_timeout: Seconds that a labeler has for an answer.
        """
        flow = ClassifyFlow(
            **given(
                name=name,
                instruction=instruction,
                categories=categories,
                max_responses=max_responses_per_datapoint,
                min_responses=min_responses_per_datapoint,
                validation_set_id=validation_set_id,
                settings=settings,
                drain_duration=drain_duration,
                serve_timeout=serve_timeout,
            )
        )
        created = await self._flows.create("simple", flow.body())
        return AsyncRapidataClassifyFlow(self._transport, created.flow_id, name)

    async def get_flow_by_id(
        self, flow_id: str
    ) -> AsyncRapidataRankingFlow | AsyncRapidataClassifyFlow:
        """Find a flow again.

        Raises:
            NotFoundError: There is none with this id.
        """
        refuse_blank(flow_id=flow_id)
        found = await self._flows.get(flow_id)
        return self._flow(found.kind, found.id, found.name)

    async def get_flow_item_by_id(self, flow_item_id: str) -> AsyncRapidataFlowItem:
        """Find a batch again.

        Raises:
            NotFoundError: There is none with this id, or its flow was deleted.
        """
        refuse_blank(flow_item_id=flow_item_id)
        found = await self._flows.item(flow_item_id)
        if found.flow_id is None:
            raise ServerError(f"The platform does not say which flow has item {flow_item_id}.")
        flow = await self.get_flow_by_id(found.flow_id)
        return AsyncRapidataFlowItem(
            self._transport, flow.kind, flow.id, found.id, found.dataset_id
        )

    async def find_flows(
        self, name: str = "", amount: int = 10, page: int = 1
    ) -> list[AsyncRapidataRankingFlow | AsyncRapidataClassifyFlow]:
        """Flows whose name contains a text, newest first.

        Args:
            name: The text; empty finds all.
            amount: Flows per page.
            page: Which page, from 1.
        """
        named = [("name[contains]", name)] if name else []
        found = await self._flows.list(named, page=page, size=amount)
        return [self._flow(item.type, item.id, item.name) for item in found]

    async def preheat(self) -> None:
        """Get people ready for batches that follow soon; best five minutes before them."""
        await self._flows.preheat()

    def _flow(
        self, kind: str, flow_id: str, name: str
    ) -> AsyncRapidataRankingFlow | AsyncRapidataClassifyFlow:
        known = _KINDS.get(kind)
        if known is None:
            raise ServerError(
                f"Flow {flow_id} is of the kind {kind!r}, which this version does not know. "
                "Is this package up to date?"
            )
        if known == "ranking":
            return AsyncRapidataRankingFlow(self._transport, flow_id, name)
        return AsyncRapidataClassifyFlow(self._transport, flow_id, name)


def _name(asset: ResultAsset, datapoint_id: str) -> str:
    """What people know a result by: its URL, else its file's name, else the platform's name."""
    source, file = asset.metadata.source_url, asset.metadata.original_filename
    known = (source and source.url, file and file.original_filename, asset.identifier)
    return next((name for name in known if name), datapoint_id)
