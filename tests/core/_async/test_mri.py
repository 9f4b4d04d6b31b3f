"""Benchmarks in the words of the platform's documents, against the sandbox."""

import pickle

import pytest

from rapidata_core import (
    CountryFilter,
    NoShuffle,
    Origin,
    Standing,
    Tag,
    VoteAggregation,
    errors,
)
from rapidata_core.concurrency import async_map
from rapidata_core.policy.benchmarks import StandingGoal, standing_of
from rapidata_core.wire.mri import StandingAnswer

PROMPTS = ["A serene mountain landscape at sunset", "A futuristic city with flying cars"]
# In the sandbox's world these are good and bad, whatever they are asked to paint.
GOOD, FAIR, BAD = "model 10", "model 2", "model 0"
AN_HOUR = 3600
DROP = {"phase": "after_commit", "action": "drop"}


@pytest.fixture
async def benchmark(client):
    return await client.mri.create_new_benchmark(name="AI Art Competition", prompts=PROMPTS)


def sent(sandbox, method, path):
    """The bodies of the requests to a path."""
    found = [r for r in sandbox.requests() if (r["method"], r["path"]) == (method, path)]
    return [request["body"] for request in found]


def texts(name, count=8):
    return [f"{name}, version {number}" for number in range(count)]


async def add(benchmark, name, count=8):
    """A model with several texts for the first prompt."""
    return await benchmark.add_model(name, texts(name, count), [PROMPTS[0]] * count, None, "text")


async def test_models_are_ranked(client, benchmark, rapidata_sandbox):
    leaderboard = await benchmark.create_leaderboard(
        name="Realism", instruction="Which image is more realistic?", show_prompt=False
    )
    urls = ["https://assets.rapidata.ai/mountain1.png", "https://assets.rapidata.ai/mountain2.png"]
    for name in (BAD, GOOD):
        assert [await model.get_elo() for model in await benchmark.participants] in ([], [None])
        await benchmark.evaluate_model(
            name=name,
            media=[
                *(f"{url}?by={name[-2:].strip()}" for url in urls),
                f"https://x.example/{name[-2:].strip()}.png",
            ],
            prompts=[PROMPTS[0], PROMPTS[0], PROMPTS[1]],
        )
    # The first had nobody to be compared with.
    rapidata_sandbox.assert_paid_jobs(1)
    rapidata_sandbox.advance(AN_HOUR)

    standings = await leaderboard.get_standings()
    assert list(standings.columns) == ["name", "wins", "total_matches", "score"]
    assert list(standings["name"]) == [GOOD, BAD]
    assert list(standings["total_matches"]) == [5, 5]
    matrix = await leaderboard.get_win_loss_matrix()
    assert list(matrix.index) == list(matrix.columns) == [GOOD, BAD]
    assert matrix.loc[GOOD, BAD] + matrix.loc[BAD, GOOD] == 5
    assert matrix.loc[GOOD, BAD] == standings["wins"][0]
    weighted = await leaderboard.get_win_loss_matrix(use_weighted_scoring=True)
    assert 0 < weighted.to_numpy().sum() < 5
    [one, other] = await benchmark.participants
    assert (one.name, other.name) == (BAD, GOOD)
    assert await other.get_elo() == standings["score"][0] > 1200 > await one.get_elo()
    overall = await benchmark.get_overall_standings()
    assert list(overall["name"]) == [GOOD, BAD]
    assert (await benchmark.get_win_loss_matrix()).equals(matrix)


async def test_a_new_better_model_moves_to_the_top(benchmark, rapidata_sandbox):
    leaderboard = await benchmark.create_leaderboard("Realism", "Which image is more realistic?")
    await add(benchmark, BAD)
    await add(benchmark, FAIR)
    await benchmark.run()
    rapidata_sandbox.advance(AN_HOUR)
    assert list((await leaderboard.get_standings())["name"]) == [FAIR, BAD]
    await (await add(benchmark, GOOD)).run()
    rapidata_sandbox.advance(AN_HOUR)
    assert list((await leaderboard.get_standings())["name"]) == [GOOD, FAIR, BAD]


async def test_models_are_added_first_and_submitted_later(benchmark, rapidata_sandbox):
    await benchmark.create_leaderboard("Realism", "Which?", level_of_detail="debug")
    first = await add(benchmark, "ModelA", count=1)
    assert (first.name, first.status) == ("ModelA", "Submittable")
    await first.upload_media(assets=["another"], identifiers=[PROMPTS[0]], data_type="text")
    assert await first.missing_counts([PROMPTS[0]] * 2) == {}
    assert await first.missing_counts([*PROMPTS, PROMPTS[0], PROMPTS[0]]) == {
        PROMPTS[0]: 1,
        PROMPTS[1]: 1,
    }
    await first.run()
    assert first.status == "Submitted"
    await add(benchmark, "ModelB", count=1)
    await add(benchmark, "ModelC", count=1)
    rapidata_sandbox.assert_paid_jobs(0)
    await benchmark.run()
    assert [p.status for p in await benchmark.participants] == ["Submitted"] * 3
    rapidata_sandbox.assert_paid_jobs(1)
    await benchmark.run()
    rapidata_sandbox.assert_paid_jobs(1)
    assert len(sent(rapidata_sandbox, "POST", "/participants/submit")) == 2


