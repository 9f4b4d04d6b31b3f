"""Signals: a job on a schedule.

Nothing runs in the background: before every request :func:`catch_up` does whatever became due since
the last one, in order and each at its own moment. A firing becomes a run, and half a second later
the run has a job. A firing that meets a run still open becomes a skipped run without a job. A
manual trigger is carried out a moment after it was asked for, also while the signal is paused.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, func, literal, select, update

from rapidata_core.sandbox import lifecycle, pools
from rapidata_core.sandbox.api import definitions, jobs
from rapidata_core.sandbox.api.call import Call, Endpoint, Fields, JsonObject
from rapidata_core.sandbox.clock import SECOND, rfc3339
from rapidata_core.sandbox.lifecycle import Job
from rapidata_core.sandbox.listing import Field, Listing, page_of
from rapidata_core.sandbox.problems import Problem, missing
from rapidata_core.sandbox.settings import ORGANIZATION_ID, OWNER_MAIL
from rapidata_core.sandbox.store import Store
from rapidata_core.sandbox.tables import signal_runs, signals

MIN_INTERVAL = 60
"""Seconds between two firings, at least."""

TRIGGER_DELAY = 3 * SECOND // 2
"""How long after a trigger its run starts. Clients look for runs that start after they asked."""

JOB_DELAY = SECOND // 2
"""How long after its start a run has its job."""

MAX_EVENTS = 600
"""What one catch-up does at most: 300 firings with a job each, which takes seconds.

