"""One logical task, one paid job.

Every submission reads before it pays. An unknown outcome is resolved by reading, never by sending
again. What the names mean is decided in :mod:`rapidata_core.policy.submission`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from rapidata_core._async.api.audiences import AsyncAudienceApi
from rapidata_core._async.api.definitions import AsyncDefinitionApi
from rapidata_core._async.api.jobs import AsyncJobApi
from rapidata_core._async.define import define
from rapidata_core._async.transport import AsyncTransport
from rapidata_core._async.waiting import find_out
from rapidata_core.concurrency import async_sleep
from rapidata_core.config import rapidata_config
from rapidata_core.errors import (
    AmbiguousSubmissionError,
    NotFoundError,
    RapidataError,
    ServerError,
    SubmissionConflictError,
    TransportError,
    ValidationError,
)
from rapidata_core.jobs import JobSpec
from rapidata_core.policy.audiences import is_unlisted
from rapidata_core.policy.submission import (
    Identity,
    check_budget,
    check_listing,
    check_max_cost,
    fingerprint_in,
    identify,
    identify_order,
    job_to_adopt,
    oldest_of,
)
from rapidata_core.types import Submission
from rapidata_core.wire.job import CostAnswer, JobListItem

_log = logging.getLogger("rapidata_core.submit")
_SAME_KEY = "Submit again with the same key: it looks before it pays."
_NOT_PRICED_YET = 409
_PRICE_PAUSES = (0.2, 0.4, 0.8, 1.5, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0)


async def submit(
    transport: AsyncTransport,
    spec: JobSpec,
    audience_id: str,
    *,
    key: str,
    max_cost: float | None = None,
    failure_tolerance: float = 0.0,
) -> Submission:
    """Get the job of a logical task: the one it has, or a new one.

    Args:
        transport: Where to.
        spec: What to ask.
        audience_id: Whom to ask.
        key: The identity of the logical task, the same over retries and restarts, another one for
            other work.
        max_cost: Refuse to pay more than this, by the platform's estimate.
        failure_tolerance: Share of the datapoints that may fail; if more do, nothing is paid.

    Raises:
        SubmissionConflictError: The key has a job that asks something else.
        BudgetExceededError: It would cost more than ``max_cost``; nothing was paid.
        AmbiguousSubmissionError: It is unknown whether the job was created; submitting again with
            the same key finds out.
        RapidataError: As the platform's calls raise it.
    """
    identity = identify(spec, audience_id, key, transport.settings.namespace)
    check_max_cost(max_cost)
    existing = await _existing(transport, identity)
    if existing is not None:
        _log.info("adopting job %s: this key has it already", existing.job_id)
        cost = await price(AsyncJobApi(transport).cost, existing.job_id)
        return _submission(existing, cost, adopted=True)
    audiences = AsyncAudienceApi(transport)
    # Before anything is uploaded: there is such an audience.
    await (audiences.get_unlisted if is_unlisted(audience_id) else audiences.get)(audience_id)
    name = identity.name(spec.name)
    least = len(spec.points()) * (1 - failure_tolerance)
    definition_id = await _definition_of(transport, identity, least)
    if definition_id is None:
        definition_id = await define(
            transport, spec, name, failure_tolerance=failure_tolerance, incomplete=False
        )
    paid = await pay(
        transport, definition_id, audience_id, identity, name, max_cost, advice=_SAME_KEY
    )
    return await _settled(transport, identity, paid, _SAME_KEY)


async def submit_order(
    transport: AsyncTransport, definition_id: str, name: str, audience_id: str
) -> Submission:
    """Get the one paid job of an order: the one that it has, or a new one.

    Args:
        transport: Where to.
        definition_id: What to ask; it is what the order is known by.
        name: The job's name for people.
        audience_id: Whom to ask.

    Raises:
        AmbiguousSubmissionError: See :func:`submit`.
    """
    identity = identify_order(definition_id, audience_id)
    existing = await find_order_job(transport, definition_id, audience_id)
    if existing is not None:
        _log.info("order %s runs already as job %s", definition_id, existing.job_id)
        cost = await price(AsyncJobApi(transport).cost, existing.job_id)
        return _submission(existing, cost, adopted=True)
    advice = "Run it again: that looks before it pays."
    full_name = identity.name(name)
    paid = await pay(transport, definition_id, audience_id, identity, full_name, advice=advice)
    return await _settled(transport, identity, paid, advice)


async def find_order_job(
    transport: AsyncTransport, definition_id: str, audience_id: str
) -> JobListItem | None:
    """The job of an order, None before it runs."""
    return await _existing(transport, identify_order(definition_id, audience_id))


async def pay(
    transport: AsyncTransport,
    definition_id: str,
    audience_id: str,
    identity: Identity,
    name: str,
    max_cost: float | None = None,
    revision_number: int | None = None,
    preceding_job_id: str | None = None,
    *,
    advice: str,
) -> Submission:
    """Make the paid call once, and know afterwards what it did.

    Args:
        transport: Where to.
        definition_id: What to ask.
        audience_id: Whom to ask.
        identity: By which the job is found should the answer be lost.
        name: The job's name; it ends in the identity.
        max_cost: See :func:`submit`.
        revision_number: Which revision of the definition; the latest one by default.
        preceding_job_id: A job that has to be done before this one starts.
        advice: What to do when it stays unknown whether the job was created.

    Raises:
        BudgetExceededError: See :func:`submit`.
        AmbiguousSubmissionError: See :func:`submit`.
    """
    definitions = AsyncDefinitionApi(transport)
    if revision_number is None:
        revision_number = (await definitions.get_revision(definition_id)).revision_number
    cost = await price(definitions.cost, definition_id)
    check_budget(cost.estimated_cost, max_cost)
    try:
        created = await AsyncJobApi(transport).create(
            definition_id=definition_id,
            audience_id=audience_id,
            revision_number=revision_number,
            name=name,
            preceding_job_id=preceding_job_id,
            check_for_explicit_content=rapidata_config.upload.checkForExplicitContent,
        )
    except (TransportError, ServerError) as error:

        async def look() -> JobListItem | None:
            found = await _jobs_of(transport, identity)
            return oldest_of(found) if found else None

        lost = await find_out(look, error, request="POST /job", advice=advice)
        return _submission(lost, cost, adopted=False)
    if created.cost_warning is not None:
        _log.warning(
            "job %s costs %.2f, but only %.2f is available: it will stop when the money is used up",
            created.job_id,
            created.cost_warning.estimated_cost,
            created.cost_warning.available_balance,
        )
    if created.content_check_skip_denied:
        _log.warning(
            "job %s is checked for explicit content: this account may not skip it", created.job_id
        )
    return Submission(
        job_id=created.job_id,
        definition_id=definition_id,
        audience_id=audience_id,
        adopted=False,
        estimated_cost=cost.estimated_cost,
    )


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


async def _jobs_of(transport: AsyncTransport, identity: Identity) -> list[JobListItem]:
    """All jobs that carry the key. A failed read raises: it does not mean "nothing there"."""
    ending = [("name[ends_with]", identity.name_ending)]
    found = list(await AsyncJobApi(transport).list(ending, sort="created_at"))
    check_listing((job.name for job in found), identity)
    return found


async def _existing(transport: AsyncTransport, identity: Identity) -> JobListItem | None:
    """The job of a logical task, if it has one."""
    jobs = await _jobs_of(transport, identity)
    existing = job_to_adopt(jobs, identity)
    others = [job.job_id for job in jobs if existing is not None and job is not existing]
    if others:
        # Runners that raced and ended before they settled it. We cannot know that nobody uses them.
        _log.warning("%s: this key has them beside its job; delete them", ", ".join(others))
    return existing


async def _definition_of(transport: AsyncTransport, identity: Identity, least: float) -> str | None:
    """A definition that an earlier attempt left behind, if it asks the same.

    It has to ask about as many datapoints as now: that attempt may have tolerated more failures.
    """
    api = AsyncDefinitionApi(transport)
    definitions = await api.list([("name[ends_with]", identity.name_ending)], size=100)
    check_listing((definition.name for definition in definitions), identity)
    for definition in definitions:
        if fingerprint_in(definition.name) != identity.fingerprint:
            continue
        if (await price(api.cost, definition.definition_id)).datapoint_count >= least:
            return definition.definition_id
    return None


async def _settled(
    transport: AsyncTransport, identity: Identity, paid: Submission, advice: str
) -> Submission:
    """What was paid, after any race was settled."""
    try:
        kept = await _settle_race(transport, identity, paid.job_id)
    except SubmissionConflictError:
        raise
    except RapidataError as error:
        # It is paid, so its id must not get lost.
        raise AmbiguousSubmissionError(
            f"Job {paid.job_id} was created, but it cannot be told whether another runner created "
            f"one as well. {advice} The cause: {error.message}",
            request="POST /job",
            trace_id=error.trace_id,
        ) from error
    if kept is None or kept.job_id == paid.job_id:
        return paid
    return replace(paid, job_id=kept.job_id, definition_id=kept.job_definition_id, adopted=True)


async def _settle_race(
    transport: AsyncTransport, identity: Identity, created: str
) -> JobListItem | None:
    """Keep the oldest job of the key and drop the others; returns the one that stays.

    There was none when we began, so whatever is there beside it was created by a race: by us, or
    by another runner, or by us without our knowing because the answer was lost.
    """
    jobs = await _jobs_of(transport, identity)
    if created not in {job.job_id for job in jobs}:
        jobs += await _unlisted(transport, created)
    if not jobs:
        return None
    oldest = oldest_of(jobs)
    for younger in (job.job_id for job in jobs if job is not oldest):
        _log.warning("this key has job %s already; deleting %s of a race", oldest.job_id, younger)
        await _drop(transport, younger)
    # Raises if the job that stays asks something else.
    return job_to_adopt(jobs, identity)


async def _unlisted(transport: AsyncTransport, job_id: str) -> list[JobListItem]:
    """A job that the list does not show yet; none if another runner has deleted it already.

    Taking it for gone would let two runners delete each other's.
    """
    try:
        job = await AsyncJobApi(transport).get(job_id)
    except NotFoundError:
        return []
    content = job.model_dump() | {"job_definition_id": job.definition_id}
    return [JobListItem.model_validate(content)]


async def _drop(transport: AsyncTransport, job_id: str) -> None:
    try:
        await AsyncJobApi(transport).delete(job_id)
    except NotFoundError:
        # The other runner was faster.
        _log.info("job %s is gone already", job_id)


def _submission(job: JobListItem, cost: CostAnswer, *, adopted: bool) -> Submission:
    return Submission(
        job_id=job.job_id,
        definition_id=job.job_definition_id,
        audience_id=job.audience_id,
        adopted=adopted,
        estimated_cost=cost.estimated_cost,
    )
