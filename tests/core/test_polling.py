"""When to look again. No network, no clock."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapidata_core import errors
from rapidata_core.policy.polling import (
    ErrorBudget,
    Patience,
    PollingPolicy,
    audience_is_gone,
    out_of_time,
    pages,
    pause,
    reactions,
)
from rapidata_core.wire.model import PAGE_SIZE

CHANCE = random.Random(1)
DUES = st.lists(st.tuples(st.floats(0, 100), st.integers(0, 400).map(str)), max_size=500)


@given(DUES, st.floats(0, 100))
def test_all_who_are_due_are_asked_about_once_on_full_pages(dues, now):
    asked = pages(dues, now)
    together = [job_id for page in asked for job_id in page]
    due = {job_id for due, job_id in dues if due <= now}
    assert len(together) == len(set(together))
    assert due <= set(together)
    # No page more than they need, and no id more than fits.
    assert len(asked) == -(-len(due) // PAGE_SIZE)
    assert all(len(page) == PAGE_SIZE for page in asked[:-1])
    assert all(len(page) <= PAGE_SIZE for page in asked)
    # Room that is left is used, for those who are due next.
    if asked and len(asked[-1]) < PAGE_SIZE:
        assert set(together) == {job_id for _, job_id in dues}
    first = {}
    for when, job_id in sorted(dues):
        first.setdefault(job_id, when)
    left_out = [when for job_id, when in first.items() if job_id not in together]
    assert not asked or not left_out or max(first[job_id] for job_id in together) <= min(left_out)


@given(
    st.lists(st.sampled_from([None, 0.2, 3.0, 30.0]), min_size=1, max_size=250),
    st.integers(0, 2**32),
)
def test_nobody_starves(intervals, seed):
    chance = random.Random(seed)
    policies = [
        PollingPolicy() if each is None else PollingPolicy(fastest=each, slowest=each)
        for each in intervals
    ]
    waiting = [Patience(policy, chance.uniform(0, 3), None) for policy in policies]
    looked = [one.started for one in waiting]
    now, requests = 0.0, 0
    while now < 40:
        for page in pages([(one.due, str(n)) for n, one in enumerate(waiting)], now):
            requests += 1
            for index in map(int, page):
                policy = policies[index]
                longest = min(max(policy.fastest, now * policy.growth), policy.slowest) * 1.1
                assert now - looked[index] <= longest + 0.06
                looked[index] = now
                waiting[index].postpone(now, chance)
        now += 0.05
    assert all(one.due > now - 0.06 for one in waiting)
    # Never more often than the most eager would ask alone, page by page, once they are all there.
    fastest = min(policy.fastest for policy in policies)
    rounds = 40 / (fastest * 0.9)
    assert requests <= -(-len(waiting) // PAGE_SIZE) * rounds + len(waiting)


def test_pauses_grow_while_nobody_is_at_work():
    policy = PollingPolicy()
    for state in ("Submitted", "Queued", "Paused", "ManualApproval"):
        assert pause(0, policy, CHANCE, state=state) > 3.5
    for state in ("Running", "SomethingNew", ""):
        assert pause(0, policy, CHANCE, state=state) < 2.3
    # Whoever says how often to look is obeyed.
    steady = PollingPolicy(fastest=1.0, slowest=1.0)
    assert pause(9999, steady, CHANCE, state="Queued", misses=5) <= 1.1


def test_pauses_grow_with_each_look_in_vain():
    pauses = [pause(0, PollingPolicy(), CHANCE, misses=misses) for misses in range(6)]
    assert pauses == sorted(pauses)
    assert pauses[3] >= 16 * 0.9
    assert pause(0, PollingPolicy(), CHANCE, misses=100_000) <= 66


def test_the_last_look_is_at_the_deadline_and_not_before():
    patience = Patience(PollingPolicy(fastest=60.0), 100.0, 5.0)
    assert (patience.due, patience.is_over(100.0)) == (100.0, False)
    patience.postpone(100.5, CHANCE)
    assert patience.due == patience.deadline == 105.0
    assert patience.is_over(patience.due)
    # Whoever is still there afterwards does not ask again and again.
    patience.postpone(105.1, CHANCE)
    assert patience.due > 150
    assert Patience(PollingPolicy(), 7.0, 0).is_over(7.0)
    assert not Patience(PollingPolicy(), 7.0, None).is_over(1e12)


def test_failures_in_a_row_are_counted_in_time():
    budget = ErrorBudget(10.0)
    assert not budget.is_spent(0.0)
    assert not budget.is_spent(10.0)
    budget.refill()
    assert not budget.is_spent(11.0)
    assert not budget.is_spent(21.0)
    assert budget.is_spent(21.5)


def test_wishes_for_states_in_which_somebody_has_to_act():
    assert reactions(None) == {}
    wishes = {"Paused": "resume", "StaleResults": "wait", "Blocked": "fail"}
    assert reactions(wishes) == wishes
    with pytest.raises(errors.ValidationError) as caught:
        reactions({"Running": "wait", "StaleResults": "resume", "Paused": "hope"})
    assert len(caught.value.problems) == 3
    assert all(problem.startswith("on_attention") for problem in caught.value.problems)


def test_what_is_said_names_the_job():
    assert out_of_time("j", None, 3).state == "unknown"
    assert "Job j is not done after 3 s" in str(out_of_time("j", "Running", 3.2))
    assert "audience a is gone" in str(audience_is_gone("j", "Running", "a"))
