"""The user's documents, step by step, against the sandbox."""

import pytest

from rapidata_core import NoShuffleSetting, RapidataResults, errors

PAIRS = [
    ["https://assets.rapidata.ai/flux_book.jpg", "https://assets.rapidata.ai/mj_book.jpg"],
    ["https://assets.rapidata.ai/flux_duck.jpg", "https://assets.rapidata.ai/mj_duck.jpg"],
]
PROMPTS = ["A small blue book sitting on a large red book.", "A psychedelic duck"]


async def test_a_comparison(client, rapidata_sandbox, capfd):
    audience = await client.audience.get_audience_by_id("global")
    definition = await client.job.create_compare_job_definition(
        name="Example Image Prompt Alignment",
        instruction="Which image matches the description better?",
        datapoints=PAIRS,
        contexts=PROMPTS,
        responses_per_datapoint=5,
        a_b_names=["Flux", "Midjourney"],
    )
    estimate = await definition.estimated_cost
    assert (estimate.datapoint_count, estimate.required_responses) == (2, 10)
    rapidata_sandbox.assert_paid_jobs(0)
    job = await audience.assign_job(definition)
    assert job.name == "Example Image Prompt Alignment"
    rapidata_sandbox.assert_paid_jobs(1)
    assert (await job.get_progress()).completion_percentage == 0
    assert await job.get_status() in {"Submitted", "Running"}
    rapidata_sandbox.advance(3600)
    await job.display_progress_bar(refresh_rate=0.1)
    assert "100.0 % Completed" in capfd.readouterr().err
    results = await job.get_results()
    assert isinstance(results, RapidataResults)
    assert results["info"]["type"] == "Compare"
    assert [entry["context"] for entry in results["results"]] == PROMPTS
    assert all(len(entry["detailedResults"]) == 5 for entry in results["results"])
    assert set(results["results"][0]["aggregatedResults"]) == {"flux_book.jpg", "mj_book.jpg"}
    assert list(results.to_pandas()["assetA"]) == ["flux_book.jpg", "flux_duck.jpg"]
    assert (await job.estimated_cost).estimated_cost == estimate.estimated_cost
    [charged] = rapidata_sandbox.ledger()["entries"]
    assert abs(charged["amount"]) == pytest.approx(estimate.estimated_cost)


async def test_a_likert_scale(client, rapidata_sandbox):
    audience = await client.audience.get_audience_by_id("aud_mr3NbeWa4Uo")
    options = ["1: Not at all", "2: A little", "3: Moderately", "4: Very well", "5: Perfectly"]
    definition = await client.job.create_classification_job_definition(
        name="Likert Scale Example",
        instruction="How well does the image match the description?",
        answer_options=options,
        contexts=PROMPTS,
        datapoints=[pair[0] for pair in PAIRS],
        responses_per_datapoint=7,
        settings=[NoShuffleSetting()],
    )
    job = await audience.assign_job(definition)
    rapidata_sandbox.advance(3600)
    labels = (await job.get_results()).labels()
    assert list(labels["responses"]) == [7, 7]
    assert {vote["option"] for votes in labels["votes"] for vote in votes} <= set(options)


async def test_texts_need_no_upload(client, rapidata_sandbox):
    await client.job.create_compare_job_definition(
        name="Texts",
        instruction="Which sentence is grammatically more correct?",
        datapoints=[["The children were amazed.", "The children were amusing."]],
        data_type="text",
    )
    assert not [r for r in rapidata_sandbox.requests() if r["path"].startswith("/asset")]


async def test_finding_things_again(client, rapidata_sandbox):
    audience = await client.audience.get_audience_by_id("global")
    definition = await client.job.create_compare_job_definition(
        name="Findable", instruction="Which?", datapoints=[["a", "b"]], data_type="text"
    )
    job = await audience.assign_job(definition)
    assert (await client.job.get_job_definition_by_id(definition.id)).name == "Findable"
    again = await client.job.get_job_by_id(job.id)
    assert (again.name, again.definition_id, again.audience_id) == (
        "Findable",
        definition.id,
        "global",
    )
    assert [found.id for found in await client.job.find_jobs("indab")] == [job.id]
    assert await client.job.find_jobs("nothing like it") == []
    assert [found.id for found in await client.job.find_jobs()] == [job.id]
    for look_up in (
        client.job.get_job_by_id,
        client.job.get_job_definition_by_id,
        client.audience.get_audience_by_id,
    ):
        with pytest.raises(errors.NotFoundError, match=r"There is no .*'nope'"):
            await look_up("nope")
        with pytest.raises(errors.ValidationError, match="must not be blank"):
            await look_up("")


