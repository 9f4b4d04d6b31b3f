"""Audiences."""

from __future__ import annotations

from rapidata_core.wire.model import WireModel


class AudienceAnswer(WireModel):
    """``GET /audience/{id}``."""

    id: str
    name: str
    status: str | None = None


class UserMetrics(WireModel):
    """``GET /audience/{id}/user-metrics``: labelers per state; empty for curated audiences."""

    users_per_state: dict[str, int] = {}
