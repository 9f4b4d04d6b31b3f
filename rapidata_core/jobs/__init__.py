"""The task types. Adding one means adding its module and naming it here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

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
    """Read a job spec from a mapping (as YAML gives) or from JSON text; a spec passes through.

    Args:
        description: It must have a ``type``, which chooses the class.

    Raises:
        ValidationError: It is no job spec; every problem is listed.
    """
    if isinstance(description, JobSpec):
        return description
    if isinstance(description, str):
        try:
            description = json.loads(description)
        except ValueError as error:
            raise ValidationError("job spec", [f"is not JSON: {error}"]) from None
    if not isinstance(description, Mapping):
        raise ValidationError("job spec", [f"must be a mapping, not {type(description).__name__}"])
    named = description.get("type")
    chosen = JOB_TYPES.get(str(named))
    if chosen is None:
        known = ", ".join(sorted(JOB_TYPES))
        raise ValidationError("job spec", [f"type: must be one of {known}, not {named!r}"])
    return chosen(**description)


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
