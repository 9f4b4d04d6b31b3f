"""Submissions in any order; see :mod:`tests.chaos.machine`."""

from hypothesis import HealthCheck, settings

from tests.chaos.machine import Submissions

TestSubmissions = Submissions.TestCase
TestSubmissions.settings = settings(
    max_examples=60,
    stateful_step_count=12,
    deadline=None,
    # The same in every run: what a lucky draw finds is no news about the change at hand.
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
