"""Jobs: created and paid, moved on by the clock, paused, resumed, repeated and deleted."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Row, delete, or_, select, update

from rapidata_core.sandbox import (
    collection,
    contests,
    crowd,
    lifecycle,
    money,
    pools,
    qualification,
)
from rapidata_core.sandbox.api import assets as asset_service
from rapidata_core.sandbox.api import billing, datasets, definitions
from rapidata_core.sandbox.api.call import Call, Endpoint, JsonObject
from rapidata_core.sandbox.clock import rfc3339
from rapidata_core.sandbox.collection import Task
from rapidata_core.sandbox.lifecycle import Job
from rapidata_core.sandbox.listing import Field, Listing, page_of
from rapidata_core.sandbox.problems import Problem, invalid, missing
from rapidata_core.sandbox.settings import ORGANIZATION_ID, OWNER_MAIL
from rapidata_core.sandbox.store import Store
from rapidata_core.sandbox.tables import groups, jobs
from rapidata_core.sandbox.tasks import read_flags

_REVIEW_REASON = "ContentFlagged"
_LISTING = Listing(
    rows=select(jobs),
    order=(jobs.c.seq,),
    fields={
        "id": Field(jobs.c.id),
        "name": Field(jobs.c.name),
        "job_definition_id": Field(jobs.c.definition_id),
        "audience_id": Field(jobs.c.audience_id),
        "state": Field(lifecycle.STATE),
        "created_at": Field(jobs.c.created_at, "time"),
    },
    sorts={
        "name": jobs.c.name,
        "created_at": jobs.c.created_at,
        "state": lifecycle.STATE,
        "progress": lifecycle.PROGRESS,
    },
)


def catch_up(store: Store, now: int) -> None:
    """Let jobs go on that waited for other jobs to end, or for their audience to recruit.

    Without such jobs this is a glance.
    """
    if not store.jobs_wait:
        return
    with store.transaction():
        waiting = or_(jobs.c.waits_for.is_not(None), jobs.c.pool.startswith(pools.NOBODY))
        rows = store.read(select(jobs).where(waiting).order_by(jobs.c.seq)).all()
        for row in rows:
            found = lifecycle.from_row(row)
            job = _without_predecessor(store, _with_people(store, found, now), now)
            if job != found:
                _save(store, job)
    store.jobs_wait = bool(rows)


def place(
    store: Store,
    *,
    name: str | None,
    definition_id: str,
    audience_id: str,
    revision_number: int | None,
    now: int,
    preceding_job_id: str | None = None,
) -> Job:
    """Create a job and charge for it; or let it wait in ``SpendLimited``, when nobody can pay.

    The job starts when there are people to answer it, and when the preceding job has ended.

    Args:
        store: Where to.
        name: ``None`` calls it after the definition and the revision.
        definition_id: What to ask.
        audience_id: Whom to ask.
        revision_number: ``None`` is the latest.
        now: The moment of its creation.
        preceding_job_id: The job to wait for.

    Raises:
        Problem: Something that it refers to does not exist.
    """
    errors: dict[str, list[str]] = {}
    definition = definitions.find_definition(store, definition_id)
    if definition is None:
        errors["jobDefinitionId"] = [f"There is no job definition with the id {definition_id}."]
    if pools.find(store, audience_id) is None:
        errors["audienceId"] = [f"There is no audience with the id {audience_id}."]
    if preceding_job_id is not None and find(store, preceding_job_id) is None:
        errors["precedingJobId"] = [f"There is no job with the id {preceding_job_id}."]
    revision = None if definition is None else _revision(store, definition_id, revision_number)
    if definition is not None and revision is None:
        errors["revisionNumber"] = [f"The definition has no revision {revision_number}."]
    if errors or definition is None or revision is None:
        raise invalid(errors)
    pools.recruit_if_needed(store, audience_id, now)
    named = name or f"{definition.name}:{revision.number}"
    job = _new_job(store, named, audience_id, revision, now)
    if money.price(job.most_responses) <= billing.balance(store):
        billing.charge(store, job, now)
        job = replace(job, charged=True)
    else:
        job = lifecycle.held(job, "SpendLimited", now)
    if preceding_job_id is not None and _end_of(store, preceding_job_id, now) is None:
        job = _queued(store, replace(job, waits_for=preceding_job_id), now)
    store.add(jobs, **(asdict(job) | {"seq": None}))
    return job


def create_job(call: Call) -> Any:
    """``POST /job``: charges the account, or waits in ``SpendLimited`` when it cannot."""
    fields = call.fields()
    definition_id, audience_id = fields.text("jobDefinitionId"), fields.text("audienceId")
    number, name = fields.optional_whole("revisionNumber"), fields.optional_text("name")
    preceding = fields.optional_text("precedingJobId")
    # Nothing that is shown here is explicit, so the check finds nothing.
    fields.optional_flag("checkForExplicitContent")
    if "name" in fields:
        fields.text("name")
    fields.check()
    available = billing.balance(call.store)
    started = pools.recruit_if_needed(call.store, audience_id, call.now)
    job = place(
        call.store,
        name=name,
        definition_id=definition_id,
        audience_id=audience_id,
        revision_number=number,
        now=call.now,
        preceding_job_id=preceding,
    )
    price = money.price(job.most_responses)
    answer: JsonObject = {
        "jobId": job.id,
        "recruitingStarted": started,
        "experimentId": None,
        "contentCheckSkipDenied": None,
        "costWarning": None if job.charged else _warning(price, available),
    }
    return answer


def list_jobs(call: Call) -> Any:
    """``GET /jobs``."""

    def item(row: Row[Any]) -> JsonObject:
        return _item(call, lifecycle.from_row(row))

    return page_of(call.store, _LISTING, call.query, item, now=call.now)


def get_job(call: Call) -> Any:
    """``GET /job/{id}``."""
    job = required(call)
    state = lifecycle.state(job, call.now)
    completed = lifecycle.completed_at(job, call.now)
    audience = pools.find(call.store, job.audience_id)
    return _both_views(job, state) | {
        "definitionId": job.definition_id,
        "isPublic": False,
        "audienceDeleted": audience is None,
        "audienceName": None if audience is None else audience.name,
        "ownerId": call.account.owner_id,
        "completedAt": None if completed is None else rfc3339(completed),
        "resultFileName": None if completed is None else f"{job.id}.json",
        "failedAt": rfc3339(job.held_at) if state == "Failed" and job.held_at is not None else None,
        "failureMessage": job.failure_message,
        "reviewReason": job.review_reason,
        "experimentId": None,
    }


def get_progress(call: Call) -> Any:
    """``GET /job/{id}/progress``."""
    job = required(call)
    count = answered(call, job)
    return {
        "completionPercentage": round(100 * count / job.responses, 4),
        "total": job.datapoint_count,
        "completed": _completed(call.store, job, count),
        "state": lifecycle.labeling_state(job, call.now),
        "responseCount": count,
    }


def get_cost_estimate(call: Call) -> Any:
    """``GET /job/{id}/cost-estimate``."""
    job = required(call)
    return definitions.cost(job.datapoint_count, job.most_responses)


def pause_job(call: Call) -> None:
    """``POST /job/{id}/pause``."""
    job = required(call)
    _refuse_finished(call, job, "paused")
    if job.hold != "Paused":
        _save(call.store, lifecycle.held(job, "Paused", call.now))


def resume_job(call: Call) -> None:
    """``POST /job/{id}/resume``: goes on, and pays for a job that was not affordable before."""
    job = required(call)
    _refuse_finished(call, job, "resumed")
    if job.hold is not None:
        _go_on(call, job)


def retry_job(call: Call) -> None:
    """``POST /job/{id}/retry``: results anew from stale ones; a failed job goes on."""
    job = required(call)
    if job.hold == "StaleResults":
        _save(call.store, lifecycle.reaggregated(job, call.now))
    elif job.hold is not None:
        _go_on(call, job)


def delete_job(call: Call) -> None:
    """``DELETE /job/{id}``: gives the money back when nobody has answered yet."""
    job = required(call)
    if job.charged and answered(call, job) == 0:
        billing.refund(call.store, job, call.now)
    call.store.write(delete(jobs).where(jobs.c.id == job.id))


def rename_job(call: Call) -> None:
    """``PATCH /job/{id}``."""
    job = required(call)
    fields = call.fields()
    name = fields.text("name") if "name" in fields else job.name
    fields.check()
    _save(call.store, replace(job, name=name))


def force_state(call: Call) -> Any:
    """``POST /_sandbox/jobs/{id}/state``: any state; it stays until resume, retry or this again."""
    job = required(call)
    fields = call.fields()
    state = fields.text("state")
    failure, reason = fields.optional_text("failureMessage"), fields.optional_text("reviewReason")
    if state not in lifecycle.STATES:
        fields.wrong("state", f"state is one of {', '.join(lifecycle.STATES)}.")
    fields.check()
    if state in ("Completed", "StaleResults"):
        job = lifecycle.finished(job, call.now)
    if state == "Failed":
        failure = failure or "The sandbox was told to fail this job."
    if state == "ManualApproval":
        reason = reason or _REVIEW_REASON
    if state != "Completed":
        details = {"failure_message": failure, "review_reason": reason}
        job = lifecycle.held(job, state, call.now, **details)
    _save(call.store, job)
    return {"jobId": job.id, "state": lifecycle.state(job, call.now)}


def review(store: Store, job_id: str, now: int) -> None:
    """Send a job to review, where it stays until it is resumed."""
    row = store.find(jobs, id=job_id)
    assert row is not None
    job = lifecycle.from_row(row)
    _save(store, lifecycle.held(job, "ManualApproval", now, review_reason=_REVIEW_REASON))


def find(store: Store, job_id: str) -> Job | None:
    """A job."""
    row = store.find(jobs, id=job_id)
    return None if row is None else lifecycle.from_row(row)


def required(call: Call) -> Job:
    """The job that a request is about.

    Raises:
        Problem: There is none.
    """
    job_id = call.path["job_id"]
    job = find(call.store, job_id)
    if job is None:
        raise missing("Job", job_id)
    return job


def answered(call: Call, job: Job) -> int:
    """How many answers have arrived."""
    return lifecycle.answered(job, call.store.seed, call.now)


def task_of(store: Store, job: Job) -> Task:
    """Everything that decides the job's answers."""
    return store.remembered("task", job.id, lambda: _task(store, job))


