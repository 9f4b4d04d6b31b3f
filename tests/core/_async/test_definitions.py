"""Job definitions of every type, their revisions, and the contexts they show."""

import pytest

from rapidata_core import (
    AsyncRapidataClient,
    ClassificationJob,
    CompareJob,
    NoShuffle,
    errors,
    rapidata_config,
)
from rapidata_core.policy.retry import RetryPolicy

IMAGES = [f"https://assets.rapidata.ai/{number}.jpg" for number in range(12)]
COMMON = {"name": "Findable", "instruction": "What is it?"}


async def small(client, **changes):
    fields = {**COMMON, "answer_options": ["a", "b"], "datapoints": ["x", "y"], "data_type": "text"}
    return await client.job.create_classification_job_definition(**{**fields, **changes})


def sent(sandbox, method, end):
    return [
        request["body"]
        for request in sandbox.requests()
        if request["method"] == method and request["path"].endswith(end)
    ]


CREATE = {
    "classification": {"answer_options": ["a", "b"], "datapoints": IMAGES[:2]},
    "compare": {"datapoints": [IMAGES[:2]], "a_b_names": ["A", "B"]},
    "locate": {"datapoints": IMAGES[:2], "contexts": ["1", "2"]},
    "draw": {"datapoints": IMAGES[:2], "media_contexts": [[IMAGES[2]], IMAGES[3:5]]},
    "select_words": {"datapoints": IMAGES[:1], "sentences": ["a cat [None]"]},
    "free_text": {"datapoints": ["hello"], "data_type": "text"},
    "ranking": {
        "datapoints": [IMAGES, IMAGES[:3]],
        "comparison_budget_per_ranking": 20,
        "contexts": ["1", "2"],
    },
}


@pytest.mark.parametrize("kind", CREATE)
async def test_every_type_is_defined_and_read_again(client, rapidata_sandbox, kind):
    create = getattr(client.job, f"create_{kind}_job_definition")
    settings = [NoShuffle()]
    definition = await create(**COMMON, **CREATE[kind], settings=settings)
    again = await client.job.get_job_definition_by_id(definition.id)
    assert (again.id, again.name, again.pinned) == (definition.id, "Findable", 1)
    for found in (definition, again):
        assert await found.instruction == "What is it?"
        assert await found.responses_per_datapoint == (1 if kind == "ranking" else 10)
        assert [(s.key, s.value) for s in await found.settings] == [("no_shuffle", "true")]
        assert await found.revision_number == 1
        assert await found.answer_options is None
        assert await found.dataset_id
    points = 15 if kind == "ranking" else len(CREATE[kind]["datapoints"])
    assert (await definition.estimated_cost).datapoint_count == points


async def test_a_ranking_has_groups(client, rapidata_sandbox):
    await client.job.create_ranking_job_definition(**COMMON, **CREATE["ranking"])
    groups = sent(rapidata_sandbox, "POST", "/group")
    assert sorted((group["group"], group["segments"][0]["text"]) for group in groups) == [
        ("0", "1"),
        ("1", "2"),
    ]
    points = sent(rapidata_sandbox, "POST", "/datapoint")
    assert sorted(point["sortIndex"] for point in points) == list(range(15))
    assert {point["group"] for point in points if point["sortIndex"] >= 12} == {"1"}
    paths = [r["path"].rpartition("/")[2] for r in rapidata_sandbox.requests()]
    assert paths.index("group") > max(i for i, path in enumerate(paths) if path == "datapoint")


async def test_definitions_are_found(client, rapidata_sandbox):
    first, second = await small(client), await small(client, name="Other")
    assert [d.id for d in await client.job.find_job_definitions()] == [second.id, first.id]
    [found] = await client.job.find_job_definitions("indab")
    assert (found.id, found.name, found.pinned) == (first.id, "Findable", None)
    assert await found.instruction == "What is it?"
    assert await client.job.find_job_definitions(amount=1, page=3) == []
    # As the documents spell it.
    assert (await client.job.get_job_defintion_by_id(first.id)).id == first.id
    with pytest.raises(errors.NotFoundError):
        await client.job.get_job_definition_by_id(first.id, revision=7)


