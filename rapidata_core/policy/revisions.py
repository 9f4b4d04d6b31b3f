"""What the revision of a job definition says, and how one is changed into the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from rapidata_core.errors import ValidationError
from rapidata_core.jobs.checks import MAX_INSTRUCTION
from rapidata_core.jobs.spec import JobSpec
from rapidata_core.types import Setting
from rapidata_core.wire.definition import RevisionAnswer

Json = dict[str, Any]

# The names of the question: one per kind of task, in the newer dialect's `rapid` and the older
# one's `blueprint` alike.
_QUESTIONS = ("title", "criteria", "target", "question")
_VOTES = ("totalVotes", "maxVotes")


def instruction_of(workflow: Mapping[str, Any]) -> str | None:
    """The question that labelers see, or None if it is not the same for all datapoints."""
    task = _task(workflow)
    text = _literal(next((task[name] for name in _QUESTIONS if name in task), None))
    return text if isinstance(text, str) else None


def options_of(workflow: Mapping[str, Any]) -> list[str] | None:
    """The answer options of a classification, or None if each datapoint has its own."""
    options = _literal(_task(workflow).get("categories"))
    if not isinstance(options, list):
        return None
    named = cast("list[Json]", options)
    return [str(option.get("value", option.get("label"))) for option in named]


def _literal(value: Any) -> Any:
    """What a task says itself: directly in the older dialect, None where the datapoints say it."""
    return cast("Json", value).get("literal") if isinstance(value, dict) else value


def responses_of(referee: Mapping[str, Any]) -> int | None:
    """Human answers per datapoint, at most where it can be done earlier."""
    return next((int(referee[name]) for name in _VOTES if referee.get(name) is not None), None)


def settings_of(revision: RevisionAnswer) -> list[Setting]:
    """The switches of a revision."""
    own = [Setting(key=flag.key, value=flag.value) for flag in revision.feature_flags]
    return own + [
        Setting(key=flag.key, value=flag.value, target="campaign")
        for flag in revision.campaign_feature_flags
    ]


def changed(
    base: RevisionAnswer,
    spec: JobSpec | None,
    *,
    instruction: str | None,
    responses_per_datapoint: int | None,
    settings: Sequence[Setting] | None,
) -> Json:
    """The body that saves a new revision, but for a new dataset's id.

    Args:
        base: The revision that is changed.
        spec: A whole new description; without it:
        instruction: A new question.
        responses_per_datapoint: A new number of human answers.
        settings: New settings instead of all.

    Raises:
        ValidationError: The change makes no sense.
    """
    single = {
        "instruction": instruction,
        "responses_per_datapoint": responses_per_datapoint,
        "settings": settings,
    }
    given = [name for name, value in single.items() if value is not None]
    problems = [f"{name}: is part of the spec already" for name in given if spec is not None]
    if spec is None and not given:
        problems.append("spec: nothing is changed; give a spec, or what to change")
    problems += _value_problems(instruction, responses_per_datapoint)
    if problems:
        raise ValidationError("update", problems)
    body: Json = {
        **content_of(base),
        "validationSetId": base.validation_set_id,
        "baseRevisionNumber": base.revision_number,
    }
    if spec is not None:
        body |= {"workflow": spec.workflow(), "referee": spec.referee(), **flags_of(spec.settings)}
    if instruction is not None:
        body["workflow"] = _with_instruction(base.workflow, instruction)
    if responses_per_datapoint is not None:
        body["referee"] = _with_responses(base.referee, responses_per_datapoint)
    if settings is not None:
        body |= flags_of(settings)
    return body


def content_of(revision: RevisionAnswer) -> Json:
    """What a revision says, in the fields of a new revision or definition."""
    return {
        "workflow": revision.workflow,
        "referee": revision.referee,
        "datasetId": revision.dataset_id,
        "rapidFeatureFlags": [flag.model_dump(by_alias=True) for flag in revision.feature_flags],
        "campaignFeatureFlags": [
            flag.model_dump(by_alias=True) for flag in revision.campaign_feature_flags
        ],
        "aggregatorType": revision.aggregator_type,
    }


def flags_of(settings: Sequence[Setting]) -> dict[str, list[Json]]:
    """Settings on the wire, by their field."""
    fields = {"rapidFeatureFlags": "rapids", "campaignFeatureFlags": "campaign"}
    return {
        field: [setting.wire() for setting in settings if setting.target == target]
        for field, target in fields.items()
    }


def _value_problems(instruction: str | None, responses: int | None) -> list[str]:
    problems: list[str] = []
    if instruction is not None and not 1 <= len(instruction.strip()) <= MAX_INSTRUCTION:
        problems.append(f"instruction: must have 1 to {MAX_INSTRUCTION} characters")
    if responses is not None and (isinstance(responses, bool) or responses < 1):
        problems.append(f"responses_per_datapoint: must be at least 1, not {responses!r}")
    return problems


def _task(workflow: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a workflow that says what is asked."""
    return workflow.get("rapid") or workflow.get("blueprint") or workflow


def _with_instruction(workflow: Mapping[str, Any], instruction: str) -> Json:
    task = _task(workflow)
    name = next((name for name in _QUESTIONS if name in task), None)
    if name is None:
        raise ValidationError("update", ["instruction: this kind of task has none"])
    new = {"literal": instruction} if isinstance(task[name], dict) else instruction
    if task is workflow:
        return {**workflow, name: new}
    part = "rapid" if workflow.get("rapid") else "blueprint"
    return {**workflow, part: {**task, name: new}}


def _with_responses(referee: Mapping[str, Any], responses: int) -> Json:
    name = next((name for name in _VOTES if name in referee), None)
    if name is None:
        raise ValidationError(
            "update", ["responses_per_datapoint: this definition ends in another way"]
        )
    quorum = referee.get("threshold") if referee.get("_t") == "QuorumReferee" else None
    if quorum is not None and quorum > responses:
        raise ValidationError(
            "update", [f"responses_per_datapoint: is {responses}, but the quorum is {quorum}"]
        )
    return {**referee, name: responses}
