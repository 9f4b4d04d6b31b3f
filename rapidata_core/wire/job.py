"""Jobs. What concerns money is read strictly."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from rapidata_core.wire.model import WireModel

Money = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
Count = Annotated[int, Field(ge=0, strict=True)]


class CostAnswer(WireModel):
    """``GET …/cost-estimate``."""

    estimated_cost: Money
    datapoint_count: Count
    required_responses: Count


class CostWarning(WireModel):
    """Part of ``POST /job``: the balance does not cover the job."""

    estimated_cost: Money
    available_balance: float
    shortfall: float


class JobCreated(WireModel):
    """``POST /job``."""

    job_id: str
    content_check_skip_denied: bool | None = None
    cost_warning: CostWarning | None = None


class JobListItem(WireModel):
    """An item of ``GET /jobs``. Progress is a ratio here, a percentage everywhere else."""

    job_id: str
    name: str
    job_definition_id: str
    audience_id: str
    state: str
    created_at: datetime
    progress: float | None = None


class JobAnswer(WireModel):
    """``GET /job/{id}``."""

    job_id: str
    name: str
    definition_id: str
    audience_id: str
    state: str
    created_at: datetime
    revision_number: int | None = None
    pipeline_id: str | None = None
    completed_at: datetime | None = None
    failure_message: str | None = None
    review_reason: str | None = None


class ProgressAnswer(WireModel):
    """``GET /job/{id}/progress``."""

    completion_percentage: float | None = None
    response_count: int | None = None


class PreliminaryDownload(WireModel):
    """``POST /pipeline/{id}/preliminary-download``."""

    download_id: str
