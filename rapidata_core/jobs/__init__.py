"""The task types. Adding one means adding its module and naming it here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from rapidata_core.errors import ValidationError
from rapidata_core.jobs.classification import ClassificationExample, ClassificationJob
from rapidata_core.jobs.compare import CompareExample, CompareJob
from rapidata_core.jobs.datapoint import Datapoint
from rapidata_core.jobs.draw import DrawExample, DrawJob
from rapidata_core.jobs.example import QualificationExample
from rapidata_core.jobs.free_text import FreeTextJob
from rapidata_core.jobs.locate import LocateExample, LocateJob
from rapidata_core.jobs.ranking import RankingJob
from rapidata_core.jobs.select_words import SelectWordsExample, SelectWordsJob
from rapidata_core.jobs.spec import JobSpec

JOB_TYPES: dict[str, type[JobSpec]] = {
    "classification": ClassificationJob,
    "compare": CompareJob,
    "draw": DrawJob,
    "free_text": FreeTextJob,
    "locate": LocateJob,
    "ranking": RankingJob,
    "select_words": SelectWordsJob,
}


def parse_job(description: JobSpec | Mapping[str, Any] | str) -> JobSpec:
    """Read a job spec from a mapping, or from JSON or YAML text; a spec passes through.

    Args:
        description: It must have a ``type``, which chooses the class.

    Raises:
        ValidationError: It is no job spec; every problem is listed.
    """
    if isinstance(description, JobSpec):
        return description
    fields = described_fields(description)
    return job_type(fields)(**fields)


def described_fields(description: Mapping[str, Any] | str) -> dict[str, Any]:
    """The fields of a job spec as a mapping or a text says them; whether they are right is open.

    Raises:
        ValidationError: It is neither.
    """
    found = _read(description) if isinstance(description, str) else description
    if not isinstance(found, Mapping):
        advice = "; of a file, give the text" if isinstance(found, str) else ""
        problem = f"must be a mapping, not {type(found).__name__}{advice}"
        raise ValidationError("job spec", [problem])
    fields = cast("Mapping[Any, Any]", found)
    problems = [f"{name!r}: fields are named by texts" for name in fields if type(name) is not str]
    if problems:
        raise ValidationError("job spec", problems)
    return dict(fields)


def job_type(fields: Mapping[str, Any]) -> type[JobSpec]:
    """The class that the ``type`` among a spec's fields chooses.

    Raises:
        ValidationError: There is no such type.
    """
    named = fields.get("type")
    chosen = JOB_TYPES.get(str(named))
    if chosen is None:
        known = ", ".join(sorted(JOB_TYPES))
        raise ValidationError("job spec", [f"type: must be one of {known}, not {named!r}"])
    return chosen


def _read(text: str) -> object:
    """What a text in JSON or YAML says.

    Raises:
        ValidationError: It is neither.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        no_json = f"is not JSON: {error}"
    try:
        import yaml
    except ImportError:
        problem = f"{no_json}; to read YAML, install PyYAML"
        raise ValidationError("job spec", [problem]) from None
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise ValidationError("job spec", [f"{no_json}; nor is it YAML: {error}"]) from None


__all__ = [
    "JOB_TYPES",
    "ClassificationExample",
    "ClassificationJob",
    "CompareExample",
    "CompareJob",
    "Datapoint",
    "DrawExample",
    "DrawJob",
    "FreeTextJob",
    "JobSpec",
    "LocateExample",
    "LocateJob",
    "QualificationExample",
    "RankingJob",
    "SelectWordsExample",
    "SelectWordsJob",
    "parse_job",
]