Whoever lets the clock jump further finds one skipped run per signal instead of the other firings.
"""

_NEVER = 1 << 62
_OPEN = ("Pending", "Running")
_INTERVAL = signals.c.interval * SECOND


def catch_up(store: Store, now: int) -> None:
    """Do what became due. Without anything due this is one comparison."""
    if now < store.wake_at:
        return
    with store.transaction():
        _pass_over_paused(store, now)
        for _ in range(MAX_EVENTS):
            if not _next_event(store, now):
                break
        else:
            _leave_out(store, now)
        wake_at = _next_moment(store)
    # Only now: had something failed, the work would be rolled back and still be due.
    store.wake_at = wake_at


def create_signal(call: Call) -> Any:
    """``POST /signal``: fires for the first time after one interval."""
    fields = call.fields()
    name, description = fields.text("name"), fields.optional_text("description")
    audience_id, definition_id = fields.text("audienceId"), fields.text("jobDefinitionId")
    revision = fields.optional_whole("revisionNumber")
    interval = _interval(fields, required=True)
    is_public = fields.optional_flag("isPublic") or False
    fields.check()
    _check_references(call.store, fields, audience_id, definition_id, revision)
    assert interval is not None
    signal_id = call.store.next_id("signal")
    next_run_at = call.now + interval * SECOND
    call.store.add(
        signals,
        id=signal_id,
        name=name,
        description=description,
        audience_id=audience_id,
        definition_id=definition_id,
        revision=revision,
        interval=interval,
        is_paused=False,
        is_public=is_public,
        created_at=call.now,
        next_run_at=next_run_at,
    )
    call.store.wake_at = 0
    return {"id": signal_id, "nextRunAt": rfc3339(next_run_at)}


def list_signals(call: Call) -> Any:
    """``GET /signal``."""
    columns = signals.c
    listing = Listing(
        rows=select(signals),
        order=(columns.seq,),
        fields={
            "id": Field(columns.id),
            "name": Field(columns.name),
            "owner_id": Field(literal(call.account.owner_id)),
            "audience_id": Field(columns.audience_id),
            "job_definition_id": Field(columns.definition_id),
            "is_paused": Field(columns.is_paused, "flag"),
            "is_public": Field(columns.is_public, "flag"),
            "created_at": Field(columns.created_at, "time"),
            "next_run_at": Field(columns.next_run_at, "time"),
        },
        sorts={
            "id": columns.id,
            "name": columns.name,
            "created_at": columns.created_at,
            "next_run_at": columns.next_run_at,
            "last_run_at": columns.last_run_at,
        },
    )
    return page_of(call.store, listing, call.query, lambda row: _signal(call, row))


def get_signal(call: Call) -> Any:
    """``GET /signal/{id}``."""
    return _signal(call, call.row(signals, "Signal", "signal_id"))


def update_signal(call: Call) -> None:
    """``PATCH /signal/{id}``: null leaves a field as it is; a new interval counts from now."""
    signal = call.row(signals, "Signal", "signal_id")
    fields = call.fields()
    changes: dict[str, Any] = {}
    if "name" in fields:
        changes["name"] = fields.text("name")
    if "description" in fields:
        changes["description"] = fields.optional_text("description")
    if "intervalSeconds" in fields:
        interval = _interval(fields, required=False)
        fields.check()
        assert interval is not None
        changes |= {"interval": interval, "next_run_at": call.now + interval * SECOND}
    fields.check()
    if changes:
        _change(call.store, signal, **changes)


def pause_signal(call: Call) -> None:
    """``POST /signal/{id}/pause``: the scheduler passes it over; triggers still work."""
    _change(call.store, call.row(signals, "Signal", "signal_id"), is_paused=True)


def resume_signal(call: Call) -> None:
    """``POST /signal/{id}/resume``: fires again when its schedule says so."""
    _change(call.store, call.row(signals, "Signal", "signal_id"), is_paused=False)


def delete_signal(call: Call) -> None:
    """``DELETE /signal/{id}``: with its runs; jobs that they made go on."""
    signal = call.row(signals, "Signal", "signal_id")
    call.store.write(delete(signal_runs).where(signal_runs.c.signal_id == signal.id))
    call.store.write(delete(signals).where(signals.c.id == signal.id))


def trigger_signal(call: Call) -> Any:
    """``POST /signal/{id}/trigger``: asks for a run; which one that will be, nobody says."""
    signal = call.row(signals, "Signal", "signal_id")
    start = call.now + TRIGGER_DELAY
    _add_run(call.store, signal.id, "Manual", start, status="Requested", due_at=start)
    call.store.wake_at = 0
    return {"signalId": signal.id}


def list_runs(call: Call) -> Any:
    """``GET /signal/{id}/run``."""
    signal = call.row(signals, "Signal", "signal_id")
    _settle(call.store, signal.id, call.now)
    columns = signal_runs.c
    listing = Listing(
        rows=select(signal_runs).where(
            columns.signal_id == signal.id, columns.status != "Requested"
        ),
        order=(columns.seq,),
        fields={
            "status": Field(columns.status),
            "trigger_source": Field(columns.source),
            "started_at": Field(columns.started_at, "time"),
            "completed_at": Field(columns.completed_at, "time"),
            "audience_job_id": Field(columns.job_id),
        },
        sorts={
            "started_at": columns.started_at,
            "completed_at": columns.completed_at,
            "status": columns.status,
        },
    )
    return page_of(call.store, listing, call.query, _run)


def get_run(call: Call) -> Any:
    """``GET /signal/run/{id}``."""
    run_id = call.path["run_id"]
    row = _find_run(call.store, run_id)
    if row is None or row.status == "Requested":
        raise missing("Run", run_id)
    _settle(call.store, row.signal_id, call.now)
    settled = _find_run(call.store, run_id)
    assert settled is not None
    return _run(settled)


def _next_event(store: Store, now: int) -> bool:
    """Do what is due next; False when that lies in the future."""
    columns = signal_runs.c
    runs = select(signal_runs).where(columns.due_at.is_not(None))
    run = store.one(runs.order_by(columns.due_at, columns.seq).limit(1))
    active = select(signals).where(signals.c.is_paused.is_(False))
    signal = store.one(active.order_by(signals.c.next_run_at, signals.c.seq).limit(1))
    run_at = _NEVER if run is None else run.due_at
    signal_at = _NEVER if signal is None else signal.next_run_at
    if min(run_at, signal_at) > now:
        return False
    if run is None or run_at > signal_at:
        assert signal is not None
        due = {"next_run_at": signal_at + signal.interval * SECOND, "last_run_at": signal_at}
        _change(store, signal, **due)
        _add_run(store, signal.id, "Scheduled", signal_at, **_begun(store, signal.id, signal_at))
    elif run.status == "Requested":
        store.write(update(signals).where(signals.c.id == run.signal_id).values(last_run_at=run_at))
        _change_run(store, run, **_begun(store, run.signal_id, run_at))
    else:
        _place_job(store, run, run_at)
    return True


def _begun(store: Store, signal_id: str, at: int) -> JsonObject:
    """What becomes of a run that starts: it is skipped while another one is open."""
    if _settle(store, signal_id, at):
        return _skipped(at, "The signal's previous run is still open.")
    return {"status": "Pending", "due_at": at + JOB_DELAY}


def _skipped(at: int, reason: str) -> JsonObject:
    return {"status": "Skipped", "due_at": None, "completed_at": at, "skipped_reason": reason}


def _place_job(store: Store, run: Row[Any], at: int) -> None:
    """Create and charge the run's job."""
    signal = store.find(signals, id=run.signal_id)
    assert signal is not None
    try:
        job = jobs.place(
            store,
            name=None,
            definition_id=signal.definition_id,
            audience_id=signal.audience_id,
            revision_number=signal.revision,
            now=at,
        )
    except Problem as problem:
        # What the signal is made of may be gone by now.
        ended = {"due_at": None, "completed_at": at, "failure_message": problem.detail}
        _change_run(store, run, status="Failed", **ended)
    else:
        _change_run(store, run, status="Running", due_at=None, job_id=job.id)