async def test_every_assignment_is_a_job_of_its_own(client, rapidata_sandbox):
    audience = await client.audience.get_audience_by_id("global")
    definition = await client.job.create_compare_job_definition(
        name="Twice", instruction="Which?", datapoints=[["a", "b"]], data_type="text"
    )
    first, second = await audience.assign_job(definition), await audience.assign_job(definition)
    assert first.id != second.id
    rapidata_sandbox.assert_paid_jobs(2)


async def test_an_assignment_whose_answer_is_lost_is_found(client, rapidata_sandbox):
    audience = await client.audience.get_audience_by_id("global")
    definition = await client.job.create_compare_job_definition(
        name="Lost", instruction="Which?", datapoints=[["a", "b"]], data_type="text"
    )
    rapidata_sandbox.faults(
        [{"method": "POST", "path": "/job$", "phase": "after_commit", "action": "drop"}]
    )
    job = await audience.assign_job(definition)
    assert (await client.job.find_jobs("Lost"))[0].id == job.id
    rapidata_sandbox.assert_paid_jobs(1)


async def test_waiting_tells_what_changes(client, rapidata_sandbox):
    job = await small_job(client)
    seen = []

    def look(progress):
        seen.append(progress)
        rapidata_sandbox.advance(2)

    await job.wait(on_progress=look, poll_interval=0.05)
    assert seen[-1].state == "Completed"
    assert len(seen) >= 3
    assert len(set(seen)) == len(seen)
    percentages = [progress.completion_percentage for progress in seen]
    assert percentages == sorted(percentages)


async def small_job(client):
    audience = await client.audience.get_audience_by_id("global")
    definition = await client.job.create_compare_job_definition(
        name="Small", instruction="Which?", datapoints=[["a", "b"]], data_type="text"
    )
    return await audience.assign_job(definition)


async def test_waiting_ends_in_time_and_the_job_lives_on(client, rapidata_sandbox):
    job = await small_job(client)
    with pytest.raises(errors.WaitTimeoutError) as caught:
        await job.wait(timeout=0.2, poll_interval=0.1)
    assert caught.value.job_id == job.id
    rapidata_sandbox.advance(3600)
    await job.wait(timeout=0)
    with pytest.raises(errors.ValidationError, match="poll_interval"):
        await job.wait(poll_interval=0)


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("Failed", errors.JobFailedError),
        ("ManualApproval", errors.JobNeedsAttentionError),
        ("SpendLimited", errors.JobNeedsAttentionError),
        ("Blocked", errors.JobNeedsAttentionError),
    ],
)
async def test_jobs_that_do_not_go_on(client, rapidata_sandbox, state, error):
    job = await small_job(client)
    rapidata_sandbox.set_job_state(job.id, state)
    with pytest.raises(error) as caught:
        await job.get_results()
    assert (caught.value.job_id, caught.value.state) == (job.id, state)


async def test_pausing_resuming_deleting(client, rapidata_sandbox):
    job = await small_job(client)
    await job.pause()
    assert await job.get_status() == "Paused"
    rapidata_sandbox.advance(3600)
    assert await job.get_status() == "Paused"
    await job.resume()
    rapidata_sandbox.advance(3600)
    assert await job.get_status() == "Completed"
    await job.delete()
    with pytest.raises(errors.NotFoundError):
        await job.get_status()


async def test_results_as_a_dataset(client, rapidata_sandbox, tmp_path):
    job = await small_job(client)
    rapidata_sandbox.advance(3600)
    manifest = await job.save_results(tmp_path / job.id)
    assert (manifest.job_id, manifest.label_count, manifest.response_count) == (job.id, 1, 10)
    assert (tmp_path / job.id / "labels.parquet").exists()
    assert manifest.as_dict()["labels"].endswith("labels.parquet")


async def test_pages_open_in_a_browser_or_are_printed(client, monkeypatch, capfd):
    job = await small_job(client)
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: bool(opened.append(url)))
    job.view()
    assert opened == [job.url]
    assert job.url in capfd.readouterr().err
    assert job.url.endswith(f"/audiences/global/job/{job.id}")
