"""What every job type shares: a description as data that validates itself before a byte is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeVar, cast
from urllib.parse import urlsplit

import pydantic
from pydantic import BaseModel, Field, ValidationInfo, field_validator

from rapidata_core.config import rapidata_config
from rapidata_core.errors import ValidationError, problems_in
from rapidata_core.jobs.datapoint import Datapoint, Group, Json, is_url
from rapidata_core.types import Setting

Value = TypeVar("Value")

# Limits of the platform, enforced here so that nothing is uploaded in vain.
MAX_INSTRUCTION = 250
MAX_CONTEXT = 400
MAX_CONTEXT_ASSETS = 10
# Longer than any path: somebody forgot data_type="text".
_LONGEST_PATH = 1024
# More than this many sentences about one argument help nobody.
_MAX_LISTED = 10

Text = Annotated[str, Field(min_length=1)]
Instruction = Annotated[str, Field(min_length=1, max_length=MAX_INSTRUCTION)]


class Described(BaseModel, frozen=True, extra="forbid", validate_default=True):
    """Data that validates itself, and lists everything that is wrong with it at once.

    Raises:
        ValidationError: Something is wrong; it lists every problem.
    """

    def __init__(self, **fields: Any) -> None:
        given = fields.get("datapoints")
        # The number of datapoints is known even when some of them are wrong, so that lengths are
        # checked in the same round.
        count = len(cast("list[Any]", given)) if isinstance(given, (list, tuple)) else None
        problems = self._refusals(fields)
        try:
            self.__pydantic_validator__.validate_python(
                fields, self_instance=self, context={"datapoints": count}
            )
        except pydantic.ValidationError as error:
            problems += problems_in(error)
        if problems:
            raise ValidationError(type(self).__name__, list(dict.fromkeys(problems)))

    @classmethod
    def _refusals(cls, fields: dict[str, Any]) -> list[str]:
        """What is wrong with arguments that this type does not take."""
        del fields
        return []


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
    contexts: list[str] | None = None
    media_contexts: list[list[str]] | None = None
    settings: list[Setting] = []
    private_metadata: list[dict[str, str]] | None = None

    @classmethod
    def _refusals(cls, fields: dict[str, Any]) -> list[str]:
        # A spec that is written out whole names them with their defaults; that says nothing.
        return [
            f"{name}: is not for {cls.model_fields['type'].default} jobs; leave it out"
            for name in sorted(cls.refused & fields.keys())
            if fields[name] != cls.model_fields[name].default
        ]

    @field_validator("name", "instruction")
    @classmethod
    def _not_blank(cls, text: str) -> str:
        return not_blank(text)

    @field_validator("contexts")
    @classmethod
    def _check_contexts(cls, contexts: list[str] | None, info: ValidationInfo) -> list[str] | None:
        return one_per_datapoint(contexts, info, context_problem)

    @field_validator("media_contexts")
    @classmethod
    def _check_media_contexts(
        cls, contexts: list[list[str]] | None, info: ValidationInfo
    ) -> list[list[str]] | None:
        return one_per_datapoint(contexts, info, media_context_problem)

    @field_validator("private_metadata")
    @classmethod
    def _check_private_metadata(
        cls, metadata: list[dict[str, str]] | None, info: ValidationInfo
    ) -> list[dict[str, str]] | None:
        return one_per_datapoint(metadata, info, lambda _: None)

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


def not_blank(text: str) -> str:
    """Refuse a text of spaces."""
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def one_per_datapoint(
    values: list[Value] | None, info: ValidationInfo, problem: Callable[[Value], str | None]
) -> list[Value] | None:
    """Check an argument that goes along with the datapoints, value by value."""
    if values is None:
        return values
    problems: list[str] = []
    count = cast("dict[str, int | None]", info.context or {}).get("datapoints")
    if count is not None and len(values) != count:
        problems.append(f"has {len(values)} entries for {count} datapoints; give one each")
    raise_problems([*problems, *problems_of(values, problem)])
    return values


def problems_of(values: Sequence[Value], problem: Callable[[Value], str | None]) -> list[str]:
    """What is wrong with each value, with its position."""
    return [f"[{index}] {found}" for index, value in enumerate(values) if (found := problem(value))]


def raise_problems(problems: Sequence[str]) -> None:
    """Report all problems of one argument together."""
    if not problems:
        return
    more = len(problems) - _MAX_LISTED
    listed = [*problems[:_MAX_LISTED], *([f"and {more} more"] if more > 0 else [])]
    raise ValueError("; ".join(listed))


def item_problem(item: str, data_type: str | None) -> str | None:
    """What is wrong with one URL, path or text, if anything; whether a file exists shows later."""
    if not item.strip():
        return "is blank"
    if data_type == "media" and not is_url(item) and not _may_be_path(item):
        return (
            f"is not an http or https URL, nor the path of a local file: {item[:80]!r} "
            '(for texts set data_type="text")'
        )
    return None


def _may_be_path(text: str) -> bool:
    if len(text) > _LONGEST_PATH or "\n" in text or "\0" in text:
        return False
    try:
        # "s3://bucket/a.jpg" is no path that we could open; "C:\a.jpg" is one on Windows.
        return "://" not in text and len(urlsplit(text).scheme) < 2
    except ValueError:
        return True


def options_problem(options: Sequence[str]) -> str | None:
    """What is wrong with one set of answer options, if anything."""
    if not 2 <= len(options) <= 8:
        return f"has {len(options)} option(s); give 2 to 8"
    blank = next((index for index, option in enumerate(options) if not option.strip()), None)
    if blank is not None:
        return f"[{blank}] is blank"
    if len(set(options)) != len(options):
        return "has the same option twice"
    return None


def pair_problem(pair: Sequence[str], data_type: str | None) -> str | None:
    """What is wrong with the two items of a comparison, if anything."""
    if len(pair) != 2:
        return f"has {len(pair)} item(s); a pair has exactly two"
    if pair[0] == pair[1]:
        return "has the same item twice; nobody can prefer one"
    return next((found for item in pair if (found := item_problem(item, data_type))), None)


def context_problem(context: str) -> str | None:
    """What is wrong with the text shown beside a datapoint, if anything."""
    if not context.strip():
        return "is blank; leave contexts out if there are none"
    # What is to be shortened is checked when it is.
    return None if rapidata_config.upload.autoShortenContext else length_problem(context)


def length_problem(context: str) -> str | None:
    """Whether a text is too long to be shown beside a datapoint."""
    if len(context) <= MAX_CONTEXT:
        return None
    return (
        f"has {len(context)} characters; at most {MAX_CONTEXT} are shown (shorten it, for example "
        "with client.context.shorten_context, or set "
        "rapidata_config.upload.autoShortenContext = True)"
    )


def media_context_problem(items: Sequence[str]) -> str | None:
    """What is wrong with the images shown beside a datapoint, if anything."""
    if not 1 <= len(items) <= MAX_CONTEXT_ASSETS:
        return f"has {len(items)} images; give 1 to {MAX_CONTEXT_ASSETS}"
    return next((found for item in items if (found := item_problem(item, "media"))), None)
