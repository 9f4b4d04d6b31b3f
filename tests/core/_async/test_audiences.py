"""Audiences: made, qualified by examples, filtered, found again."""

import pytest

from rapidata_core import (
    AgeFilter,
    AgeGroup,
    AsyncRapidataAudience,
    AsyncRapidataFilteredAudience,
    AsyncRapidataUnlistedAudience,
    Box,
    CountryFilter,
    LanguageFilter,
    LocateMaxPoints,
    NoShuffle,
    errors,
)

IMAGE = "https://assets.rapidata.ai/email-4o.png"
PAIR = ["https://assets.rapidata.ai/flux_sign.jpg", "https://assets.rapidata.ai/mj_sign.jpg"]
TEXTS = [["two and two is four", "two and two is five"], ["a is a", "a is b"], ["up", "down"]]
LONG = 14 * 24 * 3600


async def add_texts(audience, pairs=TEXTS):
    for better, worse in pairs:
        await audience.add_compare_example(
            instruction="Which is true?",
            datapoint=[better, worse],
            truth=better,
            data_type="text",
        )


async def text_definition(client, name="Texts"):
    return await client.job.create_compare_job_definition(
        name=name, instruction="Which is true?", datapoints=[["x", "y"]], data_type="text"
    )


def sent(sandbox, method, path):
    return [r for r in sandbox.requests() if (r["method"], r["path"]) == (method, path)]


async def test_making_changing_finding_and_deleting(client):
    audience = await client.audience.create_audience(
        name="Prompt Alignment", filters=[CountryFilter(["us", "ca"]), ~LanguageFilter(["fr"])]
    )
    assert (audience.name, audience.status) == ("Prompt Alignment", "Created")
    await audience.update_name("Alignment of prompts")
    await audience.update_filters([AgeFilter([AgeGroup.OVER_65])])
    found = await client.audience.get_audience_by_id(audience.id)
    assert isinstance(found, AsyncRapidataAudience)
    assert (found.id, found.name) == (audience.id, "Alignment of prompts")
    assert found.filters == audience.filters == [AgeFilter([AgeGroup.OVER_65])]
    [listed] = await client.audience.find_audiences("of prom")
    assert (listed.id, listed.name, listed.filters) == (audience.id, found.name, found.filters)
    assert await client.audience.find_audiences("nothing like it") == []
    assert len(await client.audience.find_audiences(amount=2)) == 2
    await audience.update_filters([])
    assert (await found.reload()).filters == []
    await audience.delete()
    with pytest.raises(errors.NotFoundError):
        await client.audience.get_audience_by_id(audience.id)


async def test_the_curated_ones_and_everybody(client):
    for audience_id in ("global", "aud_MU1GZYoESyO"):
        audience = await client.audience.get_audience_by_id(audience_id)
        assert (audience.id, audience.status) == (audience_id, "Ready")


async def test_when_labelers_join_is_sent_only_if_it_is_said(client, rapidata_sandbox):
    await client.audience.create_audience("Default")
    await client.audience.create_audience("Strict", target_accuracy=0.9, min_tasks=3)
    bodies = [r["body"] for r in sent(rapidata_sandbox, "POST", "/audience")]
    assert bodies == [
        {"name": "Default", "filters": []},
        {
            "name": "Strict",
            "filters": [],
            "graduationRule": {
                "_t": "TaskAccuracy",
                "targetAccuracy": 0.9,
                "minTasks": 3,
                "maxTasks": None,
            },
        },
    ]
    with pytest.raises(errors.ValidationError) as caught:
        await client.audience.create_audience("x", target_accuracy=90, min_tasks=5, max_tasks=4)
    assert len(caught.value.problems) == 2
    with pytest.raises(errors.ValidationError, match="name"):
        await client.audience.create_audience(" ")


async def test_examples_of_all_types(client, tmp_path):
    audience = await client.audience.create_audience("All types")
    local = tmp_path / "local.png"
    local.write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 64)
    boxes = [Box(x_min=0.25, y_min=0.5, x_max=0.75, y_max=1.0)]
    await audience.add_classification_example(
        instruction="How well does the image match?",
        answer_options=["1: Not at all", "2: Well", "3: Perfectly"],
        datapoint=IMAGE,
        truth=["3: Perfectly", "2: Well"],
        context="A laptop screen",
        explanation="Every letter is right.",
        settings=[NoShuffle()],
    )
    await audience.add_compare_example(
        instruction="Which follows the prompt?",
        datapoint=PAIR,
        truth=PAIR[0],
        media_context=[IMAGE],
    )
    await audience.add_locate_example(
        instruction="Tap on the glitch", datapoint=str(local), truths=boxes
    )
    await audience.add_draw_example(instruction="Color it in", datapoint=IMAGE, truths=boxes)
    await audience.add_select_words_example(
        instruction="Select what is wrong",
        datapoint=IMAGE,
        sentence="a cat on a red couch",
        truths=[1, 4],
    )
    table = await audience.get_examples()
    assert list(table.columns[:5]) == ["id", "asset", "truth", "context", "contextAsset"]
    assert list(table["asset"]) == [IMAGE, str(PAIR), "local.png", IMAGE, IMAGE]
    assert table["context"][0] == "A laptop screen"
    assert table["contextAsset"][1] == IMAGE
    assert table["truth"][0] == '["3: Perfectly", "2: Well"]'
    assert '"xMin": 25' in table["truth"][2]
    assert '"word": "cat"' in table["truth"][4]
    await audience.delete_example(table["id"][0])
    assert list((await audience.get_examples())["id"]) == list(table["id"])[1:]
    assert len(await audience.get_examples(amount=3, page=2)) == 1


