"""Signals and their runs."""

from __future__ import annotations

from datetime import datetime

from rapidata_core.wire.model import WireModel


class SignalCreated(WireModel):
    """``POST /signal``."""

    id: str


class SignalAnswer(WireModel):
    """``GET /signal/{id}``, and an item of ``GET /signal``."""

    id: str
    name: str
    description: str | None = None
    audience_id: str
    job_definition_id: str
    revision_number: int | None = None
    interval_seconds: int
    next_run_at: datetime
    last_run_at: datetime | None = None
    is_paused: bool
    is_public: bool = False
    created_at: datetime


class SignalTriggered(WireModel):
    """``POST /signal/{id}/trigger``: which run it will be, the platform does not say."""

    signal_id: str


class RunAnswer(WireModel):
    """``GET /signal/run/{id}``, and an item of ``GET /signal/{id}/run``."""

    id: str
    signal_id: str
    trigger_source: str
    status: str
    started_at: datetime
    audience_job_id: str | None = None
    completed_at: datetime | None = None
    failure_message: str | None = None
    skipped_reason: str | None = None
