"""What a workflow asks for, and how many answers a referee wants, read from either dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard, cast

from rapidata_core.sandbox.crowd import POPULATION
from rapidata_core.sandbox.problems import invalid, not_simulated

Json = Mapping[str, Any]

RANKING = "GroupedRanking"
MAX_INSTRUCTION = 250
OPTIONS = range(2, 9)
"""How many options a classification may have."""

_INSTRUCTIONS = {
    "Compare": "criteria",
    "Classify": "title",
    "Locate": "target",
    "Line": "target",
    "Transcription": "title",
    "FreeText": "question",
}
_STOPS_EARLY = ("Compare", "Classify")


@dataclass(frozen=True, slots=True)
class PairMaker:
    """Which items of a ranking are compared.

    Attributes:
        budget: How many pairs each ranking compares; ``None`` compares every two items once.
        random_ratio: The share of these pairs that is random.
    """

    budget: int | None = None
    random_ratio: float = 0.5


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow, in the newer dialect.

    Attributes:
        json: What is kept and answered.
        type: The type of the definition: the name of the task, or ``GroupedRanking``.
        options: The options given for all datapoints; ``None`` when each datapoint has its own.
        sides: The names of the two sides of a comparison, if they have names.
        pair_maker: Only in a ranking.
        start_score: Of each item in a ranking.
    """

    json: dict[str, Any]
    type: str
    instruction: str
    options: tuple[str, ...] | None = None
    sides: tuple[str, str] | None = None
    pair_maker: PairMaker | None = None
    start_score: int = 1200


@dataclass(frozen=True, slots=True)
class Referee:
    """When there are enough answers.

    Attributes:
        votes: How many answers each datapoint gets at most, or in a ranking each comparison.
        confidence: Stop as soon as an option is right with this probability.
        quorum: Stop as soon as so many agree, or cannot any more.
        budget: How many answers all datapoints get together, instead of ``votes`` each.
    """

    votes: int
    confidence: float | None = None
    quorum: int | None = None
    budget: int | None = None

    @property
    def stops_early(self) -> bool:
        """Whether the number of answers depends on the answers."""
        return self.confidence is not None or self.quorum is not None


def read_workflow(workflow: Json) -> Workflow:
    """Read a workflow, whose task is under ``rapid`` or, in the older dialect, ``blueprint``.

    Raises:
        Problem: The workflow is malformed, or the sandbox does not simulate it.
    """
    kind = workflow.get("_t")
    if kind == "GroupedRankingWorkflow":
        return _read_ranking(workflow)
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
    if task == "Transcription":
        _check_transcription(rapid)
    return Workflow(
        json=kept,
        type=task,
        instruction=_instruction(rapid, _INSTRUCTIONS[task]),
        options=_options(rapid) if task == "Classify" else None,
        sides=_sides(rapid.get("indexIdentifiers")) if task == "Compare" else None,
    )


def read_referee(referee: Json, workflow: Workflow) -> Referee:
    """Read a referee for a workflow.

    Raises:
        Problem: The referee is malformed, or does not fit the workflow.
    """
    match referee.get("_t"):
        case "NaiveReferee":
            return Referee(_votes(referee, "totalVotes"))
        case "EarlyStoppingReferee":
            _check_stops_early(workflow, "EarlyStoppingReferee")
            threshold = referee.get("threshold")
            if isinstance(threshold, bool) or not isinstance(threshold, int | float):
                raise invalid({"referee.threshold": ["threshold is required and a number."]})
            if not 0 < threshold < 1:
                raise invalid({"referee.threshold": ["threshold lies between 0 and 1."]})
            return Referee(_votes(referee, "maxVotes"), confidence=float(threshold))
        case "QuorumReferee":
            _check_stops_early(workflow, "QuorumReferee")
            votes = _votes(referee, "maxVotes")
            quorum = _whole(referee, "threshold")
            if quorum > votes:
                raise invalid({"referee.threshold": [f"threshold is at most maxVotes, {votes}."]})
            return Referee(votes, quorum=quorum)
        case "BudgetReferee" if workflow.type != RANKING:
            budget = _whole(referee, "totalBudget")
            return Referee(min(budget, POPULATION), budget=budget)
        case kind:
            raise not_simulated("referee", f"the referee {kind} for a {workflow.type} task")


def words_of(transcription: str) -> tuple[str, ...]:
    """The words of a sentence, as they are numbered: split at single spaces."""
    return tuple(transcription.split(" "))


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


def number(flags: Mapping[str, str], key: str) -> int | None:
    """The positive whole number that a setting carries, if it does."""
    text = flags.get(key, "")
    return int(text) if text.isdecimal() and int(text) > 0 else None


def _read_ranking(workflow: Json) -> Workflow:
    criteria = workflow.get("criteria")
    ranking = _object(workflow.get("rankingConfig")) or {}
    start = ranking.get("startingScore", 1200)
    if not _is_whole(start):
        raise invalid({"workflow.rankingConfig": ["startingScore is a whole number."]})
    return Workflow(
        json={key: value for key, value in workflow.items() if value is not None},
        type=RANKING,
        instruction=_checked_instruction(criteria, "criteria"),
        pair_maker=_pair_maker(_object(workflow.get("pairMakerConfig"))),
        start_score=start,
    )


