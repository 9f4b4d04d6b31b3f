"""What a spend cap allows, and what a bill tells about a job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from rapidata_core.errors import BudgetExceededError, ServerError
from rapidata_core.policy.submission import age
from rapidata_core.types import Calendar, SpendCap
from rapidata_core.wire.billing import BillingGroup
from rapidata_core.wire.job import JobListItem


def period_start(period: Calendar | timedelta, moment: datetime) -> datetime:
    """When the period began that a moment lies in."""
    if isinstance(period, timedelta):
        return moment - period
    midnight = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days_before = {"day": 0, "week": midnight.weekday(), "month": midnight.day - 1}
    return midnight - timedelta(days=days_before[period])


def check_counted(names: Iterable[str], mark: str) -> None:
    """Make sure that a list was filtered by the mark that a cap's jobs have in their names.

    Raises:
        ServerError: It was not.
    """
    stray = next((name for name in names if mark not in name), None)
    if stray is not None:
        raise ServerError(
            f"The platform was asked for names that contain {mark!r} and listed {stray!r}. Without "
            "that filter nobody can tell what a spend cap leaves. Is the environment right, and is "
            "this package up to date?"
        )


def counted(jobs: Iterable[JobListItem], until: JobListItem | None) -> list[JobListItem]:
    """The jobs that use a cap up before its turn comes to somebody.

    Args:
        jobs: All jobs of the cap.
        until: The job whose turn it is: it and what is older counts, so runners that race agree
            without talking which of them is above the cap. None is somebody who has no job yet.
    """
    if until is None:
        return list(jobs)
    older = [job for job in jobs if age(job) < age(until)]
    # Also where the list does not show it yet.
    return [*older, until]


def total(amounts: Iterable[float]) -> float:
    """A sum as people make it: ten times 0.1 is 1, and does not exceed it."""
    return float(sum((Decimal(str(amount)) for amount in amounts), Decimal(0)))


def check_cap(committed: float, estimated: float, cap: SpendCap) -> None:
    """Refuse what a spend cap does not allow.

    Args:
        committed: What the jobs that count already cost.
        estimated: What the platform expects another one to cost; 0 for a job that counts already.
        cap: The limit.

    Raises:
        BudgetExceededError: Together it is above the cap.
    """
    wanted = total([committed, estimated])
    if wanted <= cap.amount:
        return
    span = "within" if isinstance(cap.period, timedelta) else "per"
    estimate = f", and the platform estimates {estimated:.2f} for this job" if estimated else ""
    raise BudgetExceededError(
        f"The jobs whose keys begin with {cap.prefix!r} may cost {cap.amount:.2f} {span} "
        f"{cap.period}. Committed is {committed:.2f}{estimate}: {wanted:.2f} in all. Wait for the "
        "next period, raise the cap, or ask for fewer datapoints or responses.",
        estimated_cost=wanted,
        max_cost=cap.amount,
    )


def by_job(groups: Iterable[BillingGroup]) -> dict[str, list[BillingGroup]]:
    """A bill's entries about jobs. A job has one in each billing period that it lasted into."""
    found: dict[str, list[BillingGroup]] = {}
    # By id: pages that shift while they are read can show an entry twice.
    for group in {group.id: group for group in groups}.values():
        if group.job_id is not None:
            found.setdefault(group.job_id, []).append(group)
    return found


def billed_cost(groups: Sequence[BillingGroup], response_count: int | None) -> float | None:
    """What a completed job has cost; None while its answers are not all on the bill.

    Args:
        groups: The bill's entries about it.
        response_count: How many answers it has; None if the platform does not tell.
    """
    if not groups or response_count is None:
        return None
    if sum(group.response_count for group in groups) < response_count:
        return None
    return total(group.net_cost for group in groups)
