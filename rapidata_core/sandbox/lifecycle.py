"""What a job is doing: a pure function of its row and the clock, in Python and in SQL.

Nothing runs in the background. A job that nobody holds moves by itself from Submitted through
Running to Completed; a held job stands still in the state that holds it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Row, bindparam, case, func

from rapidata_core.sandbox import crowd
from rapidata_core.sandbox.tables import jobs

STATES = (
    "Submitted",
    "Running",
    "Completed",
    "Failed",
    "ManualApproval",
    "Queued",
    "Paused",
    "StaleResults",
    "SpendLimited",
    "Blocked",
)
FINISHED = ("Completed", "Failed", "StaleResults")


@dataclass(frozen=True, slots=True)
class Job:
    """A row of the job table.

    Attributes:
        votes: How many answers each datapoint gets at most, or in a ranking each comparison.
        most_responses: How many answers the job may collect.
        responses: How many it does collect: fewer where it stops early, or runs out of people.
        pool: The key of the people who may answer.
        waits_for: The job that has to be finished first, until it is.
        duration: How long the crowd needs, in microseconds.
        shift: How long the job has been held so far; its answers arrive that much later.
        hold: The state that holds the job since ``held_at``, if any.
    """

    seq: int
    id: str
    name: str
    definition_id: str
    revision: int
    audience_id: str
    pipeline_id: str
    dataset_id: str
    last_datapoint: int
    datapoint_count: int
    votes: int
    most_responses: int
    responses: int
    pool: str
    waits_for: str | None
    created_at: int
    duration: int
    shift: int
    hold: str | None
    held_at: int | None
    failure_message: str | None
    review_reason: str | None
    charged: bool


assert [field.name for field in fields(Job)] == [column.name for column in jobs.c]


def from_row(row: Row[Any]) -> Job:
    """The job in a row of its table, whose columns are in the order of the fields."""
    return Job(*row)


def elapsed(job: Job, now: int) -> int:
    """How long the crowd has been at it."""
    return (now if job.held_at is None else job.held_at) - job.created_at - job.shift


def state(job: Job, now: int) -> str:
    """The job's state on the wire."""
    if job.hold is not None:
        return job.hold
    passed = elapsed(job, now)
    if passed < crowd.START:
        return "Submitted"
    return "Running" if passed < job.duration else "Completed"


def answered(job: Job, seed: int, now: int) -> int:
    """How many answers have arrived."""
    return crowd.answered(job.id, seed, job.responses, job.duration, elapsed(job, now))


def completed_at(job: Job, now: int) -> int | None:
    """When the job completed, which is also when its results were made."""
    if state(job, now) not in ("Completed", "StaleResults"):
        return None
    return job.created_at + job.shift + job.duration


def ended_at(job: Job, now: int) -> int | None:
    """When the job ended, whether it completed or failed."""
    return job.held_at if state(job, now) == "Failed" else completed_at(job, now)


def labeling_state(job: Job, now: int) -> str:
    """The state inside the progress of a job."""
    match state(job, now):
        case "Completed" | "StaleResults":
            return "Done"
        case "Failed":
            return "Failed"
        case "Submitted" | "Queued":
            return "Created"
        case "Running":
            return "Labeling" if elapsed(job, now) > crowd.LATENCY else "Started"
        case _:
            return "Paused"


def held(job: Job, hold: str, now: int, **details: Any) -> Job:
    """The job, standing still in a state."""
    return replace(released(job, now), hold=hold, held_at=now, **details)


def released(job: Job, now: int) -> Job:
    """The job, going on from where it was held."""
    since = now if job.held_at is None else job.held_at
    return replace(
        job,
        shift=job.shift + now - since,
        hold=None,
        held_at=None,
        failure_message=None,
        review_reason=None,
    )


def finished(job: Job, now: int) -> Job:
    """The job, with all its answers in by now."""
    going = replace(released(job, now), waits_for=None)
    return replace(going, shift=min(going.shift, now - job.created_at - job.duration))


def reaggregated(job: Job, now: int) -> Job:
    """The job with results made now from the answers that it has."""
    return replace(released(job, now), shift=now - job.created_at - job.duration)


_PASSED = (
    func.coalesce(jobs.c.held_at, bindparam("now", type_=BigInteger))
    - jobs.c.created_at
    - jobs.c.shift
)
# Expressions are made once, with the time as a parameter: making them costs more than running them.
STATE: ColumnElement[str] = case(
    (jobs.c.hold.is_not(None), jobs.c.hold),
    (_PASSED < crowd.START, "Submitted"),
    (jobs.c.duration > _PASSED, "Running"),
    else_="Completed",
)
""":func:`state` in SQL, at the parameter ``now``."""

PROGRESS: ColumnElement[float] = func.min(
    1.0, func.max(0.0, (_PASSED - crowd.LATENCY) * 1.0 / (jobs.c.duration - crowd.LATENCY))
)
"""What jobs are sorted by when sorted by progress; exact up to the jitter of arrivals."""
