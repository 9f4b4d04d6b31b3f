"""Signals and firings that a key has one of.

A signal of a key is known by the end of its name. For a firing the platform has no field of its
own, and its answer does not say which run it began. So before a firing the intent is written down,
at the end of the signal's description::

    For the weekly report [rk:<key>/<runner>@<newest run>]

A manual run that is newer than the one named there is the run of this key: whoever finds the
intent after a crash finds the run, or knows after a while that nobody fired. The signal has room
for one intent. So before another key takes the place, the job of the run gets the old key at the
end of its name, where it is found for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rapidata_core.errors import KeyConflictError
from rapidata_core.policy.submission import readable
from rapidata_core.types import SignalRunStatus
from rapidata_core.wire.signal import RunAnswer, SignalAnswer

_INTENT = re.compile(r"( ?\[rk:[0-9a-f]+)/([0-9a-f]+)@([^\]\s]*)\]$")
MANUAL = "Manual"
"""The source of a run that somebody triggered."""

_NO_JOB = {SignalRunStatus.SKIPPED, SignalRunStatus.FAILED}
_ENDED = {*_NO_JOB, SignalRunStatus.COMPLETED}


@dataclass(frozen=True)
class Intent:
    """What a runner writes down before it fires a signal.

    Attributes:
        marker: The key's; see :func:`rapidata_core.policy.submission.key_marker`.
        runner: Who wrote it: of runners that race, the last one fires.
        newest_run: The newest run before the firing; empty when there was none.
    """

    marker: str
    runner: str
    newest_run: str


def read_intent(description: str | None) -> Intent | None:
    """The intent that a signal's description ends in, if there is one."""
    found = _INTENT.search(description or "")
    if found is None:
        return None
    return Intent(f" {found[1].strip()}]", found[2], found[3])


def described(description: str | None, intent: Intent | None) -> str:
    """A description for people that ends in an intent."""
    if intent is None:
        return description or ""
    ending = f"{intent.marker[:-1]}/{intent.runner}@{intent.newest_run}]"
    return f"{description_for_people(description) or ''}{ending}".strip()


def description_for_people(description: str | None) -> str | None:
    """A signal's description without what is written there for us."""
    return _INTENT.sub("", description or "") or None


def newer_runs(runs: Iterable[RunAnswer], newest_run: str) -> list[RunAnswer]:
    """The runs that came after another one.

    Args:
        runs: The newest first.
        newest_run: The other one; empty for all.
    """
    newer: list[RunAnswer] = []
    for run in runs:
        if run.id == newest_run:
            break
        newer.append(run)
    return newer


def run_of_intent(newer: Sequence[RunAnswer]) -> RunAnswer | None:
    """The run that an intent led to, out of the runs that are newer; None when it has none yet.

    Of two that were fired by a race the platform skips the second, so one with a job, or with a job
    to come, is preferred.
    """
    manual = (run for run in newer if run.trigger_source == MANUAL)
    oldest_first = sorted(manual, key=lambda run: run.started_at)
    paid = (run for run in oldest_first if not made_no_job(run))
    return next(paid, oldest_first[-1] if oldest_first else None)


def made_no_job(run: RunAnswer) -> bool:
    """Whether a run ended without a job, and so cost nothing."""
    return run.audience_job_id is None and run.status in _NO_JOB


def has_ended(run: RunAnswer) -> bool:
    """Whether nothing more happens to a run: its job is done, or it failed, or made none."""
    return run.status in _ENDED


def oldest_signal(signals: Sequence[SignalAnswer]) -> SignalAnswer:
    """The signal that stays. Runners that race agree without talking, so ties are broken by id."""
    return min(signals, key=lambda signal: (signal.created_at, signal.id))


def signal_changes(signal: SignalAnswer, wanted: dict[str, Any]) -> dict[str, Any]:
    """What has to change in the signal that a key has.

    Args:
        signal: The signal.
        wanted: The body of ``POST /signal``. A description that is None stays as it is.

    Raises:
        KeyConflictError: It differs in what the platform does not change.
    """
    fixed = {
        "audienceId": signal.audience_id,
        "jobDefinitionId": signal.job_definition_id,
        "revisionNumber": signal.revision_number,
        "isPublic": signal.is_public,
    }
    differing = {field: value for field, value in fixed.items() if value != wanted[field]}
    if differing:
        raise _conflict(signal, differing, {field: wanted[field] for field in differing})
    changes: dict[str, Any] = {}
    if signal.name != wanted["name"]:
        changes["name"] = wanted["name"]
    if signal.interval_seconds != wanted["intervalSeconds"]:
        changes["intervalSeconds"] = wanted["intervalSeconds"]
    description = wanted["description"]
    if description is not None and description != description_for_people(signal.description):
        changes["description"] = described(description, read_intent(signal.description))
    return changes


def _conflict(
    signal: SignalAnswer, found: dict[str, Any], expected: dict[str, Any]
) -> KeyConflictError:
    return KeyConflictError(
        f"This key already has signal {signal.id} ({readable(signal.name)!r}) with {found}, now "
        f"{expected}. The platform cannot change that. Ask for the same again (the definition and "
        "the audience have to be found again, not made anew), or delete the signal first, or use "
        "a new key, which makes a second signal.",
        object_id=signal.id,
        expected=str(expected),
        found=str(found),
    )
