"""The identity of a logical task, and what to do about what already carries it.

The platform has no idempotency key, but jobs and definitions have names and can be listed by the
end of their name. So every name ends in a marker::

    Prompt alignment [rk:<fingerprint>.<key>]

The key part identifies the logical task, the fingerprint part what it asks; of a job that counts
towards a spend cap, the cap's digest stands between them. The platform's own lists are the ledger;
nothing is stored on our side.

Who may pay is decided by tickets. A definition costs nothing, so a runner leaves one that carries
the marker, with a random word of its own in the middle, before it pays, and looks who else has. The
holder of the oldest live ticket pays, within ``settle`` seconds of having asked for it. ``settle``
seconds later whatever it did shows in the lists, so after twice that time a ticket without a job
means nothing any more. A definition that claims nothing, because its runner is done with it or only
wanted a price, is a draft and says so::

    Prompt alignment [rk:<fingerprint>.draft.<key>]

Before the marker of a job that a program has paused stands a note for people, ``(paused by
Airflow)``, by which the program knows later that it was not a person who did.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

from rapidata_core.errors import (
    BudgetExceededError,
    ServerError,
    SubmissionConflictError,
    ValidationError,
    blank,
    is_number,
    outside,
    refuse_blank,
)
from rapidata_core.jobs.spec import JobSpec
from rapidata_core.types import JobState, OnChanged, SpendCap
from rapidata_core.wire.definition import DefinitionAnswer
from rapidata_core.wire.job import JobListItem

_MARKER = re.compile(
    r" \[rk:(?:(?P<fingerprint>[0-9a-f]+)\.(?:(?P<middle>[0-9a-f]+|draft)\.)?)?[0-9a-f]+\]$"
)
_NOTE = re.compile(r" \(paused by (?P<by>[^()]+)\)$")
_DRAFT = "draft"
# 16 hex digits = 64 bits: among a million keys the chance of a collision is below 1e-7.
_DIGITS = 16


@dataclass(frozen=True)
class Identity:
    """A logical task as it stands in names.

    Attributes:
        fingerprint: What is asked of whom: a digest of the spec and the audience.
        key: Which logical task it is: a digest of the namespace and the caller's key.
        cap: Which spend cap it counts towards: see :func:`cap_digest`; empty for none.
    """

    fingerprint: str
    key: str
    cap: str = ""

    @property
    def name_ending(self) -> str:
        """The end of every name of this logical task, whatever it asks."""
        return f".{self.key}]"

    def job(self, readable: str) -> str:
        """A job's name: one for people, with the identity at its end."""
        return self._name(readable, self.cap)

    def ticket(self, readable: str, word: str) -> str:
        """The name of a definition whose runner, who chose the word, is about to pay."""
        return self._name(readable, word)

    def draft(self, readable: str) -> str:
        """The name of a definition that claims nothing."""
        return self._name(readable, _DRAFT)

    def _name(self, readable: str, middle: str) -> str:
        parts = [part for part in (self.fingerprint, middle, self.key) if part]
        return f"{readable} [rk:{'.'.join(parts)}]"


@dataclass(frozen=True)
class Claim:
    """A runner's own ticket.

    Attributes:
        word: What it is known by: sent twice after a lost answer, it is there twice.
        definition_id: The definition that is the ticket.
        asked: When it was asked for, on the runner's own clock.
        answered: When it was known to be there, on the same clock.
    """

    word: str
    definition_id: str
    asked: float
    answered: float


def fingerprint(spec: JobSpec, audience_id: str) -> str:
    """What is asked of whom, as a short text; the spec's name is for people and does not count."""
    content = spec.model_dump_json(exclude_defaults=True, exclude={"name"})
    return digest(spec.type, audience_id, content)


def identify(spec: JobSpec, audience_id: str, key: str, namespace: str, cap: str = "") -> Identity:
    """Give a logical task its identity.

    Raises:
        ValidationError: The key or the audience is blank; every blank key would be the same task.
    """
    refuse_blank(key=key, audience=audience_id)
    return Identity(fingerprint(spec, audience_id), digest(namespace, key), cap)


def content_fingerprint(spec: JobSpec, files: Mapping[str, str]) -> str:
    """What is asked, of whomever, as a short text; the spec's name does not count.

    Args:
        spec: What is asked.
        files: Digests of the local files that it names, by path.
    """
    content = spec.model_dump_json(exclude_defaults=True, exclude={"name"})
    return digest("content", spec.type, content, json.dumps(files, sort_keys=True))


