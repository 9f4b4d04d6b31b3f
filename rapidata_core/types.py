"""Small shared values: states, settings of a task, and what the client answers with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


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


def NoShuffle() -> Setting:  # noqa: N802 - reads as the setting class of the documents
    """Keep the answer options in the given order, as a Likert scale needs."""
    return Setting(key="no_shuffle", value="true")


def AllowNeitherBoth(delay_ms: int = 5000) -> Setting:  # noqa: N802
    """Let labelers of a compare job answer "neither" or "both".

    Args:
        delay_ms: Milliseconds before the two answers appear.
    """
    return Setting(key="compare_unsure", value=str(delay_ms))


def Markdown() -> Setting:  # noqa: N802
    """Render text datapoints as (limited) markdown."""
    return Setting(key="use_main_text_markdown", value="true")


# The documents use both names.
NoShuffleSetting = NoShuffle
AllowNeitherBothSetting = AllowNeitherBoth
MarkdownSetting = Markdown


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
class JobProgress:
    """How far a job is.

    Attributes:
        state: See :class:`JobState`; the platform may add others.
        completion_percentage: 0 to 100.
    """

    state: str
    completion_percentage: float


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
        labels: Path or URL of the parquet file with a row per datapoint.
        label_count: Its rows.
        responses: Path or URL of the parquet file with a row per human answer.
        response_count: Its rows.
    """

    job_id: str
    job_url: str
    name: str
    definition_id: str
    audience_id: str
    estimated_cost: float
    labels: str
    label_count: int
    responses: str
    response_count: int

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for example for JSON."""
        return asdict(self)
