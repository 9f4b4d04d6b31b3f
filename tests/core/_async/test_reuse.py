"""Definitions and audiences that are found again by what they say."""

import pytest

from rapidata_core import (
    AsyncRapidataClient,
    CompareJob,
    CountryFilter,
    LanguageFilter,
    NoShuffle,
    errors,
)
from rapidata_core.concurrency import async_map
from rapidata_core.jobs import CompareExample
from rapidata_core.policy.retry import RetryPolicy

SPEC = CompareJob(name="Texts", instruction="Which?", data_type="text", datapoints=[["a", "b"]])
GONE = "https://404.status.invalid/x.jpg"
TEXTS = [["two and two is four", "two and two is five"], ["a is a", "a is b"], ["up", "down"]]
EXAMPLES = [
    {
        "type": "compare",
        "instruction": "Which is true?",
        "datapoint": pair,
        "truth": pair[0],
        "data_type": "text",
    }
    for pair in TEXTS
]
POST_EXAMPLE = {"method": "POST", "path": "/audience/[^/]+/example"}
REFUSED = {"phase": "before", "action": "status", "status": 403}


@pytest.fixture
def elsewhere(rapidata_sandbox):
    """Makes clients of other processes."""

    def make(**options):
        retry = RetryPolicy(attempts=2, first_delay=0.01)
        return AsyncRapidataClient(environment=rapidata_sandbox.url, retry=retry, **options)

    return make


def count(sandbox, method, path):
    return [(r["method"], r["path"]) for r in sandbox.requests()].count((method, path))


async def everything_there(client, audience):
    return await client.audience._audiences.all_examples(audience.id)


# Definitions.


async def test_a_definition_is_found_by_its_content(client, elsewhere, rapidata_sandbox):
    first = await client.job.get_or_create_job_definition(SPEC)
    renamed = SPEC.model_copy(update={"name": "Other name"})
    async with elsewhere() as other:
        second = await other.job.get_or_create_job_definition(renamed.model_dump())
    assert (second.id, second.name, second.pinned) == (first.id, "Texts", 1)
    assert [one.name for one in await client.job.find_job_definitions()] == ["Texts"]
    changed = SPEC.model_copy(update={"responses_per_datapoint": 3})
    assert (await client.job.get_or_create_job_definition(changed)).id != first.id
    async with elsewhere(namespace="dev") as dev:
        assert (await dev.job.get_or_create_job_definition(SPEC)).id != first.id
    assert count(rapidata_sandbox, "POST", "/job/definition") == 3


async def test_a_definition_that_was_edited_is_another_question(client, rapidata_sandbox):
    first = await client.job.get_or_create_job_definition(SPEC)
    await first.update(instruction="Which one?")
    second = await client.job.get_or_create_job_definition(SPEC)
    assert second.id != first.id
    third = await client.job.get_or_create_job_definition(SPEC)
    assert third.id == second.id
    await second.delete()
    assert (await client.job.get_or_create_job_definition(SPEC)).id not in (first.id, second.id)


async def test_a_file_that_has_changed_is_another_question(client, tmp_path):
    files = [tmp_path / "a.txt.png", tmp_path / "b.png"]
    for file in files:
        file.write_bytes(b"\x89PNG\r\n\x1a\n" + file.name.encode())
    spec = SPEC.model_copy(update={"data_type": "media", "datapoints": [[str(f) for f in files]]})
    first = await client.job.get_or_create_job_definition(spec)
    assert (await client.job.get_or_create_job_definition(spec)).id == first.id
    files[0].write_bytes(b"\x89PNG\r\n\x1a\nother")
    assert (await client.job.get_or_create_job_definition(spec)).id != first.id


async def test_a_failed_upload_leaves_no_definition(client, rapidata_sandbox):
    spec = CompareJob(
        name="Media",
        instruction="Which?",
        datapoints=[["https://a.example/1.jpg", "https://a.example/2.jpg"], [GONE, GONE + "?2"]],
    )
    with pytest.raises(errors.FailedUploadException) as caught:
        await client.job.get_or_create_job_definition(spec)
    assert len(caught.value.failed_uploads) == 1
    assert await client.job.find_job_definitions() == []
    tolerant = await client.job.get_or_create_job_definition(spec, failure_tolerance=0.5)
    # It has only half of the datapoints.
    with pytest.raises(errors.FailedUploadException):
        await client.job.get_or_create_job_definition(spec)
    again = await client.job.get_or_create_job_definition(spec, failure_tolerance=0.5)
    assert again.id == tolerant.id
    with pytest.raises(errors.ValidationError, match="failure_tolerance"):
        await client.job.get_or_create_job_definition(spec, failure_tolerance=2)


