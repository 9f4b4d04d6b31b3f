"""Small shared values: states, boxes, settings of a task, and what the client answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field

from rapidata_core.errors import ValidationError, blank, is_number

Item = TypeVar("Item")
Calendar = Literal["day", "week", "month"]
"""A period of a spend cap, in UTC."""
OnChanged = Literal["error", "adopt", "new"]
"""What to do if a key only has a job that asks something else."""
Reaction = Literal["fail", "wait", "resume"]
"""What to do when somebody has to act before a job goes on."""
_LONGEST_PERIOD = timedelta(days=366)


class JobState(StrEnum):
    """States of a job, as the platform names them."""

    SUBMITTED = "Submitted"
    QUEUED = "Queued"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    MANUAL_APPROVAL = "ManualApproval"
    SPEND_LIMITED = "SpendLimited"
    PAUSED = "Paused"
    BLOCKED = "Blocked"
    STALE_RESULTS = "StaleResults"


class Setting(BaseModel):
    """A switch that changes how a task is shown to the labelers.

    Attributes:
        key: The platform's name of the switch.
        value: Its value, always text on the wire.
        target: ``rapids`` for the task itself, ``campaign`` for its distribution.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(min_length=1)
    value: str
    target: Literal["rapids", "campaign"] = "rapids"

    def wire(self) -> dict[str, str]:
        """The switch on the wire, where the target is told by the field that it stands in."""
        return {"key": self.key, "value": self.value}


@dataclass(frozen=True)
class Box:
    """A rectangle on an image, in shares of its width and height, from the upper left corner.

    Attributes:
        x_min: Left edge.
        y_min: Upper edge.
        x_max: Right edge.
        y_max: Lower edge.
    """

    x_min: float
    y_min: float
    x_max: float
    y_max: float

    def __post_init__(self) -> None:
        problems = [
            f"{edge} must be from 0 to 1, not {value!r}"
            for edge, value in asdict(self).items()
            if not 0 <= value <= 1
        ]
        for least, most in (("x_min", "x_max"), ("y_min", "y_max")):
            if not problems and getattr(self, least) >= getattr(self, most):
                problems.append(f"{least} must be below {most}")
        if problems:
            raise ValidationError("Box", problems)


@dataclass(frozen=True)
class Submission:
    """The job that a logical task has.

    Attributes:
        job_id: The job.
        definition_id: Its definition.
        audience_id: Who answers.
        adopted: True when the job was there already and nothing was paid now.
        estimated_cost: The platform's estimate for the whole job, in its currency.
    """

    job_id: str
    definition_id: str
    audience_id: str
    adopted: bool
    estimated_cost: float


@dataclass(frozen=True)
class SpendCap:
    """A limit for all the jobs together whose keys begin alike.

    Attributes:
        prefix: How the keys begin, for example ``daily_report/``.
        amount: The most that these jobs may cost in one period, in the platform's currency.
        period: A ``day``, a ``week`` (from Monday) or a ``month`` of the calendar in UTC; or a
            length of time, always the last one.
    """

    prefix: str
    amount: float
    period: Calendar | timedelta

    def __post_init__(self) -> None:
        problems = blank("prefix", self.prefix)
        if not (is_number(self.amount) and 0 <= self.amount < float("inf")):
            problems.append(f"amount: must be a number of at least 0, not {self.amount!r}")
        if isinstance(self.period, timedelta):
            if not timedelta(0) < self.period <= _LONGEST_PERIOD:
                problems.append(f"period: must be above 0 and at most a year, not {self.period}")
        elif self.period not in get_args(Calendar):
            known = ", ".join(get_args(Calendar))
            problems.append(f"period: must be {known} or a timedelta, not {self.period!r}")
        if problems:
            raise ValidationError("SpendCap", problems)

    def check_key(self, key: str) -> None:
        """Refuse a key that this cap is not about.

        Raises:
            ValidationError: It does not begin with the prefix.
        """
        if not key.startswith(self.prefix):
            raise ValidationError("key", [f"must begin with the cap's {self.prefix!r}: {key!r}"])


@dataclass(frozen=True)
class RevisionInfo:
    """One state of a job definition.

    Attributes:
        revision_number: From 1.
        state: ``Pending`` while the platform prepares it, then ``Completed`` or ``Failed``.
        created_at: When it was saved.
        base_revision: The revision that it was made from, if the platform says.
    """

    revision_number: int
    state: str
    created_at: datetime
    base_revision: int | None = None