async def test_prompts_have_all_that_was_given(client, tmp_path):
    local = tmp_path / "city.png"
    local.write_bytes(b"a city")
    benchmark = await client.mri.create_new_benchmark(
        name="Preference Benchmark",
        identifiers=["scene_1", "scene_2", "scene_3"],
        prompts=["A sunny beach", None, "A city skyline"],
        prompt_assets=[
            "https://x.example/a.png",
            ["https://x.example/b.png", str(local)],
            None,
        ],
        tags=[["landscape", Tag("beach", category="scene")], None, ["city", "landscape"]],
        origins=["coco", Origin("ours"), None],
    )
    again = await client.mri.get_benchmark_by_id(benchmark.id)
    place = [(await again.identifiers).index(f"scene_{n}") for n in (1, 2, 3)]

    async def aligned(values):
        return [values[index] for index in place]

    assert await aligned(await again.prompts) == ["A sunny beach", None, "A city skyline"]
    assert await aligned(await again.english_prompts) == ["A sunny beach", None, "A city skyline"]
    assert await aligned(await again.prompt_assets) == [
        ["https://x.example/a.png"],
        ["https://x.example/b.png", "city.png"],
        None,
    ]
    assert await aligned(await again.tags) == [["landscape", "beach"], [], ["city", "landscape"]]
    assert (await aligned(await again.structured_tags))[0][1] == Tag("beach", "scene")
    assert await aligned(await again.origins) == [Origin("coco"), Origin("ours"), None]
    counts = await again.get_tag_counts()
    assert list(counts["value"]) == ["beach", "city", "landscape"]
    assert list(counts["prompt_count"]) == [1, 1, 2]

    await again.update_prompt("scene_3", tags=["night", Tag("city", "scene")])
    await again.update_prompt("scene_2", origin="elsewhere")
    assert (await again.structured_tags)[place[2]] == [Tag("night"), Tag("city", "scene")]
    assert (await again.origins)[place[1]] == Origin("elsewhere")
    await again.add_prompts(identifiers=["new_style"], prompts=["In this style"], tags=[["modern"]])
    assert (await again.identifiers)[-1] == "new_style"
    await again.update(min_assets_per_prompt=2)
    await again.reload()
    assert again.name == "Preference Benchmark"
    assert [found.id for found in await client.mri.find_benchmarks("Preference")] == [again.id]
    assert await client.mri.find_benchmarks("nothing like it") == []
    await again.delete()
    with pytest.raises(errors.NotFoundError, match="There is no benchmark"):
        await client.mri.get_benchmark_by_id(again.id)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": " ", "prompts": ["a"]}, ["name: must not be blank"]),
        ({}, ["prompts: give prompts"]),
        ({"identifiers": ["a"]}, ["prompts: give prompts or prompt_assets"]),
        ({"prompts": "a"}, ["prompts: must be a list"]),
        ({"prompts": ["a", "a"]}, ["prompts: must differ from each other; twice: 'a'"]),
        ({"prompts": ["a", ""]}, ["prompts: every entry must be a text"]),
        ({"identifiers": ["1", "1"], "prompts": ["a", "b"]}, ["identifiers: must differ"]),
        (
            {"identifiers": ["1", "2"], "prompts": ["a"], "tags": [[], [], []]},
            ["the same length; identifiers has 2, prompts has 1, tags has 3"],
        ),
        (
            {"identifiers": ["1"], "prompts": [None], "tags": ["x"], "origins": [3]},
            ["'1' has neither a prompt", "tags[0]: must be", "origins[0]: must be"],
        ),
        ({"prompts": ["a"], "prompt_assets": [[""]]}, ["prompt_assets[0]: must be None or"]),
    ],
)
async def test_wrong_prompts_are_refused_before_anything_is_sent(
    client, rapidata_sandbox, arguments, said
):
    with pytest.raises(errors.ValidationError) as caught:
        await client.mri.create_new_benchmark(**{"name": "B", **arguments})
    assert len(caught.value.problems) == len(said)
    for problem, words in zip(caught.value.problems, said, strict=True):
        assert words in problem
    assert rapidata_sandbox.requests() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"media": []}, ["media: must be a list with one item", "identifiers: must have one"]),
        ({"media": "ab"}, ["media: must be a list with one item at least"]),
        ({"identifiers": None}, ["identifiers: give a list"]),
        ({"prompts": PROMPTS}, ["identifiers: give either"]),
        ({"media": ["a"]}, ["there are 2 for 1"]),
        ({"media": ["a", " "]}, ["media: every item must be a text"]),
        ({"media": ["a", "a"], "identifiers": [PROMPTS[0]] * 2}, ["the same item is given twice"]),
        ({"data_type": "video", "name": ""}, ["name: must not be blank", "data_type: must be"]),
        ({"identifiers": [PROMPTS[0], "x"]}, ["the benchmark has no prompt 'x'"]),
    ],
)
async def test_wrong_media_are_refused_before_anything_is_created(
    benchmark, rapidata_sandbox, arguments, said
):
    given = {"name": "M", "media": ["a", "b"], "identifiers": PROMPTS, "data_type": "text"}
    with pytest.raises(errors.ValidationError) as caught:
        await benchmark.add_model(**{**given, **arguments})
    assert len(caught.value.problems) == len(said)
    for problem, words in zip(caught.value.problems, said, strict=True):
        assert words in problem
    assert await benchmark.participants == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"name": "", "instruction": " "},
            ["name: must not be blank", "instruction: must not be blank"],
        ),
        ({"level_of_detail": "huge"}, ["level_of_detail: must be one of 'debug', 'low'"]),
        ({"level_of_detail": 0}, ["level_of_detail: must be"]),
        ({"level_of_detail": True}, ["level_of_detail: must be"]),
        ({"min_responses_per_matchup": 2}, ["min_responses_per_matchup: must be a whole number"]),
        ({"vote_aggregation": "Loudest"}, ["vote_aggregation: must be"]),
        ({"included_tags": "sky", "audience_id": ""}, ["audience_id", "included_tags: must be"]),
    ],
)
async def test_wrong_leaderboards_are_refused_before_anything_is_sent(
    benchmark, rapidata_sandbox, arguments, said
):
    with pytest.raises(errors.ValidationError) as caught:
        await benchmark.create_leaderboard(**{"name": "L", "instruction": "Which?", **arguments})
    assert len(caught.value.problems) == len(said)
    for problem, words in zip(caught.value.problems, said, strict=True):
        assert words in problem
    assert sent(rapidata_sandbox, "POST", "/leaderboard") == []
    assert await benchmark.leaderboards == []


