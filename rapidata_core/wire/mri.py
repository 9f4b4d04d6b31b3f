"""Benchmarks, leaderboards and participants. What concerns money is read strictly."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rapidata_core.wire.job import Count
from rapidata_core.wire.model import WireModel


class Created(WireModel):
    """The answer to every creation that has nothing to say but an id."""

    id: str


class BenchmarkAnswer(WireModel):
    """``GET /benchmark/{id}``, and an item of ``GET /benchmarks``."""

    id: str
    name: str


class TagAnswer(WireModel):
    """A tag of a prompt."""

    value: str
    category: str | None = None


class OriginAnswer(WireModel):
    """Where a prompt comes from."""

    source: str


class PromptSegmentAnswer(WireModel):
    """One part of a prompt."""

    key: str
    original_text: str | None = None
    english_text: str | None = None
    asset: dict[str, Any] | None = None


class PromptAnswer(WireModel):
    """An item of ``GET /benchmark/{id}/prompts``; the older dialect has no segments."""

    id: str
    identifier: str
    segments: list[PromptSegmentAnswer] | None = None
    original_prompt: str | None = None
    english_prompt: str | None = None
    prompt_asset: dict[str, Any] | None = None
    tags: list[TagAnswer] | None = None
    origin: OriginAnswer | None = None


class TagCount(WireModel):
    """How many prompts carry a tag."""

    value: str
    category: str | None = None
    prompt_count: int


class TagCounts(WireModel):
    """``GET /benchmark/{id}/tags``."""

    tags: list[TagCount]


class LeaderboardCreated(WireModel):
    """``POST /leaderboard``."""

    id: str
    benchmark_id: str
    response_budget: Count
    min_responses: Count
    vote_aggregation: str | None = None


class LeaderboardAnswer(WireModel):
    """``GET /leaderboard/{id}``, and an item of the lists of leaderboards."""

    id: str
    name: str
    instruction: str
    show_prompt: bool = False
    show_prompt_asset: bool = False
    is_inversed: bool = False
    response_budget: Count
    min_responses: Count
    audience_id: str | None = None
    vote_aggregation: str | None = None
    included_tags: list[str] | None = None
    excluded_tags: list[str] | None = None


class RunAnswer(WireModel):
    """An item of ``GET /leaderboard/{id}/runs``."""

    id: str
    status: str
    created_at: datetime | None = None
    job_id: str | None = None


class ParticipantCreated(WireModel):
    """``POST /benchmark/{id}/participants``."""

    participant_id: str


class ParticipantAnswer(WireModel):
    """``GET /participant/{id}``, and an item of ``GET /benchmark/{id}/participants``."""

    id: str
    name: str
    status: str
    created_at: datetime | None = None
    cost: float | None = None
    cost_unit: str | None = None


class SampleAnswer(WireModel):
    """An item of ``GET /participant/{id}/samples``; a placeholder has no id."""

    identifier: str
    id: str | None = None
    asset: dict[str, Any] | None = None


class UnderfilledPrompt(WireModel):
    """A prompt with fewer samples than the benchmark wants."""

    identifier: str
    asset_count: int


class UnderfilledParticipant(WireModel):
    """A participant that has such prompts."""

    participant_id: str
    underfilled_prompts: list[UnderfilledPrompt]


class UnderfilledWarning(WireModel):
    """Part of ``POST /participants/submit``: it was carried out nevertheless."""

    min_assets_per_prompt: int
    underfilled_participants: list[UnderfilledParticipant]


class Submitted(WireModel):
    """``POST /participants/submit``."""

    min_assets_per_prompt_warning: UnderfilledWarning | None = None


class StandingAnswer(WireModel):
    """One participant in standings; only those of a benchmark tell whether it is evaluated."""

    id: str
    name: str
    wins: float
    total_matches: float
    score: float | None = None
    is_evaluating: bool = False
    is_partially_evaluated: bool = False


class StandingsAnswer(WireModel):
    """``GET …/standings/query``, the best first."""

    items: list[StandingAnswer]


class MatrixAnswer(WireModel):
    """``GET …/matrix/query``."""

    index: list[str]
    columns: list[str]
    data: list[list[float]]