def _revision(store: Store, definition_id: str, number: int | None) -> Row[Any] | None:
    if number is None:
        return definitions.latest_revision(store, definition_id)
    return definitions.find_revision(store, definition_id, number)


def _new_job(store: Store, name: str, audience_id: str, revision: Row[Any], now: int) -> Job:
    points, highest = definitions.snapshot(store, revision.dataset_id)
    _, referee = definitions.task_of(revision)
    most = definitions.most_responses(store, revision, highest)
    pool = pools.pool_key(store, audience_id)
    job = Job(
        seq=0,
        id=store.next_id("job"),
        name=name,
        definition_id=revision.definition_id,
        revision=revision.number,
        audience_id=audience_id,
        pipeline_id=store.next_id("pipeline"),
        dataset_id=revision.dataset_id,
        last_datapoint=highest,
        datapoint_count=points,
        votes=referee.votes,
        most_responses=most,
        responses=most,
        pool=pool,
        waits_for=None,
        created_at=now,
        duration=0,
        shift=0,
        hold=None,
        held_at=None,
        failure_message=None,
        review_reason=None,
        charged=False,
    )
    store.jobs_wait = store.jobs_wait or pool.startswith(pools.NOBODY)
    return _planned(store, job, revision)


def _planned(store: Store, job: Job, revision: Row[Any]) -> Job:
    """The job with what follows from its people: when they start, how much they answer."""
    _, referee = definitions.task_of(revision)
    if referee.stops_early or pools.restore(store, job.pool).size < referee.votes:
        # Not remembered: should this request fail, another job gets this id.
        job = replace(job, responses=sum(_task(store, job).stops) or job.most_responses)
    # Nobody answers before there is anybody.
    shift = max(0, pools.first_available(store, job.pool) - job.created_at)
    return replace(job, shift=shift, duration=crowd.job_duration(job.responses))


