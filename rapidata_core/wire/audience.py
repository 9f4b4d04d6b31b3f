"""Audiences."""

from __future__ import annotations

from rapidata_core.wire.model import WireModel


class AudienceAnswer(WireModel):
    """``GET /audience/{id}``."""

    id: str
    name: str