async def test_other_wrong_arguments(client, benchmark):
    participant = await add(benchmark, "M")
    leaderboard = await benchmark.create_leaderboard("L", "Which?")
    for call, words in (
        (lambda: benchmark.update_prompt("x"), "no prompt 'x'"),
        (lambda: benchmark.update_prompt(PROMPTS[0]), "give tags, an origin, or both"),
        (lambda: benchmark.update_prompt(PROMPTS[0], tags="sky"), "tags: must be"),
        (lambda: benchmark.add_prompts(prompts=[PROMPTS[1], "new"]), f"has '{PROMPTS[1]}' already"),
        (lambda: benchmark.update(1), "at least 2"),
        (lambda: participant.rename(" "), "name: must not be blank"),
        (lambda: participant.set_price(0, "image"), "price: must be above 0"),
        (lambda: participant.set_price(float("nan"), "image"), "price: must be above 0"),
        (lambda: participant.set_price(1, "hour"), "unit: must be one of 'image'"),
        (lambda: participant.upload_media(["a"], ["x"], "text"), "no prompt 'x'"),
        (lambda: leaderboard.update(name=" "), "name: must not be blank"),
        (lambda: leaderboard.update(level_of_detail="huge"), "level_of_detail"),
        (lambda: client.mri.get_benchmark_by_id(" "), "id: must not be blank"),
    ):
        with pytest.raises(errors.ValidationError, match=words):
            await call()


async def test_leaderboards_say_what_they_were_made_with(client, benchmark, rapidata_sandbox):
    base = await client.audience.get_audience_by_id("global")
    swiss = await base.filter([CountryFilter(["CH"])])
    made = await benchmark.create_leaderboard(
        name="Quality",
        instruction="Which image has lower quality?",
        show_prompt=True,
        show_prompt_asset=True,
        inverse_ranking=True,
        level_of_detail="medium",
        min_responses_per_matchup=5,
        audience_id=swiss,
        settings=[NoShuffle()],
        included_tags=["landscape"],
        excluded_tags=["night"],
    )
    [body] = sent(rapidata_sandbox, "POST", "/leaderboard")
    assert body["audienceId"] == swiss.id
    assert body["featureFlags"] == [{"key": "no_shuffle", "value": "true"}]
    [found] = await benchmark.leaderboards
    for leaderboard in (made, found):
        assert (leaderboard.name, leaderboard.benchmark_id) == ("Quality", benchmark.id)
        assert leaderboard.instruction == "Which image has lower quality?"
        assert leaderboard.show_prompt
        assert leaderboard.show_prompt_asset
        assert leaderboard.inverse_ranking
        assert (leaderboard.response_budget, leaderboard.level_of_detail) == (4000, "medium")
        assert leaderboard.min_responses_per_matchup == 5
        assert leaderboard.audience_id == swiss.id
        assert leaderboard.included_tags == ["landscape"]
        assert leaderboard.excluded_tags == ["night"]
        assert await leaderboard.vote_aggregation == VoteAggregation.MAJORITY_VOTE
    await made.update(
        name="Better", level_of_detail=333, vote_aggregation=VoteAggregation.ALL_VOTES
    )
    await found.reload()
    for leaderboard in (made, found):
        assert (leaderboard.name, leaderboard.level_of_detail) == ("Better", "custom")
        assert leaderboard.response_budget == 333
        assert leaderboard.min_responses_per_matchup == 5
        assert await leaderboard.vote_aggregation == VoteAggregation.ALL_VOTES
    await made.delete()
    assert await benchmark.leaderboards == []


