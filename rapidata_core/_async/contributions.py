"""What a benchmark is made of, prompts and samples: every one is tried, what fails is reported."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from rapidata_core._async.assets import AsyncAssets
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.concurrency import async_map
from rapidata_core.errors import (
    AmbiguousSubmissionError,
    AuthenticationError,
    FailedUpload,
    RapidataError,
    ValidationError,
)
from rapidata_core.policy.uploads import reason_of

Item = TypeVar("Item")


async def send_each(
    transport: AsyncTransport,
    items: Sequence[Item],
    media: Callable[[Item], Sequence[str]],
    send: Callable[[Item, Sequence[str]], Awaitable[None]],
) -> list[FailedUpload]:
    """Upload the media of every item, then send the item.

    Args:
        transport: Where to.
        items: What is sent, some at a time.
        media: The files and URLs of an item.
        send: Called with an item and the platform's names of its media.

    Returns:
        What failed, in the order of the items.

    Raises:
        AuthenticationError: The platform refuses us, so it would refuse all that is left, too.
    """
    assets = AsyncAssets(transport)
    await assets.prepare([part for item in items for part in media(item)])

    async def attempt(item: Item) -> FailedUpload | None:
        parts = media(item)
        for part in parts:
            await assets.fetch(part)
        problem = next((assets.problems[part] for part in parts if part in assets.problems), None)
        if problem is not None:
            return FailedUpload(
                item=item,
                error_message=problem.reason,
                error_type="AssetUploadFailed",
                timestamp=datetime.now(UTC),
                exception=problem.exception,
                reason=problem.reason,
                stage=problem.stage,
                http_status=problem.http_status,
            )
        try:
            await send(item, [assets.names[part] for part in parts])
        except ValidationError as error:
            old = [part for part in parts if part in assets.cached]
            if not old:
                return _failed(item, error)
        except AuthenticationError:
            raise
        except RapidataError as error:
            return _failed(item, error)
        else:
            return None
        # The platform may not know any more what the upload cache remembers.
        try:
            await assets.renew(old)
            await send(item, [assets.names[part] for part in parts])
        except AuthenticationError:
            raise
        except RapidataError as error:
            return _failed(item, error)
        return None

    outcomes = await async_map(attempt, items, assets.workers)
    await assets.store()
    return [outcome for outcome in outcomes if outcome is not None]


def _failed(item: object, error: RapidataError) -> FailedUpload:
    unknown = isinstance(error, AmbiguousSubmissionError)
    kind = "OutcomeUnknown" if unknown else "RapidataError"
    return FailedUpload(item, reason_of(error), kind, datetime.now(UTC), error)


def in_words(failures: Sequence[FailedUpload]) -> str:
    """What failed how often, for a message."""
    counts: dict[str, int] = {}
    for failure in failures:
        counts[failure.error_message] = counts.get(failure.error_message, 0) + 1
    return "; ".join(f"{reason} ({count})" for reason, count in counts.items())
