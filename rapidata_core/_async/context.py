"""``client.context``: long contexts made short enough to be shown, without what does not matter."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from rapidata_core._async.api.datasets import AsyncDatasetApi
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.concurrency import async_map
from rapidata_core.config import rapidata_config
from rapidata_core.errors import ValidationError
from rapidata_core.jobs import JobSpec
from rapidata_core.jobs.checks import length_problem, problems_of

_log = logging.getLogger("rapidata_core.context")
# As many as the platform takes in one request.
_AT_ONCE = 10


class AsyncContexts:
    """``client.context``."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def shorten_context(self, context: str, question: str) -> str:
        """Shorten a text to what matters for a question.

        Args:
            context: The text.
            question: What labelers will be asked about it.
        """
        return (await self.shorten_contexts([(context, question)]))[0]

    async def shorten_contexts(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        """Shorten several texts.

        Args:
            pairs: A context and its question each.

        Returns:
            The short texts, in the same order; where the platform has none, the text as it was.
        """
        problems = [
            f"[{index}] must be a pair of a context and a question, neither of them blank"
            for index, pair in enumerate(pairs)
            if len(pair) != 2 or not all(isinstance(text, str) and text.strip() for text in pair)  # pyright: ignore[reportUnnecessaryIsInstance,reportUnnecessaryComparison]
        ]
        if problems:
            raise ValidationError("pairs", problems)
        api = AsyncDatasetApi(self._transport)

        async def shorten(some: Sequence[tuple[str, str]]) -> list[str]:
            answer = await api.shorten_contexts(some)
            # A missing answer leaves the text as it was.
            texts = [item.shortened_context for item in answer.items]
            texts += [None] * (len(some) - len(texts))
            return [text or pair[0] for text, pair in zip(texts, some, strict=False)]

        chunks = [pairs[start : start + _AT_ONCE] for start in range(0, len(pairs), _AT_ONCE)]
        workers = rapidata_config.upload.maxWorkers
        return [text for texts in await async_map(shorten, chunks, workers) for text in texts]


async def shortened(transport: AsyncTransport, spec: JobSpec) -> JobSpec:
    """A spec whose contexts can be shown: shortened if the configuration says so.

    Raises:
        ValidationError: Some are too long; nothing was sent unless they were to be shortened.
    """
    contexts = spec.contexts or []
    long = list(dict.fromkeys(context for context in contexts if length_problem(context)))
    if long and rapidata_config.upload.autoShortenContext:
        _log.info("shortening %d contexts", len(long))
        pairs = [(context, spec.instruction) for context in long]
        texts = await AsyncContexts(transport).shorten_contexts(pairs)
        short = dict(zip(long, texts, strict=True))
        contexts = [short.get(context, context) for context in contexts]
        spec = spec.model_copy(update={"contexts": contexts})
    if problems := problems_of(contexts, length_problem):
        raise ValidationError(type(spec).__name__, [f"contexts: {found}" for found in problems])
    return spec