def identify_definition(
    definition_id: str,
    revision_number: int | None,
    audience_id: str,
    key: str,
    namespace: str,
    cap: str = "",
) -> Identity:
    """Give a logical task its identity that asks a definition which is there already.

    Args:
        definition_id: What is asked.
        revision_number: Its revision, if it has to be that one. Without it, the task stays the same
            when somebody saves a new revision.
        audience_id: Who is asked.
        key: Which logical task it is.
        namespace: See :class:`rapidata_core.config.Settings`.
        cap: See :func:`cap_digest`.

    Raises:
        ValidationError: A text is blank, or the revision has no number from 1; it lists all.
    """
    problems = blank("job_definition", definition_id)
    problems += blank("audience", audience_id) + blank("key", key)
    if revision_number is not None:
        problems += outside("revision_number", revision_number, 1, whole=True)
    if problems:
        raise ValidationError("submission", problems)
    pinned = [] if revision_number is None else [str(revision_number)]
    content = digest("definition", definition_id, audience_id, *pinned)
    return Identity(content, digest(namespace, key), cap)


def identify_order(definition_id: str, audience_id: str) -> Identity:
    """The identity of an order: a definition that is run once, whatever else is done with it."""
    return Identity(
        fingerprint=digest("definition", definition_id, audience_id),
        key=digest("order", definition_id),
    )


def cap_digest(namespace: str, prefix: str) -> str:
    """What the names of all jobs contain that count towards the cap of a prefix."""
    return digest("cap", namespace, prefix)


def key_marker(namespace: str, key: str) -> str:
    """The end of the name of anything else that a key has at most one of.

    Raises:
        ValidationError: The key is blank.
    """
    refuse_blank(key=key)
    return f" [rk:{digest(namespace, key)}]"


def check_names(names: Iterable[str], ending: str) -> None:
    """Make sure that a list was filtered by the end of the names.

    A list that ignores the filter says nothing about the key: believing it would adopt what is
    somebody else's, or pay again.

    Raises:
        ServerError: It was not; nothing was paid.
    """
    stray = next((name for name in names if not name.endswith(ending)), None)
    if stray is not None:
        raise ServerError(
            f"The platform was asked for names that end in {ending!r} and listed {stray!r}. "
            "Without that filter nobody can tell what the key has already, so nothing was paid "
            "now. Is the environment right, and is this package up to date?"
        )


def identify_content(namespace: str, key: str, *content: str) -> Identity:
    """The identity of anything else that a key has at most one of, and that cannot be changed.

    Raises:
        ValidationError: The key is blank.
    """
    refuse_blank(key=key)
    return Identity(digest(*content), digest(namespace, key))


def digest(*parts: str) -> str:
    """A short text that stands for texts, and tells nothing about them."""
    # JSON keeps the parts apart: ("a", "bc") differs from ("ab", "c").
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_DIGITS]


def readable(name: str) -> str:
    """The part of a name that is for people."""
    return _NOTE.sub("", _MARKER.sub("", name))


def renamed(full_name: str, name: str) -> str:
    """Another name for people, with the identity and the note that the old one carries."""
    found = _MARKER.search(full_name)
    return noted(f"{readable(name)}{found[0] if found else ''}", paused_by(full_name))


def paused_by(full_name: str) -> str | None:
    """Which program has paused a job, by the note in its name; None without a note."""
    found = _NOTE.search(_MARKER.sub("", full_name))
    return found["by"] if found else None


def noted(full_name: str, by: str | None) -> str:
    """A job's name with a note which program pauses it instead of any other, or without one.

    Raises:
        ValidationError: The program's name would not be found again.
    """
    if by is not None and (blank("by", by) or set(by) & set("()")):
        raise ValidationError("pause", [f"by: must be a name without parentheses, not {by!r}"])
    found = _MARKER.search(full_name)
    note = "" if by is None else f" (paused by {by})"
    return f"{readable(full_name)}{note}{found[0] if found else ''}"


def fingerprint_in(name: str) -> str | None:
    """The fingerprint that a name carries, if it carries one."""
    found = _MARKER.search(name)
    return found["fingerprint"] if found else None


def until_turn(
    definitions: Sequence[DefinitionAnswer],
    claim: Claim,
    now: float,
    life: float,
) -> float | None:
    """How long a runner has to let others go first.

    The platform's lists show what was created in the order of its creation, so whoever sees its own
    ticket sees every older one. Its own ticket also tells the runner the platform's time.

    Args:
        definitions: All that carry the key.
        claim: The runner's ticket.
        now: The runner's clock.
        life: Seconds after which a ticket without a job means nothing any more.

    Returns:
        Seconds; 0 when it is its turn, None when its own ticket does not show yet.
    """
    ours = [one for one in definitions if _middle(one.name) == claim.word]
    if not ours:
        return None
    mine = min(ours, key=_order)
    # No later than it really is: so nobody else's ticket is taken for older than it is.
    platform_now = mine.created_at + timedelta(seconds=now - claim.answered)
    ends = [
        one.created_at + timedelta(seconds=life)
        for one in definitions
        if _order(one) < _order(mine) and _middle(one.name) != _DRAFT
    ]
    return max([0.0, *((end - platform_now).total_seconds() for end in ends)])


