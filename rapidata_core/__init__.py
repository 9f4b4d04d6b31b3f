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
    from rapidata_core._async.audiences import (
        AsyncRapidataFilteredAudience as AsyncRapidataFilteredAudience,
    )
    from rapidata_core._async.audiences import (
        AsyncRapidataUnlistedAudience as AsyncRapidataUnlistedAudience,
    )
    from rapidata_core._async.benchmarks import AsyncRapidataBenchmark as AsyncRapidataBenchmark
    from rapidata_core._async.client import AsyncRapidataClient as AsyncRapidataClient
    from rapidata_core._async.definitions import (
        AsyncRapidataJobDefinition as AsyncRapidataJobDefinition,
    )
    from rapidata_core._async.flows import AsyncRapidataClassifyFlow as AsyncRapidataClassifyFlow
    from rapidata_core._async.flows import AsyncRapidataFlow as AsyncRapidataFlow
    from rapidata_core._async.flows import AsyncRapidataFlowItem as AsyncRapidataFlowItem
    from rapidata_core._async.flows import AsyncRapidataRankingFlow as AsyncRapidataRankingFlow
    from rapidata_core._async.jobs import AsyncRapidataJob as AsyncRapidataJob
    from rapidata_core._async.leaderboards import (
        AsyncRapidataLeaderboard as AsyncRapidataLeaderboard,
    )
    from rapidata_core._async.orders import AsyncRapidataOrder as AsyncRapidataOrder
    from rapidata_core._async.participants import (
        AsyncBenchmarkParticipant as AsyncBenchmarkParticipant,
    )
    from rapidata_core._async.signals import AsyncRapidataSignal as AsyncRapidataSignal
    from rapidata_core._async.upload import AsyncRapidataDataset as AsyncRapidataDataset
    from rapidata_core._sync.audiences import RapidataAudience as RapidataAudience
    from rapidata_core._sync.audiences import RapidataFilteredAudience as RapidataFilteredAudience
    from rapidata_core._sync.audiences import RapidataUnlistedAudience as RapidataUnlistedAudience
    from rapidata_core._sync.benchmarks import RapidataBenchmark as RapidataBenchmark
    from rapidata_core._sync.client import RapidataClient as RapidataClient
    from rapidata_core._sync.definitions import RapidataJobDefinition as RapidataJobDefinition
    from rapidata_core._sync.flows import RapidataClassifyFlow as RapidataClassifyFlow
    from rapidata_core._sync.flows import RapidataFlow as RapidataFlow
    from rapidata_core._sync.flows import RapidataFlowItem as RapidataFlowItem
    from rapidata_core._sync.flows import RapidataRankingFlow as RapidataRankingFlow
    from rapidata_core._sync.jobs import RapidataJob as RapidataJob
    from rapidata_core._sync.leaderboards import RapidataLeaderboard as RapidataLeaderboard
    from rapidata_core._sync.orders import RapidataOrder as RapidataOrder
    from rapidata_core._sync.participants import BenchmarkParticipant as BenchmarkParticipant
    from rapidata_core._sync.signals import RapidataSignal as RapidataSignal
    from rapidata_core._sync.upload import RapidataDataset as RapidataDataset
    from rapidata_core.config import CompressionConfig as CompressionConfig
    from rapidata_core.config import logger as logger
    from rapidata_core.config import rapidata_config as rapidata_config
    from rapidata_core.filters import AgeFilter as AgeFilter
    from rapidata_core.filters import AgeGroup as AgeGroup
    from rapidata_core.filters import AndFilter as AndFilter
    from rapidata_core.filters import CountryFilter as CountryFilter
    from rapidata_core.filters import DeviceFilter as DeviceFilter
    from rapidata_core.filters import DeviceType as DeviceType
    from rapidata_core.filters import Filter as Filter
    from rapidata_core.filters import Gender as Gender
    from rapidata_core.filters import GenderFilter as GenderFilter
    from rapidata_core.filters import LanguageFilter as LanguageFilter
    from rapidata_core.filters import NotFilter as NotFilter
    from rapidata_core.filters import OrFilter as OrFilter
    from rapidata_core.jobs import ClassificationExample as ClassificationExample
    from rapidata_core.jobs import ClassificationJob as ClassificationJob
    from rapidata_core.jobs import CompareExample as CompareExample
    from rapidata_core.jobs import CompareJob as CompareJob
    from rapidata_core.jobs import Datapoint as Datapoint
    from rapidata_core.jobs import DrawExample as DrawExample
    from rapidata_core.jobs import DrawJob as DrawJob
    from rapidata_core.jobs import FreeTextJob as FreeTextJob
    from rapidata_core.jobs import JobSpec as JobSpec
    from rapidata_core.jobs import LocateExample as LocateExample
    from rapidata_core.jobs import LocateJob as LocateJob
    from rapidata_core.jobs import RankingJob as RankingJob
    from rapidata_core.jobs import SelectWordsExample as SelectWordsExample
    from rapidata_core.jobs import SelectWordsJob as SelectWordsJob
    from rapidata_core.jobs import parse_job as parse_job
    from rapidata_core.policy.submission import fingerprint as fingerprint
    from rapidata_core.results.export.dataset import Dataset as Dataset
    from rapidata_core.results.export.dataset import check_directory as check_directory
    from rapidata_core.results.export.dataset import write_dataset as write_dataset
    from rapidata_core.results.parse import RapidataResults as RapidataResults
    from rapidata_core.results.parse import Results as Results
    from rapidata_core.results.parse import ResultsFile as ResultsFile
    from rapidata_core.results.privacy import Privacy as Privacy
    from rapidata_core.results.quality.gate import QualityGate as QualityGate
    from rapidata_core.results.quality.gate import QualityReport as QualityReport
    from rapidata_core.results.rows import job_about as job_about
    from rapidata_core.settings import AllowNeitherBoth as AllowNeitherBoth
    from rapidata_core.settings import AllowNeitherBothSetting as AllowNeitherBothSetting
    from rapidata_core.settings import ClassifyEquirectangular as ClassifyEquirectangular
    from rapidata_core.settings import (
        ClassifyEquirectangularSetting as ClassifyEquirectangularSetting,
    )
    from rapidata_core.settings import CompareEquirectangular as CompareEquirectangular
    from rapidata_core.settings import (
        CompareEquirectangularSetting as CompareEquirectangularSetting,
    )
    from rapidata_core.settings import ComparePanorama as ComparePanorama
    from rapidata_core.settings import ComparePanoramaSetting as ComparePanoramaSetting
    from rapidata_core.settings import CustomSetting as CustomSetting
    from rapidata_core.settings import DisableAutoloop as DisableAutoloop
    from rapidata_core.settings import DisableAutoloopSetting as DisableAutoloopSetting
    from rapidata_core.settings import FreeTextMaxCharacters as FreeTextMaxCharacters
    from rapidata_core.settings import FreeTextMaxCharactersSetting as FreeTextMaxCharactersSetting
    from rapidata_core.settings import FreeTextMinimumCharacters as FreeTextMinimumCharacters
    from rapidata_core.settings import (
        FreeTextMinimumCharactersSetting as FreeTextMinimumCharactersSetting,
    )
    from rapidata_core.settings import KeyboardNumeric as KeyboardNumeric
    from rapidata_core.settings import KeyboardNumericSetting as KeyboardNumericSetting
    from rapidata_core.settings import LocateMaxPoints as LocateMaxPoints
    from rapidata_core.settings import LocateMaxPointsSetting as LocateMaxPointsSetting
    from rapidata_core.settings import LocateMinPoints as LocateMinPoints
    from rapidata_core.settings import LocateMinPointsSetting as LocateMinPointsSetting
    from rapidata_core.settings import Markdown as Markdown
    from rapidata_core.settings import MarkdownSetting as MarkdownSetting
    from rapidata_core.settings import MuteVideo as MuteVideo
    from rapidata_core.settings import MuteVideoSetting as MuteVideoSetting
    from rapidata_core.settings import NoInstructionDisplay as NoInstructionDisplay
    from rapidata_core.settings import NoInstructionDisplaySetting as NoInstructionDisplaySetting
    from rapidata_core.settings import NoMistakeOption as NoMistakeOption
    from rapidata_core.settings import NoMistakeOptionSetting as NoMistakeOptionSetting
    from rapidata_core.settings import NoShuffle as NoShuffle
    from rapidata_core.settings import NoShuffleSetting as NoShuffleSetting
    from rapidata_core.settings import OriginalLanguageOnly as OriginalLanguageOnly
    from rapidata_core.settings import OriginalLanguageOnlySetting as OriginalLanguageOnlySetting
    from rapidata_core.settings import PinContextMedia as PinContextMedia
    from rapidata_core.settings import PinContextMediaSetting as PinContextMediaSetting
    from rapidata_core.settings import PlayPercentageVideo as PlayPercentageVideo
    from rapidata_core.settings import PlayPercentageVideoSetting as PlayPercentageVideoSetting
    from rapidata_core.settings import ReferenceOverlay as ReferenceOverlay
    from rapidata_core.settings import ReferenceOverlaySetting as ReferenceOverlaySetting
    from rapidata_core.settings import SwapContextInstruction as SwapContextInstruction
    from rapidata_core.settings import (
        SwapContextInstructionSetting as SwapContextInstructionSetting,
    )
    from rapidata_core.settings import TranslateTextAssets as TranslateTextAssets
    from rapidata_core.settings import TranslateTextAssetsSetting as TranslateTextAssetsSetting
    from rapidata_core.types import Balance as Balance
    from rapidata_core.types import BillingPeriod as BillingPeriod
    from rapidata_core.types import Box as Box
    from rapidata_core.types import ClassifyDatapointResult as ClassifyDatapointResult
    from rapidata_core.types import ClassifyFlowItemResult as ClassifyFlowItemResult
    from rapidata_core.types import CostEstimate as CostEstimate
    from rapidata_core.types import FinishedJob as FinishedJob
    from rapidata_core.types import FlowItemResult as FlowItemResult
    from rapidata_core.types import FlowItemState as FlowItemState
    from rapidata_core.types import JobProgress as JobProgress
    from rapidata_core.types import JobState as JobState
    from rapidata_core.types import Manifest as Manifest
    from rapidata_core.types import News as News
    from rapidata_core.types import OnChanged as OnChanged
    from rapidata_core.types import Origin as Origin
    from rapidata_core.types import OutstandingBalance as OutstandingBalance
    from rapidata_core.types import Reaction as Reaction
    from rapidata_core.types import RecruitingMetrics as RecruitingMetrics
    from rapidata_core.types import RevisionInfo as RevisionInfo
    from rapidata_core.types import Setting as Setting
    from rapidata_core.types import SignalRun as SignalRun
    from rapidata_core.types import SignalRunStatus as SignalRunStatus
    from rapidata_core.types import SpendCap as SpendCap
    from rapidata_core.types import Standing as Standing
    from rapidata_core.types import Submission as Submission
    from rapidata_core.types import Tag as Tag
    from rapidata_core.types import VoteAggregation as VoteAggregation

