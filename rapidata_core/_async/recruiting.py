"""Waiting until people have qualified for an audience."""

from __future__ import annotations

from rapidata_core._async.api.audiences import AsyncAudienceApi
from rapidata_core._async.transport import AsyncTransport
from rapidata_core._async.waiting import steady, wait_until
from rapidata_core.errors import AudienceNeedsAttentionError, NotFoundError, outside, refuse
from rapidata_core.policy.audiences import call_for_recruiting, is_hopeless, is_ready, recruiting
from rapidata_core.types import RecruitingMetrics

_NOBODY = RecruitingMetrics(0, 0, 0, 0, {})


async def wait_for_people(
    transport: AsyncTransport,
    audience_id: str,
    graduates: int,
    timeout: float | None,
    poll_interval: float | None,
) -> RecruitingMetrics:
    """See :meth:`AsyncRapidataAudience.wait_until_ready`."""
    refuse(outside("graduates", graduates, 1, whole=True))
    polling = steady(poll_interval)
    audiences = AsyncAudienceApi(transport)
    seen = _NOBODY
    was_hopeless = False

    async def look() -> RecruitingMetrics | None:
        nonlocal seen, was_hopeless
        metrics = await _metrics(audiences, audience_id)
        seen = metrics or _NOBODY
        lonely = seen.graduated + seen.distilling == 0
        status = (await audiences.get(audience_id)).status if lonely else None
        if is_ready(status, metrics, graduates):
            return seen
        hopeless = is_hopeless(status, metrics)
        if hopeless and was_hopeless:
            examples = await audiences.all_examples(audience_id)
            message = call_for_recruiting(audience_id, len(examples))
            raise AudienceNeedsAttentionError(message, audience_id=audience_id)
        # Recruiting may be about to begin, so one look is not enough.
        was_hopeless = hopeless
        return None

    return await wait_until(
        look,
        what=f"The {graduates} qualified for audience {audience_id}",
        timeout=timeout,
        polling=polling,
        so_far=lambda: f"So far {seen.graduated} qualified, and {seen.distilling} are trying.",
    )


async def _metrics(audiences: AsyncAudienceApi, audience_id: str) -> RecruitingMetrics | None:
    try:
        return recruiting((await audiences.metrics(audience_id)).users_per_state)
    except NotFoundError:
        # Audiences that recruit nobody have none; whether there is one at all shows otherwise.
        return None
