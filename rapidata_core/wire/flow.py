"""Flows, their items and results."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from rapidata_core.wire.model import WireModel


class FlowCreated(WireModel):
    """``POST /flow/ranking`` and ``POST /flow/simple``."""

    flow_id: str


class Category(WireModel):
    """A category of a classify flow."""

    value: str


class Blueprint(WireModel):
    """What a classify flow asks."""

    categories: list[Category] = []


class FlowAnswer(WireModel):
    """``GET /flow/{id}``."""

    kind: str = Field(alias="_t")
    id: str
    name: str
    blueprint: Blueprint | None = None


class FlowListItem(WireModel):
    """An item of ``GET /flow``."""

    id: str
    name: str
    type: str


class FlowItemCreated(WireModel):
    """``POST /flow/…/{id}/item``."""

    flow_item_id: str


class FlowItemAnswer(WireModel):
    """``GET /flow/ranking/item/{id}``, and an item of ``GET /flow/ranking/{id}/item``.

    The list leaves out the flow.
    """

    id: str
    flow_id: str | None = None
    dataset_id: str
    state: str
    created_at: datetime
    failure_message: str | None = None


class SourceUrl(WireModel):
    """Where an asset came from."""

    url: str | None = None


class OriginalFilename(WireModel):
    """The name of the file that an asset was."""

    original_filename: str | None = None


class AssetMetadata(WireModel):
    """What is known of an asset."""

    source_url: SourceUrl | None = None
    original_filename: OriginalFilename | None = None


class ResultAsset(WireModel):
    """What was ranked or classified."""

    identifier: str | None = None
    metadata: AssetMetadata = AssetMetadata()


class RankedDatapoint(WireModel):
    """Part of the results of a ranking."""

    id: str
    asset: ResultAsset
    elo: int


class RankingAnswer(WireModel):
    """``GET /flow/ranking/item/{id}/results``."""

    datapoints: list[RankedDatapoint]
    total_votes: int


class MatrixAnswer(WireModel):
    """``GET /flow/ranking/item/{id}/vote-matrix``: a row's wins over each column."""

    index: list[str]
    columns: list[str]
    data: list[list[float]]


class CategoryCount(WireModel):
    """How often a category was chosen."""

    value: str
    count: int


class ClassifiedDatapoint(WireModel):
    """Part of the results of a classification."""

    datapoint_id: str
    asset: ResultAsset
    majority_value: str | None = None
    distribution: list[CategoryCount] = []
    response_count: int


class ClassificationAnswer(WireModel):
    """``GET /flow/simple/item/{id}/results``."""

    datapoints: list[ClassifiedDatapoint]
    total_responses: int