async def test_revisions(client, rapidata_sandbox):
    definition = await small(client)
    dataset = await definition.dataset_id
    await definition.update(instruction="Which one?", responses_per_datapoint=3)
    assert (definition.pinned, await definition.instruction) == (2, "Which one?")
    assert await definition.responses_per_datapoint == 3
    await definition.update(settings=[NoShuffle()])
    assert [setting.key for setting in await definition.settings] == ["no_shuffle"]
    assert await definition.instruction == "Which one?"
    assert await definition.dataset_id == dataset
    assert [r.revision_number for r in await definition.revisions()] == [1, 2, 3]
    assert (await definition.revisions())[1].base_revision == 1
    first = await client.job.get_job_definition_by_id(definition.id, revision=1)
    assert (first.pinned, await first.instruction) == (1, "What is it?")
    assert await first.settings == []
    await first.reload()
    assert await first.revision_number == 3


async def test_a_whole_new_description(client, rapidata_sandbox):
    definition = await small(client)
    dataset = await definition.dataset_id
    spec = ClassificationJob(
        name="n",
        instruction="New?",
        answer_options=["1", "2", "3"],
        datapoints=["p", "q", "r"],
        data_type="text",
        quorum_threshold=2,
    )
    await definition.update(spec)
    assert await definition.dataset_id != dataset
    assert await definition.instruction == "New?"
    [body] = sent(rapidata_sandbox, "POST", "/revision")
    assert body["referee"] == {"_t": "QuorumReferee", "threshold": 2, "maxVotes": 10}
    assert (body["baseRevisionNumber"], body["requireLatest"]) == (1, True)
    await definition.wait_until_ready()
    assert (await definition.estimated_cost).datapoint_count == 3


async def test_somebody_else_was_faster(client, rapidata_sandbox):
    mine = await small(client)
    theirs = await client.job.get_job_definition_by_id(mine.id)
    await theirs.update(instruction="Theirs?")
    assert await mine.revision_number == 1
    with pytest.raises(errors.RevisionConflictError) as caught:
        await mine.update(instruction="Mine?")
    assert (caught.value.base_revision, caught.value.latest_revision) == (1, 2)
    assert caught.value.job_definition_id == mine.id
    await mine.update(instruction="Mine?", require_latest=False)
    assert (mine.pinned, await mine.instruction) == (3, "Mine?")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, "nothing is changed"),
        ({"instruction": " "}, "instruction: must have 1 to 250 characters"),
        ({"responses_per_datapoint": 0}, "responses_per_datapoint: must be at least 1"),
        ({"spec": {"type": "sudoku"}}, "type: must be one of"),
    ],
)
async def test_updates_that_make_no_sense(client, rapidata_sandbox, change, problem):
    definition = await small(client)
    with pytest.raises(errors.ValidationError, match=problem):
        await definition.update(**change)
    assert sent(rapidata_sandbox, "POST", "/revision") == []


async def test_new_datapoints_that_fail_change_nothing(client, rapidata_sandbox):
    definition = await client.job.create_job_definition(
        CompareJob(name="n", instruction="Which?", datapoints=[["a", "b"]], data_type="text")
    )
    spec = {"type": "compare", "name": "n", "instruction": "New?"}
    bad = [[IMAGES[0], "https://404.status.invalid/a.jpg"], IMAGES[1:3]]
    with pytest.raises(errors.FailedUploadException, match="stays as it was") as caught:
        await definition.update({**spec, "datapoints": bad})
    assert [point.sort_index for point in caught.value.failed_uploads] == [0]
    assert [r.revision_number for r in await definition.revisions()] == [1]
    await definition.update({**spec, "datapoints": bad}, failure_tolerance=0.5)
    assert await definition.instruction == "New?"


async def test_a_job_asks_the_revision_that_was_seen(client, rapidata_sandbox):
    definition = await small(client)
    other = await client.job.get_job_definition_by_id(definition.id)
    await other.update(instruction="Changed?")
    audience = await client.audience.get_audience_by_id("global")
    await audience.assign_job(definition)
    await audience.assign_job(other)
    [found] = await client.job.find_job_definitions()
    await audience.assign_job(found)
    assert [job["revisionNumber"] for job in sent(rapidata_sandbox, "POST", "/job")] == [1, 2, 2]