def _with_people(store: Store, job: Job, now: int) -> Job:
    """The job with the people whom its audience has begun to recruit, if it had nobody."""
    if not job.pool.startswith(pools.NOBODY) or pools.find(store, job.audience_id) is None:
        return job
    key = pools.pool_key(store, job.audience_id)
    revision = _revision(store, job.definition_id, job.revision)
    if key == job.pool or revision is None:
        return job
    planned = _planned(store, replace(job, pool=key), revision)
    if job.charged:
        billing.refund(store, job, now)
        billing.charge(store, planned, now)
    return planned


def _without_predecessor(store: Store, job: Job, now: int) -> Job:
    """The job, going on if the job that it waits for has ended."""
    if job.waits_for is None:
        return job
    end = _end_of(store, job.waits_for, now)
    if end is None:
        return job
    if job.hold == "Queued":
        job = lifecycle.released(job, max(end, job.held_at or end))
    return replace(job, waits_for=None)


def _warning(price: int, available: int) -> JsonObject:
    return {
        "estimatedCost": money.number(price),
        "availableBalance": money.number(available),
        "shortfall": money.number(price - available),
    }


def _save(store: Store, job: Job) -> None:
    values = asdict(job)
    store.write(update(jobs).where(jobs.c.seq == values.pop("seq")).values(**values))


