"""One logical task, one paid job.

Every submission reads before it pays. An unknown outcome is resolved by reading, never by sending
again. What the names mean, and whose turn it is to pay, is decided in
:mod:`rapidata_core.policy.submission`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from uuid import uuid4

from rapidata_core._async.api.audiences import AsyncAudienceApi
from rapidata_core._async.api.definitions import AsyncDefinitionApi
from rapidata_core._async.api.jobs import AsyncJobApi
from rapidata_core._async.define import define
from rapidata_core._async.settling import until_settled
from rapidata_core._async.spend import committed, price
from rapidata_core._async.transport import AsyncTransport
from rapidata_core._async.waiting import find_out
from rapidata_core.concurrency import async_monotonic, async_sleep
from rapidata_core.config import rapidata_config
from rapidata_core.errors import (
    AmbiguousSubmissionError,
    BudgetExceededError,
    NotFoundError,
    RapidataError,
    ServerError,
    SubmissionConflictError,
    TransportError,
    is_undone,
)
from rapidata_core.jobs import JobSpec
from rapidata_core.policy.audiences import is_unlisted
from rapidata_core.policy.spending import check_cap
from rapidata_core.policy.submission import (
    Claim,
    Identity,
    OnChanged,
    cap_digest,
    check_budget,
    check_listing,
    check_terms,
    duplicates_of,
    fingerprint_in,
    identify,
    identify_order,
    job_to_adopt,
    oldest_of,
    until_turn,
)
from rapidata_core.types import CostEstimate, SpendCap, Submission
from rapidata_core.wire.definition import DefinitionAnswer
from rapidata_core.wire.job import CostAnswer, JobCreated, JobListItem

_log = logging.getLogger("rapidata_core.submit")
_SAME_KEY = "Submit again with the same key: it looks before it pays."
# How often a runner queues before it leaves it to the next one.
_ROUNDS = 4


async def submit(
    transport: AsyncTransport,
    spec: JobSpec,
    audience_id: str,
    *,
    key: str,
    max_cost: float | None = None,
    attempt: int = 1,
    on_changed: OnChanged = "error",
    failure_tolerance: float = 0.0,
    cap: SpendCap | None = None,
) -> Submission:
    """Get the job of a logical task: the one it has, or a new one.

    Args:
        transport: Where to.
        spec: What to ask.
        audience_id: Whom to ask.
        key: The identity of the logical task, the same over retries and restarts, another one for
            other work.
        max_cost: Refuse to pay more than this, by the platform's estimate.
        attempt: Which attempt at the logical task this is, from 1. From the second on, others are
            given twice the time, because somebody has had trouble before.
        on_changed: What to do if the key only has a job that asks something else: raise, adopt that
            job, or pay for a new one.
        failure_tolerance: Share of the datapoints that may fail; if more do, nothing is paid.
        cap: What all jobs may cost whose keys begin alike.

    Raises:
        SubmissionConflictError: The key has a job that asks something else.
        BudgetExceededError: It would cost more than ``max_cost`` or the cap allows; nothing was
            paid.
        AmbiguousSubmissionError: It is unknown whether the job was created; submitting again with
            the same key finds out.
        RapidataError: As the platform's calls raise it.
    """
    namespace = transport.settings.namespace
    digest = ""
    if cap is not None:
        cap.check_key(key)
        digest = cap_digest(namespace, cap.prefix)
    identity = identify(spec, audience_id, key, namespace, digest)
    check_terms(max_cost, attempt, on_changed)
    runner = _Runner(
        transport,
        spec,
        audience_id,
        identity,
        max_cost,
        on_changed,
        failure_tolerance,
        cap,
        # What a ticket means is agreed on by all runners; how long to respect it, by each.
        hold=transport.settings.settle,
        life=transport.settings.settle * (2 if attempt == 1 else 4),
    )
    # Callers in this process that ask for the same at the same time share one submission.
    return await transport.flights.once(f"submit {identity} {max_cost} {on_changed}", runner.run)


@dataclass
class _Runner:
    """One submission; see :func:`submit`.

    Attributes:
        hold: Seconds after which it does not pay on a ticket any more.
        life: Seconds for which it respects somebody else's ticket.
        content: The definition that the job asks, once there is one.
        cost: Its price, once it is known.
        claim: Its ticket, as long as it may still give it back.
        unsettled: Whether it is unknown what became of a paid call.
    """

    transport: AsyncTransport
    spec: JobSpec
    audience_id: str
    identity: Identity
    max_cost: float | None
    on_changed: OnChanged
    failure_tolerance: float
    cap: SpendCap | None
    hold: float
    life: float
    content: str = ""
    cost: CostAnswer | None = None
    claim: Claim | None = None
    unsettled: bool = False

    def __post_init__(self) -> None:
        self.definitions = AsyncDefinitionApi(self.transport)

    async def run(self) -> Submission:
        existing = await self._existing()
        if existing is not None:
            return await self._adopted(existing)
        await _check_audience(self.transport, self.audience_id)
        for _ in range(_ROUNDS):
            try:
                submission = await self._round()
            except AmbiguousSubmissionError:
                # The ticket runs out by itself.
                raise
            except RapidataError as error:
                await self._give_back()
                if self.unsettled:
                    raise self._unknown(error.message) from error
                raise
            if submission is not None:
                return submission
        raise self._unknown(f"{_ROUNDS} times an answer was lost, or another runner disappeared")

    def _unknown(self, why: str) -> AmbiguousSubmissionError:
        return AmbiguousSubmissionError(
            f"It is unknown whether this key has a job. {_SAME_KEY} The cause: {why}",
            request="POST /job",
        )

    async def _round(self) -> Submission | None:
        """Queue, and pay or adopt; None when the outcome is not clear yet."""
        claim = self.claim = await self._queue()
        cost = await self._priced()
        wait = await self._until_turn(claim)
        # After the queue was read, so that the job of a ticket that ran out meanwhile shows.
        existing = await self._existing()
        if existing is not None:
            await self._give_back()
            return await self._adopted(existing)
        self.unsettled = False
        if wait == 0.0 and async_monotonic() - claim.asked < self.hold:
            paid = await self._pay(claim, cost)
            if paid is not None:
                return paid
            # Not given back: it makes everybody, us too, wait until the outcome must show.
            self.claim = None
            self.unsettled = True
            wait = self.life - (async_monotonic() - claim.answered)
        else:
            await self._give_back()
        # It may be ours, without our knowing, or the one of whoever was first.
        found = await until_settled(self._existing, what="The key's job", seconds=max(0.0, wait))
        return None if found is None else await self._adopted(found)

    async def _queue(self) -> Claim:
        """Take a ticket. The content, which may be there from an earlier attempt, costs nothing."""
        if not self.content:
            least = len(self.spec.points()) * (1 - self.failure_tolerance)
            found = await _left_behind(self.transport, self.identity, least)
            if found is not None:
                self.content, self.cost = found
        word = uuid4().hex[:8]
        name = self.identity.ticket(self.spec.name, word)
        if self.content:
            asked = async_monotonic()
            clone = await self.definitions.clone(self.content, name)
            return Claim(word, clone.definition_id, asked, async_monotonic())
        made = await define(
            self.transport,
            self.spec,
            name,
            failure_tolerance=self.failure_tolerance,
            incomplete=False,
        )
        self.content = made.definition_id
        return Claim(word, made.definition_id, made.asked, async_monotonic())

    async def _priced(self) -> CostAnswer:
        """What it will cost, if it may cost that much."""
        if self.cost is None:
            self.cost = await price(self.definitions.cost, self.content)
        check_budget(self.cost.estimated_cost, self.max_cost)
        if self.cap is not None:
            spent = await committed(self.transport, self.cap)
            check_cap(spent, self.cost.estimated_cost, self.cap)
        return self.cost

    async def _until_turn(self, claim: Claim) -> float:
        """Seconds until everybody who was before us is gone."""

        async def look() -> float | None:
            queue = await _definitions_of(self.transport, self.identity)
            return until_turn(queue, claim, async_monotonic(), self.life)

        what = f"Definition {claim.definition_id} in the platform's list"
        wait = await until_settled(look, what=what, seconds=self.hold)
        if wait is None:
            raise ServerError(
                f"Definition {claim.definition_id}, which was just created, is not in the "
                f"platform's list after {self.hold:.0f} s. So what others pay would not show "
                "either, and nothing was paid. If the lists are that late, set settle= "
                "(RAPIDATA_SETTLE)."
            )
        if wait > 0.0:
            _log.info(
                "another runner of this key may be about to pay; waiting %.1f s at most", wait
            )
        return wait

    async def _pay(self, claim: Claim, cost: CostAnswer) -> Submission | None:
        """Make the paid call once; None when it is unknown what it did."""
        try:
            created = await self._create(claim)
        except (TransportError, ServerError) as error:
            if is_undone(error):
                raise
            _log.warning("the answer to POST /job was lost; looking what became of it")
            return None
        paid = Submission(
            job_id=created.job_id,
            definition_id=self.content,
            audience_id=self.audience_id,
            adopted=False,
            estimated_cost=cost.estimated_cost,
        )
        settled = await _settled(self.transport, self.identity, paid, self.on_changed, _SAME_KEY)
        if self.cap is not None and not settled.adopted:
            await self._keep_the_cap(self.cap, settled)
        await self._give_back()
        return settled

    async def _create(self, claim: Claim) -> JobCreated:
        pause = self.hold / 6
        while True:
            try:
                return await _create_job(
                    self.transport,
                    self.content,
                    self.audience_id,
                    self.identity.job(self.spec.name),
                    # What the fingerprint is about; somebody may have edited the definition since.
                    revision_number=1,
                )
            except RapidataError as error:
                # As long as the ticket is good.
                late = async_monotonic() + pause - claim.asked >= self.hold
                if late or not is_undone(error):
                    raise
                await async_sleep(pause)

    async def _keep_the_cap(self, cap: SpendCap, paid: Submission) -> None:
        """Drop our job if, by a race, it is the one that is too much."""
        try:
            ours = await _by_id(self.transport, paid.job_id)
            spent = 0.0 if ours is None else await committed(self.transport, cap, until=ours)
            check_cap(spent, 0.0, cap)
        except BudgetExceededError:
            await _drop(self.transport, paid.job_id)
            raise
        except RapidataError as error:
            raise _untold(paid.job_id, "whether the spend cap holds", _SAME_KEY, error) from error

    async def _give_back(self) -> None:
        """Say that our ticket means nothing any more, so that nobody waits until it runs out."""
        if self.claim is None:
            return
        definition_id, self.claim = self.claim.definition_id, None
        try:
            await self.definitions.rename(definition_id, self.identity.draft(self.spec.name))
        except RapidataError as error:
            _log.info("ticket %s is not given back, it will run out: %s", definition_id, error)

    async def _existing(self) -> JobListItem | None:
        """The job that the key has, if any; duplicates that a race left are dropped."""
        jobs = await _jobs_of(self.transport, self.identity)
        existing = job_to_adopt(jobs, self.identity, self.on_changed)
        if existing is not None:
            await _drop_all(self.transport, existing, duplicates_of(existing, jobs))
        return existing

    async def _adopted(self, job: JobListItem) -> Submission:
        submission = await _adopted(self.transport, job)
        if self.cap is not None and self.unsettled:
            # It is ours, as we know now.
            await self._keep_the_cap(self.cap, submission)
        return submission


async def quote(
    transport: AsyncTransport, spec: JobSpec, audience_id: str, *, key: str | None = None
) -> CostEstimate:
    """What a job would cost, by the platform's estimate. This costs nothing and creates no job.

    Args:
        transport: Where to.
        spec: What to ask.
        audience_id: Whom to ask.
        key: Keeps what was uploaded for a submission with this key; otherwise the definition is
            deleted when its price is known.
    """
    await _check_audience(transport, audience_id)
    definitions = AsyncDefinitionApi(transport)
    if key is None:
        made = await define(transport, spec, spec.name, incomplete=False)
        cost = await price(definitions.cost, made.definition_id)
        await definitions.delete(made.definition_id)
    else:
        identity = identify(spec, audience_id, key, transport.settings.namespace)
        found = await _left_behind(transport, identity, len(spec.points()))
        if found is None:
            name = identity.draft(spec.name)
            made = await define(transport, spec, name, incomplete=False)
            found = made.definition_id, await price(definitions.cost, made.definition_id)
        cost = found[1]
    return CostEstimate(cost.estimated_cost, cost.datapoint_count, cost.required_responses)


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
        return await _adopted(transport, existing)
    advice = "Run it again: that looks before it pays."
    paid = await pay(
        transport, definition_id, audience_id, identity, identity.job(name), advice=advice
    )
    return await _settled(transport, identity, paid, "error", advice)


async def find_order_job(
    transport: AsyncTransport, definition_id: str, audience_id: str
) -> JobListItem | None:
    """The job of an order, None before it runs."""
    identity = identify_order(definition_id, audience_id)
    return job_to_adopt(await _jobs_of(transport, identity), identity, "error")


async def pay(
    transport: AsyncTransport,
    definition_id: str,
    audience_id: str,
    identity: Identity,
    name: str,
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
        revision_number: Which revision of the definition; the latest one by default.
        preceding_job_id: A job that has to be done before this one starts.
        advice: What to do when it stays unknown whether the job was created.

    Raises:
        AmbiguousSubmissionError: See :func:`submit`.
    """
    definitions = AsyncDefinitionApi(transport)
    if revision_number is None:
        revision_number = (await definitions.get_revision(definition_id)).revision_number
    cost = await price(definitions.cost, definition_id)
    try:
        created = await _create_job(
            transport, definition_id, audience_id, name, revision_number, preceding_job_id
        )
    except (TransportError, ServerError) as error:

        async def look() -> JobListItem | None:
            found = await _jobs_of(transport, identity)
            return oldest_of(found) if found else None

        lost = await find_out(look, error, request="POST /job", advice=advice)
        return _submission(lost, cost, adopted=False)
    return Submission(
        job_id=created.job_id,
        definition_id=definition_id,
        audience_id=audience_id,
        adopted=False,
        estimated_cost=cost.estimated_cost,
    )


