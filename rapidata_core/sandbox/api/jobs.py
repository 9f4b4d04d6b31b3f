"""Jobs: created and paid, moved on by the clock, paused, resumed, repeated, deleted, collected."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Row, delete, select, update
from starlette.responses import Response as HttpResponse

from rapidata_core.sandbox import crowd, lifecycle, money, results
from rapidata_core.sandbox.answers import encode
from rapidata_core.sandbox.api import audiences as audience_service
from rapidata_core.sandbox.api import billing, datasets, definitions
from rapidata_core.sandbox.api.call import Call, Endpoint, Fields, JsonObject
from rapidata_core.sandbox.clock import rfc3339
from rapidata_core.sandbox.lifecycle import Job
from rapidata_core.sandbox.listing import Field, Listing, last, page_of
from rapidata_core.sandbox.problems import Problem, invalid, missing, not_simulated
from rapidata_core.sandbox.settings import ORGANIZATION_ID, OWNER_MAIL
from rapidata_core.sandbox.store import Store, datapoints, jobs
from rapidata_core.sandbox.tasks import is_on, read_flags, read_votes, read_workflow

_TYPES = {"Compare": "Compare", "Classify": "Classification"}
_MAX_RESPONSES = 1000
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


def create_job(call: Call) -> Any:
    """``POST /job``: charges the account, or waits in ``SpendLimited`` when it cannot."""
    fields = call.fields()
    definition, audience, revision = _references(call, fields)
    name = fields.optional_text("name") or f"{definition.name}:{revision.number}"
    fields.check()
    job = _new_job(call, name, audience.id, revision)
    price, available = money.price(job.responses), billing.balance(call.store)
    affordable = price <= available
    if affordable:
        billing.charge(call.store, job, call.now)
        job = replace(job, charged=True)
    else:
        job = lifecycle.held(job, "SpendLimited", call.now)
    call.store.add(jobs, **(asdict(job) | {"seq": None}))
    answer: JsonObject = {
        "jobId": job.id,
        "recruitingStarted": False,
        "experimentId": None,
        "contentCheckSkipDenied": None,
        "costWarning": None if affordable else _warning(price, available),
    }
    return answer


def list_jobs(call: Call) -> Any:
    """``GET /jobs``."""

    def item(row: Row[Any]) -> JsonObject:
        return _item(call, lifecycle.from_row(row))

    return page_of(call.store, _LISTING, call.query, item, now=call.now)


def get_job(call: Call) -> Any:
    """``GET /job/{id}``."""
    job = _required(call)
    state = lifecycle.state(job, call.now)
    completed = lifecycle.completed_at(job, call.now)
    audience = audience_service.find(call.store, job.audience_id)
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
    job = _required(call)
    count = _answered(call, job)
    return {
        "completionPercentage": round(100 * count / job.responses, 4),
        "total": job.datapoint_count,
        "completed": results.completed_datapoints(job, count),
        "state": lifecycle.labeling_state(job, call.now),
        "responseCount": count,
    }


def get_cost_estimate(call: Call) -> Any:
    """``GET /job/{id}/cost-estimate``."""
    job = _required(call)
    return definitions.cost(job.datapoint_count, job.votes)


def download_results(call: Call) -> Any:
    """``GET /job/{id}/download-results``: the file itself, once the job is complete."""
    job = _required(call)
    made_at = lifecycle.completed_at(job, call.now)
    state = lifecycle.state(job, call.now)
    if made_at is None and state == "Failed":
        raise Problem(404, "The job has no results", "The job failed; there are no results.")
    if made_at is None:
        raise Problem(409, "The results are not available yet.", f"The job is {state}.")
    file = results.result_file(_task(call, job), _answered(call, job), made_at)
    disposition = {"Content-Disposition": f'attachment; filename="{job.id}.json"'}
    return HttpResponse(encode(file), media_type="application/octet-stream", headers=disposition)


def list_responses(call: Call) -> Any:
    """``GET /job/{id}/responses``: the answers so far, newest first by default."""
    job = _required(call)
    limit = _whole(call, "limit") or 100
    if limit > _MAX_RESPONSES:
        raise invalid({"limit": [f"limit is at most {_MAX_RESPONSES}."]})
    oldest_first = (last(call.query, "sort") or "Desc").lower().startswith("asc")
    # The cursor is an answer's number, so it stays where it is while new answers arrive.
    cursor = _whole(call, "cursor")
    task = _task(call, job)
    numbered = list(enumerate(results.responses(task, _answered(call, job))))
    if oldest_first:
        numbered = numbered[0 if cursor is None else cursor + 1 :]
    else:
        numbered = numbered[:cursor][::-1]
    chosen = numbered[:limit]
    return {
        "responses": [_response(task, number, response) for number, response in chosen],
        "nextCursor": str(chosen[-1][0]) if len(numbered) > limit else None,
    }


def pause_job(call: Call) -> None:
    """``POST /job/{id}/pause``."""
    job = _required(call)
    _refuse_finished(call, job, "paused")
    if job.hold != "Paused":
        _save(call.store, lifecycle.held(job, "Paused", call.now))


def resume_job(call: Call) -> None:
    """``POST /job/{id}/resume``: goes on, and pays for a job that was not affordable before."""
    job = _required(call)
    _refuse_finished(call, job, "resumed")
    if job.hold is not None:
        _go_on(call, job)


def retry_job(call: Call) -> None:
    """``POST /job/{id}/retry``: results anew from stale ones; a failed job goes on."""
    job = _required(call)
    if job.hold == "StaleResults":
        _save(call.store, lifecycle.reaggregated(job, call.now))
    elif job.hold is not None:
        _go_on(call, job)


def delete_job(call: Call) -> None:
    """``DELETE /job/{id}``: gives the money back when nobody has answered yet."""
    job = _required(call)
    if job.charged and _answered(call, job) == 0:
        billing.refund(call.store, job, call.now)
    call.store.write(delete(jobs).where(jobs.c.id == job.id))


def rename_job(call: Call) -> None:
    """``PATCH /job/{id}``."""
    job = _required(call)
    fields = call.fields()
    name = fields.text("name") if "name" in fields else job.name
    fields.check()
    _save(call.store, replace(job, name=name))


def force_state(call: Call) -> Any:
    """``POST /_sandbox/jobs/{id}/state``: any state; it stays until resume, retry or this again."""
    job = _required(call)
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
        reason = reason or "ContentFlagged"
    if state != "Completed":
        details = {"failure_message": failure, "review_reason": reason}
        job = lifecycle.held(job, state, call.now, **details)
    _save(call.store, job)
    return {"jobId": job.id, "state": lifecycle.state(job, call.now)}


def find(store: Store, job_id: str) -> Job | None:
    """A job."""
    row = store.one(select(jobs).where(jobs.c.id == job_id))
    return None if row is None else lifecycle.from_row(row)


def _references(call: Call, fields: Fields) -> tuple[Row[Any], Row[Any], Row[Any]]:
    """The definition, audience and revision that a new job names."""
    definition_id, audience_id = fields.text("jobDefinitionId"), fields.text("audienceId")
    number = fields.optional_whole("revisionNumber")
    fields.check()
    if "precedingJobId" in fields:
        raise not_simulated("precedingJobId", "a job that waits for another one")
    definition = definitions.find_definition(call.store, definition_id)
    if definition is None:
        fields.wrong("jobDefinitionId", f"There is no job definition with the id {definition_id}.")
    audience = audience_service.find(call.store, audience_id)
    if audience is None:
        fields.wrong("audienceId", f"There is no audience with the id {audience_id}.")
    revision = None if definition is None else _revision(call.store, definition.id, number)
    if definition is not None and revision is None:
        fields.wrong("revisionNumber", f"The definition has no revision {number}.")
    fields.check()
    assert definition is not None
    assert audience is not None
    assert revision is not None
    return definition, audience, revision


def _revision(store: Store, definition_id: str, number: int | None) -> Row[Any] | None:
    if number is None:
        return definitions.latest_revision(store, definition_id)
    return definitions.find_revision(store, definition_id, number)


def _new_job(call: Call, name: str, audience_id: str, revision: Row[Any]) -> Job:
    points, highest = definitions.snapshot(call.store, revision.dataset_id)
    votes = read_votes(revision.referee)
    return Job(
        seq=0,
        id=call.store.next_id("job"),
        name=name,
        definition_id=revision.definition_id,
        revision=revision.number,
        audience_id=audience_id,
        pipeline_id=call.store.next_id("pipeline"),
        dataset_id=revision.dataset_id,
        last_datapoint=highest,
        datapoint_count=points,
        votes=votes,
        created_at=call.now,
        duration=crowd.job_duration(points * votes),
        shift=0,
        hold=None,
        held_at=None,
        failure_message=None,
        review_reason=None,
        charged=False,
    )


def _warning(price: int, available: int) -> JsonObject:
    return {
        "estimatedCost": money.number(price),
        "availableBalance": money.number(available),
        "shortfall": money.number(price - available),
    }


def _required(call: Call) -> Job:
    job_id = call.path["job_id"]
    job = find(call.store, job_id)
    if job is None:
        raise missing("Job", job_id)
    return job


def _save(store: Store, job: Job) -> None:
    values = asdict(job)
    store.write(update(jobs).where(jobs.c.seq == values.pop("seq")).values(**values))


def _go_on(call: Call, job: Job) -> None:
    if not job.charged:
        price, available = money.price(job.responses), billing.balance(call.store)
        if price > available:
            detail = (
                f"The job costs {money.decimal(price)}; the balance is {money.decimal(available)}."
            )
            raise Problem(409, "The balance does not cover the job.", detail)
        billing.charge(call.store, job, call.now)
    _save(call.store, replace(lifecycle.released(job, call.now), charged=True))


def _refuse_finished(call: Call, job: Job, verb: str) -> None:
    state = lifecycle.state(job, call.now)
    if state in lifecycle.FINISHED:
        raise Problem(409, f"The job cannot be {verb}.", f"The job is {state}.")


def _answered(call: Call, job: Job) -> int:
    return lifecycle.answered(job, call.store.seed, call.now)


def _task(call: Call, job: Job) -> results.Task:
    """Everything that decides the job's answers."""
    revision = definitions.find_revision(call.store, job.definition_id, job.revision)
    audience = audience_service.find(call.store, job.audience_id)
    assert revision is not None
    assert audience is not None
    workflow = read_workflow(revision.workflow)
    flags = read_flags(revision.flags)
    wanted = (
        select(datapoints.c.segments)
        .where(datapoints.c.dataset_id == job.dataset_id, datapoints.c.seq <= job.last_datapoint)
        .order_by(datapoints.c.sort_index, datapoints.c.seq)
    )
    compared = workflow.type == "Compare"
    points = results.datapoints_of(
        [row.segments for row in call.store.read(wanted)],
        compared=compared,
        literal_options=workflow.options,
        ordered=is_on(flags, "no_shuffle") and not compared,
        unsure=is_on(flags, "compare_unsure") and compared,
        find=lambda name: datasets.existing(call.store, name),
    )
    return results.Task(
        seed=call.store.seed,
        pool=audience.pool,
        job=job,
        type=_TYPES[workflow.type],
        instruction=workflow.instruction,
        datapoints=tuple(points),
    )


