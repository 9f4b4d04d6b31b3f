"""Datasets and datapoints."""

from __future__ import annotations

from typing import Any

from rapidata_core.wire.model import WireModel


class DatasetCreated(WireModel):
    """``POST /dataset``."""

    dataset_id: str


class DatasetAnswer(WireModel):
    """``GET /dataset/{id}``."""

    name: str


class DatapointCreated(WireModel):
    """``POST /dataset/{id}/datapoint``."""

    datapoint_id: str


class DatasetProgress(WireModel):
    """``GET /dataset/{id}/progress``."""

    total: int


class DatapointAnswer(WireModel):
    """An item of ``GET /dataset/{id}/datapoints``."""

    id: str
    segments: list[dict[str, Any]] = []


class Shortened(WireModel):
    """One answer of ``POST /datasets/shorten-context``."""

    shortened_context: str | None = None


class ShortenedContexts(WireModel):
    """``POST /datasets/shorten-context``: in the order of the questions."""

    items: list[Shortened]