async def _create_job(
    transport: AsyncTransport,
    definition_id: str,
    audience_id: str,
    name: str,
    revision_number: int,
    preceding_job_id: str | None = None,
) -> JobCreated:
    """The paid call."""
    created = await AsyncJobApi(transport).create(
        definition_id=definition_id,
        audience_id=audience_id,
        revision_number=revision_number,
        name=name,
        preceding_job_id=preceding_job_id,
        check_for_explicit_content=rapidata_config.upload.checkForExplicitContent,
    )
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
    return created


async def _check_audience(transport: AsyncTransport, audience_id: str) -> None:
    """Make sure, before anything is uploaded, that there is such an audience."""
    audiences = AsyncAudienceApi(transport)
    await (audiences.get_unlisted if is_unlisted(audience_id) else audiences.get)(audience_id)


async def _definitions_of(transport: AsyncTransport, identity: Identity) -> list[DefinitionAnswer]:
    """The newest definitions that carry the key."""
    ending = [("name[ends_with]", identity.name_ending)]
    found = await AsyncDefinitionApi(transport).list(ending, size=100, sort="-created_at")
    check_listing((definition.name for definition in found), identity)
    return list(found)


async def _left_behind(
    transport: AsyncTransport, identity: Identity, least: float
) -> tuple[str, CostAnswer] | None:
    """A definition, and its price, that an earlier attempt left behind, if it asks the same.

    It has to ask about as many datapoints as now: that attempt may have tolerated more failures.
    """
    for definition in await _definitions_of(transport, identity):
        if fingerprint_in(definition.name) == identity.fingerprint:
            cost = await price(AsyncDefinitionApi(transport).cost, definition.definition_id)
            if cost.datapoint_count >= least:
                return definition.definition_id, cost
    return None


