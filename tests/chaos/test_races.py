"""Twenty submissions of one key at the same moment; see :mod:`tests.chaos.races`."""

from tests.chaos.races import PROCESSES, THREADS, race


def test_one_job_remains():
    (run,) = race()
    assert (run.runners, run.duplicates, run.lost) == (PROCESSES * THREADS, 0, 0), run.notes