def _settle(store: Store, signal_id: str, at: int) -> bool:
    """End the runs whose jobs have ended by a moment; returns whether any run is open still."""
    columns = signal_runs.c
    wanted = select(signal_runs).where(columns.signal_id == signal_id, columns.status.in_(_OPEN))
    is_open = False
    for run in store.read(wanted).all():
        ended = None if run.job_id is None else _ending(jobs.find(store, run.job_id), at)
        if ended is None:
            is_open = True
        else:
            _change_run(store, run, **ended)
    return is_open


def _ending(job: Job | None, at: int) -> JsonObject | None:
    """How a run with this job has ended by a moment, if it has."""
    if job is None:
        reason = "The job was deleted."
        return {"status": "Failed", "completed_at": at, "failure_message": reason}
    state = lifecycle.state(job, at)
    if state == "Failed":
        reason = job.failure_message
        return {"status": "Failed", "completed_at": job.held_at, "failure_message": reason}
    if state in lifecycle.FINISHED:
        return {"status": "Completed", "completed_at": lifecycle.completed_at(job, at)}
    return None


def _pass_over_paused(store: Store, now: int) -> None:
    """Move the schedules of paused signals on, without firing."""
    columns = signals.c
    missed = (literal(now) - columns.next_run_at) // _INTERVAL + 1
    store.write(
        update(signals)
        .where(columns.is_paused.is_(True), columns.next_run_at <= now)
        .values(next_run_at=columns.next_run_at + missed * _INTERVAL)
    )


def _leave_out(store: Store, now: int) -> None:
    """Give up on the firings that are still due, and say so in a skipped run per signal."""
    for signal in store.read(select(signals).where(signals.c.next_run_at <= now)).all():
        interval = signal.interval * SECOND
        missed = (now - signal.next_run_at) // interval + 1
        next_run_at = signal.next_run_at + missed * interval
        _change(store, signal, next_run_at=next_run_at)
        last = next_run_at - interval
        reason = f"The sandbox's clock jumped over {missed} firings."
        _add_run(store, signal.id, "Scheduled", last, **_skipped(last, reason))
    while _next_event(store, now):
        # Runs that have begun get their jobs; there is at most one of a signal.
        pass