async def _jobs_of(transport: AsyncTransport, identity: Identity) -> list[JobListItem]:
    """The jobs that carry the key. A failed read raises: it does not mean "nothing there"."""
    ending = [("name[ends_with]", identity.name_ending)]
    found = list(await AsyncJobApi(transport).list(ending))
    check_listing((job.name for job in found), identity)
    return found


async def _adopted(transport: AsyncTransport, job: JobListItem) -> Submission:
    _log.info("adopting job %s (%s): it is there already", job.job_id, job.state)
    return _submission(job, await price(AsyncJobApi(transport).cost, job.job_id), adopted=True)


async def _settled(
    transport: AsyncTransport,
    identity: Identity,
    paid: Submission,
    on_changed: OnChanged,
    advice: str,
) -> Submission:
    """What was paid, after any race was settled."""
    try:
        kept = await _settle_race(transport, identity, paid.job_id, on_changed)
    except SubmissionConflictError:
        raise
    except RapidataError as error:
        # It is paid, so its id must not get lost.
        raise _untold(
            paid.job_id, "whether another runner created one as well", advice, error
        ) from error
    if kept is None or kept.job_id == paid.job_id:
        return paid
    return replace(paid, job_id=kept.job_id, definition_id=kept.job_definition_id, adopted=True)


