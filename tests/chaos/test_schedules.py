"""Two faults anywhere in the submissions of a key; see :mod:`tests.chaos.schedules`.

A failure names its seed; ``python -m tests.chaos.replay SEED`` shows what happened.
"""

import os
import subprocess
import sys

import pytest

from tests.chaos.platform import Fault
from tests.chaos.runner import SETTLE
from tests.chaos.schedules import ANY, Schedule, judge, judge_all, judge_schedule

# Apart, so that pytest-xdist can share them out.
PART = 125


@pytest.mark.parametrize("first", range(0, 1500, PART))
def test_one_job_is_paid_and_everybody_gets_it(first):
    verdicts = judge_all(range(first, first + PART))
    assert [f"{one} {one.replay}" for one in verdicts if not one.good] == []


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
