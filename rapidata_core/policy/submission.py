"""The identity of a logical task, and what to do about the jobs that already carry it.

The platform has no idempotency key, but jobs and definitions have names and can be listed by the
end of their name. So every name ends in a marker::

    Prompt alignment [rk:<fingerprint>.<key>]

The key part identifies the logical task, the fingerprint part what it asks. The platform's own
list is the ledger; nothing is stored on our side.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidata_core.errors import (
    BudgetExceededError,
    ServerError,
    SubmissionConflictError,
    ValidationError,
    refuse_blank,
)
from rapidata_core.jobs.spec import JobSpec
from rapidata_core.wire.job import JobListItem

_MARKER = re.compile(r" \[rk:(?P<fingerprint>[0-9a-f]+)\.(?P<key>[0-9a-f]+)\]$")
# 16 hex digits = 64 bits: among a million keys the chance of a collision is below 1e-7.
_DIGITS = 16
# After a lost answer, look this many seconds apart whether the job is there.
SETTLE_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)


@dataclass(frozen=True)
class Identity:
    """A logical task as it stands in names.

    Attributes:
        fingerprint: What is asked of whom: a digest of the spec and the audience.
        key: Which logical task it is: a digest of the namespace and the caller's key.
    """

    fingerprint: str
    key: str

    @property
    def name_ending(self) -> str:
        """The end of every name of this logical task, whatever it asks."""
        return f".{self.key}]"

    def name(self, readable: str) -> str:
        """A name for people that carries the identity at its end."""
        return f"{readable} [rk:{self.fingerprint}.{self.key}]"


def fingerprint(spec: JobSpec, audience_id: str) -> str:
    """What is asked of whom, as a short text; the spec's name is for people and does not count."""
    content = spec.model_dump_json(exclude_defaults=True, exclude={"name"})
    return _digest(spec.type, audience_id, content)


def identify(spec: JobSpec, audience_id: str, key: str, namespace: str) -> Identity:
    """Give a logical task its identity.

    Raises:
        ValidationError: The key or the audience is blank; every blank key would be the same task.
    """
    refuse_blank(key=key, audience=audience_id)
    return Identity(fingerprint=fingerprint(spec, audience_id), key=_digest(namespace, key))


def identify_order(definition_id: str, audience_id: str) -> Identity:
    """The identity of an order: a definition that is run once, whatever else is done with it."""
    return Identity(
        fingerprint=_digest("definition", definition_id, audience_id),
        key=_digest("order", definition_id),
    )


def _digest(*parts: str) -> str:
    # JSON keeps the parts apart: ("a", "bc") differs from ("ab", "c").
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_DIGITS]


def readable(name: str) -> str:
    """The part of a name that is for people."""
    return _MARKER.sub("", name)


def renamed(full_name: str, name: str) -> str:
    """Another name for people, with the identity that the old one carries."""
    found = _MARKER.search(full_name)
    return f"{readable(name)}{found[0] if found else ''}"


def fingerprint_in(name: str) -> str | None:
    """The fingerprint that a name carries, if it carries one."""
    found = _MARKER.search(name)
    return found["fingerprint"] if found else None


def check_listing(names: Iterable[str], identity: Identity) -> None:
    """Make sure that a list was filtered by :attr:`Identity.name_ending`.

    A list that ignores the filter says nothing about the key: believing it would adopt a
    stranger's job, or pay again.

    Raises:
        ServerError: It was not; nothing was paid.
    """
    stray = next((name for name in names if not name.endswith(identity.name_ending)), None)
    if stray is not None:
        raise ServerError(
            f"The platform was asked for names that end in {identity.name_ending!r} and listed "
            f"{stray!r}. Without that filter nobody can tell what was paid already, so nothing "
            "was paid now. Is the environment right, and is this package up to date?"
        )


def oldest_of(jobs: Sequence[JobListItem]) -> JobListItem:
    """The job that stays. Runners that race agree without talking, so ties are broken by id."""
    return min(jobs, key=lambda job: (job.created_at, job.job_id))


def job_to_adopt(jobs: Sequence[JobListItem], identity: Identity) -> JobListItem | None:
    """The job that this logical task already has: the oldest of those that carry its key.

    Args:
        jobs: What the platform lists for :attr:`Identity.name_ending`.
        identity: The logical task.

    Raises:
        SubmissionConflictError: It has one, but that one asks something else.
    """
    if not jobs:
        return None
    oldest = oldest_of(jobs)
    found = fingerprint_in(oldest.name) or "none"
    if found != identity.fingerprint:
        raise SubmissionConflictError(
            f"This key already has job {oldest.job_id} ({readable(oldest.name)!r}), which asks "
            f"something else (fingerprint {found}, now {identity.fingerprint}). Use a new key to "
            "pay for a new job, or give back the old spec and audience to get the old answers.",
            job_id=oldest.job_id,
            expected=identity.fingerprint,
            found=found,
        )
    return oldest


def check_max_cost(max_cost: float | None) -> None:
    """Refuse a limit that limits nothing.

    Raises:
        ValidationError: It is negative or not a number.
    """
    if max_cost is None:
        return
    is_number = isinstance(max_cost, (int, float)) and not isinstance(max_cost, bool)  # pyright: ignore[reportUnnecessaryIsInstance]
    if not is_number or not max_cost >= 0:
        raise ValidationError("max_cost", [f"must be a number of at least 0, not {max_cost!r}"])


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
