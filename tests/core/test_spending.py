"""What a spend cap allows. No network, no clock."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapidata_core import errors
from rapidata_core.policy.spending import (
    billed_cost,
    by_job,
    check_cap,
    check_counted,
    counted,
    period_start,
    total,
)
from rapidata_core.types import SpendCap
from rapidata_core.wire.billing import BillingGroup
from rapidata_core.wire.job import JobListItem

# A Saturday.
NOW = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)
MARK = ".cap."


def job(job_id, seconds=0.0):
    return JobListItem(
        job_id=job_id,
        name=f"n [rk:f{MARK}k]",
        job_definition_id="d",
        audience_id="a",
        state="Running",
        created_at=NOW + timedelta(seconds=seconds),
    )


def group(group_id, job_id, cost, count):
    return BillingGroup(id=group_id, job_id=job_id, net_cost=cost, response_count=count)


# --- the cap itself -------------------------------------------------------------------------------


@pytest.mark.parametrize("period", ["day", "week", "month", timedelta(hours=6)])
def test_caps(period):
    assert SpendCap("dag/", 0, period).period == period


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((" ", 1.0, "day"), "prefix"),
        ((None, 1.0, "day"), "prefix"),
        (("p", -0.01, "day"), "amount"),
        (("p", float("nan"), "day"), "amount"),
        (("p", float("inf"), "day"), "amount"),
        (("p", "5", "day"), "amount"),
        (("p", True, "day"), "amount"),
        (("p", 1.0, "year"), "period"),
        (("p", 1.0, None), "period"),
        (("p", 1.0, timedelta(0)), "period"),
        (("p", 1.0, timedelta(seconds=-1)), "period"),
        (("p", 1.0, timedelta.max), "period"),
    ],
)
def test_a_cap_that_limits_nothing_is_refused(arguments, problem):
    with pytest.raises(errors.ValidationError) as caught:
        SpendCap(*arguments)
    assert [found.split(":")[0] for found in caught.value.problems] == [problem]


def test_all_problems_of_a_cap_at_once():
    with pytest.raises(errors.ValidationError) as caught:
        SpendCap("", -1, "year")
    assert len(caught.value.problems) == 3


def test_a_key_that_the_cap_is_not_about():
    cap = SpendCap("dag/", 1.0, "day")
    cap.check_key("dag/2026-11-21")
    with pytest.raises(errors.ValidationError, match="'dag/'"):
        cap.check_key("dog/2026-11-21")


# --- periods --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "begin"),
    [
        ("day", datetime(2026, 11, 21, tzinfo=UTC)),
        ("week", datetime(2026, 11, 16, tzinfo=UTC)),
        ("month", datetime(2026, 11, 1, tzinfo=UTC)),
        (timedelta(hours=16), datetime(2026, 11, 20, 23, 30, tzinfo=UTC)),
    ],
)
def test_the_beginning_of_a_period(period, begin):
    assert period_start(period, NOW) == begin


def test_days_are_those_of_utc_wherever_the_moment_was_read():
    early = datetime.fromisoformat("2026-11-21T01:00:00+02:00")
    assert period_start("day", early) == datetime(2026, 11, 20, tzinfo=UTC)


@settings(deadline=None)
@given(hours=st.integers(0, 10**5), period=st.sampled_from(["day", "week", "month"]))
def test_a_moment_lies_in_its_period(hours, period):
    moment = NOW + timedelta(hours=hours)
    begin = period_start(period, moment)
    assert begin <= moment < begin + timedelta(days={"day": 1, "week": 7, "month": 31}[period])
    assert period_start(period, begin) == begin


# --- what counts ----------------------------------------------------------------------------------


def test_a_list_that_ignores_the_filter_is_not_believed():
    check_counted([job("a").name], MARK)
    with pytest.raises(errors.ServerError, match='listed "A stranger\'s"'):
        check_counted([job("a").name, "A stranger's"], MARK)


def test_what_is_older_counts_and_the_job_itself():
    older, twin, mine, younger = job("z"), job("a", 1), job("b", 1), job("c", 1)
    assert counted([younger, mine, twin, older], mine) == [twin, older, mine]
    assert counted([older], mine) == [older, mine]
    assert counted([younger, older], None) == [younger, older]


def test_sums_are_exact():
    assert total([0.1] * 3) == 0.3
    assert total([]) == 0
    check_cap(total([0.1, 0.1]), 0.1, SpendCap("p", 0.3, "day"))


def test_what_is_above_the_cap():
    cap = SpendCap("dag/", 5.0, "day")
    with pytest.raises(errors.BudgetExceededError) as caught:
        check_cap(4.8, 0.3, cap)
    assert str(caught.value).startswith(
        "The jobs whose keys begin with 'dag/' may cost 5.00 per day. Committed is 4.80, and "
        "the platform estimates 0.30 for this job: 5.10 in all."
    )
    assert (caught.value.estimated_cost, caught.value.max_cost) == (5.1, 5.0)
    check_cap(5.0, 0.0, cap)
    with pytest.raises(errors.BudgetExceededError, match=r"Committed is 5\.01: 5\.01 in all"):
        check_cap(5.01, 0.0, cap)
    with pytest.raises(errors.BudgetExceededError, match=r"5\.00 within 6:00:00"):
        check_cap(5.0, 0.01, SpendCap("dag/", 5.0, timedelta(hours=6)))


# --- the bill -------------------------------------------------------------------------------------


def test_a_job_costs_what_its_entries_say_together():
    entries = [group("1", "j", 0.1, 10), group("2", "j", 0.2, 20), group("3", None, 9.0, 900)]
    bill = by_job([*entries, entries[0]])
    assert bill == {"j": entries[:2]}
    assert billed_cost(bill["j"], 30) == 0.3


@pytest.mark.parametrize(
    ("entries", "answers"),
    [
        ([], 0),
        ([group("1", "j", 0.1, 10)], 11),
        ([group("1", "j", 0.1, 10)], None),
    ],
)
def test_a_bill_that_is_not_complete_tells_nothing(entries, answers):
    assert billed_cost(entries, answers) is None


# --- two runners ----------------------------------------------------------------------------------


class Platform:
    """A job list in the order of creation, of which a reader may miss the newest."""

    def __init__(self, amounts):
        self.jobs = [job(f"old {n}") for n in range(len(amounts))]
        self.costs = {one.job_id: amount for one, amount in zip(self.jobs, amounts, strict=True)}
        self.deleted = set()

    def create(self, job_id, amount):
        self.jobs.append(job(job_id, len(self.jobs)))
        self.costs[job_id] = amount
        return self.jobs[-1]

    def listed(self, missed):
        shown = self.jobs[: len(self.jobs) - missed]
        return [one for one in shown if one.job_id not in self.deleted]

    def sum_of(self, jobs):
        return total(self.costs[one.job_id] for one in jobs)


def run(platform, cap, job_id, amount, draw):
    """One submission, as the client makes it; yields between any two of its requests."""
    missed = draw(st.integers(0, len(platform.jobs)))
    try:
        check_cap(platform.sum_of(counted(platform.listed(missed), None)), amount, cap)
        yield
        mine = platform.create(job_id, amount)
        yield
        # What is older than a job that shows, shows.
        younger = len(platform.jobs) - 1 - platform.jobs.index(mine)
        missed = draw(st.integers(0, younger))
        spent = platform.sum_of(counted(platform.listed(missed), mine))
        yield
        check_cap(spent, 0.0, cap)
    except errors.BudgetExceededError:
        platform.deleted.add(job_id)


cents = st.integers(0, 600).map(lambda count: count / 100)


@settings(deadline=None)
@given(
    before=st.lists(cents, max_size=5),
    amounts=st.tuples(cents, cents),
    limit=cents,
    data=st.data(),
)
def test_racing_runners_never_keep_more_than_the_cap(before, amounts, limit, data):
    platform, cap = Platform(before), SpendCap("p", limit, "day")
    names = ["a", "b"]
    runners = {
        name: run(platform, cap, name, amount, data.draw)
        for name, amount in zip(names, amounts, strict=True)
    }
    while runners:
        name = data.draw(st.sampled_from(sorted(runners)), label="whose turn")
        if next(runners[name], "ended") == "ended":
            del runners[name]
    kept = [one for one in platform.listed(0) if one.job_id in names]
    assert not kept or platform.sum_of(platform.listed(0)) <= limit
    if total([*before, *amounts]) <= limit:
        assert len(kept) == 2
    older = next((one for one in platform.jobs if one.job_id in names), None)
    if older is not None and total([*before, platform.costs[older.job_id]]) <= limit:
        assert older in kept
