"""Two faults anywhere in the attempts at one task; see :mod:`tests.chaos.schedules`.

A failure names the command that shows what happened.
"""

import os
import subprocess
import sys

import pytest

from tests.chaos.platform import Fault
from tests.chaos.runner import SETTLE
from tests.chaos.schedules import ANY, Schedule, judge, judge_all, judge_schedule
from tests.chaos.tasks import TASKS

# Apart, so that pytest-xdist can share them out.
PART = 125
OTHERS = 100


@pytest.mark.parametrize("first", range(0, 1500, PART))
def test_one_job_is_paid_and_everybody_gets_it(first):
    verdicts = judge_all(range(first, first + PART))
    assert [f"{one} {one.replay}" for one in verdicts if not one.good] == []


@pytest.mark.parametrize("verb", sorted(TASKS.keys() - {"submit"}))
def test_everything_else_is_paid_once(verb):
    assert [f"{one} {one.replay}" for one in judge_all(range(OTHERS), verb) if not one.good] == []


@pytest.mark.parametrize("number", range(1, 21))
def test_who_wakes_up_when_others_have_taken_over_clears_up(number):
    """This breaks the assumption, so two jobs may be paid; one of them is given back at once."""
    asleep = Fault("answer", stall=5 * SETTLE)
    schedule = Schedule({(0, ANY, number): asleep}, starts=[0.0, 1.0], pauses=[0.0], lag=0.0)
    assert judge_schedule(schedule).good


def test_without_tickets_jobs_are_paid_twice(monkeypatch):
    """Else the judge would be blind."""
    monkeypatch.setattr("rapidata_core._async.submit.until_turn", lambda *_: 0.0)
    monkeypatch.setattr("rapidata_core._async.submit.duplicates_of", lambda *_: [])
    assert any(verdict.duplicates for verdict in judge_all(range(200)))


@pytest.mark.parametrize(
    ("verb", "broken"),
    [
        # Whoever is asked for the list says that there is nobody.
        ("trigger", "rapidata_core._async.trigger.until_settled"),
        ("ranking batch", "rapidata_core._async.batches.until_settled"),
        ("evaluate_model", "rapidata_core._async.benchmarks.until_settled"),
    ],
)
def test_without_looking_until_it_must_show_it_is_paid_twice(monkeypatch, verb, broken):
    async def look_once(look, **_):
        return await look()

    monkeypatch.setattr(broken, look_once)
    assert any(not verdict.good for verdict in judge_all(range(OTHERS), verb))


def test_without_clearing_up_signals_are_paid_twice(monkeypatch):
    """Nothing can be their ticket, but they cost nothing before they fire."""

    async def keep_all(_, signals):
        return next(iter(signals), None)

    monkeypatch.setattr("rapidata_core._async.signals.AsyncSignals._keep_oldest", keep_all)
    assert any(verdict.duplicates for verdict in judge_all(range(OTHERS), "create_signal"))


def test_without_patience_tasks_are_lost(monkeypatch):
    killed = {(0, ANY, number): Fault("killed") for number in range(1, 9)}
    assert judge_schedule(Schedule(killed, starts=[0.0], pauses=[0.0] * 8, lag=0.0)).lost


def test_who_never_stops_is_unfinished(monkeypatch):
    monkeypatch.setattr("tests.chaos.schedules.ENDLESS", 10)
    assert judge(0).unfinished


def test_a_replay_is_the_same_in_any_process():
    first, second = (
        subprocess.run(
            # Two runners, and lists that lag.
            [sys.executable, "-m", "tests.chaos.replay", "8"],
            env={**os.environ, "PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for salt in ("1", "2")
    )
    assert "worker 1, " in first
    assert first == second
