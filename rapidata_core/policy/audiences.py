"""What an audience's numbers mean, and when two of its examples are the same."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, cast

from rapidata_core.errors import ValidationError
from rapidata_core.filters import Filter
from rapidata_core.jobs import QualificationExample
from rapidata_core.jobs.datapoint import is_url
from rapidata_core.policy.submission import digest
from rapidata_core.types import RecruitingMetrics
from rapidata_core.wire.audience import ExampleAnswer

# The platform recruits for an audience from this many examples on.
MIN_EXAMPLES = 3
# How the ids of audiences begin that people join by a link.
_UNLISTED = "ula_"
_DEFAULT_ACCURACY = 0.75
_DEFAULT_MIN_TASKS = 10

Json = dict[str, Any]


def is_unlisted(audience_id: str) -> bool:
    """Whether an audience is of the kind that has a path of its own."""
    return audience_id.startswith(_UNLISTED)


def recruiting(users_per_state: Mapping[str, int] | None) -> RecruitingMetrics | None:
    """How far labelers are, or None for an audience that recruits nobody.

    Args:
        users_per_state: The platform's numbers. Reasons to be dropped and kinds of inactivity are
            states of their own there, so they are told by the beginnings of their names.
    """
    if not users_per_state:
        return None

    def count(beginning: str) -> int:
        return sum(n for state, n in users_per_state.items() if state.startswith(beginning))

    return RecruitingMetrics(
        graduated=count("Graduated"),
        distilling=count("Distilling"),
        dropped=count("Dropped"),
        inactive=count("Inactive"),
        users_per_state=dict(users_per_state),
    )


def is_hopeless(status: str | None, metrics: RecruitingMetrics | None) -> bool:
    """Whether nobody will ever answer for an audience unless somebody acts.

    Args:
        status: The audience's; one that we do not know gives hope.
        metrics: See :func:`recruiting`. A curated audience has none, and people nevertheless.
    """
    if metrics is not None and metrics.graduated + metrics.distilling > 0:
        return False
    return status == "Created" or (status == "Ready" and metrics is not None)


def is_ready(status: str | None, metrics: RecruitingMetrics | None, graduates: int) -> bool:
    """Whether so many people have qualified for an audience.

    Args:
        status: The audience's.
        metrics: See :func:`recruiting`. A curated audience has none, and people nevertheless.
        graduates: How many there shall be.
    """
    if metrics is None:
        return status == "Ready"
    return metrics.graduated >= graduates


def call_for_recruiting(audience_id: str, example_count: int) -> str:
    """What somebody has to do before anybody qualifies for an audience."""
    missing = MIN_EXAMPLES - example_count
    add = f"add {missing} more (audience.add_compare_example and the like) and " * (missing > 0)
    return (
        f"Nobody has qualified for audience {audience_id}, and nobody is being recruited for it. "
        f"It has {example_count} of at least {MIN_EXAMPLES} qualification examples: {add}call "
        "audience.start_recruiting(). Then wait again."
    )


def example_content(
    asset: Mapping[str, Any] | None,
    payload: Mapping[str, Any] | None,
    truth: Mapping[str, Any] | None,
    context: str | None,
) -> str:
    """What an example asks, the same whether we send it or the platform lists it."""
    parts = (asset_names(asset), _without_nulls(payload), _without_nulls(truth), context)
    return json.dumps(parts, sort_keys=True)


def asset_names(asset: Mapping[str, Any] | None) -> list[str]:
    """The files' names on the platform, or the texts."""
    if asset is None:
        return []
    parts = asset.get("assets")
    if isinstance(parts, list):
        return [name for part in cast("list[Json]", parts) for name in asset_names(part)]
    name = asset.get("fileName") or asset.get("name") or asset.get("text")
    return [str(name)] if name else []


def example_as_given(example: QualificationExample) -> str:
    """What an example asks, in the terms of whoever gave it: URLs, names of files, texts.

    The platform gives a file another name each time that it is uploaded, so two machines can only
    compare by these.
    """
    body = example.body({item: _known_as(item) for item in example.items()})
    return example_content(body["asset"], body["payload"], body["truth"], example.context)


def listed_as_given(listed: ExampleAnswer) -> str:
    """The same of an example that the platform lists."""
    given = dict(_names_as_given(listed.asset))
    asset = {"assets": [{"name": given[name]} for name in asset_names(listed.asset)]}
    truth = dict(listed.truth or {})
    if truth.get("winnerId") in given:
        truth["winnerId"] = given[truth["winnerId"]]
    return example_content(asset, listed.payload, truth, listed.context)


