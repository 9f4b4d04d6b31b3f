"""Every task type, created, run and read by the vendor's SDK; and we read the same."""

import json

import pytest

IMAGES = [f"https://assets.rapidata.ai/tshirt-{name}.jpg" for name in ("4o", "aurora", "flux")]
PAIRS = [[IMAGES[0], IMAGES[1]], [IMAGES[1], IMAGES[2]]]
SENTENCES = ["The quick brown fox", "jumps over the lazy dog"]


def classification(client, **more):
    return client.job.create_classification_job_definition(
        name="c",
        instruction="What is it?",
        answer_options=["Cat", "Dog"],
        datapoints=IMAGES,
        **more,
    )


def with_confidence(client):
    return classification(client, responses_per_datapoint=50, confidence_threshold=0.99)


def with_quorum(client):
    return classification(client, responses_per_datapoint=10, quorum_threshold=7)


def compare(client, **more):
    return client.job.create_compare_job_definition(
        name="p", instruction="Which is better?", datapoints=PAIRS, **more
    )


def compare_with_confidence(client):
    return compare(client, responses_per_datapoint=30, confidence_threshold=0.9)


def compare_with_metadata(client):
    return compare(client, private_metadata=[{"row": "1"}, {"row": "2"}])


def locate(client):
    from rapidata import LocateMaxPointsSetting, LocateMinPointsSetting

    return client.job.create_locate_job_definition(
        name="l",
        instruction="Tap the shirt",
        datapoints=IMAGES,
        contexts=["one", "two", "three"],
        settings=[LocateMinPointsSetting(1), LocateMaxPointsSetting(2)],
    )


def draw(client):
    return client.job.create_draw_job_definition(
        name="d",
        instruction="Draw the shirt",
        datapoints=IMAGES,
        private_metadata=[{"row": "1"}, {"row": "2"}, {"row": "3"}],
    )


def select_words(client):
    return client.job.create_select_words_job_definition(
        name="w", instruction="Which words?", datapoints=IMAGES[:2], sentences=SENTENCES
    )


def free_text(client):
    from rapidata import FreeTextMinimumCharactersSetting

    return client.job.create_free_text_job_definition(
        name="f",
        instruction="What do you see?",
        datapoints=["a text", "another text"],
        data_type="text",
        settings=[FreeTextMinimumCharactersSetting(20)],
    )


def small_ranking(client):
    return client.job.create_ranking_job_definition(
        name="r",
        instruction="Which is better?",
        datapoints=[IMAGES, IMAGES[:2]],
        comparison_budget_per_ranking=9,
        responses_per_comparison=2,
        contexts=["one", "two"],
    )


def large_ranking(client):
    return client.job.create_ranking_job_definition(
        name="r",
        instruction="Which is better?",
        datapoints=[[f"https://assets.rapidata.ai/{n}.jpg" for n in range(12)]],
        comparison_budget_per_ranking=30,
    )


TASKS = {
    classification: ("Classification", 6),
    with_confidence: ("Classification", 6),
    with_quorum: ("Classification", 6),
    compare: ("Compare", 2),
    compare_with_confidence: ("Compare", 2),
    compare_with_metadata: ("Compare", 2),
    locate: ("Locate", 3),
    draw: ("Line", 3),
    select_words: ("Transcription", 2),
    free_text: ("FreeText", 2),
    small_ranking: ("Ranking", 2),
    large_ranking: ("Ranking", 1),
}
"""What results call the task, and how many rows their table has."""


@pytest.mark.parametrize("define", TASKS)
def test_the_vendor_runs_and_reads_every_task(vendor, ours, sandbox, define):
    kind, rows = TASKS[define]
    definition = define(vendor)
    estimate = definition.estimated_cost
    job = vendor.audience.get_audience_by_id("global").assign_job(definition)
    sandbox.assert_paid_jobs(1)
    sandbox.advance(600)
    results = job.get_results()
    assert results["info"]["type"] == kind
    assert dict(ours.job.get_job_by_id(job.id).get_results()) == dict(results)
    table = results.to_pandas()
    assert len(table) == rows
    responses = job.get_progress()
    assert responses.completion_percentage == 100
    details = sum(len(entry["detailedResults"]) for entry in results["results"])
    assert len(results.to_pandas(split_details=True)) == details
    assert sandbox.ledger()["entries"][0]["amount"] == pytest.approx(details / 100)
    assert estimate.estimated_cost >= details / 100 - 1e-9
    if define in (with_confidence, compare_with_confidence):
        assert all("confidencePerCategory" in entry for entry in results["results"])
    if define in (compare_with_metadata, draw):
        assert results["results"][0]["privateMetadata"] == {"row": "1"}


def test_options_of_each_datapoint(vendor, sandbox):
    definition = vendor.job.create_classification_job_definition(
        name="c",
        instruction="What is it?",
        answer_options=[["Cat", "Dog"], ["Tea", "Coffee", "Milk"]],
        datapoints=IMAGES[:2],
    )
    job = vendor.audience.get_audience_by_id("global").assign_job(definition)
    sandbox.advance(600)
    options = [list(entry["aggregatedResults"]) for entry in job.get_results()["results"]]
    assert options == [["Cat", "Dog"], ["Tea", "Coffee", "Milk"]]


def test_preliminary_and_stale_results(vendor, sandbox):
    job = vendor.audience.get_audience_by_id("global").assign_job(
        classification(vendor, responses_per_datapoint=2000)
    )
    sandbox.advance(4)
    early = job.get_results(preliminary_results=True)
    counted = sum(sum(e["aggregatedResults"].values()) for e in early["results"])
    assert 0 < counted < 6000
    sandbox.advance(3600)
    results = job.get_results()
    sandbox.set_job_state(job.id, "StaleResults")
    again = job.get_results()
    assert json.dumps(again["results"]) == json.dumps(results["results"])


def test_a_job_after_another_one(vendor, sandbox):
    audience = vendor.audience.get_audience_by_id("global")
    definition = compare(vendor)
    first = audience.assign_job(definition)
    second = audience.assign_job(definition, run_after=first)
    assert second.get_status() in ("Queued", "Submitted")
    assert second.get_results()["results"]
    assert first.get_status() == "Completed"


def test_billing(vendor, sandbox):
    audience = vendor.audience.get_audience_by_id("global")
    audience.assign_job(compare(vendor))
    period = vendor.billing.get_current_billing_period()
    assert (period.outstanding_cost, period.response_count) == (0.2, 20)
    assert vendor.billing.get_outstanding_balance() == 0.0
