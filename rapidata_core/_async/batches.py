"""Finding the batches of a flow by their keys.

A batch has no name, but its dataset has: it ends in the batch's identity. Datasets cannot be
listed, so the names are read one by one, each once.
"""

from __future__ import annotations

import logging

from rapidata_core._async.api.datasets import AsyncDatasetApi
from rapidata_core._async.api.flows import AsyncFlowApi
from rapidata_core._async.settling import until_settled
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.concurrency import async_map
from rapidata_core.errors import AmbiguousSubmissionError, NotFoundError, RapidataError
from rapidata_core.policy.flows import item_to_adopt, oldest_item
from rapidata_core.policy.submission import Identity
from rapidata_core.wire.flow import FlowItemAnswer
from rapidata_core.wire.model import PAGE_SIZE

_log = logging.getLogger("rapidata_core.flow")
# A key is looked for among so many pages of the newest batches. Each costs a read per batch.
_PAGES = 5
_WORKERS = 8


class AsyncBatches:
    """The batches of one flow."""

    def __init__(self, transport: AsyncTransport, flow_id: str) -> None:
        self._flows = AsyncFlowApi(transport)
        self._datasets = AsyncDatasetApi(transport)
        self._settle = transport.settings.settle
        self._flow_id = flow_id
        # A dataset keeps its name, so what was read once is not read again.
        self._names: dict[str, str] = {}

    async def find(self, identity: Identity, attempt: int) -> FlowItemAnswer | None:
        """The batch that a key has.

        Args:
            identity: The key's.
            attempt: The caller's. A batch of an earlier one may be about to show.

        Raises:
            KeyConflictError: It is about something else.
        """

        async def look() -> FlowItemAnswer | None:
            return item_to_adopt(await self._of_key(identity), self._names, identity)

        if attempt == 1:
            return await look()
        what = "A batch of an earlier attempt"
        return await until_settled(look, what=what, seconds=self._settle)

    async def settle_race(self, identity: Identity, created: str) -> FlowItemAnswer | None:
        """Keep the oldest batch of a key and stop the others.

        Args:
            identity: The key's.
            created: The batch that was just created and paid for.

        Returns:
            The one that stays, or None if the list does not show what was created.

        Raises:
            KeyConflictError: Another runner made a batch about something else before.
            AmbiguousSubmissionError: It cannot be told.
        """

        async def look() -> list[FlowItemAnswer] | None:
            found = await self._of_key(identity)
            return found if created in {item.id for item in found} else None

        what = f"Flow item {created}, which was just created"
        try:
            found = await until_settled(look, what=what, seconds=self._settle)
            oldest = oldest_item(found or ())
            for younger in (item.id for item in found or () if item is not oldest):
                _log.warning("a race made two batches of a key; stopping %s", younger)
                await self._flows.stop(younger)
        except RapidataError as error:
            # It is paid, so its id must not get lost.
            raise AmbiguousSubmissionError(
                f"Flow item {created} was created, but it cannot be told whether another runner "
                "created one as well. Create it again with the same key: that looks first. The "
                f"cause: {error.message}",
                trace_id=error.trace_id,
            ) from error
        return item_to_adopt(found or [], self._names, identity)

    async def _of_key(self, identity: Identity) -> list[FlowItemAnswer]:
        """The batches of a key. Those of a race stand together, so the first page will do."""
        for page in range(1, _PAGES + 1):
            items = await self._flows.items(self._flow_id, page=page, size=PAGE_SIZE)
            unknown = {item.dataset_id for item in items} - set(self._names)
            await async_map(self._read_name, sorted(unknown), _WORKERS)
            found = [
                item
                for item in items
                if self._names[item.dataset_id].endswith(identity.name_ending)
            ]
            if found or len(items) < PAGE_SIZE:
                return found
        return []

    async def _read_name(self, dataset_id: str) -> None:
        try:
            self._names[dataset_id] = (await self._datasets.get(dataset_id)).name
        except NotFoundError:
            self._names[dataset_id] = ""