def _untold(job_id: str, what: str, advice: str, error: RapidataError) -> AmbiguousSubmissionError:
    return AmbiguousSubmissionError(
        f"Job {job_id} was created, but it cannot be told {what}. {advice} The cause: "
        f"{error.message}",
        request="POST /job",
        trace_id=error.trace_id,
    )


async def _settle_race(
    transport: AsyncTransport, identity: Identity, created: str, on_changed: OnChanged
) -> JobListItem | None:
    """Keep the oldest job of the key and drop the others; returns the one that stays.

    There was none when we began, so whatever is there beside it was created by a race: by us, or
    by another runner, or by us without our knowing because the answer was lost.
    """
    jobs = await _jobs_beside(transport, identity, created)
    if on_changed == "new":
        jobs = [job for job in jobs if fingerprint_in(job.name) == identity.fingerprint]
    if not jobs:
        return None
    oldest = oldest_of(jobs)
    same = duplicates_of(oldest, jobs)
    ours = [job for job in jobs if job.job_id == created and job not in (oldest, *same)]
    await _drop_all(transport, oldest, [*same, *ours])
    # Raises if the job that stays asks something else.
    return job_to_adopt([oldest], identity, on_changed)


async def _jobs_beside(
    transport: AsyncTransport, identity: Identity, created: str
) -> list[JobListItem]:
    """All jobs of the key that are as old as the one that we created, or older.

    The list shows jobs in the order of their creation: it is complete when it shows ours. If ours
    is gone, another runner has dropped it for an older one, which shows sooner or later.
    """

    async def look() -> list[JobListItem] | None:
        jobs = await _jobs_of(transport, identity)
        if any(job.job_id == created for job in jobs):
            return jobs
        return jobs if jobs and await _by_id(transport, created) is None else None

    shown = await until_settled(
        look, what=f"Job {created} in the list", seconds=transport.settings.settle
    )
    if shown is not None:
        return shown
    ours = await _by_id(transport, created)
    return [] if ours is None else [*await _jobs_of(transport, identity), ours]