def _middle(name: str) -> str | None:
    found = _MARKER.search(name)
    return found["middle"] if found else None


def _order(definition: DefinitionAnswer) -> tuple[datetime, str]:
    return definition.created_at, definition.definition_id


def oldest_of(jobs: Sequence[JobListItem]) -> JobListItem:
    """The job that stays. Runners that race agree without talking, so ties are broken by id."""
    return min(jobs, key=age)


def age(job: JobListItem) -> tuple[datetime, str]:
    """What jobs are ordered by, the oldest first."""
    return job.created_at, job.job_id


def job_to_adopt(
    jobs: Sequence[JobListItem], identity: Identity, on_changed: OnChanged
) -> JobListItem | None:
    """The job that this logical task already has: the oldest of those that ask the same.

    Args:
        jobs: What the platform lists for :attr:`Identity.name_ending`.
        identity: The logical task.
        on_changed: What to do if it only has jobs that ask something else.

    Raises:
        SubmissionConflictError: It has one, but that one asks something else.
    """
    same = _asking(jobs, identity.fingerprint)
    if same:
        return oldest_of(same)
    if not jobs or on_changed == "new":
        return None
    newest = max(jobs, key=age)
    found = fingerprint_in(newest.name) or "none"
    if on_changed == "adopt":
        return oldest_of(_asking(jobs, found) or [newest])
    raise SubmissionConflictError(
        f"This key already has job {newest.job_id} ({readable(newest.name)!r}), which asks "
        f"something else (fingerprint {found}, now {identity.fingerprint}). Give back the old spec "
        "and audience to get the old answers, or use a new key or on_changed='new' to pay for a "
        "new job, or on_changed='adopt' to take the old one as it is.",
        job_id=newest.job_id,
        expected=identity.fingerprint,
        found=found,
    )


def duplicates_of(job: JobListItem, jobs: Sequence[JobListItem]) -> list[JobListItem]:
    """Jobs that only a race can have made: they ask the same, are younger, and are not done."""
    return [
        other
        for other in _asking(jobs, fingerprint_in(job.name) or "none")
        if age(other) > age(job) and other.state != JobState.COMPLETED
    ]


def _asking(jobs: Sequence[JobListItem], wanted: str) -> list[JobListItem]:
    return [job for job in jobs if fingerprint_in(job.name) == wanted]


@dataclass(frozen=True)
class Terms:
    """On which a submission may pay.

    Attributes:
        max_cost: The most that the platform may estimate.
        attempt: Which attempt at the logical task it is, from 1.
        on_changed: What to do if the key only has a job that asks something else.
        failure_tolerance: Share of the datapoints that may fail to be uploaded.
        cap: What all jobs may cost together whose keys begin alike.

    Raises:
        ValidationError: They say nothing; it lists every problem.
    """

    max_cost: float | None = None
    attempt: int = 1
    on_changed: OnChanged = "error"
    failure_tolerance: float = 0.0
    cap: SpendCap | None = None

    def __post_init__(self) -> None:
        problems: list[str] = []
        if self.max_cost is not None and not (is_number(self.max_cost) and self.max_cost >= 0):
            problems.append(f"max_cost: must be a number of at least 0, not {self.max_cost!r}")
        problems += attempt_problems(self.attempt)
        if self.on_changed not in get_args(OnChanged):
            known = ", ".join(map(repr, get_args(OnChanged)))
            problems.append(f"on_changed: must be one of {known}, not {self.on_changed!r}")
        if not (is_number(self.failure_tolerance) and 0 <= self.failure_tolerance <= 1):
            problems.append(
                f"failure_tolerance: must be from 0 to 1, not {self.failure_tolerance!r}"
            )
        if problems:
            raise ValidationError("submission", problems)


def attempt_problems(attempt: int) -> list[str]:
    """What is wrong with the number of an attempt."""
    if isinstance(attempt, int) and not isinstance(attempt, bool) and attempt >= 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        return []
    return [f"attempt: counts from 1, so it cannot be {attempt!r}"]


def check_budget(estimated_cost: float, max_cost: float | None) -> None:
    """Refuse before the paid call.

    Raises:
        BudgetExceededError: The estimate is above the limit.
    """
    if max_cost is not None and estimated_cost > max_cost:
        raise BudgetExceededError(
            f"The platform estimates {estimated_cost:.2f}, which is above max_cost={max_cost:.2f}; "
            "no job was created. Raise max_cost, or ask for fewer datapoints or responses.",
            estimated_cost=estimated_cost,
            max_cost=max_cost,
        )
