"""Referees: how many answers a datapoint gets, and what is charged for them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapidata_core.sandbox import collection, stopping
from rapidata_core.sandbox.tasks import Referee


def define(platform, wire, referee, points=12, options="ab"):
    rows = [
        [
            wire.segment("asset", "Asset", {"_t": "TextAssetInput", "text": f"text {n}"}),
            wire.segment("answer_options", "OptionList", wire.options(options)),
        ]
        for n in range(points)
    ]
    body = {
        "definitionName": "stops early",
        "workflow": wire.classification_workflow(),
        "referee": referee,
        "datasetId": platform.dataset(rows, wire.classification_schema),
    }
    return platform.ok("POST", "/job/definition", body)["definitionId"]


def counts(file):
    return [len(entry["detailedResults"]) for entry in file["results"]]


def check_money(platform, job_id, responses):
    """Whoever stops early pays for what was answered; estimates are for the most there can be."""
    ledger = platform.sandbox.ledger()
    amounts = [Decimal(str(entry["amount"])) for entry in ledger["entries"]]
    assert sum(amounts) == Decimal(1000) - Decimal(str(ledger["balance"]))
    assert amounts[-1] == Decimal(responses) / 100
    assert platform.ok("GET", f"/job/{job_id}/progress")["responseCount"] == responses


def test_confidence_as_in_the_platform_s_documents():
    votes = [("Dog", score) for score in (0.3, 0.8486, 0.4469, 0.4911)]
    found = stopping.confidences(["Dog", "Cat"], votes)
    assert {option: round(value, 4) for option, value in found.items()} == {
        "Dog": 0.9943,
        "Cat": 0.0057,
    }
    referee = Referee(votes=50, confidence=0.99)
    assert stopping.stops_after(referee, ["Dog", "Cat"], votes) == 4
    assert stopping.stops_after(referee, ["Dog", "Cat"], votes[:3]) is None


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1)), max_size=30),
    st.floats(0.5, 0.99),
)
def test_confidences_are_probabilities_and_one_vote_is_never_final(votes, threshold):
    found = stopping.confidences("abc", votes)
    assert sum(found.values()) == pytest.approx(1)
    assert all(0 <= value <= 1 for value in found.values())
    stop = stopping.stops_after(Referee(30, confidence=threshold), "abc", votes)
    reached = [
        max(stopping.confidences("abc", votes[: n + 1]).values()) >= threshold
        for n in range(len(votes))
    ]
    assert stop == (reached.index(True) + 1 if True in reached else None)


@given(
    st.lists(st.sampled_from("ab"), min_size=10, max_size=10),
    st.integers(1, 10),
)
def test_a_quorum_is_reached_or_impossible(options, quorum):
    votes = [(option, 0.5) for option in options]
    stop = stopping.stops_after(Referee(10, quorum=quorum), "ab", votes)
    assert stop is not None
    before, after = options[: stop - 1], options[:stop]

    def over(given):
        most = max(given.count("a"), given.count("b"))
        return most >= quorum or most + 10 - len(given) < quorum

    assert over(after)
    assert not over(before)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=8), st.data())
def test_answers_arrive_round_after_round_until_each_has_enough(stops, data):
    answered = data.draw(st.integers(0, sum(stops)))
    got = collection.counts_of(stops, answered)
    assert sum(got) == answered
    assert all(count <= stop for count, stop in zip(got, stops, strict=True))
    # Nobody gets a round ahead of somebody who wants more.
    waiting = [count for count, stop in zip(got, stops, strict=True) if count < stop]
    assert not waiting or max(got) <= min(waiting) + 1


def test_confidence_stops_every_datapoint_by_itself(platform, wire):
    referee = {"_t": "EarlyStoppingReferee", "threshold": 0.99, "maxVotes": 50}
    definition_id = define(platform, wire, referee)
    job_id = platform.job(definition_id)
    platform.sandbox.advance(4)
    progress = platform.ok("GET", f"/job/{job_id}/progress")
    assert 0 < progress["completionPercentage"] < 100
    platform.sandbox.advance(3600)
    file = platform.results(job_id)
    got = counts(file)
    assert len(set(got)) > 2
    assert sum(got) < 12 * 20
    for entry in file["results"]:
        confidence = entry["confidencePerCategory"]
        assert list(confidence) == ["a", "b"]
        assert sum(confidence.values()) == pytest.approx(1, abs=0.001)
        assert max(confidence.values()) >= 0.99 or len(entry["detailedResults"]) == 50
    check_money(platform, job_id, sum(got))
    progress = platform.ok("GET", f"/job/{job_id}/progress")
    assert (progress["completed"], progress["completionPercentage"]) == (12, 100.0)
    estimate = platform.ok("GET", f"/job/definition/{definition_id}/cost-estimate")
    assert (estimate["requiredResponses"], estimate["estimatedCost"]) == (600, 6.0)


def test_a_quorum_stops_comparisons(platform, wire):
    body = {
        "definitionName": "quorum",
        "workflow": wire.compare_workflow(),
        "referee": {"_t": "QuorumReferee", "threshold": 7, "maxVotes": 10},
        "datasetId": platform.pairs(20),
    }
    job_id = platform.job(platform.ok("POST", "/job/definition", body)["definitionId"])
    platform.sandbox.advance(3600)
    file = platform.results(job_id)
    for entry in file["results"]:
        assert "confidencePerCategory" not in entry
        voted = [detail["votedFor"] for detail in entry["detailedResults"]]
        most = max(entry["aggregatedResults"].values())
        assert most == 7 or 10 - len(voted) + most < 7
        last = voted[-1]
        assert most < 7 or voted.count(last) == 7
    assert {7, 8} & set(counts(file))
    check_money(platform, job_id, sum(counts(file)))


def test_a_budget_is_shared(platform, wire):
    definition_id = define(platform, wire, {"_t": "BudgetReferee", "totalBudget": 50})
    job_id = platform.job(definition_id)
    platform.sandbox.advance(3600)
    assert sorted(counts(platform.results(job_id))) == [4] * 10 + [5] * 2
    check_money(platform, job_id, 50)


@pytest.mark.parametrize("kind", ["Locate", "FreeText"])
def test_only_what_is_counted_can_stop_early(platform, wire, kind):
    member = {"Locate": "target", "FreeText": "question"}[kind]
    rapid = {"_t": kind, "asset": {"segment": "asset"}, member: {"literal": "?"}}
    text = wire.segment("asset", "Asset", {"_t": "TextAssetInput", "text": "a"})
    body = {
        "definitionName": "no",
        "workflow": {"_t": "SimpleWorkflow", "rapid": rapid},
        "referee": {"_t": "QuorumReferee", "threshold": 2, "maxVotes": 3},
        "datasetId": platform.dataset([[text]]),
    }
    assert "referee" in platform.problem("POST", "/job/definition", 400, body)["errors"]


def test_deleting_gives_back_what_was_taken(platform, wire):
    referee = {"_t": "EarlyStoppingReferee", "threshold": 0.9, "maxVotes": 50}
    job_id = platform.job(define(platform, wire, referee))
    platform.ok("DELETE", f"/job/{job_id}")
    ledger = platform.sandbox.ledger()
    assert (ledger["balance"], ledger["paid_jobs"]) == (1000.0, 0)
