"""One logical task, one paid job.

Every submission reads before it pays. An unknown outcome is resolved by reading, never by sending
again. What the names mean, and whose turn it is to pay, is decided in
:mod:`rapidata_core.policy.submission`.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from uuid import uuid4

from rapidata_core._async.api.audiences import AsyncAudienceApi
from rapidata_core._async.api.definitions import AsyncDefinitionApi
from rapidata_core._async.api.jobs import AsyncJobApi
from rapidata_core._async.define import define
from rapidata_core._async.pay import create_job, jobs_of, submission_of
from rapidata_core._async.settling import ROUNDS, until_settled
from rapidata_core._async.spend import committed, estimate, price
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.concurrency import async_monotonic, async_sleep
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
from rapidata_core.policy.revisions import content_of
from rapidata_core.policy.spending import check_cap
from rapidata_core.policy.submission import (
    Claim,
    Identity,
    Terms,
    cap_digest,
    check_budget,
    check_names,
    duplicates_of,
    fingerprint_in,
    identify,
    identify_definition,
    identify_order,
    job_to_adopt,
    oldest_of,
    readable,
    until_turn,
)
from rapidata_core.types import CostEstimate, Submission
from rapidata_core.wire.definition import DefinitionAnswer
from rapidata_core.wire.job import CostAnswer, JobListItem

_log = logging.getLogger("rapidata_core.submit")
_SAME_KEY = "Submit again with the same key: it looks before it pays."


async def submit(
    transport: AsyncTransport, spec: JobSpec, audience_id: str, key: str, terms: Terms
) -> Submission:
    """Get the job of a logical task: the one it has, or a new one.

    Args:
        transport: Where to.
        spec: What to ask.
        audience_id: Whom to ask.
        key: The identity of the logical task, the same over retries and restarts, another one for
            other work.
        terms: On which it may pay.

    Raises:
        SubmissionConflictError: The key has a job that asks something else.
        BudgetExceededError: It would cost more than allowed; there is no new job.
        AmbiguousSubmissionError: It is unknown whether the job was created; submitting again with
            the same key finds out.
        RapidataError: As the platform's calls raise it.
    """
    namespace = transport.settings.namespace
    digest = _checked_cap(namespace, key, terms)
    identity = identify(spec, audience_id, key, namespace, digest)
    runner = _Runner(transport, identity, spec.name, audience_id, terms, _SAME_KEY, spec=spec)
    # Callers in this process that ask for the same at the same time share one submission.
    return await transport.flights.once(f"submit {identity} {terms}", runner.run)


async def submit_definition(
    transport: AsyncTransport,
    definition_id: str,
    audience_id: str,
    key: str,
    terms: Terms,
    *,
    pinned: int | None = None,
    revision_number: int | None = None,
) -> Submission:
    """Get the job of a logical task that asks a definition which is there already.

    The definition stays as it is: tickets are clones of it.

    Args:
        transport: Where to.
        definition_id: What to ask.
        audience_id: Whom to ask.
        key: See :func:`submit`.
        terms: On which it may pay.
        revision_number: The revision that the task is about; it is part of what the key asks.
        pinned: The revision to pay for otherwise, which is not part of it; by default the latest
            one at the time of the payment.

    Raises:
        NotFoundError: There is no such definition or revision.
        RapidataError: See :func:`submit`.
    """
    namespace = transport.settings.namespace
    digest = _checked_cap(namespace, key, terms)
    identity = identify_definition(
        definition_id, revision_number, audience_id, key, namespace, digest
    )
    runner = _Runner(
        transport,
        identity,
        "",
        audience_id,
        terms,
        _SAME_KEY,
        content=definition_id,
        revision_number=revision_number or pinned,
    )
    flight = f"submit {identity} {revision_number or pinned} {terms}"
    return await transport.flights.once(flight, runner.run)


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
    advice = "Run it again: that looks before it pays."
    runner = _Runner(transport, identity, name, audience_id, Terms(), advice, content=definition_id)
    return await transport.flights.once(f"submit {identity}", runner.run)


def _checked_cap(namespace: str, key: str, terms: Terms) -> str:
    """The digest of the cap that a key counts towards; empty for none."""
    if terms.cap is None:
        return ""
    terms.cap.check_key(key)
    return cap_digest(namespace, terms.cap.prefix)


async def find_order_job(
    transport: AsyncTransport, definition_id: str, audience_id: str
) -> JobListItem | None:
    """The job of an order, None before it runs."""
    identity = identify_order(definition_id, audience_id)
    return job_to_adopt(await jobs_of(transport, identity), identity, "error")


class _Runner:
    """One submission; see :func:`submit`."""

    def __init__(
        self,
        transport: AsyncTransport,
        identity: Identity,
        name: str,
        audience_id: str,
        terms: Terms,
        advice: str,
        *,
        spec: JobSpec | None = None,
        content: str = "",
        revision_number: int | None = None,
    ) -> None:
        """Get ready; nothing is sent yet.

        Args:
            transport: Where to.
            identity: Of the logical task.
            name: The job's name for people; by default the definition's.
            audience_id: Whom to ask.
            terms: On which it may pay.
            advice: What to do when it stays unknown whether the job was created.
            spec: What to ask; or
            content: The definition to ask.
            revision_number: Its revision; the latest one at the time of the payment by default.
        """
        self._transport = transport
        self._identity = identity
        self._name = name
        self._audience_id = audience_id
        self._terms = terms
        self._advice = advice
        self._spec = spec
        self._content = content
        # Of our own definition the first revision is what the fingerprint is about, whatever
        # somebody has made of it since.
        self._revision = revision_number if content else 1
        self._cost: CostAnswer | None = None
        # The ticket, as long as it may be given back.
        self._claim: Claim | None = None
        # Whether it is unknown what became of a paid call.
        self._unsettled = False
        # What a ticket means is agreed on by all runners; how long to respect it, by each.
        self._hold = transport.settings.settle
        self._life = self._hold * (2 if terms.attempt == 1 else 4)
        self._definitions = AsyncDefinitionApi(transport)

    async def run(self) -> Submission:
        existing = await self._existing()
        if existing is not None:
            return await self._adopted(existing)
        await _check_audience(self._transport, self._audience_id)
        await self._check_content()
        for _ in range(ROUNDS):
            try:
                submission = await self._round()
            except AmbiguousSubmissionError:
                # The ticket runs out by itself.
                raise
            except RapidataError as error:
                await self._give_back()
                if self._unsettled:
                    raise self._unknown(error.message) from error
                raise
            if submission is not None:
                return submission
        raise self._unknown(f"{ROUNDS} times an answer was lost, or another runner disappeared")

    async def _check_content(self) -> None:
        """Make sure that the definition is there, and learn what people call it."""
        if self._content and not self._name:
            self._name = readable((await self._definitions.get(self._content)).name)

    async def _round(self) -> Submission | None:
        """Queue, and pay or adopt; None when the outcome is not clear yet."""
        claim = self._claim = await self._queue()
        cost = await self._priced()
        wait = await self._until_turn(claim)
        # After the queue was read, so that the job of a ticket that ran out meanwhile shows.
        existing = await self._existing()
        if existing is not None:
            await self._give_back()
            return await self._adopted(existing, raced=True)
        self._unsettled = False
        if wait == 0.0 and async_monotonic() < self._deadline(claim):
            paid = await self._pay(claim, cost)
            if paid is not None:
                return paid
        if self._unsettled:
            # Not given back: it makes everybody, us too, wait until the outcome must show.
            self._claim = None
            wait = self._life - (async_monotonic() - claim.answered)
        await self._give_back()
        # It may be ours, without our knowing, or the one of whoever was first.
        found = await until_settled(self._existing, what="The key's job", seconds=max(0.0, wait))
        return None if found is None else await self._adopted(found, raced=True)

    async def _queue(self) -> Claim:
        """Take a ticket. The content, which may be there from an earlier attempt, costs nothing."""
        word = uuid4().hex[:8]
        name = self._identity.ticket(self._name, word)
        if self._spec is not None and not self._content:
            least = len(self._spec.points()) * (1 - self._terms.failure_tolerance)
            found = await _left_behind(self._transport, self._identity, least)
            if found is None:
                made = await define(
                    self._transport,
                    self._spec,
                    name,
                    failure_tolerance=self._terms.failure_tolerance,
                    incomplete=False,
                )
                self._content = made.definition_id
                return Claim(word, made.definition_id, made.asked, async_monotonic())
            self._content, self._cost = found
        asked = async_monotonic()
        clone = await self._definitions.clone(self._content, name)
        return Claim(word, clone.definition_id, asked, async_monotonic())

    async def _priced(self) -> CostAnswer:
        """What it will cost, if it may cost that much."""
        if self._cost is None:
            self._cost = await self._price()
        check_budget(self._cost.estimated_cost, self._terms.max_cost)
        if self._terms.cap is not None:
            spent = await committed(self._transport, self._terms.cap)
            check_cap(spent, self._cost.estimated_cost, self._terms.cap)
        return self._cost

    async def _price(self) -> CostAnswer:
        """What the platform estimates for the revision that is to be paid; settles which it is."""
        if self._spec is not None:
            return await price(self._definitions.cost, self._content)
        latest = (await self._definitions.get_revision(self._content)).revision_number
        if self._revision is None:
            self._revision = latest
        if self._revision == latest:
            return await price(self._definitions.cost, self._content)
        return await self._price_of_older(self._revision)

    async def _price_of_older(self, number: int) -> CostAnswer:
        """What the platform estimates for a revision that is not the latest one.

        It gives estimates for latest revisions only, so it gets a definition of this one.
        """
        revision = await self._definitions.get_revision(self._content, number)
        body = {**content_of(revision), "definitionName": self._identity.draft(self._name)}
        copy = (await self._definitions.create(body)).definition_id
        cost = await price(self._definitions.cost, copy)
        await self._definitions.delete(copy)
        return cost

    async def _until_turn(self, claim: Claim) -> float:
        """Seconds until everybody who was before us is gone."""

        async def look() -> float | None:
            queue = await _definitions_of(self._transport, self._identity)
            return until_turn(queue, claim, async_monotonic(), self._life)

        what = f"Definition {claim.definition_id} in the platform's list"
        # Whatever time the list takes is missing when it comes to paying.
        wait = await until_settled(look, what=what, seconds=self._hold, slowest=self._hold / 40)
        if wait is None:
            raise ServerError(
                f"Definition {claim.definition_id}, which was just created, is not in the "
                f"platform's list after {self._hold:.0f} s. So what others pay would not show "
                "either, and nothing was paid. If the lists are that late, set settle= "
                "(RAPIDATA_SETTLE)."
            )
        if wait > 0.0:
            _log.info(
                "another runner of this key may be about to pay; waiting %.1f s at most", wait
            )
        return wait

    def _deadline(self, claim: Claim) -> float:
        """Until when the paid call may be sent."""
        return claim.asked + self._hold

    async def _pay(self, claim: Claim, cost: CostAnswer) -> Submission | None:
        """Make the paid call once; None when it was too late for that, or is unsettled."""
        try:
            paid = await self._create(claim, cost)
        except (TransportError, ServerError) as error:
            if is_undone(error):
                raise
            _log.warning("the answer to POST /job was lost; looking what became of it")
            self._unsettled = True
            return None
        if paid is None:
            return None
        kept = await self._settled(paid)
        await self._give_back()
        return kept

    async def _create(self, claim: Claim, cost: CostAnswer) -> Submission | None:
        """Send the paid call; None if it never left us while the ticket was good."""
        assert self._revision is not None
        pause = self._hold / 6
        while True:
            try:
                return await create_job(
                    self._transport,
                    self._content,
                    self._audience_id,
                    self._identity.job(self._name),
                    self._revision,
                    cost,
                    before=self._deadline(claim),
                )
            except RapidataError as error:
                if not is_undone(error):
                    raise
                now = async_monotonic()
                if now >= self._deadline(claim):
                    return None
                if now + pause >= self._deadline(claim):
                    raise
            await async_sleep(pause)

    async def _settled(self, paid: Submission) -> Submission:
        """What was paid, after any race was settled."""
        try:
            kept = await self._settle_race(paid.job_id)
            if kept is None or kept.job_id == paid.job_id:
                await self._keep_the_cap(paid, kept)
                return paid
        except (BudgetExceededError, SubmissionConflictError):
            raise
        except RapidataError as error:
            # It is paid, so its id must not get lost.
            raise self._unknown(
                f"job {paid.job_id} was created, but it cannot be told whether it stays: "
                f"{error.message}"
            ) from error
        return replace(paid, job_id=kept.job_id, definition_id=kept.job_definition_id, adopted=True)

    async def _settle_race(self, created: str) -> JobListItem | None:
        """Keep the oldest job of the key and drop the others; returns the one that stays.

        There was none when we began, so whatever is there beside it was created by a race: by us,
        or by another runner, or by us without our knowing because the answer was lost.
        """
        jobs = await self._jobs_beside(created)
        if self._terms.on_changed == "new":
            jobs = [job for job in jobs if fingerprint_in(job.name) == self._identity.fingerprint]
        if not jobs:
            return None
        oldest = oldest_of(jobs)
        same = duplicates_of(oldest, jobs)
        ours = [job for job in jobs if job.job_id == created and job not in (oldest, *same)]
        await _drop_all(self._transport, oldest, [*same, *ours])
        # Raises if the job that stays asks something else.
        return job_to_adopt([oldest], self._identity, self._terms.on_changed)

    async def _jobs_beside(self, created: str) -> list[JobListItem]:
        """All jobs of the key that are as old as the one that we created, or older.

        The list shows jobs in the order of their creation: it is complete when it shows ours. If
        ours is gone, another runner has dropped it for an older one, which shows sooner or later.
        """

        async def look() -> list[JobListItem] | None:
            jobs = await jobs_of(self._transport, self._identity)
            if any(job.job_id == created for job in jobs):
                return jobs
            return jobs if jobs and await _by_id(self._transport, created) is None else None

        what = f"Job {created} in the platform's list"
        shown = await until_settled(look, what=what, seconds=self._hold)
        if shown is not None:
            return shown
        _log.warning(
            "job %s, which was just created, is not in the platform's list after %.0f s: other "
            "runners of this key may pay, too. If the lists are that late, set settle= "
            "(RAPIDATA_SETTLE)",
            created,
            self._hold,
        )
        # Not given back, so that they wait at least until it runs out.
        self._claim = None
        ours = await _by_id(self._transport, created)
        return [] if ours is None else [*await jobs_of(self._transport, self._identity), ours]

    async def _keep_the_cap(self, paid: Submission, shown: JobListItem | None) -> None:
        """Drop our job if, by a race, it is the one that is too much."""
        cap = self._terms.cap
        if cap is None or shown is None:
            return
        try:
            check_cap(await committed(self._transport, cap, until=shown), 0.0, cap)
        except BudgetExceededError:
            await _drop(self._transport, paid.job_id)
            raise

    async def _give_back(self) -> None:
        """Say that our ticket means nothing any more, so that nobody waits until it runs out."""
        if self._claim is None:
            return
        definition_id, self._claim = self._claim.definition_id, None
        try:
            await self._definitions.rename(definition_id, self._identity.draft(self._name))
        except RapidataError as error:
            _log.info("ticket %s is not given back, it will run out: %s", definition_id, error)

    async def _existing(self) -> JobListItem | None:
        """The job that the key has, if any; duplicates that a race left are dropped."""
        jobs = await jobs_of(self._transport, self._identity)
        existing = job_to_adopt(jobs, self._identity, self._terms.on_changed)
        if existing is not None:
            await _drop_all(self._transport, existing, duplicates_of(existing, jobs))
        return existing

    async def _adopted(self, job: JobListItem, *, raced: bool = False) -> Submission:
        """The job as what the key has.

        Args:
            job: It was there already.
            raced: It appeared while we wanted to pay, so whoever paid may be about to drop it,
                because of the spend cap.
        """
        _log.info("adopting job %s (%s): it is there already", job.job_id, job.state)
        cap = self._terms.cap
        if raced and cap is not None:
            check_cap(await committed(self._transport, cap, until=job), 0.0, cap)
        cost = await price(AsyncJobApi(self._transport).cost, job.job_id)
        return submission_of(job, cost, adopted=True)

    def _unknown(self, why: str) -> AmbiguousSubmissionError:
        return AmbiguousSubmissionError(
            f"It is unknown whether a job was paid. {self._advice} The cause: {why}",
            request="POST /job",
        )


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
    return estimate(cost)


async def _check_audience(transport: AsyncTransport, audience_id: str) -> None:
    """Make sure, before anything is uploaded, that there is such an audience."""
    audiences = AsyncAudienceApi(transport)
    await (audiences.get_unlisted if is_unlisted(audience_id) else audiences.get)(audience_id)


async def _definitions_of(transport: AsyncTransport, identity: Identity) -> list[DefinitionAnswer]:
    """The definitions that carry the key."""
    ending = [("name[ends_with]", identity.name_ending)]
    found = list(await AsyncDefinitionApi(transport).list_all(ending))
    check_names((definition.name for definition in found), identity.name_ending)
    return found


async def _left_behind(
    transport: AsyncTransport, identity: Identity, least: float
) -> tuple[str, CostAnswer] | None:
    """A definition, and its price, that an earlier attempt left behind, if it asks the same.

    It has to ask about as many datapoints as now: that attempt may have tolerated more failures.
    """
    api = AsyncDefinitionApi(transport)
    for definition in await _definitions_of(transport, identity):
        if fingerprint_in(definition.name) != identity.fingerprint:
            continue
        latest = await api.get_revision(definition.definition_id)
        cost = await price(api.cost, definition.definition_id)
        # One that somebody has edited asks something else by now, and so would its clones.
        if latest.revision_number == 1 and cost.datapoint_count >= least:
            return definition.definition_id, cost
    return None


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
