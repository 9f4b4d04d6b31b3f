"""What jobs cost: expected, actual, and together under a spend cap."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from rapidata_core._async.api.billing import AsyncBillingApi
from rapidata_core._async.api.jobs import AsyncJobApi
from rapidata_core._async.settling import until_settled
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.concurrency import async_map, async_sleep
from rapidata_core.errors import (
    AuthenticationError,
    NotFoundError,
    RapidataError,
    ServerError,
    ValidationError,
)
from rapidata_core.policy.polling import is_done
from rapidata_core.policy.spending import (
    billed_cost,
    by_job,
    check_counted,
    counted,
    period_start,
    total,
)
from rapidata_core.policy.submission import cap_digest
from rapidata_core.types import CostEstimate, SpendCap
from rapidata_core.wire.billing import BillingGroup
from rapidata_core.wire.job import CostAnswer, JobListItem
from rapidata_core.wire.model import PAGE_SIZE

_Bill = dict[str, list[BillingGroup]]

_log = logging.getLogger("rapidata_core.spend")
_NOT_PRICED_YET = 409
_PRICE_PAUSES = (0.2, 0.4, 0.8, 1.5, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0)
_NOT_ALLOWED = 403
_WORKERS = 8
# The bill may be kept by the day, and in whichever time zone.
_BILL_MARGIN = timedelta(days=2)


async def price(ask: Callable[[str], Awaitable[CostAnswer]], identifier: str) -> CostAnswer:
    """The platform's estimate, for which it needs a moment after an object was created.

    Args:
        ask: Asks for it: :meth:`AsyncJobApi.cost` or :meth:`AsyncDefinitionApi.cost`.
        identifier: Of the job or of the definition.

    Raises:
        ServerError: There is no estimate after two minutes.
    """
    for pause in (*_PRICE_PAUSES, None):
        try:
            return await ask(identifier)
        except ValidationError as error:
            if error.status_code != _NOT_PRICED_YET:
                raise
            if pause is None:
                raise ServerError(
                    f"The platform has no estimate for {identifier} after "
                    f"{sum(_PRICE_PAUSES):.0f} s. Nothing was paid by asking; try again later.",
                    status_code=error.status_code,
                    trace_id=error.trace_id,
                ) from None
            await async_sleep(pause)
    raise AssertionError("the last round returns or raises")


def estimate(answer: CostAnswer) -> CostEstimate:
    """The platform's estimate as users see it."""
    return CostEstimate(answer.estimated_cost, answer.datapoint_count, answer.required_responses)


async def actual_cost(transport: AsyncTransport, job_id: str) -> float | None:
    """What a job has cost by the platform's bill.

    Returns:
        None where that does not tell: the job is not completed, not all of its answers are on the
        bill yet, or these credentials may not see it.
    """
    jobs = AsyncJobApi(transport)
    job = await jobs.get(job_id)
    if not is_done(job.state):
        return None
    groups = (await _bill(transport, job.created_at)).get(job_id, [])
    return billed_cost(groups, (await jobs.progress(job_id)).response_count)


async def committed(
    transport: AsyncTransport, cap: SpendCap, *, until: JobListItem | None = None
) -> float:
    """What the jobs of a spend cap cost that were created in its period.

    A completed job counts with what it has cost, where the bill tells, any other with the
    platform's estimate. A deleted job does not count.

    Without ``until`` the period is the one that it is now by our own clock. That is good for a
    first look; what holds is a second one with ``until``, which is about the platform's time alone.

    Args:
        transport: Where to.
        cap: The limit.
        until: A job that was just created: nothing younger counts, and the job itself does. The
            platform lists jobs in the order of their creation, so once this one shows, so does
            everything older. It is waited for as long as calls need to settle.

    Raises:
        RapidataError: A read failed, so the sum is unknown.
    """
    mark = f".{cap_digest(transport.settings.namespace, cap.prefix)}."
    now = datetime.now(UTC) if until is None else until.created_at
    start = period_start(cap.period, now)
    jobs = counted(await _listed(transport, mark, start, until), until)
    bill: _Bill = {}
    if any(is_done(job.state) for job in jobs):
        try:
            bill = await _bill(transport, start)
        except RapidataError as error:
            _log.warning("cannot read the bill, so estimates count instead: %s", error)

    async def cost(job: JobListItem) -> float:
        return await _cost(transport, job, bill.get(job.job_id, []))

    return total(await async_map(cost, jobs, _WORKERS))


async def _listed(
    transport: AsyncTransport, mark: str, start: datetime, until: JobListItem | None
) -> list[JobListItem]:
    """The jobs of a cap since a moment; all that are older than ``until`` are among them."""
    api = AsyncJobApi(transport)
    found: dict[str, JobListItem] = {}

    async def look() -> bool | None:
        nonlocal found
        found = await _jobs_since(api, mark, start)
        return until is None or until.job_id in found or None

    if until is None:
        await look()
    else:
        what = f"Job {until.job_id} in the platform's list"
        # If it does not show, what the last look found has to do.
        await until_settled(look, what=what, seconds=transport.settings.settle)
    return list(found.values())


async def _jobs_since(api: AsyncJobApi, mark: str, start: datetime) -> dict[str, JobListItem]:
    """The jobs of a cap by their ids.

    The list is read by time and not by page number: a job that is deleted meanwhile, as happens
    in races, would move another one from the next page to one that was read already.
    """
    found: dict[str, JobListItem] = {}
    while True:
        filters = [("name[contains]", mark), ("created_at[gte]", start.isoformat())]
        page = await api.list(filters, sort="created_at", size=PAGE_SIZE)
        check_counted((job.name for job in page), mark)
        new = {job.job_id: job for job in page if job.job_id not in found}
        found |= new
        if len(page) < PAGE_SIZE:
            return found
        if not new:
            raise ServerError(
                f"The platform does not list jobs by the time of their creation beyond {start}, so "
                "nobody can tell what a spend cap leaves."
            )
        start = page[-1].created_at


async def _cost(
    transport: AsyncTransport, job: JobListItem, groups: Sequence[BillingGroup]
) -> float:
    jobs = AsyncJobApi(transport)
    try:
        if groups and is_done(job.state):
            answers = (await jobs.progress(job.job_id)).response_count
            billed = billed_cost(groups, answers)
            if billed is not None:
                return billed
        return (await price(jobs.cost, job.job_id)).estimated_cost
    except NotFoundError:
        if await _exists(jobs, job.job_id):
            raise
        # Deleted since it was listed.
        return 0.0


async def _exists(jobs: AsyncJobApi, job_id: str) -> bool:
    try:
        await jobs.get(job_id)
    except NotFoundError:
        return False
    return True


async def _bill(transport: AsyncTransport, since: datetime) -> _Bill:
    """What is on the bill about jobs, by their ids; nothing for credentials that may not see it."""
    try:
        return by_job(await AsyncBillingApi(transport).groups(since - _BILL_MARGIN))
    except AuthenticationError as error:
        if error.status_code != _NOT_ALLOWED:
            raise
        _log.info("these credentials may not see what jobs have cost")
        return {}