async def test_of_definitions_made_at_the_same_moment_the_oldest_stays(elsewhere):
    async def run(_):
        async with elsewhere() as client:
            return (await client.job.get_or_create_job_definition(SPEC)).id

    assert len(set(await async_map(run, range(5), workers=5))) == 1
    async with elsewhere() as client:
        assert len(await client.job.find_job_definitions()) == 1


@pytest.mark.parametrize("phase", ["before", "after_commit"])
async def test_a_lost_answer_makes_one_definition(client, rapidata_sandbox, phase):
    lost = {"method": "POST", "path": "/job/definition$", "phase": phase, "action": "drop"}
    rapidata_sandbox.faults([lost])
    made = await client.job.get_or_create_job_definition(SPEC)
    assert [one.id for one in await client.job.find_job_definitions()] == [made.id]


async def test_jobs_of_a_found_definition_are_named_for_people(client, rapidata_sandbox):
    definition = await client.job.get_or_create_job_definition(SPEC)
    paid = await client.submit_definition(definition, "global", key="k")
    assert (await client.job.get_job_by_id(paid.job_id)).name == "Texts"
    # The tickets are no definitions that could be found by their content.
    assert (await client.job.get_or_create_job_definition(SPEC)).id == definition.id


# Audiences.


async def test_an_audience_is_found_by_its_content(client, elsewhere, rapidata_sandbox):
    filters = [CountryFilter(["US"]), LanguageFilter(["en"])]
    first = await client.audience.get_or_create_audience("Truth", EXAMPLES, filters, 0.8)
    assert len(await everything_there(client, first)) == 3
    async with elsewhere() as other:
        again = await other.audience.get_or_create_audience("Facts", EXAMPLES[::-1], filters, 0.8)
    assert (again.id, again.name, again.filters) == (first.id, "Truth", filters)
    assert len(await everything_there(client, first)) == 3
    for given in (
        (EXAMPLES, filters, 0.9),
        (EXAMPLES, filters[:1], 0.8),
        (EXAMPLES[:2], filters, 0.8),
    ):
        other = await client.audience.get_or_create_audience("Truth", *given)
        assert other.id != first.id
    assert count(rapidata_sandbox, "POST", "/audience") == 4


async def test_the_marker_is_not_for_people(client):
    made = await client.audience.get_or_create_audience("Truth", EXAMPLES)
    found = await client.audience.get_audience_by_id(made.id)
    [listed] = await client.audience.find_audiences("Truth")
    part = await made.filter([CountryFilter(["US"])])
    found_part = await client.audience.get_audience_by_id(part.id)
    await made.reload()
    assert {one.name for one in (made, found, listed, part, found_part)} == {"Truth"}
    await made.update_name("Facts")
    assert made.name == (await found.reload()).name == "Facts"
    assert (await client.audience.get_or_create_audience("Truth", EXAMPLES)).id == made.id


async def test_an_audience_that_takes_others_now_is_another_one(client):
    first = await client.audience.get_or_create_audience("Truth", EXAMPLES)
    await first.update_filters([CountryFilter(["US"])])
    second = await client.audience.get_or_create_audience("Truth", EXAMPLES)
    assert second.id != first.id
    assert (await client.audience.get_or_create_audience("Truth", EXAMPLES)).id == second.id


@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_what_an_interrupted_attempt_left_is_completed(
    client, elsewhere, rapidata_sandbox, nth
):
    rapidata_sandbox.faults([{**POST_EXAMPLE, **REFUSED, "nth": nth}])
    with pytest.raises(errors.RapidataError):
        await client.audience.get_or_create_audience("Truth", EXAMPLES)
    async with elsewhere() as other:
        audience = await other.audience.get_or_create_audience("Truth", EXAMPLES[::-1])
    there = await everything_there(client, audience)
    assert sorted(one.truth["winnerId"] for one in there) == sorted(a for a, _ in TEXTS)
    assert count(rapidata_sandbox, "POST", "/audience") == 1