async def test_settings_travel_with_an_example(client, rapidata_sandbox, caplog):
    audience = await client.audience.create_audience("Settings")
    for settings in ([NoShuffle()], None):
        await audience.add_compare_example(
            instruction="Which?",
            datapoint=["a", "b"],
            truth="a",
            data_type="text",
            settings=settings,
        )
    bodies = [r["body"] for r in sent(rapidata_sandbox, "POST", f"/audience/{audience.id}/example")]
    assert bodies[0]["featureFlags"] == [{"key": "no_shuffle", "value": "true"}]
    assert bodies[1]["featureFlags"] is None
    assert "no effect" not in caplog.text
    await audience.add_compare_example(
        instruction="Which?",
        datapoint=["c", "d"],
        truth="c",
        data_type="text",
        settings=[LocateMaxPoints()],
    )
    assert "'locate_max_points' has no effect on compare; it is for locate" in caplog.text


@pytest.mark.parametrize(
    ("kind", "arguments", "problem"),
    [
        ("compare", {"datapoint": ["a", "b"], "truth": "c"}, "truth: 'c' is not one of the two"),
        (
            "classification",
            {"datapoint": "a", "answer_options": ["x", "y"], "truth": ["z"]},
            "is not an answer option",
        ),
        ("locate", {"datapoint": IMAGE, "truths": []}, "truths"),
        ("draw", {"datapoint": IMAGE, "truths": []}, "truths"),
        ("select_words", {"datapoint": IMAGE, "sentence": "a b", "truths": [2]}, "truths"),
    ],
)
async def test_a_wrong_truth_is_refused_before_anything_is_sent(
    client, rapidata_sandbox, kind, arguments, problem
):
    audience = await client.audience.create_audience("Wrong")
    before = len(rapidata_sandbox.requests())
    if kind in {"compare", "classification"}:
        arguments = {**arguments, "data_type": "text"}
    with pytest.raises(errors.ValidationError, match=problem):
        await getattr(audience, f"add_{kind}_example")(instruction="Which?", **arguments)
    assert len(rapidata_sandbox.requests()) == before


async def test_a_file_that_is_not_there(client, rapidata_sandbox, tmp_path):
    audience = await client.audience.create_audience("Missing")
    with pytest.raises(errors.ValidationError, match=r"gone\.png"):
        await audience.add_locate_example(
            instruction="Tap", datapoint=str(tmp_path / "gone.png"), truths=[Box(0, 0, 1, 1)]
        )
    assert not sent(rapidata_sandbox, "POST", f"/audience/{audience.id}/example")


async def test_the_same_example_again_is_noticed(client, caplog):
    audience = await client.audience.create_audience("Twice")
    await add_texts(audience, [TEXTS[0]] * 3)
    assert caplog.text.count("has this example already") == 2
    # Another object does not know what was added, but sees it before somebody counts on it.
    caplog.clear()
    again = await client.audience.get_audience_by_id(audience.id)
    await again.start_recruiting()
    assert "2 of the 3 examples of audience" in caplog.text


async def test_too_few_examples_are_noticed_and_nobody_waits_for_ever(
    client, rapidata_sandbox, caplog
):
    audience = await client.audience.create_audience("Too few")
    await add_texts(audience, TEXTS[:2])
    job = await audience.assign_job(await text_definition(client))
    assert f"audience {audience.id} has 2 example(s): nobody is recruited" in caplog.text
    rapidata_sandbox.advance(LONG)
    with pytest.raises(errors.JobNeedsAttentionError) as caught:
        await job.wait(poll_interval=0.01)
    assert "at least 3 qualification examples" in str(caught.value)
    assert "start_recruiting" in str(caught.value)
    assert caught.value.job_id == job.id
    # It is as the message says.
    await add_texts(audience, TEXTS[2:])
    await audience.start_recruiting()
    await job.delete()
    job = await audience.assign_job(await text_definition(client))
    rapidata_sandbox.advance(LONG)
    await job.wait(timeout=5, poll_interval=0.01)


