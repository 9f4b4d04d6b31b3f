"""Datasets and datapoints."""

from __future__ import annotations

from rapidata_core.wire.model import WireModel


class DatasetCreated(WireModel):
    """``POST /dataset``."""

    dataset_id: str


class DatapointCreated(WireModel):
    """``POST /dataset/{id}/datapoint``."""

    datapoint_id: str
