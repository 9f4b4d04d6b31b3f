"""Signals: the vendor's SDK runs the documents' examples, and we read the same."""

from datetime import timedelta

import pytest

PAIRS = [["https://assets.rapidata.ai/flux_book.jpg", "https://assets.rapidata.ai/mj_book.jpg"]]
CONTEXTS = ["A small blue book sitting on a large red book."]


@pytest.fixture
def definition(vendor):
    return vendor.job.create_compare_job_definition(
        name="Prompt Alignment Job",
        instruction="Which image follows the prompt more accurately?",
        datapoints=PAIRS,
        contexts=CONTEXTS,
    )


@pytest.fixture
def signal(vendor, definition):
    return vendor.signals.create_signal(
        name="Daily prompt alignment",
        audience=vendor.audience.get_audience_by_id("aud_MU1GZYoESyO"),
        job_definition=definition,
        interval_hours=24,
    )


def same(theirs, ours):
    """Whether both clients read the same signal."""
    names = (
        "id", "name", "description", "audience_id", "job_definition_id", "revision_number",
        "interval_hours", "next_run_at", "last_run_at", "is_paused", "is_public", "created_at",
    )  # fmt: skip
    return [name for name in names if getattr(theirs, name) != getattr(ours, name)] == []


def test_both_read_the_same_signal(vendor, ours, signal):
    assert same(signal, ours.signals.get_signal_by_id(signal.id))
    [theirs], [mine] = vendor.signals.find_signals(name="align"), ours.signals.find_signals("align")
    assert same(theirs, mine)
    pinned = ours.signals.create_signal(
        "Pinned", "global", signal.job_definition_id, 0.25, "for tests", 1, True
    )
    theirs = vendor.signals.get_signal_by_id(pinned.id)
    assert same(theirs, pinned)
    assert (theirs.revision_number, theirs.is_public) == (1, True)


def test_the_vendor_gets_the_job_of_its_trigger(vendor, ours, signal, sandbox):
    signal.trigger()
    job = signal.wait_for_next_job(timeout=60, poll_interval=0.1)
    # Our client, which saw nothing of the trigger, knows the run.
    [run] = ours.signals.get_signal_by_id(signal.id).get_runs()
    assert (run.job_id, run.trigger_source) == (job.id, "Manual")
    sandbox.advance(3600)
    theirs = job.get_results()
    assert theirs == ours.job.get_job_by_id(job.id).get_results()
    sandbox.assert_paid_jobs(1)


def test_we_get_the_job_of_our_trigger_and_the_vendor_sees_it(vendor, ours, signal):
    mine = ours.signals.get_signal_by_id(signal.id)
    mine.trigger()
    job = mine.wait_for_next_job(timeout=60, poll_interval=0.1)
    assert [one.id for one in signal.get_jobs()] == [job.id]


def test_both_list_the_same_jobs(vendor, ours, signal, sandbox):
    for _ in range(3):
        sandbox.advance(24 * 3600)
    mine = ours.signals.get_signal_by_id(signal.id)
    for arguments in ({}, {"sort_descending": False}, {"page": 2, "page_size": 2}):
        assert [job.id for job in signal.get_jobs(**arguments)] == [
            job.id for job in mine.get_jobs(**arguments)
        ]
    assert len(signal.get_jobs()) == 3
    sandbox.assert_paid_jobs(3)


def test_the_vendor_manages_a_signal(vendor, ours, signal, sandbox):
    signal.pause()
    assert ours.signals.get_signal_by_id(signal.id).is_paused
    sandbox.advance(3 * 24 * 3600)
    assert signal.get_jobs() == []
    signal.resume()
    described = ours.signals.get_signal_by_id(signal.id)
    described.update(description="kept")
    # The vendor's SDK sends a null for the description that it does not change.
    signal.update(name="Hourly prompt alignment", interval_hours=1)
    mine = ours.signals.get_signal_by_id(signal.id)
    assert same(signal, mine)
    assert (mine.name, mine.interval_hours, mine.description) == (
        "Hourly prompt alignment",
        1,
        "kept",
    )
    assert mine.next_run_at - described.next_run_at < timedelta(0)
    signal.delete()
    assert vendor.signals.find_signals() == ours.signals.find_signals() == []


def test_a_skipped_run_has_no_job(vendor, ours, signal, sandbox):
    from rapidata_core import errors

    mine = ours.signals.get_signal_by_id(signal.id)
    mine.trigger()
    job = mine.wait_for_next_job(timeout=60, poll_interval=0.1)
    sandbox.set_job_state(job.id, "Paused")
    signal.trigger()
    sandbox.advance(5)
    # The vendor's SDK, which knows runs by our clock alone, could take the first job for this one.
    assert [one.id for one in signal.get_jobs()] == [job.id]
    assert [run.status for run in mine.get_runs()] == ["Skipped", "Running"]
    mine.trigger()
    with pytest.raises(errors.SignalRunError, match="still open"):
        mine.wait_for_next_job(timeout=60, poll_interval=0.1)