async def test_preview_and_deletion(client, rapidata_sandbox, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: not opened.append(url))
    definition = await small(client)
    assert definition.preview() is definition
    assert opened == [f"{rapidata_sandbox.url}/definitions/{definition.id}"]
    await definition.delete()
    with pytest.raises(errors.NotFoundError):
        await client.job.get_job_definition_by_id(definition.id)


@pytest.mark.parametrize("phase", ["before", "after_commit"])
async def test_a_lost_answer_makes_no_second_definition(
    client, rapidata_sandbox, monkeypatch, phase
):
    monkeypatch.setattr("rapidata_core._async.define.UPLOAD_PAUSES", (0.0,))
    rapidata_sandbox.faults(
        [{"method": "POST", "path": "/job/definition", "phase": phase, "action": "drop"}]
    )
    definition = await small(client)
    assert [d.id for d in await client.job.find_job_definitions()] == [definition.id]
    # Another definition of the same name is not taken for it.
    assert (await small(client)).id != definition.id


async def test_a_lost_revision_is_found(client, rapidata_sandbox):
    definition = await small(client)
    lost = {"method": "POST", "path": ".*/revision", "action": "drop"}
    rapidata_sandbox.faults([{**lost, "phase": "after_commit"}])
    await definition.update(instruction="New?")
    assert (definition.pinned, await definition.instruction) == (2, "New?")
    rapidata_sandbox.faults([{**lost, "phase": "before"}])
    with pytest.raises(errors.TransportError):
        await definition.update(instruction="Newer?")
    assert [r.revision_number for r in await definition.revisions()] == [1, 2]


async def test_waiting_for_a_revision_ends(rapidata_sandbox):
    async with AsyncRapidataClient(retry=RetryPolicy(attempts=1)) as client:
        definition = await small(client)
        with pytest.raises(errors.WaitTimeoutError, match="preparing revision 1"):
            await definition.wait_until_ready(timeout=0)
        rapidata_sandbox.advance(10)
        assert await definition.wait_until_ready(timeout=0) is definition
        assert await definition.state == "Completed"


LONG = "word " * 100


async def test_contexts_are_shortened(client, rapidata_sandbox):
    short = await client.context.shorten_context(context=LONG, question="What?")
    assert 0 < len(short) <= 400
    pairs = [(f"{number} {LONG}", "What?") for number in range(23)]
    many = await client.context.shorten_contexts(pairs)
    assert [text.split()[0] for text in many] == [str(number) for number in range(23)]
    assert [len(body["items"]) for body in sent(rapidata_sandbox, "POST", "/shorten-context")] in (
        [1, 10, 10, 3],
        [1, 10, 3, 10],
        [1, 3, 10, 10],
    )
    with pytest.raises(errors.ValidationError, match=r"pairs is not valid:\n  - \[1\]"):
        await client.context.shorten_contexts([("a", "b"), ("a", " ")])


@pytest.mark.parametrize("name", ["autoShortenContext", "contextShortening"])
async def test_long_contexts_are_shortened_on_demand(client, rapidata_sandbox, name):
    with pytest.raises(errors.ValidationError, match="autoShortenContext"):
        await small(client, contexts=[LONG, "short"])
    assert rapidata_sandbox.requests() == []
    setattr(rapidata_config.upload, name, True)
    await small(client, contexts=[LONG, "short"])
    [asked] = sent(rapidata_sandbox, "POST", "/shorten-context")
    assert asked == {"items": [{"context": LONG, "question": "What is it?"}]}
    texts = {
        point["sortIndex"]: point["segments"][1]["text"]
        for point in sent(rapidata_sandbox, "POST", "/datapoint")
    }
    assert len(texts[0]) <= 400
    assert texts[1] == "short"


async def test_what_cannot_be_shortened_is_refused(client, rapidata_sandbox):
    rapidata_config.upload.autoShortenContext = True
    rapidata_sandbox.faults(
        [
            {
                "method": "POST",
                "path": "/datasets/shorten-context",
                "phase": "before",
                "action": "status",
                "status": 200,
                "body": {"items": [{"shortenedContext": "x" * 401}]},
            }
        ]
    )
    with pytest.raises(errors.ValidationError, match="has 401 characters"):
        await small(client, contexts=[LONG, "short"])
    assert sent(rapidata_sandbox, "POST", "/dataset") == []