async def test_files_are_recognised_on_another_machine(client, elsewhere, tmp_path, monkeypatch):
    """Which does not know the names that the platform gave them."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        (folder / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n" + folder.name.encode())
    url = "https://assets.rapidata.ai/flux_sign.jpg"
    pairs = [[str(folder / "1.png"), url] for folder in folders]
    # Two that look the same from outside, and one whose truth is a URL.
    examples = [
        *({**EXAMPLES[0], "data_type": "media", "datapoint": p, "truth": p[0]} for p in pairs),
        {**EXAMPLES[0], "data_type": "media", "datapoint": pairs[0], "truth": url},
    ]
    first = await client.audience.get_or_create_audience("Signs", examples)
    [one, *_] = await everything_there(client, first)
    await first.delete_example(one.id)
    monkeypatch.setattr("rapidata_core.config.rapidata_config.upload.cacheToDisk", False)
    async with elsewhere() as other:
        again = await other.audience.get_or_create_audience("Signs", examples)
    assert again.id == first.id
    assert len(await everything_there(client, first)) == 3


async def test_of_audiences_made_at_the_same_moment_the_oldest_stays(elsewhere):
    async def run(_):
        async with elsewhere() as client:
            return (await client.audience.get_or_create_audience("Truth", EXAMPLES)).id

    [kept] = set(await async_map(run, range(4), workers=4))
    async with elsewhere() as client:
        [found] = await client.audience.find_audiences("Truth")
        assert found.id == kept
        assert len(await everything_there(client, found)) == 3


async def test_whoever_is_second_deletes_its_own_audience(client, elsewhere, monkeypatch):
    create, kept = client.audience._create, []

    async def create_late(*arguments):
        async with elsewhere() as other:
            kept.append((await other.audience.get_or_create_audience("Truth", EXAMPLES)).id)
        return await create(*arguments)

    monkeypatch.setattr(client.audience, "_create", create_late)
    audience = await client.audience.get_or_create_audience("Truth", EXAMPLES)
    assert [audience.id] == kept
    assert [one.id for one in await client.audience.find_audiences("Truth")] == kept
    assert len(await everything_there(client, audience)) == 3


@pytest.mark.parametrize("phase", ["before", "after_commit"])
@pytest.mark.parametrize("path", ["/audience$", "/audience/[^/]+/example"])
async def test_a_lost_answer_makes_one_audience(client, rapidata_sandbox, impatient, phase, path):
    """Where it cannot be told what became of it, the next attempt goes on."""
    rapidata_sandbox.faults([{"method": "POST", "path": path, "phase": phase, "action": "drop"}])
    try:
        await client.audience.get_or_create_audience("Truth", EXAMPLES)
    except errors.TransportError:
        assert phase == "before"
    audience = await client.audience.get_or_create_audience("Truth", EXAMPLES)
    assert [one.id for one in await client.audience.find_audiences("Truth")] == [audience.id]
    assert len(await everything_there(client, audience)) == 3


async def test_the_same_example_is_added_once(client, caplog):
    twice = [*EXAMPLES, EXAMPLES[0], {**EXAMPLES[1], "truth": TEXTS[1][1]}]
    audience = await client.audience.get_or_create_audience("Truth", twice)
    assert len(await everything_there(client, audience)) == 4
    assert "some examples are there twice" in caplog.text
    assert "2 examples ask the same" in caplog.text
    few = await client.audience.get_or_create_audience("Few", EXAMPLES[:2])
    assert f"audience {few.id} has 2 example(s)" in caplog.text


async def test_examples_of_others_stay(client):
    audience = await client.audience.get_or_create_audience("Truth", EXAMPLES)
    for _ in range(2):
        await audience.add_compare_example("Which is false?", "b", ["a", "b"], data_type="text")
    await client.audience.get_or_create_audience("Truth", EXAMPLES)
    assert len(await everything_there(client, audience)) == 5
    # A race may have left one of ours twice.
    await audience.add_compare_example("Which is true?", "up", ["up", "down"], data_type="text")
    await client.audience.get_or_create_audience("Truth", EXAMPLES)
    assert len(await everything_there(client, audience)) == 5


async def test_settings_are_sent_with_the_examples(client, rapidata_sandbox):
    example = CompareExample(**EXAMPLES[0], settings=[NoShuffle()])
    await client.audience.get_or_create_audience("Truth", [example])
    [sent] = [r for r in rapidata_sandbox.requests() if r["path"].endswith("/example")]
    assert sent["body"]["featureFlags"] == [{"key": "no_shuffle", "value": "true"}]


async def test_all_that_is_wrong_is_told_before_anything_is_sent(client, rapidata_sandbox):
    missing = {**EXAMPLES[0], "data_type": "media", "datapoint": ["a.png", "b.png"]}
    with pytest.raises(errors.ValidationError) as caught:
        await client.audience.get_or_create_audience(
            " ",
            [EXAMPLES[0], {**EXAMPLES[1], "truth": "x", "context": ""}, {"type": "ranking"}, 7],
            filters=["US"],
            target_accuracy=2,
        )
    told = "\n".join(caught.value.problems)
    for part in (
        "name: must not be blank",
        "examples[1]: truth: 'x' is not one of the two",
        "examples[1]: context: is blank",
        "examples[2]: type: must be one of",
        "examples[3]: must be a mapping, not int",
        "'US' is not a filter",
        "target_accuracy must be",
    ):
        assert part in told
    with pytest.raises(errors.ValidationError, match=r"examples\[0\]: there is no file 'a.png'"):
        await client.audience.get_or_create_audience("n", [{**missing, "truth": "a.png"}])
    for none in ([], EXAMPLES[0], "text"):
        with pytest.raises(errors.ValidationError, match="examples: "):
            await client.audience.get_or_create_audience("n", none)
    assert rapidata_sandbox.requests() == []
