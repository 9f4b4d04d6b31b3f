"""Human labels for data pipelines: a client of the Rapidata platform.

Everything is loaded when it is first used, so importing this package costs next to nothing where
pipelines are only parsed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rapidata_core import errors as errors
    from rapidata_core._async.audiences import AsyncRapidataAudience as AsyncRapidataAudience
    from rapidata_core._async.client import AsyncRapidataClient as AsyncRapidataClient
    from rapidata_core._async.definitions import (
        AsyncRapidataJobDefinition as AsyncRapidataJobDefinition,
    )
    from rapidata_core._async.jobs import AsyncRapidataJob as AsyncRapidataJob
    from rapidata_core._sync.audiences import RapidataAudience as RapidataAudience
    from rapidata_core._sync.client import RapidataClient as RapidataClient
    from rapidata_core._sync.definitions import RapidataJobDefinition as RapidataJobDefinition
    from rapidata_core._sync.jobs import RapidataJob as RapidataJob
    from rapidata_core.jobs import ClassificationJob as ClassificationJob
    from rapidata_core.jobs import CompareJob as CompareJob
    from rapidata_core.jobs import JobSpec as JobSpec
    from rapidata_core.jobs import parse_job as parse_job
    from rapidata_core.policy.submission import fingerprint as fingerprint
    from rapidata_core.results import RapidataResults as RapidataResults
    from rapidata_core.results.export import Dataset as Dataset
    from rapidata_core.results.export import check_directory as check_directory
    from rapidata_core.results.export import write_dataset as write_dataset
    from rapidata_core.types import AllowNeitherBoth as AllowNeitherBoth
    from rapidata_core.types import AllowNeitherBothSetting as AllowNeitherBothSetting
    from rapidata_core.types import CostEstimate as CostEstimate
    from rapidata_core.types import JobProgress as JobProgress
    from rapidata_core.types import JobState as JobState
    from rapidata_core.types import Manifest as Manifest
    from rapidata_core.types import Markdown as Markdown
    from rapidata_core.types import MarkdownSetting as MarkdownSetting
    from rapidata_core.types import NoShuffle as NoShuffle
    from rapidata_core.types import NoShuffleSetting as NoShuffleSetting
    from rapidata_core.types import Setting as Setting
    from rapidata_core.types import Submission as Submission

__version__ = "0.1.0"

_HOMES = {
    "_async.audiences": ["AsyncRapidataAudience"],
    "_async.client": ["AsyncRapidataClient"],
    "_async.definitions": ["AsyncRapidataJobDefinition"],
    "_async.jobs": ["AsyncRapidataJob"],
    "_sync.audiences": ["RapidataAudience"],
    "_sync.client": ["RapidataClient"],
    "_sync.definitions": ["RapidataJobDefinition"],
    "_sync.jobs": ["RapidataJob"],
    "jobs": ["ClassificationJob", "CompareJob", "JobSpec", "parse_job"],
    "policy.submission": ["fingerprint"],
    "results": ["RapidataResults"],
    "results.export": ["Dataset", "check_directory", "write_dataset"],
    "types": [
        "AllowNeitherBoth",
        "AllowNeitherBothSetting",
        "CostEstimate",
        "JobProgress",
        "JobState",
        "Manifest",
        "Markdown",
        "MarkdownSetting",
        "NoShuffle",
        "NoShuffleSetting",
        "Setting",
        "Submission",
    ],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "errors":
        return importlib.import_module("rapidata_core.errors")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"rapidata_core.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return ["__version__", "errors", *_HOME_OF]