def _next_moment(store: Store) -> int:
    """When something is due next."""
    run_at = store.read(select(func.min(signal_runs.c.due_at))).scalar()
    signal_at = store.read(select(func.min(signals.c.next_run_at))).scalar()
    return min(moment for moment in (run_at, signal_at, _NEVER) if moment is not None)


def _add_run(store: Store, signal_id: str, source: str, start: int, **values: Any) -> None:
    run_id = store.next_id("run")
    row = {"id": run_id, "signal_id": signal_id, "source": source, "started_at": start} | values
    store.add(signal_runs, **row)


def _change_run(store: Store, run: Row[Any], **values: Any) -> None:
    store.write(update(signal_runs).where(signal_runs.c.seq == run.seq).values(**values))


def _change(store: Store, signal: Row[Any], **values: Any) -> None:
    store.write(update(signals).where(signals.c.seq == signal.seq).values(**values))
    store.wake_at = 0


def _find_run(store: Store, run_id: str) -> Row[Any] | None:
    return store.find(signal_runs, id=run_id)


def _interval(fields: Fields, *, required: bool) -> int | None:
    interval = fields.optional_whole("intervalSeconds")
    if interval is None and required and "intervalSeconds" not in fields:
        fields.wrong("intervalSeconds", "intervalSeconds is required.")
    if interval is not None and interval < MIN_INTERVAL:
        fields.wrong("intervalSeconds", f"intervalSeconds is at least {MIN_INTERVAL}.")
    return interval


def _check_references(
    store: Store, fields: Fields, audience_id: str, definition_id: str, revision: int | None
) -> None:
    if pools.find(store, audience_id) is None:
        fields.wrong("audienceId", f"There is no audience with the id {audience_id}.")
    if definitions.find_definition(store, definition_id) is None:
        fields.wrong("jobDefinitionId", f"There is no job definition with the id {definition_id}.")
    elif revision is not None and definitions.find_revision(store, definition_id, revision) is None:
        fields.wrong("revisionNumber", f"The definition has no revision {revision}.")
    fields.check()


def _signal(call: Call, row: Row[Any]) -> JsonObject:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "audienceId": row.audience_id,
        "jobDefinitionId": row.definition_id,
        "revisionNumber": row.revision,
        "intervalSeconds": row.interval,
        "nextRunAt": rfc3339(row.next_run_at),
        "lastRunAt": _moment(row.last_run_at),
        "isPaused": row.is_paused,
        "isPublic": row.is_public,
        "ownerId": call.account.owner_id,
        "ownerMail": OWNER_MAIL,
        "organizationId": ORGANIZATION_ID,
        "createdAt": rfc3339(row.created_at),
    }


def _run(row: Row[Any]) -> JsonObject:
    return {
        "id": row.id,
        "signalId": row.signal_id,
        "triggerSource": row.source,
        "status": row.status,
        "startedAt": rfc3339(row.started_at),
        "audienceJobId": row.job_id,
        "completedAt": _moment(row.completed_at),
        "resultFileName": f"{row.job_id}.json" if row.status == "Completed" else None,
        "failureMessage": row.failure_message,
        "skippedReason": row.skipped_reason,
    }


def _moment(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


ENDPOINTS = (
    Endpoint("POST", "/signal", create_signal),
    Endpoint("GET", "/signal", list_signals),
    Endpoint("GET", "/signal/run/{run_id}", get_run),
    Endpoint("GET", "/signal/{signal_id}", get_signal),
    Endpoint("PATCH", "/signal/{signal_id}", update_signal),
    Endpoint("DELETE", "/signal/{signal_id}", delete_signal),
    Endpoint("GET", "/signal/{signal_id}/run", list_runs),
    Endpoint("POST", "/signal/{signal_id}/trigger", trigger_signal),
    Endpoint("POST", "/signal/{signal_id}/pause", pause_signal),
    Endpoint("POST", "/signal/{signal_id}/resume", resume_signal),
)
