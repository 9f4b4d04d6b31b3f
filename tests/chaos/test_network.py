"""A network that breaks every tenth request; see :mod:`tests.chaos.network`."""

from tests.chaos.network import MOST_REQUESTS, endure


def test_every_submission_succeeds_and_few_requests_are_wasted():
    usual, endured = endure(10, share=0.0), endure(200)
    assert (endured.lost, endured.duplicates) == (0, 0)
    assert 1 < endured.per_submission / usual.per_submission <= MOST_REQUESTS


def test_a_network_that_breaks_everything_loses_everything():
    assert endure(2, share=1.0).lost == 2
