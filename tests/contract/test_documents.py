"""The examples of the platform's documents: the vendor's SDK runs them, and we read the same."""

import json

import pandas.testing
import pytest

PAIRS = [
    [
        "https://assets.rapidata.ai/flux_sign_diffusion.jpg",
        "https://assets.rapidata.ai/mj_sign.jpg",
    ],
    ["https://assets.rapidata.ai/flux_book.jpg", "https://assets.rapidata.ai/mj_book.jpg"],
]
PROMPTS = ["A sign that says 'Diffusion'.", "A small blue book sitting on a large red book."]
IMAGES = [
    "https://assets.rapidata.ai/tshirt-4o.png",
    "https://assets.rapidata.ai/tshirt-aurora.jpg",
]
LIKERT = ["1: Not at all", "2: A little", "3: Moderately", "4: Very well", "5: Perfectly"]


def compare(client, **changes):
    return client.job.create_compare_job_definition(
        **{
            "name": "Example Image Prompt Alignment Job",
            "instruction": "Which image follows the prompt more accurately?",
            "datapoints": PAIRS,
            "responses_per_datapoint": 25,
            "contexts": PROMPTS,
            **changes,
        }
    )


def texts(client):
    return compare(
        client,
        datapoints=[["The children were amazed.", "The children were amusing."]],
        contexts=None,
        data_type="text",
    )


def neither(client):
    from rapidata import AllowNeitherBothSetting

    return compare(client, settings=[AllowNeitherBothSetting()], a_b_names=["Flux", "Midjourney"])


def with_metadata(client):
    return compare(client, private_metadata=[{"row": "1"}, {"row": "2"}])


def likert(client, **changes):
    from rapidata import NoShuffleSetting

    return client.job.create_classification_job_definition(
        **{
            "name": "Likert Scale Example",
            "instruction": "How well does the image match the description?",
            "answer_options": LIKERT,
            "contexts": ["A t-shirt with the text 'Running on caffeine & dreams'"] * len(IMAGES),
            "datapoints": IMAGES,
            "responses_per_datapoint": 25,
            "settings": [NoShuffleSetting()],
            **changes,
        }
    )


@pytest.mark.parametrize("define", [compare, texts, neither, with_metadata, likert])
@pytest.mark.parametrize("audience_id", ["global", "aud_MU1GZYoESyO"])
def test_the_vendor_s_job_read_by_both(vendor, ours, sandbox, define, audience_id):
    audience = vendor.audience.get_audience_by_id(audience_id)
    definition = define(vendor)
    estimate = definition.estimated_cost
    job = audience.assign_job(definition)
    sandbox.assert_paid_jobs(1)
    sandbox.advance(600)
    job.display_progress_bar(refresh_rate=1)
    theirs = job.get_results()

    same = ours.job.get_job_by_id(job.id)
    results = same.get_results()
    assert json.dumps(results) == json.dumps(theirs)
    for split in (False, True):
        pandas.testing.assert_frame_equal(
            results.to_pandas(split_details=split), theirs.to_pandas(split_details=split)
        )
    assert same.audience_id == audience_id
    assert same.definition_id == job.definition_id
    assert same.created_at == vendor.job.get_job_by_id(job.id).created_at
    assert same.get_status() == job.get_status() == "Completed"
    theirs_progress, progress = job.get_progress(), same.get_progress()
    assert progress.state == theirs_progress.state
    assert progress.completion_percentage == theirs_progress.completion_percentage == 100
    assert vars(same.estimated_cost) == vars(job.estimated_cost)
    assert same.estimated_cost.estimated_cost == estimate.estimated_cost


def test_our_job_read_by_the_vendor(vendor, ours, sandbox):
    from rapidata_core import CompareJob

    spec = CompareJob(name="Ours", instruction="Which?", datapoints=PAIRS, contexts=PROMPTS)
    submission = ours.submit(spec, "global", key="contract")
    sandbox.advance(600)
    theirs = vendor.job.get_job_by_id(submission.job_id)
    assert theirs.get_status() == "Completed"
    assert json.dumps(theirs.get_results()) == json.dumps(
        ours.job.get_job_by_id(submission.job_id).get_results()
    )
    definition = vendor.job.get_job_definition_by_id(submission.definition_id)
    assert definition.instruction == "Which?"
    assert definition.responses_per_datapoint == 10
    assert [found.id for found in vendor.job.find_jobs("Ours")] == [submission.job_id]


@pytest.mark.parametrize("kind", ["compare", "classification"])
def test_both_send_the_same(vendor, ours, sandbox, kind):
    """The requests that define a job, apart from order, correlation ids and uploaded names."""
    from rapidata_core import NoShuffle

    # The vendor's SDK remembers for the life of the process which URLs it has uploaded.
    fresh = [[f"{url}?for={kind}" for url in pair] for pair in PAIRS]
    if kind == "compare":
        theirs = sent_by(lambda: compare(vendor, datapoints=fresh), sandbox)
        own = sent_by(lambda: compare(ours, datapoints=fresh), sandbox)
    else:
        theirs = sent_by(lambda: likert(vendor, datapoints=fresh[0]), sandbox)
        own = sent_by(lambda: likert(ours, datapoints=fresh[0], settings=[NoShuffle()]), sandbox)
    assert len(own) == 5
    assert own == theirs


def sent_by(define, sandbox):
    """Path and JSON of the requests that define a job, in a form that does not depend on ids."""
    sandbox.reset()
    define()
    relevant = [
        r for r in sandbox.requests() if r["method"] == "POST" and "connect" not in r["path"]
    ]
    text = json.dumps([[r["path"], without_nulls(r["body"])] for r in relevant])
    ids = {
        str(r["body"].get("correlationId"))
        for r in relevant
        if isinstance(r["body"], dict) and "correlationId" in r["body"]
    }
    for name in ids:
        text = text.replace(name, "<correlation>")
    return sorted(json.dumps(one, sort_keys=True) for one in json.loads(text))


def without_nulls(value):
    """The platform reads null as absent."""
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return sorted(map(without_nulls, value)) if is_urls(value) else value


def is_urls(value):
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
