"""What is asked of flows, checked before anything is sent; and what their answers say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, cast

from pydantic import Field, ValidationInfo, field_validator, model_validator

from rapidata_core.errors import KeyConflictError, ValidationError
from rapidata_core.jobs.checks import (
    Context,
    Contexts,
    Described,
    Instruction,
    Items,
    MediaContext,
    MediaContexts,
    PrivateMetadata,
    Text,
    TwoItems,
    options_problem,
)
from rapidata_core.jobs.datapoint import Datapoint, Json
from rapidata_core.policy.submission import (
    Identity,
    attempt_problems,
    fingerprint_in,
    identify_content,
)
from rapidata_core.types import FlowItemState, Setting
from rapidata_core.wire.flow import FlowItemAnswer

# The platform's limits for the time to live of an item, in seconds.
_LEAST_TIME, _MOST_TIME = 20, 3600

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[int, Field(ge=0)]
TimeToLive = Annotated[int, Field(ge=_LEAST_TIME, le=_MOST_TIME)]

_ENDED = {
    FlowItemState.COMPLETED,
    FlowItemState.FAILED,
    FlowItemState.STOPPED,
    FlowItemState.INCOMPLETE,
}


class _Flow(Described, frozen=True):
    """What flows of both kinds have."""

    name: Text
    instruction: Instruction
    max_responses: Count
    min_responses: Count
    validation_set_id: Text | None = None
    settings: list[Setting] = []
    drain_duration: Seconds | None = None
    serve_timeout: Seconds | None = None

    @field_validator("min_responses")
    @classmethod
    def _check_range(cls, least: int, info: ValidationInfo) -> int:
        most = info.data.get("max_responses")
        if most is not None and least > most:
            raise ValueError(f"must be at most the maximum of responses ({most}), not {least}")
        return least

    def common(self) -> Json:
        """The body's fields of flows of both kinds."""
        flags = [setting.wire() for setting in self.settings]
        return {
            "name": self.name,
            "maxResponses": self.max_responses,
            "minResponses": self.min_responses,
            "validationSetId": self.validation_set_id,
            "featureFlags": flags or None,
            "drainDurationSeconds": self.drain_duration,
            "serveTimeoutSeconds": self.serve_timeout,
        }


class RankingFlow(_Flow, frozen=True):
    """A flow that ranks the items of each batch by comparisons."""

    def body(self) -> Json:
        """It on the wire."""
        return {**self.common(), "criteria": self.instruction}


class ClassifyFlow(_Flow, frozen=True):
    """A flow that classifies each item of a batch.

    Attributes:
        categories: Pairs of what labelers see and what the results say.
    """

    categories: list[tuple[str, str]]

    @field_validator("categories", mode="before")
    @classmethod
    def _read_names(cls, categories: object) -> object:
        if not isinstance(categories, (list, tuple)):
            return categories
        given = cast("Sequence[Any]", categories)
        return [(one, one) if isinstance(one, str) else one for one in given]

    @field_validator("categories")
    @classmethod
    def _check_categories(cls, categories: list[tuple[str, str]]) -> list[tuple[str, str]]:
        for names in ([label for label, _ in categories], [value for _, value in categories]):
            if problem := options_problem(names):
                raise ValueError(problem)
        return categories

    def body(self) -> Json:
        """It on the wire."""
        categories = [{"label": label, "value": value} for label, value in self.categories]
        blueprint = {
            "_t": "ClassifyBlueprint",
            "title": self.instruction,
            "categories": categories,
        }
        return {**self.common(), "blueprint": blueprint}


class RankingChanges(Described, frozen=True):
    """What may change in a ranking flow; None stands for what stays as it is."""

    instruction: Instruction | None = None
    starting_elo: Annotated[int, Field(ge=0)] | None = None
    min_responses: Count | None = None
    max_responses: Count | None = None
    drain_duration: Seconds | None = None
    serve_timeout: Seconds | None = None

    @model_validator(mode="after")
    def _check_range(self) -> RankingChanges:
        least, most = self.min_responses, self.max_responses
        if least is not None and most is not None and least > most:
            raise ValueError(f"min_responses ({least}) must be at most max_responses ({most})")
        return self

    def body(self) -> Json:
        """The changes on the wire. A null might reset a field, so what stays is absent."""
        changes = {
            "criteria": self.instruction,
            "startingElo": self.starting_elo,
            "minResponses": self.min_responses,
            "maxResponses": self.max_responses,
            "drainDurationSeconds": self.drain_duration,
            "serveTimeoutSeconds": self.serve_timeout,
        }
        return {field: value for field, value in changes.items() if value is not None}