@dataclass(frozen=True)
class CostEstimate:
    """What the platform expects a job to cost; the bill can differ.

    Attributes:
        estimated_cost: For the whole job, in the platform's currency.
        datapoint_count: Datapoints to label.
        required_responses: Human answers in all.
    """

    estimated_cost: float
    datapoint_count: int
    required_responses: int


@dataclass(frozen=True)
class RecruitingMetrics:
    """How many labelers of a custom audience are how far.

    Nobody answers before somebody has graduated, so a job without answers whose audience is still
    distilling is waiting, not stuck.

    Attributes:
        graduated: Passed the examples; they answer jobs.
        distilling: At work on the examples.
        dropped: Failed them, or left.
        inactive: Have not been seen for long.
        users_per_state: The platform's own, finer list.
    """

    graduated: int
    distilling: int
    dropped: int
    inactive: int
    users_per_state: Mapping[str, int] = field(hash=False)


@dataclass(frozen=True)
class JobProgress:
    """How far a job is.

    Attributes:
        state: See :class:`JobState`; the platform may add others.
        completion_percentage: 0 to 100.
        response_count: Human answers so far; None where nobody asked.
        recruiting: How far the audience is; None for audiences that recruit nobody, and where
            nobody asked.
    """

    state: str
    completion_percentage: float
    response_count: int | None = None
    recruiting: RecruitingMetrics | None = None


@dataclass(frozen=True)
class Balance:
    """What an organization may still spend, in the platform's currency.

    Attributes:
        mode: Usage, Limited or Prepaid; the platform may add others.
        available: What is left; None where usage is billed afterwards.
        spent: In the current period so far.
        limit: The most that may be spent in it; None without a limit.
    """

    mode: str
    available: float | None
    spent: float
    limit: float | None


@dataclass(frozen=True)
class BillingPeriod:
    """What a billing period has cost so far, in the platform's currency.

    Attributes:
        id: Its id.
        start_date: When it began.
        end_date: When it ends.
        status: ``Open`` as long as costs accrue; the platform has others for afterwards.
        outstanding_cost: ``gross_cost`` without ``discount``: what an invoice would say today.
        gross_cost: Before discounts.
        discount: Discounts so far.
        response_count: Human answers that are billed.
        credits: Prepaid credit that is left, of the organization and not of the period; None
            where usage is billed afterwards.
        effective_limit: The most that may be spent in the period; None without a limit.
    """

    id: str
    start_date: datetime
    end_date: datetime
    status: str
    outstanding_cost: float
    gross_cost: float
    discount: float
    response_count: int
    credits: float | None
    effective_limit: float | None


@dataclass(frozen=True)
class OutstandingBalance:
    """What an organization owes. The current period is not part of it.

    Attributes:
        total: All of it.
        unpaid_invoices: Invoices that are not paid.
        unpaid_invoice_count: Their number.
        awaiting_invoice: Periods that have ended and have no invoice yet.
        accruing: What the current period has cost so far, for comparison.
        currency: Of all amounts, where the platform names it.
    """

    total: float
    unpaid_invoices: float
    unpaid_invoice_count: int
    awaiting_invoice: float
    accruing: float
    currency: str | None