@pytest.mark.parametrize(
    ("level", "budget"),
    [("debug", 20), ("low", 2000), ("high", 8000), ("very high", 16000), (50, 50)],
)
async def test_levels_of_detail(benchmark, level, budget):
    leaderboard = await benchmark.create_leaderboard("L", "Which?", level_of_detail=level)
    assert leaderboard.response_budget == budget
    assert leaderboard.level_of_detail == (level if isinstance(level, str) else "custom")


async def test_pages_open(client, benchmark, monkeypatch, rapidata_sandbox):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    leaderboard = await benchmark.create_leaderboard("L", "Which?")
    benchmark.view()
    leaderboard.view()
    page = f"{rapidata_sandbox.url}/mri/benchmarks/{benchmark.id}"
    assert opened == [page, f"{page}/leaderboard/{leaderboard.id}"]


async def test_the_jobs_of_a_leaderboard(benchmark, rapidata_sandbox):
    leaderboard = await benchmark.create_leaderboard("L", "Which?", audience_id="aud_MU1GZYoESyO")
    for name in ("A", "B", "C"):
        await (await add(benchmark, name, count=2)).run()
        rapidata_sandbox.advance(1)
    newest, oldest = await leaderboard.jobs
    assert newest.created_at > oldest.created_at
    assert newest.audience_id == "aud_MU1GZYoESyO"
    rapidata_sandbox.advance(AN_HOUR)
    assert await newest.get_status() == "Completed"
    assert (await newest.get_results())["info"]["instruction"] == "Which?"
    await oldest.delete()
    assert [job.id for job in await leaderboard.jobs] == [newest.id]


async def test_standings_can_be_narrowed(client, rapidata_sandbox):
    benchmark = await client.mri.create_new_benchmark(
        "Tagged", prompts=["beach", "city", "car"], tags=[["sea", "outdoor"], ["outdoor"], []]
    )
    leaderboard = await benchmark.create_leaderboard("L", "Which?")
    other = await benchmark.create_leaderboard("M", "Which not?")
    for name in ("A", "B"):
        media = texts(name, 3)
        await benchmark.add_model(name, media, ["beach", "city", "car"], data_type="text")
    await benchmark.run()
    rapidata_sandbox.advance(AN_HOUR)

    async def matches(**wanted):
        return (await leaderboard.get_standings(**wanted))["total_matches"].sum() / 2

    assert await matches() == 3
    assert await matches(tags=["outdoor"]) == 2
    assert await matches(tags=["sea", "outdoor"]) == 2
    assert await matches(tags=["sea"]) == 1
    assert await matches(country=["ZZ"]) == 0
    assert 0 < await matches(gender=["Female"], age_bucket=["18-29", "30-39"]) <= 3
    assert await matches(run_id="nope") == 0
    matrix = await leaderboard.get_win_loss_matrix(tags=["sea"])
    assert matrix.to_numpy().sum() == 1
    overall = await benchmark.get_overall_standings()
    assert list(overall["total_matches"]) == [6, 6]
    narrowed = await benchmark.get_overall_standings(leaderboard_ids=[other.id], tags=["sea"])
    assert list(narrowed["total_matches"]) == [1, 1]
    [one, _] = await benchmark.participants
    alone = await benchmark.get_win_loss_matrix(participant_ids=[one.id])
    assert list(alone.index) == [one.name]


