"""What every job type shares: a description as data that validates itself before a byte is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, cast
from urllib.parse import urlsplit

import pydantic
from pydantic import BaseModel, Field, ValidationInfo, field_validator

from rapidata_core.errors import ValidationError
from rapidata_core.types import Setting

Json = dict[str, Any]
Value = TypeVar("Value")

# Limits of the platform, enforced here so that nothing is uploaded in vain.
MAX_INSTRUCTION = 250
MAX_CONTEXT = 400
MAX_CONTEXT_ASSETS = 10
# More than this many sentences about one argument help nobody.
_MAX_LISTED = 10

Text = Annotated[str, Field(min_length=1)]


class JobSpec(BaseModel, frozen=True, extra="forbid", validate_default=True):
    """What to ask, about which datapoints, how often.

    The same object is an Airflow operator's argument, a Dagster asset's description and a Prefect
    task's parameter; ``model_dump_json`` and :func:`rapidata_core.jobs.parse_job` round-trip it.

    Attributes:
        type: The task type; it chooses the subclass when a spec is read from JSON or YAML.
        name: For people, never shown to labelers.
        instruction: The question that labelers see, at most 250 characters.
        datapoints: What it is asked about; the subclass says in which shape.
        data_type: ``media`` (http or https URLs) or ``text`` (the texts themselves).
        responses_per_datapoint: Human answers to collect for each datapoint.
        contexts: One text per datapoint shown beside it, at most 400 characters each.
        media_contexts: One list of image URLs per datapoint shown beside it, at most 10 each.
        settings: Switches such as :func:`rapidata_core.NoShuffle`.
        private_metadata: One text-to-text mapping per datapoint that labelers never see.

    Raises:
        ValidationError: Something is wrong; it lists every problem at once.
    """

    type: str
    name: Text
    instruction: Annotated[str, Field(min_length=1, max_length=MAX_INSTRUCTION)]
    data_type: Literal["media", "text"] = "media"
    datapoints: Annotated[list[Any], Field(min_length=1)]
    responses_per_datapoint: Annotated[int, Field(ge=1)] = 10
    contexts: list[str] | None = None
    media_contexts: list[list[str]] | None = None
    settings: list[Setting] = []
    private_metadata: list[dict[str, str]] | None = None

    def __init__(self, **fields: Any) -> None:
        given = fields.get("datapoints")
        # The number of datapoints is known even when some of them are wrong, so that lengths are
        # checked in the same round.
        count = len(cast("list[Any]", given)) if isinstance(given, (list, tuple)) else None
        try:
            self.__pydantic_validator__.validate_python(
                fields, self_instance=self, context={"datapoints": count}
            )
        except pydantic.ValidationError as error:
            raise ValidationError(type(self).__name__, list(_sentences(error))) from None

    @field_validator("name", "instruction")
    @classmethod
    def _not_blank(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("must not be blank")
        return text

    @field_validator("contexts")
    @classmethod
    def _check_contexts(cls, contexts: list[str] | None, info: ValidationInfo) -> list[str] | None:
        return one_per_datapoint(contexts, info, _context_problem)

    @field_validator("media_contexts")
    @classmethod
    def _check_media_contexts(
        cls, contexts: list[list[str]] | None, info: ValidationInfo
    ) -> list[list[str]] | None:
        return one_per_datapoint(contexts, info, _media_context_problem)

    @field_validator("private_metadata")
    @classmethod
    def _check_private_metadata(
        cls, metadata: list[dict[str, str]] | None, info: ValidationInfo
    ) -> list[dict[str, str]] | None:
        return one_per_datapoint(metadata, info, lambda _: None)

    # What the type's own module answers.

    def items_of(self, index: int) -> list[str]:
        """The URLs or texts of one datapoint."""
        raise NotImplementedError

    def asset_input(self, items: Sequence[Json]) -> Json:
        """The datapoint's asset on the wire, made of its items' inputs."""
        raise NotImplementedError

    def rapid(self) -> Json:
        """The task on the wire."""
        raise NotImplementedError

    def schema_segments(self) -> list[Json] | None:
        """Segments that the dataset must declare, or None for the platform's default."""
        return None

    def own_segments(self) -> list[Json]:
        """Segments that each datapoint has beside its asset and contexts."""
        return []

    # What is the same for all types.

    def asset_urls(self) -> list[str]:
        """Every URL to upload, once, in order of first use."""
        urls = [self.urls_of(index) for index in range(len(self.datapoints))]
        return list(dict.fromkeys(url for group in urls for url in group))

    def urls_of(self, index: int) -> list[str]:
        """The URLs of one datapoint and its media contexts."""
        items = self.items_of(index) if self.data_type == "media" else []
        return items + (self.media_contexts[index] if self.media_contexts else [])

    def workflow(self) -> Json:
        """The workflow on the wire."""
        return {"_t": "SimpleWorkflow", "rapid": self.rapid()}

    def referee(self) -> Json:
        """Who decides when a datapoint has enough answers."""
        return {"_t": "NaiveReferee", "totalVotes": self.responses_per_datapoint}

    def feature_flags(self, target: str) -> list[Json]:
        """The settings for one target on the wire."""
        return [{"key": s.key, "value": s.value} for s in self.settings if s.target == target]

    def datapoint(self, index: int, uploaded: Mapping[str, str]) -> Json:
        """One datapoint on the wire.

        Args:
            index: Its position, which is also its order on the platform.
            uploaded: The platform's file name of every URL in :meth:`asset_urls`.
        """
        inputs = [self._input(item, uploaded) for item in self.items_of(index)]
        segments: list[Json] = [
            {"key": "asset", "kind": "Asset", "asset": self.asset_input(inputs)}
        ]
        if self.contexts:
            segments.append({"key": "context", "kind": "Text", "text": self.contexts[index]})
        if self.media_contexts:
            files = [_existing(uploaded[url]) for url in self.media_contexts[index]]
            asset = files[0] if len(files) == 1 else multi_asset(files)
            segments.append({"key": "context_asset", "kind": "Asset", "asset": asset})
        metadata = self.private_metadata[index] if self.private_metadata else None
        return {
            "segments": segments + self.own_segments(),
            "sortIndex": index,
            "group": None,
            "privateMetadata": metadata,
        }

    def _input(self, item: str, uploaded: Mapping[str, str]) -> Json:
        if self.data_type == "text":
            return {"_t": "TextAssetInput", "text": item}
        return _existing(uploaded[item])