@dataclass(frozen=True)
class Manifest:
    """A finished job and where its answers are: small enough for an XCom or a metadata entry.

    Attributes:
        job_id: The job.
        job_url: Its page in the dashboard.
        name: Its name for people.
        definition_id: What was asked.
        audience_id: Who was asked.
        estimated_cost: The platform's estimate for the job, in its currency.
        actual_cost: What the job has cost by the platform's bill; None where that does not tell:
            not yet, or not to these credentials.
        labels: Path or URL of the parquet file with a row per datapoint.
        label_count: Its rows.
        responses: Path or URL of the parquet file with a row per human answer.
        response_count: Its rows.
        mean_agreement: The mean of the labels' column ``agreement``: the share of the most frequent
            answer, 0..1. None where answers are no votes for an option.
        quality: What the quality gate found, in brief: ``passed``, ``checks``, at most five of the
            ``worst`` datapoints and ``worst_count``. None without a gate.
    """

    job_id: str
    job_url: str
    name: str
    definition_id: str
    audience_id: str
    estimated_cost: float
    actual_cost: float | None
    labels: str
    label_count: int
    responses: str
    response_count: int
    mean_agreement: float | None = None
    quality: dict[str, Any] | None = field(default=None, hash=False)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for example for JSON."""
        return asdict(self)


class SignalRunStatus(StrEnum):
    """States of a firing of a signal, as the platform names them."""

    PENDING = "Pending"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    SKIPPED = "Skipped"


@dataclass(frozen=True)
class SignalRun:
    """One firing of a signal.

    Attributes:
        id: The run.
        status: See :class:`SignalRunStatus`; the platform may add others.
        trigger_source: ``Scheduled``, or ``Manual`` for a trigger.
        started_at: When the signal fired.
        completed_at: When the run ended, or None.
        job_id: Its job, as soon as there is one; a skipped run has none.
        skipped_reason: Why it was skipped.
        failure_message: Why it failed.
    """

    id: str
    status: str
    trigger_source: str
    started_at: datetime
    completed_at: datetime | None = None
    job_id: str | None = None
    skipped_reason: str | None = None
    failure_message: str | None = None


@dataclass(frozen=True)
class FinishedJob:
    """A job that ended.

    Attributes:
        id: The job.
        name: Its name for people.
        state: ``Completed`` or ``Failed``.
        definition_id: What was asked.
        audience_id: Who was asked.
        completed_at: When its results were there; None for a job that failed.
        url: Its page in the dashboard.
        failure_message: Why it failed.
    """

    id: str
    name: str
    state: str
    definition_id: str
    audience_id: str
    completed_at: datetime | None
    url: str
    failure_message: str | None = None


@dataclass(frozen=True)
class News(Generic[Item]):
    """What ended since somebody looked last.

    Attributes:
        items: What ended, those that began first come first.
        cursor: For the next look, as JSON. Keep it when the items are taken care of.
    """

    items: list[Item]
    cursor: dict[str, Any]


class FlowItemState(StrEnum):
    """States of a flow item, as the platform names them."""

    PENDING = "Pending"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    INCOMPLETE = "Incomplete"


@dataclass(frozen=True)
class FlowItemResult:
    """How the items of a ranking flow's batch rank.

    Attributes:
        datapoints: The score of every item, under its URL, else its file name, else its text. The
            scores read like Elo ratings: higher is better, 1200 is where everything starts.
        total_votes: Comparisons in all.
    """

    datapoints: dict[str, int]
    total_votes: int


@dataclass(frozen=True)
class ClassifyDatapointResult:
    """How one item of a classify flow's batch was classified.

    Attributes:
        majority_value: What was chosen most often, or None on a tie.
        distribution: How often every category was chosen, 0 included.
        response_count: Answers in all.
    """

    majority_value: str | None
    distribution: dict[str, int]
    response_count: int


@dataclass(frozen=True)
class ClassifyFlowItemResult:
    """How the items of a classify flow's batch were classified.

    Attributes:
        datapoints: Every item's classification, under its URL, else its file name, else its text.
        total_responses: Answers in all.
    """

    datapoints: dict[str, ClassifyDatapointResult]
    total_responses: int


class VoteAggregation(StrEnum):
    """How the answers to one matchup of a leaderboard become its result."""

    MAJORITY_VOTE = "MajorityVote"
    ALL_VOTES = "AllVotes"


@dataclass(frozen=True)
class Standing:
    """How a model stands in a leaderboard, or in a benchmark.

    Attributes:
        participant: The model's name.
        rank: 1 is the best; equal scores have equal ranks. None while it has no score.
        score: Its score, or None while there is none.
        wins: Matches that it won.
        matches: Matches that it took part in.
    """

    participant: str
    rank: int | None
    score: float | None
    wins: float
    matches: float


@dataclass(frozen=True)
class Tag:
    """A tag of a benchmark's prompt, by which results are filtered; labelers never see it.

    Attributes:
        value: The tag.
        category: What kind of tag it is, if that matters.
    """

    value: str
    category: str | None = None


@dataclass(frozen=True)
class Origin:
    """Where a benchmark's prompt comes from.

    Attributes:
        source: For example a dataset.
    """

    source: str


@dataclass(frozen=True)
class SampleUpload:
    """Something that a model made for a prompt of a benchmark.

    Attributes:
        media: A local path, a URL, or the text itself.
        identifier: The prompt's identifier.
    """

    media: str
    identifier: str