async def test_managing_participants(benchmark, rapidata_sandbox):
    leaderboard = await benchmark.create_leaderboard("L", "Which?")
    for name in ("A", "B", "C"):
        await add(benchmark, name, count=2)
    await benchmark.run()
    rapidata_sandbox.advance(AN_HOUR)
    [a, b, c] = await benchmark.participants
    await a.rename("New model name")
    await a.set_price(0.04, "image")
    await b.disable()
    assert b.status == "Disabled"
    await c.delete()
    [renamed, disabled] = await benchmark.participants
    assert (renamed.name, renamed.price, renamed.price_unit) == ("New model name", 0.04, "image")
    assert disabled.status == "Disabled"
    assert list((await leaderboard.get_standings())["name"]) == ["New model name"]
    await b.enable()
    await b.enable()
    assert b.status == "Submitted"
    await b.reload()
    assert b.status == "Submitted"
    assert set((await leaderboard.get_standings())["name"]) == {"New model name", "B"}
    await b.disable(keep_votes=True)
    assert set((await leaderboard.get_standings())["name"]) == {"New model name", "B"}
    await a.clear_price()
    await a.reload()
    assert (a.price, a.price_unit) == (None, None)


async def test_samples_that_fail_are_reported(benchmark, rapidata_sandbox):
    media = ["https://x.example/good.png", "https://nowhere.invalid/bad.png", "/no/such/file.png"]
    with pytest.raises(errors.IncompleteUploadError) as caught:
        await benchmark.evaluate_model("M", media, [PROMPTS[0]] * 3)
    error = caught.value
    assert isinstance(error, errors.FailedUploadException)
    assert [sample.media for sample in error.failed_uploads] == media[1:]
    assert [failure.error_type for failure in error.detailed_failures] == ["AssetUploadFailed"] * 2
    assert "2 of 3 samples of 'M'" in str(error)
    assert "nowhere.invalid does not exist" in str(error)
    # Half a model is not evaluated.
    assert sent(rapidata_sandbox, "POST", "/participants/submit") == []
    assert error.participant.status == "Submittable"
    assert await error.participant.missing_counts([PROMPTS[0]] * 3) == {PROMPTS[0]: 2}
    with pytest.raises(errors.IncompleteUploadError, match="2 of 2 samples"):
        await error.retry()
    assert pickle.loads(pickle.dumps(error)).failed_uploads == error.failed_uploads


async def test_what_failed_can_be_sent_again(client, rapidata_sandbox):
    refuse = {"phase": "before", "action": "status", "status": 400, "method": "POST"}
    rapidata_sandbox.faults([{**refuse, "path": "/benchmark/.*/prompt"}])
    with pytest.raises(errors.IncompleteUploadError) as caught:
        await client.mri.create_new_benchmark("B", prompts=PROMPTS)
    benchmark = caught.value.benchmark
    assert len(await benchmark.identifiers) == 1
    await caught.value.retry()
    assert set(await benchmark.identifiers) == set(PROMPTS)
    assert len(await client.mri.find_benchmarks()) == 1

    rapidata_sandbox.faults([{**refuse, "path": "/participant/.*/sample"}])
    with pytest.raises(errors.IncompleteUploadError) as caught:
        await benchmark.add_model("M", ["a", "b"], PROMPTS, data_type="text")
    await caught.value.retry()
    participant = caught.value.participant
    assert await participant.missing_counts(PROMPTS) == {}
    await participant.upload_media(["a", "b"], PROMPTS, "text")
    [model] = await benchmark.participants
    assert model.id == participant.id
    assert await model.missing_counts([*PROMPTS, PROMPTS[0]]) == {PROMPTS[0]: 1}


async def test_many_media_at_once(client, tmp_path):
    benchmark = await client.mri.create_new_benchmark(
        "Many", prompts=[f"prompt {number}" for number in range(120)]
    )
    identifiers = await benchmark.identifiers
    assert identifiers == [f"prompt {number}" for number in range(120)]
    again = await client.mri.get_benchmark_by_id(benchmark.id)
    assert sorted(await again.identifiers) == sorted(identifiers)
    files = []
    for number in range(120):
        files.append(tmp_path / f"{number}.png")
        files[-1].write_bytes(str(number).encode())
    model = await benchmark.add_model("M", [str(file) for file in files], identifiers)
    assert await model.missing_counts(identifiers) == {}


LOST = [
    ("/benchmark", "benchmark"),
    ("/benchmark/.*/prompt", "prompt"),
    ("/benchmark/.*/participants", "participant"),
    ("/participant/.*/sample", "sample"),
    ("/leaderboard", "leaderboard"),
    ("/participants/submit", "submission"),
]


