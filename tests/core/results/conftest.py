"""A job of every type, and the results that people of the sandbox give to jobs."""

import pytest

from rapidata_core import (
    ClassificationJob,
    CompareJob,
    DrawJob,
    FreeTextJob,
    LocateJob,
    RankingJob,
    RapidataClient,
    SelectWordsJob,
)

LONG = 36_000
IMAGES = [f"https://assets.rapidata.ai/{name}.jpg" for name in ("a", "b", "c")]
ASKED = {"name": "Everything", "instruction": "Which?"}
SPECS = {
    spec.type: spec
    for spec in (
        CompareJob(
            datapoints=[IMAGES[:2], IMAGES[1:]],
            contexts=["one", "two"],
            private_metadata=[{"truth": "a.jpg"}, {"row": "2"}],
            responses_per_datapoint=7,
            **ASKED,
        ),
        ClassificationJob(
            datapoints=IMAGES, answer_options=["x", "y"], responses_per_datapoint=5, **ASKED
        ),
        RankingJob(datapoints=[IMAGES, IMAGES[:2]], comparison_budget_per_ranking=12, **ASKED),
        LocateJob(datapoints=IMAGES, responses_per_datapoint=4, **ASKED),
        DrawJob(datapoints=IMAGES, responses_per_datapoint=3, **ASKED),
        SelectWordsJob(
            datapoints=IMAGES[:2],
            sentences=["every word of it", "some other words"],
            responses_per_datapoint=4,
            **ASKED,
        ),
        FreeTextJob(datapoints=IMAGES[:2], responses_per_datapoint=3, **ASKED),
    )
}


@pytest.fixture
def client(rapidata_sandbox):
    with RapidataClient() as client:
        yield client


@pytest.fixture
def begin(client):
    """Starts a job; nobody has answered yet."""

    def start(spec):
        definition = client.job.create_job_definition(spec)
        return client.audience.get_audience_by_id("global").assign_job(definition)

    return start


@pytest.fixture
def run(begin, rapidata_sandbox):
    """The results of a job that is done."""

    def finish(spec):
        job = begin(spec)
        rapidata_sandbox.advance(LONG)
        return job.get_results()

    return finish