class ClassifyChanges(Described, frozen=True):
    """What may change in a classify flow; None stands for what stays as it is."""

    drain_duration: Seconds | None = None

    def body(self) -> Json:
        """The changes on the wire."""
        if self.drain_duration is None:
            return {}
        return {"drainDurationSeconds": self.drain_duration}


class _Batch(Described, frozen=True):
    """What batches of both kinds have."""

    data_type: Literal["media", "text"] = "media"
    datapoints: Items
    private_metadata: PrivateMetadata = None
    time_to_live: TimeToLive | None = None

    def identify(self, namespace: str, key: str) -> Identity:
        """The identity of the batch that a key has: which one it is, and what it asks about."""
        return identify_content(namespace, key, self.model_dump_json(exclude_defaults=True))

    def points(self) -> list[Datapoint]:
        """The datapoints as they are uploaded, in order."""
        return [
            Datapoint(
                asset=item,
                data_type=self.data_type,
                context=self.context_of(index),
                media_context=self.media_context_of(index),
                private_metadata=self.private_metadata[index] if self.private_metadata else None,
                sort_index=index,
            )
            for index, item in enumerate(self.datapoints)
        ]

    def context_of(self, index: int) -> str | None:
        """The text shown beside one datapoint alone."""
        del index

    def media_context_of(self, index: int) -> list[str] | None:
        """The images shown beside one datapoint alone."""
        del index


class RankingBatch(_Batch, frozen=True):
    """Items to be ranked, two at least, and what is shown beside every comparison of them."""

    datapoints: TwoItems
    context: Context | None = None
    context_assets: MediaContext | None = None


class ClassifyBatch(_Batch, frozen=True):
    """Items to be classified, each with its own context."""

    contexts: Contexts = None
    context_assets: MediaContexts = None

    def context_of(self, index: int) -> str | None:
        """The text shown beside one datapoint alone."""
        return self.contexts[index] if self.contexts else None

    def media_context_of(self, index: int) -> list[str] | None:
        """The images shown beside one datapoint alone."""
        return self.context_assets[index] if self.context_assets else None


def check_attempt(attempt: int, key: str | None) -> None:
    """Refuse an attempt that says nothing.

    Raises:
        ValidationError: It does not count from 1, or nothing tells what it is an attempt at.
    """
    problems = attempt_problems(attempt)
    if attempt != 1 and key is None:
        problems.append("attempt: needs a key; without one every call starts a batch")
    if problems:
        raise ValidationError("flow batch", problems)


def oldest_item(items: Iterable[FlowItemAnswer]) -> FlowItemAnswer | None:
    """The batch that stays. Runners that race agree without talking, so ties are broken by id."""
    return min(items, key=lambda item: (item.created_at, item.id), default=None)


def item_to_adopt(
    items: Sequence[FlowItemAnswer], names: Mapping[str, str], identity: Identity
) -> FlowItemAnswer | None:
    """The batch that a key has: the oldest of those that carry it.

    Args:
        items: Those that carry the key.
        names: The names of their datasets.
        identity: The key's, and of what is asked for now.

    Raises:
        KeyConflictError: It has one, but about something else.
    """
    oldest = oldest_item(items)
    if oldest is None:
        return None
    found = fingerprint_in(names[oldest.dataset_id]) or "none"
    if found != identity.fingerprint:
        raise KeyConflictError(
            f"This key already has flow item {oldest.id}, which is about something else "
            f"(fingerprint {found}, now {identity.fingerprint}). Use a new key to pay for a new "
            "batch, or give back the old arguments to get the old results.",
            object_id=oldest.id,
            expected=identity.fingerprint,
            found=found,
        )
    return oldest


def has_ended(state: str) -> bool:
    """Whether an item collects no more answers; states that we do not know are waited for."""
    return state in _ENDED


def distinct(names: Iterable[str]) -> list[str]:
    """The names, numbered where they repeat, so that none hides another one's result."""
    used: set[str] = set()
    result: list[str] = []
    for name in names:
        free, number = name, 1
        while free in used:
            number += 1
            free = f"{name} ({number})"
        used.add(free)
        result.append(free)
    return result
