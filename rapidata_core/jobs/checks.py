"""Data that validates itself before a byte is sent, and the checks that all of it shares.

The types below are what fields are declared with: :data:`Items` are the single items of a job, a
flow's batch or an example alike, so that the same mistake is told in the same words everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar, cast
from urllib.parse import urlsplit

import pydantic
from pydantic import AfterValidator, BaseModel, Field, ValidationInfo

from rapidata_core.config import rapidata_config
from rapidata_core.errors import ValidationError, first, problems_in
from rapidata_core.jobs.datapoint import is_url

Value = TypeVar("Value")

# Limits of the platform, enforced here so that nothing is uploaded in vain.
MAX_INSTRUCTION = 250
MAX_CONTEXT = 400
MAX_CONTEXT_ASSETS = 10
# Longer than any path: somebody forgot data_type="text".
_LONGEST_PATH = 1024


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


def given(**arguments: Any) -> dict[str, Any]:
    """The arguments that were given: None stands for the default."""
    return {name: value for name, value in arguments.items() if value is not None}


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
    if problems:
        raise ValueError("; ".join(first(problems)))


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


def _refuse(problem: str | None) -> None:
    if problem is not None:
        raise ValueError(problem)


def _check_item(item: str, info: ValidationInfo) -> str:
    _refuse(item_problem(item, info.data.get("data_type")))
    return item


def _check_items(items: list[str], info: ValidationInfo) -> list[str]:
    data_type = info.data.get("data_type")
    raise_problems(problems_of(items, lambda item: item_problem(item, data_type)))
    return items


def _check_context(context: str) -> str:
    _refuse(context_problem(context))
    return context


def _check_contexts(contexts: list[str] | None, info: ValidationInfo) -> list[str] | None:
    return one_per_datapoint(contexts, info, context_problem)


def _check_media_context(items: list[str]) -> list[str]:
    _refuse(media_context_problem(items))
    return items


def _check_media_contexts(
    contexts: list[list[str]] | None, info: ValidationInfo
) -> list[list[str]] | None:
    return one_per_datapoint(contexts, info, media_context_problem)


def _check_private_metadata(
    metadata: list[dict[str, str]] | None, info: ValidationInfo
) -> list[dict[str, str]] | None:
    return one_per_datapoint(metadata, info, lambda _: None)


Text = Annotated[str, Field(min_length=1), AfterValidator(not_blank)]
Instruction = Annotated[
    str, Field(min_length=1, max_length=MAX_INSTRUCTION), AfterValidator(not_blank)
]
# URLs, paths or texts, as the field ``data_type`` before it says.
Item = Annotated[str, AfterValidator(_check_item)]
Items = Annotated[list[str], Field(min_length=1), AfterValidator(_check_items)]
TwoItems = Annotated[list[str], Field(min_length=2), AfterValidator(_check_items)]
# What is shown beside one datapoint, or beside each of them.
Context = Annotated[str, AfterValidator(_check_context)]
Contexts = Annotated[list[str] | None, AfterValidator(_check_contexts)]
MediaContext = Annotated[list[str], AfterValidator(_check_media_context)]
MediaContexts = Annotated[list[list[str]] | None, AfterValidator(_check_media_contexts)]
PrivateMetadata = Annotated[list[dict[str, str]] | None, AfterValidator(_check_private_metadata)]
