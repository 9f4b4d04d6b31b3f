"""What an audience's numbers mean, and when two of its examples are the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from rapidata_core.errors import ValidationError
from rapidata_core.types import RecruitingMetrics

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
