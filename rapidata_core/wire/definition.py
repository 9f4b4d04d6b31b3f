"""Job definitions and their revisions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rapidata_core.wire.model import WireModel


class DefinitionCreated(WireModel):
    """``POST /job/definition``."""

    definition_id: str


class DefinitionAnswer(WireModel):
    """An item of ``GET /job/definitions``, and ``GET /job/definition/{id}``."""

    definition_id: str
    name: str
    definition_type: str = "Unknown"
    created_at: datetime


class Flag(WireModel):
    """A setting."""

    key: str
    value: str


class RevisionAnswer(WireModel):
    """``GET /job/definition/{id}/revision``."""

    definition_id: str
    revision_number: int
    state: str = "Completed"
    pipeline_id: str | None = None
    dataset_id: str = ""
    workflow: dict[str, Any] = {}
    referee: dict[str, Any] = {}
    feature_flags: list[Flag] = []
    campaign_feature_flags: list[Flag] = []
    aggregator_type: str | None = None
    validation_set_id: str | None = None
    base_revision_number: int | None = None
    created_at: datetime | None = None


class RevisionItem(WireModel):
    """An item of ``GET /job/definition/{id}/revisions``."""

    revision_number: int
    state: str
    created_at: datetime
    base_revision_number: int | None = None


class RevisionCreated(WireModel):
    """``POST /job/definition/{id}/revision``."""

    revision_number: int
    pipeline_id: str