def _pair_maker(config: Json | None) -> PairMaker:
    match config:
        case None | {"_t": "FullPermutationPairMaker"}:
            return PairMaker()
        case {"_t": "OnlinePairMaker"}:
            budget, ratio = config.get("totalComparisonBudget"), config.get("randomMatchesRatio")
            if not _is_whole(budget) or budget < 1:
                message = "totalComparisonBudget is a positive whole number."
                raise invalid({"workflow.pairMakerConfig": [message]})
            ratio = 0.5 if ratio is None else ratio
            if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 <= ratio <= 1:
                message = "randomMatchesRatio is a number from 0 to 1."
                raise invalid({"workflow.pairMakerConfig": [message]})
            return PairMaker(budget, float(ratio))
        case _:
            raise not_simulated("workflow", f"the pair maker {config.get('_t')}")


def _votes(referee: Json, key: str) -> int:
    votes = _whole(referee, key)
    if votes > POPULATION:
        raise invalid({"referee": [f"An audience of the sandbox has {POPULATION} people."]})
    return votes


def _whole(referee: Json, key: str) -> int:
    value = referee.get(key)
    if not _is_whole(value) or value < 1:
        raise invalid({"referee": [f"{key} is a positive whole number."]})
    return value


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_stops_early(workflow: Workflow, referee: str) -> None:
    if workflow.type not in _STOPS_EARLY:
        message = f"A {referee} needs a classification or a comparison, not {workflow.type}."
        raise invalid({"referee": [message]})


def _modern(blueprint: Json) -> Json:
    """A blueprint of the older dialect as a task of the newer one."""
    asset = {"segment": "asset"}
    kind = blueprint.get("_t")
    if kind is None:
        raise invalid({"workflow": ["A simple workflow needs a rapid."]})
    task = str(kind).removesuffix("Blueprint")
    if task not in _INSTRUCTIONS:
        return {"_t": task}
    instruction = _INSTRUCTIONS[task]
    rapid: dict[str, Any] = {
        "_t": task,
        "asset": asset,
        instruction: {"literal": blueprint.get(instruction)},
    }
    match task:
        case "Compare":
            rapid["indexIdentifiers"] = blueprint.get("indexIdentifiers")
        case "Classify":
            rapid["categories"] = {"literal": blueprint.get("categories")}
        case "Transcription":
            rapid["transcription"] = {"segment": "transcription"}
        case "FreeText":
            rapid["validationSystemPrompt"] = blueprint.get("validationSystemPrompt")
        case _:
            pass
    return rapid


def _check_asset(rapid: Json) -> None:
    asset = _object(rapid.get("asset")) or {}
    if asset.get("segment") != "asset":
        raise invalid({"workflow": ["The asset must be bound to the segment asset."]})


def _check_transcription(rapid: Json) -> None:
    binding = _object(rapid.get("transcription")) or {}
    if binding.get("segment") != "transcription":
        message = "The transcription must be bound to the segment transcription."
        raise invalid({"workflow": [message]})


def _instruction(rapid: Json, key: str) -> str:
    binding = _object(rapid.get(key)) or {}
    if binding.get("segment") is not None:
        raise not_simulated("workflow", f"a {key} that differs between datapoints")
    return _checked_instruction(binding.get("literal"), key)


def _checked_instruction(text: Any, key: str) -> str:
    problem = instruction_problem(key, text)
    if problem is not None:
        raise invalid({"workflow": [problem]})
    return str(text)


def instruction_problem(name: str, text: Any) -> str | None:
    """What is wrong with an instruction, if anything is."""
    if not isinstance(text, str) or not text.strip():
        return f"{name} is required."
    if len(text) > MAX_INSTRUCTION:
        return f"{name} has {len(text)} characters; at most {MAX_INSTRUCTION} are allowed."
    return None


def _sides(names: Any) -> tuple[str, str] | None:
    match names:
        case None:
            return None
        case [str(first), str(second)] if first != second:
            return first, second
        case _:
            raise invalid({"workflow": ["indexIdentifiers are two different names."]})


def _options(rapid: Json) -> tuple[str, ...] | None:
    binding = _object(rapid.get("categories")) or {}
    if binding.get("segment") is not None:
        if binding["segment"] != "answer_options":
            raise invalid({"workflow": ["categories must be bound to the segment answer_options."]})
        return None
    problem = options_problem(binding.get("literal"))
    if problem is not None:
        raise invalid({"workflow": [f"categories: {problem}"]})
    return tuple(option["value"] for option in binding["literal"])


def options_problem(options: Any) -> str | None:
    """What is wrong with the options of a classification, if anything is."""
    listed = cast("list[Any]", options) if isinstance(options, list) else []
    if len(listed) not in OPTIONS:
        return f"there are {OPTIONS[0]} to {OPTIONS[-1]} options, not {len(listed)}."
    values: set[str] = set()
    for option in listed:
        match option:
            case {"label": str(), "value": str(value)} if value and value not in values:
                values.add(value)
            case _:
                return f"{option!r} is not a {{label, value}} of texts with a value of its own."
    return None


def _object(value: Any) -> Json | None:
    return cast(Json, value) if isinstance(value, dict) else None