@pytest.mark.parametrize("path", [path for path, _ in LOST], ids=[what for _, what in LOST])
async def test_a_lost_answer_is_resolved_by_reading(client, rapidata_sandbox, path, impatient):
    rapidata_sandbox.faults([{**DROP, "method": "POST", "path": path}])
    benchmark = await client.mri.create_new_benchmark("B", prompts=PROMPTS)
    await benchmark.create_leaderboard("Other", "Which?", skip_initial_run=True)
    leaderboard = await benchmark.create_leaderboard("L", "Which?")
    for name in ("A", "B"):
        await add(benchmark, name, count=2)
    await benchmark.run()
    rapidata_sandbox.assert_paid_jobs(2)
    assert [found.id for found in await client.mri.find_benchmarks()] == [benchmark.id]
    assert sorted(await benchmark.identifiers) == sorted(PROMPTS)
    assert [found.name for found in await benchmark.leaderboards] == ["Other", "L"]
    assert (await benchmark.leaderboards)[1].id == leaderboard.id
    assert [p.name for p in await benchmark.participants] == ["A", "B"]
    for participant in await benchmark.participants:
        assert participant.status == "Submitted"
        assert await participant.missing_counts([PROMPTS[0]] * 3) == {PROMPTS[0]: 1}


async def test_a_leaderboard_of_the_same_name_is_not_taken_for_a_lost_one(
    benchmark, rapidata_sandbox, impatient
):
    first = await benchmark.create_leaderboard("L", "Which?")
    rapidata_sandbox.faults([{**DROP, "method": "POST", "path": "/leaderboard"}])
    second = await benchmark.create_leaderboard("L", "Which?")
    assert second.id != first.id
    assert [found.id for found in await benchmark.leaderboards] == [first.id, second.id]


async def test_what_stays_unknown_is_said(benchmark, rapidata_sandbox, impatient):
    never = {"phase": "before", "action": "drop", "method": "POST"}
    rapidata_sandbox.faults([{**never, "path": "/leaderboard"}])
    with pytest.raises(errors.AmbiguousSubmissionError, match=r"Look at benchmark\.leaderboards"):
        await benchmark.create_leaderboard("L", "Which?")
    assert await benchmark.leaderboards == []
    await benchmark.create_leaderboard("L", "Which?")
    one, two = await add(benchmark, "A"), await add(benchmark, "B")
    rapidata_sandbox.faults([{**never, "path": "/participants/submit"}])
    with pytest.raises(errors.AmbiguousSubmissionError, match=r"benchmark\.run\(\) submits"):
        await benchmark.run()
    assert (one.status, two.status) == ("Submittable", "Submittable")
    rapidata_sandbox.assert_paid_jobs(0)
    await benchmark.run()
    rapidata_sandbox.assert_paid_jobs(1)
    assert len(sent(rapidata_sandbox, "POST", "/participants/submit")) == 2


async def test_a_benchmark_in_use_is_not_taken_for_a_lost_one(client, rapidata_sandbox, impatient):
    used = await client.mri.create_new_benchmark("B", prompts=PROMPTS)
    rapidata_sandbox.faults([{**DROP, "method": "POST", "path": "/benchmark"}])
    new = await client.mri.create_new_benchmark("B", prompts=PROMPTS)
    assert new.id != used.id
    assert len(await client.mri.find_benchmarks("B")) == 2


async def test_a_warning_about_too_few_samples(benchmark, caplog):
    await benchmark.update(min_assets_per_prompt=2)
    await (await add(benchmark, "M", count=1)).run()
    assert "'M' was submitted with fewer than 2 samples for some prompts" in caplog.text


async def opponents(client):
    """A benchmark with a leaderboard and a model, so that evaluating another one costs money."""
    made = await client.mri.create_new_benchmark("B", prompts=PROMPTS)
    await made.create_leaderboard("L", "Which?")
    await made.evaluate_model("first", ["x"], [PROMPTS[0]], None, "text")
    return made


async def test_keys_of_leaderboards(benchmark):
    made = await benchmark.create_leaderboard("L", "Which?", key="k")
    assert made.name == "L"
    await made.update(name="M")
    same = await benchmark.create_leaderboard("L", "Which?", key="k")
    assert (same.id, same.name) == (made.id, "M")
    with pytest.raises(errors.KeyConflictError, match=f"{made.id}.*'Which\\?', now 'Why\\?'"):
        await benchmark.create_leaderboard("L", "Why?", key="k")
    assert (await benchmark.create_leaderboard("L", "Which?", key="l")).id != made.id
    with pytest.raises(errors.ValidationError, match="key"):
        await benchmark.create_leaderboard("L", "Which?", key=" ")


async def test_a_model_is_known_by_its_name_and_its_media(client, rapidata_sandbox, tmp_path):
    benchmark = await opponents(client)
    file = tmp_path / "a.png"
    file.write_bytes(b"a picture")
    media = [str(file), "https://x.example/b.png"]
    await benchmark.evaluate_model("M", media, PROMPTS)
    rapidata_sandbox.assert_paid_jobs(1)
    before = len(rapidata_sandbox.requests())
    await benchmark.evaluate_model("M", media, PROMPTS)
    assert {r["method"] for r in rapidata_sandbox.requests()[before:]} == {"GET"}
    assert (await benchmark.add_model("M", media, PROMPTS)).status == "Submitted"
    rapidata_sandbox.assert_paid_jobs(1)
    # Other media, fewer, more, or for other prompts make another model.
    for other, identifiers in (
        ([media[0], "https://x.example/c.png"], PROMPTS),
        (media[:1], PROMPTS[:1]),
        ([*media, "https://x.example/c.png"], [*PROMPTS, PROMPTS[0]]),
        (media, PROMPTS[::-1]),
    ):
        await benchmark.evaluate_model("M", other, identifiers)
    assert [one.name for one in await benchmark.participants] == ["first", *["M"] * 5]
    rapidata_sandbox.assert_paid_jobs(5)


