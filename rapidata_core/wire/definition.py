"""Job definitions and their revisions."""

from __future__ import annotations

from rapidata_core.wire.model import WireModel


class DefinitionCreated(WireModel):
    """``POST /job/definition``."""

    definition_id: str


class DefinitionAnswer(WireModel):
    """An item of ``GET /job/definitions``, and ``GET /job/definition/{id}``."""

    definition_id: str
    name: str


class RevisionAnswer(WireModel):
    """``GET /job/definition/{id}/revision``."""

    definition_id: str
    revision_number: int