async def _by_id(transport: AsyncTransport, job_id: str) -> JobListItem | None:
    """A job that the list may not show yet; None if it was deleted."""
    try:
        job = await AsyncJobApi(transport).get(job_id)
    except NotFoundError:
        return None
    content = job.model_dump() | {"job_definition_id": job.definition_id}
    return JobListItem.model_validate(content)


async def _drop_all(
    transport: AsyncTransport, kept: JobListItem, surplus: list[JobListItem]
) -> None:
    for job in surplus:
        _log.warning("this key has job %s; deleting %s of a race", kept.job_id, job.job_id)
        await _drop(transport, job.job_id)


async def _drop(transport: AsyncTransport, job_id: str) -> None:
    jobs = AsyncJobApi(transport)
    try:
        # So that it costs no more, should it not be deleted.
        await jobs.pause(job_id)
    except RapidataError as error:
        _log.info("job %s cannot be paused: %s", job_id, error)
    try:
        await jobs.delete(job_id)
    except NotFoundError:
        _log.info("job %s is gone already", job_id)


def _submission(job: JobListItem, cost: CostAnswer, *, adopted: bool) -> Submission:
    return Submission(
        job_id=job.job_id,
        definition_id=job.job_definition_id,
        audience_id=job.audience_id,
        adopted=adopted,
        estimated_cost=cost.estimated_cost,
    )