async def test_what_is_left_of_a_dead_process_is_completed_or_passed_over(client, rapidata_sandbox):
    benchmark = await opponents(client)
    left = await benchmark.add_model("M", ["a"], PROMPTS[:1], None, "text")
    before = len(rapidata_sandbox.requests())
    await benchmark.evaluate_model("M", ["a", "b"], PROMPTS, None, "text")
    uploads = [r for r in rapidata_sandbox.requests()[before:] if r["path"].endswith("/sample")]
    assert [upload["body"]["identifier"] for upload in uploads] == [PROMPTS[1]]
    assert [one.id for one in await benchmark.participants][1:] == [left.id]
    # One without any media is nothing that could be submitted.
    await benchmark._create_participant("N")
    await benchmark.run()
    assert [one.status for one in await benchmark.participants] == [
        "Submitted",
        "Submitted",
        "Created",
    ]
    rapidata_sandbox.assert_paid_jobs(1)


async def test_what_shows_no_media_in_time_is_taken_over(restarted, rapidata_sandbox):
    async with restarted() as client:
        benchmark = await opponents(client)
        # One after the other they died before they uploaded anything.
        oldest, *_ = [await benchmark._create_participant("M") for _ in range(3)]
        await benchmark.evaluate_model("M", ["a"], PROMPTS[:1], None, "text")
        models = await benchmark.participants
        assert {one.id: one.status for one in models}[oldest] == "Submitted"
        assert [one.status for one in models] == ["Submitted", "Submitted", "Created", "Created"]
    rapidata_sandbox.assert_paid_jobs(1)


@pytest.mark.parametrize("late", [".*/participants", ".*/samples"])
async def test_a_model_that_shows_late_is_not_paid_twice(restarted, rapidata_sandbox, late):
    async with restarted() as client:
        benchmark = await opponents(client)
    rapidata_sandbox.faults([{"method": "GET", "path": late, "action": "lag", "seconds": 5}])
    for _ in range(2):
        async with restarted(settle=30) as client:
            again = await client.mri.get_benchmark_by_id(benchmark.id)
            await again.evaluate_model("M", ["a"], PROMPTS[:1], None, "text")
    rapidata_sandbox.assert_paid_jobs(1)


async def test_who_does_not_see_its_own_model_pays_nothing(restarted, rapidata_sandbox):
    async with restarted() as client:
        benchmark = await opponents(client)
        lag = {"method": "GET", "path": ".*/participants", "action": "lag", "seconds": AN_HOUR}
        rapidata_sandbox.faults([lag])
        with pytest.raises(errors.ServerError, match=r"nothing was paid.*settle="):
            await benchmark.evaluate_model("M", ["a"], PROMPTS[:1], None, "text")
    rapidata_sandbox.assert_paid_jobs(0)


async def test_of_models_that_race_the_oldest_is_evaluated(client, rapidata_sandbox, monkeypatch):
    benchmark = await opponents(client)
    again = await client.mri.get_benchmark_by_id(benchmark.id)
    real = again._create_participant
    first = []

    async def late(name):
        if not first:
            # Both have looked, and the other one is faster.
            first.append(None)
            first[0] = await benchmark.add_model("M", ["a"], PROMPTS[:1], None, "text")
        return await real(name)

    monkeypatch.setattr(again, "_create_participant", late)
    await again.evaluate_model("M", ["a"], PROMPTS[:1], None, "text")
    await benchmark.evaluate_model("M", ["a"], PROMPTS[:1], None, "text")
    assert [one.id for one in await benchmark.participants][1:] == [first[0].id]
    rapidata_sandbox.assert_paid_jobs(1)


async def test_runners_of_one_model_pay_once(client, rapidata_sandbox):
    benchmark = await opponents(client)

    async def evaluate(_):
        again = await client.mri.get_benchmark_by_id(benchmark.id)
        await again.evaluate_model("M", ["a", "b"], PROMPTS, None, "text")

    await async_map(evaluate, range(4), workers=4)
    assert [one.status for one in await benchmark.participants] == ["Submitted", "Submitted"]
    rapidata_sandbox.assert_paid_jobs(1)


@pytest.fixture
async def leaderboard(benchmark):
    return await benchmark.create_leaderboard("Realism", "Which is more realistic?")


