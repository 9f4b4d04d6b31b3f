"""Answers as tables, how good they are, and what training needs of them.

Everything here is pure, but :class:`ResultsFile` reads a file, and the writers are in
:mod:`rapidata_core.results.export`. Names load their modules when they are first used, and these
load pandas, Arrow and the like when called.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rapidata_core.results.coco import coco_dataset as coco_dataset
    from rapidata_core.results.export.dataset import Dataset as Dataset
    from rapidata_core.results.export.dataset import check_directory as check_directory
    from rapidata_core.results.export.dataset import forget_labeler as forget_labeler
    from rapidata_core.results.export.dataset import write_dataset as write_dataset
    from rapidata_core.results.export.dataset import write_json as write_json
    from rapidata_core.results.export.dataset import write_jsonl as write_jsonl
    from rapidata_core.results.export.layout import read_manifest as read_manifest
    from rapidata_core.results.export.layout import verify_dataset as verify_dataset
    from rapidata_core.results.flows import flow_results as flow_results
    from rapidata_core.results.identity import datapoint_ids as datapoint_ids
    from rapidata_core.results.parse import RapidataResults as RapidataResults
    from rapidata_core.results.parse import Results as Results
    from rapidata_core.results.parse import ResultsFile as ResultsFile
    from rapidata_core.results.parse import parse_results as parse_results
    from rapidata_core.results.preferences import TrainingRows as TrainingRows
    from rapidata_core.results.preferences import preference_pairs as preference_pairs
    from rapidata_core.results.preferences import unpaired as unpaired
    from rapidata_core.results.privacy import Privacy as Privacy
    from rapidata_core.results.privacy import pseudonym as pseudonym
    from rapidata_core.results.quality.gate import Check as Check
    from rapidata_core.results.quality.gate import QualityGate as QualityGate
    from rapidata_core.results.quality.gate import QualityReport as QualityReport
    from rapidata_core.results.quality.gate import WeakDatapoint as WeakDatapoint
    from rapidata_core.results.rows import job_about as job_about
    from rapidata_core.results.rows import spec_about as spec_about
    from rapidata_core.results.schema import labels_schema as labels_schema
    from rapidata_core.results.schema import responses_schema as responses_schema
    from rapidata_core.results.selection import attach as attach
    from rapidata_core.results.selection import select as select
    from rapidata_core.results.selection import top_up as top_up
    from rapidata_core.results.selection import unlabelled as unlabelled
    from rapidata_core.results.splits import split as split

_HOMES = {
    "coco": ["coco_dataset"],
    "export.dataset": [
        "Dataset",
        "check_directory",
        "forget_labeler",
        "write_dataset",
        "write_json",
        "write_jsonl",
    ],
    "export.layout": ["read_manifest", "verify_dataset"],
    "flows": ["flow_results"],
    "identity": ["datapoint_ids"],
    "parse": ["RapidataResults", "Results", "ResultsFile", "parse_results"],
    "preferences": ["TrainingRows", "preference_pairs", "unpaired"],
    "privacy": ["Privacy", "pseudonym"],
    "quality.gate": ["Check", "QualityGate", "QualityReport", "WeakDatapoint"],
    "rows": ["job_about", "spec_about"],
    "schema": ["labels_schema", "responses_schema"],
    "selection": ["attach", "select", "top_up", "unlabelled"],
    "splits": ["split"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return [*_HOME_OF]