def missing_examples(wanted: Sequence[str], there: Sequence[str]) -> list[int]:
    """Positions of the examples that are not there; several that look the same count each."""
    left = Counter(there)
    missing: list[int] = []
    for position, content in enumerate(wanted):
        if left[content]:
            left[content] -= 1
        else:
            missing.append(position)
    return missing


def surplus_examples(wanted: Sequence[str], there: Mapping[str, str]) -> list[str]:
    """Ids of examples that are there more often than wanted.

    Args:
        wanted: What the examples ask.
        there: What those ask that are there, by id. Everybody who looks finds the same ids.
    """
    room = Counter(wanted)
    surplus: list[str] = []
    for example_id in sorted(there):
        content = there[example_id]
        if content not in room:
            # Somebody else has added it.
            continue
        room[content] -= 1
        if room[content] < 0:
            surplus.append(example_id)
    return surplus


def audience_fingerprint(
    examples: Sequence[QualificationExample],
    filters: Sequence[Filter],
    rule: Json | None,
    files: Mapping[str, str],
) -> str:
    """Who is taken into an audience, as a short text.

    Args:
        examples: What they have to answer, in whichever order.
        filters: Whom it takes.
        rule: When they join; see :func:`graduation_rule`.
        files: Digests of the local files that the examples name, by path.
    """
    asked = sorted(digest(one.type, one.model_dump_json(exclude_defaults=True)) for one in examples)
    people = json.dumps([[part.wire() for part in filters], rule, files], sort_keys=True)
    return digest("audience", people, *asked)


def given_names(asset: Mapping[str, Any] | None) -> str | None:
    """An asset as the user gave it: URL, file name or text; several of them as a list."""
    if asset is None:
        return None
    parts = asset.get("assets")
    if isinstance(parts, list):
        return str([given_names(part) for part in cast("list[Json]", parts)])
    metadata = cast("Json", asset.get("metadata") or {})
    for entry, field in (("sourceUrl", "url"), ("originalFilename", "originalFilename")):
        value = cast("Json", metadata.get(entry) or {}).get(field)
        if value:
            return str(value)
    return next(iter(asset_names(asset)), None)


def truth_text(truth: Mapping[str, Any] | None) -> str | None:
    """The right answer of an example as one line."""
    if truth is None:
        return None
    content: Any = {key: value for key, value in truth.items() if key != "_t"}
    for field in ("correctCategories", "winnerId", "boundingBoxes", "correctWords"):
        content = truth.get(field, content)
    return content if isinstance(content, str) else json.dumps(content)


def _known_as(item: str) -> str:
    """What the platform knows of where a file came from."""
    return item if is_url(item) else PurePath(item).name


def _names_as_given(asset: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """The platform's names of files, each with what it was given as."""
    parts = cast("list[Json]", (asset or {}).get("assets") or [asset])
    for part in parts:
        for name in asset_names(part):
            yield name, given_names(part) or name


def _without_nulls(value: Any) -> Any:
    """A copy without what is null: the platform answers with fields that we did not send."""
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        return {key: _without_nulls(part) for key, part in fields.items() if part is not None}
    if isinstance(value, list):
        return [_without_nulls(part) for part in cast("list[Any]", value)]
    # 25 and 25.0 are the same number on the wire.
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def graduation_rule(
    target_accuracy: float | None, min_tasks: int | None, max_tasks: int | None
) -> Json | None:
    """When a labeler joins an audience, on the wire; None leaves it to the platform.

    Raises:
        ValidationError: A number is out of range; every problem is listed.
    """
    if target_accuracy is None and min_tasks is None and max_tasks is None:
        return None
    accuracy = _DEFAULT_ACCURACY if target_accuracy is None else target_accuracy
    least = _DEFAULT_MIN_TASKS if min_tasks is None else min_tasks
    problems: list[str] = []
    if not 0 < accuracy <= 1:
        problems.append(f"target_accuracy must be above 0 and at most 1, not {accuracy!r}")
    if least < 1:
        problems.append(f"min_tasks must be at least 1, not {least!r}")
    if max_tasks is not None and max_tasks < least:
        problems.append(f"max_tasks must be at least min_tasks ({least}), not {max_tasks!r}")
    if problems:
        raise ValidationError("create_audience", problems)
    return {
        "_t": "TaskAccuracy",
        "targetAccuracy": accuracy,
        "minTasks": least,
        "maxTasks": max_tasks,
    }


def is_same_rule(wanted: Json | None, found: Json | None) -> bool:
    """Whether an audience has the rule that was asked for; none asked for means the default."""
    if wanted is None:
        wanted = {
            "_t": "TaskAccuracy",
            "targetAccuracy": _DEFAULT_ACCURACY,
            "minTasks": _DEFAULT_MIN_TASKS,
        }
    return found is None or _without_nulls(wanted) == _without_nulls(found)
