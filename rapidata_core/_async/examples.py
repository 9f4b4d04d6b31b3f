"""Qualification examples of one audience: adding them once, and looking at those that are there."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rapidata_core._async.api.audiences import AsyncAudienceApi
from rapidata_core._async.assets import upload_assets
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.errors import (
    NotFoundError,
    RapidataError,
    ServerError,
    TransportError,
    is_undone,
)
from rapidata_core.jobs import QualificationExample
from rapidata_core.policy.audiences import (
    MIN_EXAMPLES,
    example_as_given,
    example_content,
    given_names,
    listed_as_given,
    missing_examples,
    surplus_examples,
    truth_text,
)
from rapidata_core.settings import doubts
from rapidata_core.wire.audience import ExampleAnswer

_log = logging.getLogger("rapidata_core.audience")


class AsyncExamples:
    """The examples of an audience."""

    def __init__(self, transport: AsyncTransport, audience_id: str) -> None:
        self._transport = transport
        self._audiences = AsyncAudienceApi(transport)
        self._audience_id = audience_id
        # What was added through this object, to notice that the same is added again.
        self._added: Counter[str] = Counter()

    async def complete(self, examples: Sequence[QualificationExample]) -> None:
        """Add those that are missing, and delete what is there twice.

        It adds in an order of its own, the same each time. So where several look the same, it is
        the first ones that an earlier attempt has added.

        Args:
            examples: What shall be there; other examples stay.

        Raises:
            RapidataError: See :meth:`add`.
        """
        ordered = sorted(examples, key=lambda one: (one.type, one.model_dump_json()))
        wanted = [example_as_given(example) for example in ordered]
        there = await self._as_given()
        missing = missing_examples(wanted, list(there.values()))
        for position in missing:
            await self.add(ordered[position])
        if missing:
            # Somebody else may have added the same at the same time.
            there = await self._as_given()
            await self.check()
        for example_id in surplus_examples(wanted, there):
            await self._delete_surplus(example_id)

    async def _as_given(self) -> dict[str, str]:
        """What the examples ask that are there, by id."""
        listed = await self._audiences.all_examples(self._audience_id)
        return {example.id: listed_as_given(example) for example in listed}

    async def _delete_surplus(self, example_id: str) -> None:
        try:
            await self.delete(example_id)
        except NotFoundError:
            _log.info("example %s is gone already", example_id)

    async def add(self, example: QualificationExample) -> None:
        """Upload what an example needs and add it.

        Args:
            example: What to add.

        Raises:
            ValidationError: The platform could not get one of its items; all are listed.
            TransportError: The answer was lost and the example did not show up; add it again.
        """
        for doubt in doubts(example.settings, example.type):
            _log.warning("audience %s: %s", self._audience_id, doubt)
        uploaded = await upload_assets(self._transport, example.items())
        flags = [setting.wire() for setting in example.settings]
        body = {**example.body(uploaded), "featureFlags": flags or None}
        content = _content_of_body(body)
        if self._added[content]:
            _log.warning(
                "audience %s has this example already; the same one again qualifies nobody better",
                self._audience_id,
            )
        try:
            await self._audiences.add_example(self._audience_id, body)
        except (TransportError, ServerError) as error:
            if is_undone(error):
                raise
            _log.warning("the answer about an example was lost; looking whether it is there")
            if await self._count(content) <= self._added[content]:
                raise
        self._added[content] += 1

    async def rows(self, amount: int, page: int) -> list[dict[str, Any]]:
        """One page of the examples, as rows of a table."""
        return [
            {
                "id": example.id,
                "asset": given_names(example.asset),
                "truth": truth_text(example.truth),
                "context": example.context,
                "contextAsset": given_names(example.context_asset),
                "correctCount": example.correct_count,
                "incorrectCount": example.incorrect_count,
            }
            for example in await self._audiences.examples(self._audience_id, page=page, size=amount)
        ]

    async def delete(self, example_id: str) -> None:
        """Delete an example; those left decide about the people anew."""
        await self._audiences.delete_example(example_id)

    async def check(self) -> None:
        """Warn about too few examples, and about the same ones, before somebody counts on them.

        This only advises, so a failure to read them is no error.
        """
        try:
            examples = await self._audiences.all_examples(self._audience_id)
        except RapidataError as error:
            _log.debug("cannot read the examples of audience %s: %s", self._audience_id, error)
            return
        if len(examples) < MIN_EXAMPLES:
            _log.warning(
                "audience %s has %d example(s): nobody is recruited for it before it has at "
                "least %d; add more with its add_..._example methods",
                self._audience_id,
                len(examples),
                MIN_EXAMPLES,
            )
        repeated = len(examples) - len({_content_of_answer(example) for example in examples})
        if repeated:
            _log.warning(
                "%d of the %d examples of audience %s say what another one says already; diverse "
                "examples qualify people better",
                repeated,
                len(examples),
                self._audience_id,
            )

    async def _count(self, content: str) -> int:
        return sum(
            _content_of_answer(example) == content
            for example in await self._audiences.all_examples(self._audience_id)
        )


def _content_of_body(body: dict[str, Any]) -> str:
    return example_content(body["asset"], body["payload"], body["truth"], body.get("context"))


def _content_of_answer(example: ExampleAnswer) -> str:
    return example_content(example.asset, example.payload, example.truth, example.context)