__version__ = "0.1.0"

_HOMES = {
    "_async.leaderboards": ["AsyncRapidataLeaderboard"],
    "_async.benchmarks": ["AsyncRapidataBenchmark"],
    "_async.participants": ["AsyncBenchmarkParticipant"],
    "_sync.leaderboards": ["RapidataLeaderboard"],
    "_sync.benchmarks": ["RapidataBenchmark"],
    "_sync.participants": ["BenchmarkParticipant"],
    "_async.audiences": [
        "AsyncRapidataAudience",
        "AsyncRapidataFilteredAudience",
        "AsyncRapidataUnlistedAudience",
    ],
    "_async.client": ["AsyncRapidataClient"],
    "_async.definitions": ["AsyncRapidataJobDefinition"],
    "_async.upload": ["AsyncRapidataDataset"],
    "_async.flows": [
        "AsyncRapidataClassifyFlow",
        "AsyncRapidataFlow",
        "AsyncRapidataFlowItem",
        "AsyncRapidataRankingFlow",
    ],
    "_async.signals": ["AsyncRapidataSignal"],
    "_async.orders": ["AsyncRapidataOrder"],
    "_async.jobs": ["AsyncRapidataJob"],
    "_sync.audiences": [
        "RapidataAudience",
        "RapidataFilteredAudience",
        "RapidataUnlistedAudience",
    ],
    "_sync.client": ["RapidataClient"],
    "_sync.definitions": ["RapidataJobDefinition"],
    "_sync.upload": ["RapidataDataset"],
    "_sync.flows": [
        "RapidataClassifyFlow",
        "RapidataFlow",
        "RapidataFlowItem",
        "RapidataRankingFlow",
    ],
    "_sync.signals": ["RapidataSignal"],
    "_sync.orders": ["RapidataOrder"],
    "_sync.jobs": ["RapidataJob"],
    "config": ["CompressionConfig", "logger", "rapidata_config"],
    "filters": [
        "AgeFilter",
        "AgeGroup",
        "AndFilter",
        "CountryFilter",
        "DeviceFilter",
        "DeviceType",
        "Filter",
        "Gender",
        "GenderFilter",
        "LanguageFilter",
        "NotFilter",
        "OrFilter",
    ],
    "jobs": [
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
        "RankingJob",
        "SelectWordsExample",
        "SelectWordsJob",
        "parse_job",
    ],
    "policy.submission": ["fingerprint"],
    "results.parse": ["RapidataResults", "Results", "ResultsFile"],
    "results.privacy": ["Privacy"],
    "results.quality.gate": ["QualityGate", "QualityReport"],
    "results.rows": ["job_about"],
    "results.export.dataset": ["Dataset", "check_directory", "write_dataset"],
    "settings": [
        "AllowNeitherBoth",
        "AllowNeitherBothSetting",
        "ClassifyEquirectangular",
        "ClassifyEquirectangularSetting",
        "CompareEquirectangular",
        "CompareEquirectangularSetting",
        "ComparePanorama",
        "ComparePanoramaSetting",
        "CustomSetting",
        "DisableAutoloop",
        "DisableAutoloopSetting",
        "FreeTextMaxCharacters",
        "FreeTextMaxCharactersSetting",
        "FreeTextMinimumCharacters",
        "FreeTextMinimumCharactersSetting",
        "KeyboardNumeric",
        "KeyboardNumericSetting",
        "LocateMaxPoints",
        "LocateMaxPointsSetting",
        "LocateMinPoints",
        "LocateMinPointsSetting",
        "Markdown",
        "MarkdownSetting",
        "MuteVideo",
        "MuteVideoSetting",
        "NoInstructionDisplay",
        "NoInstructionDisplaySetting",
        "NoMistakeOption",
        "NoMistakeOptionSetting",
        "NoShuffle",
        "NoShuffleSetting",
        "OriginalLanguageOnly",
        "OriginalLanguageOnlySetting",
        "PinContextMedia",
        "PinContextMediaSetting",
        "PlayPercentageVideo",
        "PlayPercentageVideoSetting",
        "ReferenceOverlay",
        "ReferenceOverlaySetting",
        "SwapContextInstruction",
        "SwapContextInstructionSetting",
        "TranslateTextAssets",
        "TranslateTextAssetsSetting",
    ],
    "types": [
        "Balance",
        "BillingPeriod",
        "Box",
        "ClassifyDatapointResult",
        "ClassifyFlowItemResult",
        "CostEstimate",
        "FinishedJob",
        "FlowItemResult",
        "FlowItemState",
        "JobProgress",
        "JobState",
        "Manifest",
        "News",
        "OnChanged",
        "Origin",
        "OutstandingBalance",
        "Reaction",
        "RecruitingMetrics",
        "RevisionInfo",
        "Setting",
        "SignalRun",
        "SignalRunStatus",
        "SpendCap",
        "Standing",
        "Submission",
        "Tag",
        "VoteAggregation",
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
