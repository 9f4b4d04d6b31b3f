"""What a workflow asks for, read from either dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from rapidata_core.sandbox.crowd import POOL_SIZE
from rapidata_core.sandbox.problems import invalid, not_simulated

Json = Mapping[str, Any]

_INSTRUCTIONS = {"Compare": "criteria", "Classify": "title"}


@dataclass(frozen=True, slots=True)
class Workflow:
    """A simple workflow, in the newer dialect.

    Attributes:
        json: What is kept and answered.
        type: ``Compare`` or ``Classify``.
        options: The options given for all datapoints; ``None`` when each datapoint has its own.
    """

    json: dict[str, Any]
    type: str
    instruction: str
    options: tuple[str, ...] | None


def read_workflow(workflow: Json) -> Workflow:
    """Read a workflow, whose task is under ``rapid`` or, in the older dialect, ``blueprint``.

    Raises:
        Problem: The workflow is malformed, or the sandbox does not simulate it.
    """
    kind = workflow.get("_t")
    if kind != "SimpleWorkflow":
        raise not_simulated("workflow", f"the workflow {kind}")
    rapid = _object(workflow.get("rapid"))
    if rapid is None:
        rapid = _modern(_object(workflow.get("blueprint")) or {})
    task = str(rapid.get("_t"))
    if task not in _INSTRUCTIONS:
        raise not_simulated("workflow", f"the task {task}")
    kept = {"_t": kind, "rapid": dict(rapid)}
    kept |= {
        key: workflow[key] for key in ("batchSize", "featureFlags") if workflow.get(key) is not None
    }
    _check_asset(rapid)
    return Workflow(
        json=kept,
        type=task,
        instruction=_instruction(rapid, _INSTRUCTIONS[task]),
        options=_options(rapid) if task == "Classify" else None,
    )


def read_votes(referee: Json) -> int:
    """How many answers each datapoint gets.

    Raises:
        Problem: The referee is malformed, or the sandbox does not simulate it.
    """
    kind = referee.get("_t")
    if kind != "NaiveReferee":
        raise not_simulated("referee", f"the referee {kind}")
    votes = referee.get("totalVotes")
    if isinstance(votes, bool) or not isinstance(votes, int) or votes < 1:
        raise invalid({"referee": ["totalVotes is a positive whole number."]})
    if votes > POOL_SIZE:
        raise invalid({"referee": [f"An audience of the sandbox has {POOL_SIZE} people."]})
    return votes


def read_flags(flags: Sequence[Json]) -> dict[str, str]:
    """Feature flags as a mapping.

    Raises:
        Problem: A flag is malformed.
    """
    for flag in flags:
        if not isinstance(flag.get("key"), str) or not isinstance(flag.get("value"), str):
            raise invalid({"featureFlags": [f"{dict(flag)} is not a {{key, value}} of texts."]})
    return {flag["key"]: flag["value"] for flag in flags}


def is_on(flags: Mapping[str, str], key: str) -> bool:
    """Whether a setting is on; some carry a number instead of ``true``."""
    return flags.get(key, "false").lower() not in ("false", "")


def _modern(blueprint: Json) -> Json:
    """A blueprint of the older dialect as a task of the newer one."""
    asset = {"segment": "asset"}
    match blueprint.get("_t"):
        case "CompareBlueprint":
            return {
                "_t": "Compare",
                "asset": asset,
                "criteria": {"literal": blueprint.get("criteria")},
                "indexIdentifiers": blueprint.get("indexIdentifiers"),
            }
        case "ClassifyBlueprint":
            return {
                "_t": "Classify",
                "asset": asset,
                "title": {"literal": blueprint.get("title")},
                "categories": {"literal": blueprint.get("categories")},
            }
        case None:
            raise invalid({"workflow": ["A simple workflow needs a rapid."]})
        case other:
            return {"_t": str(other).removesuffix("Blueprint")}


def _check_asset(rapid: Json) -> None:
    asset = _object(rapid.get("asset")) or {}
    if asset.get("segment") != "asset":
        raise invalid({"workflow": ["The asset must be bound to the segment asset."]})


def _instruction(rapid: Json, key: str) -> str:
    binding = _object(rapid.get(key)) or {}
    if binding.get("segment") is not None:
        raise not_simulated("workflow", f"a {key} that differs between datapoints")
    literal = binding.get("literal")
    if not isinstance(literal, str) or not literal.strip():
        raise invalid({"workflow": [f"{key} is required."]})
    return literal


def _options(rapid: Json) -> tuple[str, ...] | None:
    binding = _object(rapid.get("categories")) or {}
    if binding.get("segment") is not None:
        if binding["segment"] != "answer_options":
            raise invalid({"workflow": ["categories must be bound to the segment answer_options."]})
        return None
    match binding.get("literal"):
        case [_, *_] as options:
            return tuple(_option(option) for option in cast(list[Any], options))
        case _:
            raise invalid({"workflow": ["A classification needs categories."]})


def _option(option: Any) -> str:
    match option:
        case {"label": str(), "value": str(value)} if value:
            return value
        case _:
            raise invalid({"workflow": ["Each category is a {label, value} of texts."]})


def _object(value: Any) -> Json | None:
    return cast(Json, value) if isinstance(value, dict) else None