def _go_on(call: Call, job: Job) -> None:
    if not job.charged:
        price, available = money.price(job.most_responses), billing.balance(call.store)
        if price > available:
            detail = (
                f"The job costs {money.decimal(price)}; the balance is {money.decimal(available)}."
            )
            raise Problem(409, "The balance does not cover the job.", detail)
        billing.charge(call.store, job, call.now)
    going = replace(lifecycle.released(job, call.now), charged=True)
    _save(call.store, _queued(call.store, going, call.now))


def _queued(store: Store, job: Job, now: int) -> Job:
    """The job, standing still if it has to wait for another one and nothing else holds it."""
    if job.waits_for is None:
        return job
    store.jobs_wait = True
    return job if job.hold is not None else lifecycle.held(job, "Queued", now)


def _end_of(store: Store, job_id: str | None, now: int) -> int | None:
    """When a job ended, if it has; nobody waits for a job that was deleted."""
    job = None if job_id is None else find(store, job_id)
    return now if job is None else lifecycle.ended_at(job, now)


def _refuse_finished(call: Call, job: Job, verb: str) -> None:
    state = lifecycle.state(job, call.now)
    if state in lifecycle.FINISHED:
        raise Problem(409, f"The job cannot be {verb}.", f"The job is {state}.")


def _completed(store: Store, job: Job, count: int) -> int:
    """How many datapoints have all their answers."""
    if job.responses == job.most_responses == job.datapoint_count * job.votes:
        # All get the same number, round after round; no need to look at the datapoints.
        return max(0, count - job.datapoint_count * (job.votes - 1))
    task = task_of(store, job)
    counts = collection.counts_of(task.stops, count)
    return sum(
        len(unit.datapoints) if isinstance(unit, collection.Ranking) else 1
        for unit, got, stop in zip(task.units, counts, task.stops, strict=True)
        if got >= stop > 0
    )


def _task(store: Store, job: Job) -> Task:
    revision = definitions.find_revision(store, job.definition_id, job.revision)
    assert revision is not None
    workflow, referee = definitions.task_of(revision)
    shared = store.read(select(groups).where(groups.c.dataset_id == job.dataset_id))
    return Task(
        seed=store.seed,
        key=job.id,
        pool=pools.restore(store, job.pool),
        workflow=workflow,
        referee=referee,
        flags=read_flags(revision.flags),
        units=collection.units_of(
            workflow,
            datasets.points_of(store, job.dataset_id, job.last_datapoint),
            {row.name: row.segments for row in shared},
            lambda name: asset_service.existing(store, name),
        ),
        truths=contests.preferences(store, job.id)
        or qualification.known_truths(store, job.created_at),
    )


def _item(call: Call, job: Job) -> JsonObject:
    return _both_views(job, lifecycle.state(job, call.now)) | {
        "jobDefinitionId": job.definition_id,
        "isShared": False,
        "progress": round(answered(call, job) / job.responses, 6),
    }


def _both_views(job: Job, state: str) -> JsonObject:
    return {
        "jobId": job.id,
        "name": job.name,
        "audienceId": job.audience_id,
        "revisionNumber": job.revision,
        "pipelineId": job.pipeline_id,
        "campaignId": None,
        "state": state,
        "ownerMail": OWNER_MAIL,
        "organizationId": ORGANIZATION_ID,
        "createdAt": rfc3339(job.created_at),
    }


ENDPOINTS = (
    Endpoint("POST", "/job", create_job),
    Endpoint("GET", "/jobs", list_jobs),
    Endpoint("GET", "/job/{job_id}", get_job),
    Endpoint("PATCH", "/job/{job_id}", rename_job),
    Endpoint("DELETE", "/job/{job_id}", delete_job),
    Endpoint("GET", "/job/{job_id}/progress", get_progress),
    Endpoint("GET", "/job/{job_id}/cost-estimate", get_cost_estimate),
    Endpoint("POST", "/job/{job_id}/pause", pause_job),
    Endpoint("POST", "/job/{job_id}/resume", resume_job),
    Endpoint("POST", "/job/{job_id}/retry", retry_job),
    Endpoint("POST", "/_sandbox/jobs/{job_id}/state", force_state, open=True, recorded=False),
)