async def rank_two(benchmark):
    models = [await add(benchmark, name) for name in (BAD, GOOD)]
    await benchmark.run()
    return models


async def test_waiting_for_a_standing(client, benchmark, leaderboard, rapidata_sandbox, hurry):
    await rank_two(benchmark)
    best = await leaderboard.wait_for_standing(GOOD, max_rank=1, min_matches=8, timeout=AN_HOUR)
    assert (best.participant, best.rank) == (GOOD, 1)
    rapidata_sandbox.advance(AN_HOUR)
    standings = (await leaderboard.get_standings()).set_index("name")
    best = await leaderboard.wait_for_standing(GOOD, min_score=1200)
    assert best.score == standings["score"][GOOD]
    assert (best.wins, best.matches) == tuple(standings.loc[GOOD, ["wins", "total_matches"]])
    worst = next(one for one in await benchmark.participants if one.name == BAD)
    assert (await leaderboard.wait_for_standing(worst.id, max_rank=2)).rank == 2
    again = await client.mri.get_leaderboard_by_id(benchmark.id, leaderboard.id)
    assert (again.name, again.url) == (leaderboard.name, leaderboard.url)
    assert await again.wait_for_standing(BAD, max_rank=2)


async def test_a_standing_that_does_not_come(benchmark, leaderboard, rapidata_sandbox, hurry):
    with pytest.raises(errors.WaitTimeoutError, match="No model was submitted so far"):
        await leaderboard.wait_for_standing("nobody", max_rank=1, timeout=0)
    await rank_two(benchmark)
    rapidata_sandbox.advance(AN_HOUR)
    with pytest.raises(errors.WaitTimeoutError, match=f"no model 'nobody'; there are '{GOOD}'"):
        await leaderboard.wait_for_standing("nobody", max_rank=1, timeout=0)
    with pytest.raises(errors.WaitTimeoutError, match=f"'{BAD}' has rank 2, the score "):
        await leaderboard.wait_for_standing(BAD, max_rank=1, timeout=0)


@pytest.mark.parametrize(
    ("conditions", "problem"),
    [
        ({}, "give max_rank, min_score or min_matches"),
        ({"max_rank": 0}, "max_rank: must be a whole number, at least 1"),
        ({"max_rank": 1.5}, "max_rank: must be a whole number"),
        ({"min_score": "1200"}, "min_score: must be"),
        ({"min_matches": -1}, "min_matches: must be at least 0"),
    ],
)
async def test_standings_that_nobody_can_have(leaderboard, conditions, problem):
    with pytest.raises(errors.ValidationError, match=problem):
        await leaderboard.wait_for_standing(GOOD, **conditions)


async def test_waiting_until_a_model_is_evaluated(benchmark, leaderboard, rapidata_sandbox, hurry):
    beauty = await benchmark.create_leaderboard("Beauty", "Which is more beautiful?")
    lonely = await add(benchmark, BAD)
    with pytest.raises(errors.ValidationError, match="is Submittable, not Submitted"):
        await lonely.wait()
    await lonely.run()
    with pytest.raises(errors.WaitTimeoutError, match="no rank"):
        await lonely.wait(timeout=0)
    other = await add(benchmark, GOOD)
    await other.run()
    with pytest.raises(errors.WaitTimeoutError, match=f"The evaluation of '{GOOD}'"):
        await other.wait(timeout=0)
    standing = await other.wait(timeout=AN_HOUR)
    assert (standing.participant, standing.rank) == (GOOD, 1)
    assert standing.score == await other.get_elo()
    boards = [await board.get_standings() for board in (leaderboard, beauty)]
    assert all(len(board) == 2 and board["total_matches"].min() > 0 for board in boards)
    assert sum(board["total_matches"][0] for board in boards) == standing.matches


def test_equal_scores_have_equal_ranks():
    items = [
        StandingAnswer(id=name, name=name, wins=1, total_matches=2, score=score)
        for name, score in (("a", 1300.0), ("b", 1200.0), ("c", 1200.0), ("d", 900.0), ("e", None))
    ]
    ranks = [standing_of(items, item.name).rank for item in items]
    assert ranks == [1, 2, 2, 4, None]
    # Of several with one name the best one counts; an id tells them apart.
    twin = StandingAnswer(id="f", name="d", wins=0, total_matches=2, score=1250.0)
    assert standing_of([*items, twin], "d").score == 900.0
    assert standing_of([items[4], twin, items[3].model_copy(update={"id": "g"})], "d").rank == 1


def test_without_a_score_no_goal_but_matches_is_met():
    new = Standing("new", None, None, 0, 3)
    assert StandingGoal(min_matches=3).is_met(new)
    assert not StandingGoal(max_rank=9, min_matches=3).is_met(new)
    assert not StandingGoal(min_score=-1e9).is_met(new)
