"""Audiences and their qualification examples."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rapidata_core.wire.model import WireModel

Json = dict[str, Any]


class AudienceAnswer(WireModel):
    """``GET /audience/{id}``.

    Of a filtered audience the platform describes the one that it is a part of, with ``filter``.
    """

    id: str
    name: str
    status: str | None = None
    filters: list[Json] | None = None
    filter: Json | None = None
    graduation_rule: Json | None = None


class AudienceListItem(AudienceAnswer):
    """An item of ``GET /audiences``."""

    created_at: datetime


class UnlistedAudienceAnswer(WireModel):
    """``GET /audience/unlisted/{id}``."""

    id: str
    name: str


class AudienceCreated(WireModel):
    """``POST /audience``, ``POST /audience/unlisted`` and ``POST /audience/{id}/filter``."""

    audience_id: str


class UserMetrics(WireModel):
    """``GET /audience/{id}/user-metrics``: empty for audiences that recruit nobody."""

    users_per_state: dict[str, int] | None = None


class ExampleAnswer(WireModel):
    """An item of ``GET /audience/{id}/examples``."""

    id: str
    asset: Json | None = None
    payload: Json | None = None
    truth: Json | None = None
    context: str | None = None
    context_asset: Json | None = None
    explanation: str | None = None
    correct_count: int | None = None
    incorrect_count: int | None = None