async def test_recruiting_that_is_started(client, rapidata_sandbox, caplog):
    audience = await client.audience.create_audience("Explicit", min_tasks=3)
    await add_texts(audience)
    nobody = await audience.get_recruiting_metrics()
    assert (nobody.graduated, nobody.distilling) == (0, 0)
    await audience.start_recruiting()
    await audience.start_recruiting()
    assert (await audience.reload()).status == "Recruiting"
    rapidata_sandbox.advance(LONG)
    assert (await audience.reload()).status == "Ready"
    metrics = await audience.get_recruiting_metrics()
    assert metrics.graduated > 0
    assert metrics.dropped > 0
    assert metrics.graduated == metrics.users_per_state["Graduated"]
    assert caplog.text == ""


async def test_the_first_job_starts_recruiting(client, rapidata_sandbox):
    audience = await client.audience.create_audience("Implicit")
    await add_texts(audience)
    job = await audience.assign_job(await text_definition(client))
    progress = await job.get_progress()
    assert progress.completion_percentage == 0
    assert progress.recruiting is not None
    rapidata_sandbox.advance(LONG)
    results = await job.get_results()
    assert len(results["results"]) == 1
    assert not sent(rapidata_sandbox, "POST", f"/audience/{audience.id}/recruit")
    assert [found.id for found in await audience.find_jobs()] == [job.id]
    assert await audience.find_jobs("nothing like it") == []


async def test_a_part_of_an_audience(client, rapidata_sandbox):
    base = await client.audience.get_audience_by_id("aud_MU1GZYoESyO")
    part = await base.filter(
        [(CountryFilter(["US"]) | CountryFilter(["DE"])) & ~AgeFilter(["65+"])]
    )
    assert isinstance(part, AsyncRapidataFilteredAudience)
    # What would change the audience that it is a part of is not offered.
    public = {name for name in dir(part) if not name.startswith("_")}
    assert public == {"id", "name", "url", "filters", "assign_job", "find_jobs", "delete"}
    job = await part.assign_job(await text_definition(client))
    rapidata_sandbox.advance(LONG)
    responses = (await job.get_results()).responses()
    assert set(responses["country"]) <= {"US", "DE"}
    assert [found.id for found in await part.find_jobs()] == [job.id]
    again = await client.audience.get_audience_by_id(part.id)
    assert isinstance(again, AsyncRapidataFilteredAudience)
    assert (again.id, again.filters) == (part.id, part.filters)
    await part.delete()
    with pytest.raises(errors.NotFoundError):
        await client.audience.get_audience_by_id(part.id)


async def test_several_filters_mean_all_of_them(client, rapidata_sandbox):
    base = await client.audience.get_audience_by_id("global")
    await base.filter([CountryFilter(["US"]), LanguageFilter(["en"])])
    [request] = sent(rapidata_sandbox, "POST", "/audience/global/filter")
    assert request["body"]["filter"]["_t"] == "AndFilter"
    with pytest.raises(errors.ValidationError, match="at least one filter"):
        await base.filter([])


async def test_people_of_ones_own(client, rapidata_sandbox):
    audience = await client.audience.create_unlisted_audience("Colleagues")
    assert audience.link == f"{rapidata_sandbox.url}/label/{audience.id}"
    again = await client.audience.get_audience_by_id(audience.id)
    assert isinstance(again, AsyncRapidataUnlistedAudience)
    assert again.name == "Colleagues"
    job = await again.assign_job(await text_definition(client))
    assert again.job_link(job) == f"{audience.link}/job/{job.id}"


async def test_an_audience_whose_answer_is_lost_is_found(client, rapidata_sandbox, impatient):
    older = await client.audience.create_audience("Lost")
    await add_texts(older, TEXTS[:1])
    other = await client.audience.create_audience("Lost", filters=[CountryFilter(["US"])])
    strict = await client.audience.create_audience("Lost", min_tasks=3)
    lose_next(rapidata_sandbox, "/audience$", "after_commit")
    audience = await client.audience.create_audience("Lost")
    # Neither the one with an example, nor those that differ.
    assert audience.id not in {older.id, other.id, strict.id}
    assert len(await client.audience.find_audiences("Lost")) == 4


async def test_an_audience_that_was_not_made(client, rapidata_sandbox, impatient):
    lose_next(rapidata_sandbox, "/audience$", "before")
    with pytest.raises(errors.TransportError, match="it was not sent again"):
        await client.audience.create_audience("Never")
    assert await client.audience.find_audiences("Never") == []


async def test_an_example_whose_answer_is_lost_is_there_once(client, rapidata_sandbox):
    audience = await client.audience.create_audience("Examples")
    for phase, raises in (("after_commit", False), ("before", True)):
        lose_next(rapidata_sandbox, ".*/example", phase)
        if raises:
            with pytest.raises(errors.TransportError):
                await add_texts(audience, TEXTS[1:2])
        else:
            await add_texts(audience, TEXTS[:1])
        assert len(await audience.get_examples()) == 1
    # Adding it again is not adding it twice.
    await add_texts(audience, TEXTS[1:2])
    assert len(await audience.get_examples()) == 2


def lose_next(sandbox, path, phase):
    sandbox.faults([{"method": "POST", "path": path, "phase": phase, "action": "drop"}])
