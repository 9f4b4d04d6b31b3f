"""What every job type shares: a description as data that validates itself before a byte is sent."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from rapidata_core.jobs.checks import (
    MAX_CONTEXT,
    Contexts,
    Described,
    Instruction,
    MediaContexts,
    PrivateMetadata,
    Text,
)
from rapidata_core.jobs.datapoint import Datapoint, Group, Json
from rapidata_core.types import Setting


class JobSpec(Described, frozen=True):
    """What to ask, about which datapoints, how often.

    The same object is an Airflow operator's argument, a Dagster asset's description and a Prefect
    task's parameter; ``model_dump_json`` and :func:`rapidata_core.jobs.parse_job` round-trip it.

    Attributes:
        type: The task type; it chooses the subclass when a spec is read from JSON or YAML.
        name: For people, never shown to labelers.
        instruction: The question that labelers see, at most 250 characters.
        datapoints: What it is asked about; the subclass says in which shape.
        data_type: ``media`` (http or https URLs, or paths of local files) or ``text`` (the texts
            themselves).
        responses_per_datapoint: Human answers to collect for each datapoint.
        contexts: One text per datapoint shown beside it, at most 400 characters each.
        media_contexts: One list of images (URLs or paths) per datapoint shown beside it, at most
            10 each.
        settings: Switches such as :func:`rapidata_core.NoShuffle`.
        private_metadata: One text-to-text mapping per datapoint that labelers never see.

    Raises:
        ValidationError: Something is wrong; it lists every problem at once.
    """

    # Arguments of all types that this one does not take. They cannot be left out of the class:
    # the order of the fields is part of every fingerprint.
    refused: ClassVar[frozenset[str]] = frozenset()

    type: str
    name: Text
    instruction: Instruction
    data_type: Literal["media", "text"] = "media"
    datapoints: Annotated[list[Any], Field(min_length=1)]
    responses_per_datapoint: Annotated[int, Field(ge=1)] = 10
    contexts: Contexts = None
    media_contexts: MediaContexts = None
    settings: list[Setting] = []
    private_metadata: PrivateMetadata = None

    @classmethod
    def _refusals(cls, fields: dict[str, Any]) -> list[str]:
        # A spec that is written out whole names them with their defaults; that says nothing.
        return [
            f"{name}: is not for {cls.model_fields['type'].default} jobs; leave it out"
            for name in sorted(cls.refused & fields.keys())
            if fields[name] != cls.model_fields[name].default
        ]

    # What the type's own module answers.

    def rapid(self) -> Json:
        """The task on the wire."""
        raise NotImplementedError

    def schema_segments(self) -> list[Json] | None:
        """Segments that the dataset must declare, or None for the platform's default."""
        return None

    # What is the same for all types but rankings.

    def points(self) -> list[Datapoint]:
        """The datapoints as they are uploaded, in order."""
        return [
            Datapoint(
                asset=asset,
                data_type=self.data_type,
                context=self.contexts[index] if self.contexts else None,
                media_context=self.media_contexts[index] if self.media_contexts else None,
                private_metadata=self.private_metadata[index] if self.private_metadata else None,
                sort_index=index,
                **self.own_parts(index),
            )
            for index, asset in enumerate(self.datapoints)
        ]

    def own_parts(self, index: int) -> Json:
        """What only datapoints of this type have, as arguments of :class:`Datapoint`."""
        del index
        return {}

    def groups(self) -> list[Group]:
        """Sets of datapoints that belong together; only rankings have them."""
        return []

    def workflow(self) -> Json:
        """The workflow on the wire."""
        return {"_t": "SimpleWorkflow", "rapid": self.rapid()}

    def referee(self) -> Json:
        """Who decides when a datapoint has enough answers."""
        return {"_t": "NaiveReferee", "totalVotes": self.responses_per_datapoint}


def standard_segments() -> list[Json]:
    """What every dataset has; it has to be declared where a type adds a segment of its own."""
    context = {"key": "context", "kind": "Text", "label": "Context", "required": False}
    return [
        {"key": "asset", "kind": "Asset", "label": "Asset", "required": True},
        {**context, "maxLength": MAX_CONTEXT},
        {"key": "context_asset", "kind": "Asset", "label": "Context asset", "required": False},
    ]