def _existing(file_name: str) -> Json:
    return {"_t": "ExistingAssetInput", "name": file_name}


def multi_asset(assets: Sequence[Json]) -> Json:
    """Several assets as one, on the wire."""
    return {"_t": "MultiAssetInput", "assets": list(assets)}


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
    """What is wrong with one URL or text, if anything."""
    if not item.strip():
        return "is blank"
    if data_type == "media" and not _is_url(item):
        return (
            f"is not an http or https URL: {item[:80]!r} "
            '(for texts set data_type="text"; local files are not supported yet)'
        )
    return None


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
    except ValueError:
        return False
    return url.scheme.lower() in {"http", "https"} and bool(url.netloc)


def _context_problem(context: str) -> str | None:
    if not context.strip():
        return "is blank; leave contexts out if there are none"
    if len(context) > MAX_CONTEXT:
        return f"has {len(context)} characters; at most {MAX_CONTEXT} are shown"
    return None


def _media_context_problem(urls: list[str]) -> str | None:
    if not 1 <= len(urls) <= MAX_CONTEXT_ASSETS:
        return f"has {len(urls)} images; give 1 to {MAX_CONTEXT_ASSETS}"
    return next((found for url in urls if (found := item_problem(url, "media"))), None)


def _sentences(error: pydantic.ValidationError) -> Iterator[str]:
    """One sentence per problem, starting with the argument; inputs are not echoed at length."""
    for problem in error.errors(include_url=False, include_input=False):
        first, *rest = problem["loc"] or ("spec",)
        where = f"{first}{''.join(f'[{part!r}]' for part in rest)}"
        yield f"{where}: {problem['msg'].removeprefix('Value error, ')}"