def _item(call: Call, job: Job) -> JsonObject:
    return _both_views(job, lifecycle.state(job, call.now)) | {
        "jobDefinitionId": job.definition_id,
        "isShared": False,
        "progress": round(_answered(call, job) / job.responses, 6),
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


def _response(task: results.Task, number: int, response: results.Response) -> JsonObject:
    person = response.person
    rapid = {"rapidId": f"{task.job.id}_{response.place}"}
    if task.type == "Compare":
        result = {"_t": "CompareResult", "winners": [response.option], **rapid}
    else:
        result = {"_t": "AttachCategoryResult", "category": response.option, **rapid}
    return {
        "id": f"{task.job.id}_response_{number}",
        "userId": person.id,
        "country": person.country,
        "language": person.language,
        "age": person.age,
        "gender": person.gender,
        "occupation": person.occupation,
        "result": result,
        "userScore": person.score,
        "userScores": {"global": person.score},
        "demographicInformation": {
            "age": person.age,
            "gender": person.gender,
            "occupation": person.occupation,
        },
    }


def _whole(call: Call, name: str) -> int | None:
    text = last(call.query, name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise invalid({name: [f"{text!r} is not a whole number."]})
    return int(text)


ENDPOINTS = (
    Endpoint("POST", "/job", create_job),
    Endpoint("GET", "/jobs", list_jobs),
    Endpoint("GET", "/job/{job_id}", get_job),
    Endpoint("PATCH", "/job/{job_id}", rename_job),
    Endpoint("DELETE", "/job/{job_id}", delete_job),
    Endpoint("GET", "/job/{job_id}/progress", get_progress),
    Endpoint("GET", "/job/{job_id}/cost-estimate", get_cost_estimate),
    Endpoint("GET", "/job/{job_id}/download-results", download_results),
    Endpoint("GET", "/job/{job_id}/responses", list_responses),
    Endpoint("POST", "/job/{job_id}/pause", pause_job),
    Endpoint("POST", "/job/{job_id}/resume", resume_job),
    Endpoint("POST", "/job/{job_id}/retry", retry_job),
    Endpoint("POST", "/_sandbox/jobs/{job_id}/state", force_state, open=True),
)
