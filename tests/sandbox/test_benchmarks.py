"""Benchmarks: models are compared prompt by prompt, and leaderboards rank them."""

from __future__ import annotations

import pytest

from rapidata_core.sandbox.contests import Entry, quality

PROMPTS = ("a mountain", "a city", "a portrait", "a beach")
AT_ONCE = 3600


def ranked_names(seed=0, question="Which is better?", count=12):
    """Names of models, the best one first, as the sandbox's world has it."""

    def strength(name):
        entries = (Entry("", name, "", str(n)) for n in range(40))
        return sum(quality(seed, question, entry) for entry in entries)

    return sorted((f"model {n}" for n in range(count)), key=strength, reverse=True)


def text(content):
    return {"_t": "TextAssetInput", "text": content}


@pytest.fixture
def mri(platform):
    return Benchmarks(platform)


class Benchmarks:
    """Requests about benchmarks."""

    def __init__(self, platform):
        self.platform = platform
        self.ok = platform.ok

    def benchmark(self, name="a benchmark", prompts=PROMPTS, tags=None):
        benchmark_id = self.ok("POST", "/benchmark", {"name": name})["id"]
        for number, prompt in enumerate(prompts):
            self.prompt(benchmark_id, prompt, tags=(tags or [[]] * len(prompts))[number])
        return benchmark_id

    def prompt(self, benchmark_id, identifier, tags=(), **more):
        body = {
            "identifier": identifier,
            "segments": [{"key": "prompt", "kind": "Text", "text": f"Paint {identifier}"}],
            "tags": [{"value": value, "category": None} for value in tags],
        }
        return self.ok("POST", f"/benchmark/{benchmark_id}/prompt", body | more)["id"]

    def leaderboard(self, benchmark_id, **more):
        body = {
            "benchmarkId": benchmark_id,
            "name": "a leaderboard",
            "instruction": "Which is better?",
            "showPrompt": False,
            "voteAggregation": "MajorityVote",
        }
        return self.ok("POST", "/leaderboard", body | more)["id"]

    def participant(self, benchmark_id, name, identifiers=PROMPTS, versions=1):
        path = f"/benchmark/{benchmark_id}/participants"
        participant_id = self.ok("POST", path, {"name": name})["participantId"]
        for identifier in identifiers:
            for version in range(versions):
                self.sample(participant_id, identifier, f"{identifier} by {name}, {version}")
        return participant_id

    def sample(self, participant_id, identifier, content):
        body = {"identifier": identifier, "asset": text(content)}
        return self.ok("POST", f"/participant/{participant_id}/sample", body)["id"]

    def submit(self, *participant_ids):
        body = {"participantIds": list(participant_ids)}
        return self.ok("POST", "/participants/submit", body)

    def standings(self, leaderboard_id, query=""):
        return self.ok("GET", f"/leaderboard/{leaderboard_id}/standings/query{query}")

    def ranking(self, leaderboard_id, query=""):
        return [item["name"] for item in self.standings(leaderboard_id, query)["items"]]

    def runs(self, leaderboard_id, query=""):
        return self.ok("GET", f"/leaderboard/{leaderboard_id}/runs{query}")["items"]

    def status(self, participant_id):
        return self.ok("GET", f"/participant/{participant_id}")["status"]

    def contest(self, names, **board):
        """A benchmark whose models were submitted together, and its leaderboard."""
        benchmark_id = self.benchmark()
        leaderboard_id = self.leaderboard(benchmark_id, **board)
        models = [self.participant(benchmark_id, name) for name in names]
        self.submit(*models)
        return benchmark_id, leaderboard_id, models


def test_a_new_better_model_moves_to_the_top(mri, rapidata_sandbox):
    best, *others = ranked_names()
    chosen = [others[-1], others[2], others[6]]
    benchmark_id, leaderboard_id, _ = mri.contest(chosen)
    before = mri.standings(leaderboard_id)
    assert {item["score"] for item in before["items"]} == {None}
    assert {item["status"] for item in before["items"]} == {"Active"}
    rapidata_sandbox.advance(AT_ONCE)
    assert mri.ranking(leaderboard_id) == [others[2], others[6], others[-1]]
    mri.submit(mri.participant(benchmark_id, best))
    assert mri.ranking(leaderboard_id)[-1] == best
    rapidata_sandbox.advance(AT_ONCE)
    after = mri.standings(leaderboard_id)
    assert [item["name"] for item in after["items"]] == [best, others[2], others[6], others[-1]]
    assert after["items"][0]["score"] > 1200 > after["items"][-1]["score"]
    assert {item["status"] for item in after["items"]} == {"Idle"}


def test_prompts_are_kept_in_either_dialect(mri, platform):
    benchmark_id = mri.benchmark(prompts=())
    asset = platform.ok("POST", "/asset/url?url=https://x.example/a.png")["fileName"]
    existing = {"_t": "ExistingAssetInput", "name": asset}
    path = f"/benchmark/{benchmark_id}/prompt"
    mri.ok("POST", path, {"identifier": "old", "prompt": "a mountain", "promptAsset": existing})
    mri.ok(
        "POST",
        path,
        {
            "identifier": "new",
            "segments": [
                {"key": "prompt", "kind": "Text", "text": "a mountain"},
                {"key": "prompt_asset", "kind": "Asset", "asset": existing},
            ],
            "tags": [{"value": "sky", "category": "scene"}, {"value": "blue"}],
            "origin": {"source": "coco"},
        },
    )
    old, new = mri.ok("GET", f"/benchmark/{benchmark_id}/prompts")["items"]
    assert old["segments"] == new["segments"]
    assert [segment["key"] for segment in new["segments"]] == ["prompt", "prompt_asset"]
    for prompt in (old, new):
        assert prompt["originalPrompt"] == prompt["englishPrompt"] == "a mountain"
        assert prompt["promptAsset"]["fileName"] == asset
        assert prompt["segments"][1]["asset"]["metadata"]["sourceUrl"]["url"].endswith("a.png")
    assert (old["tags"], old["origin"]) == ([], None)
    assert new["tags"] == [
        {"value": "sky", "category": "scene"},
        {"value": "blue", "category": None},
    ]
    assert new["origin"] == {"source": "coco"}


def test_prompts_that_are_refused(mri, platform):
    benchmark_id = mri.benchmark(prompts=("a",))
    path = f"/benchmark/{benchmark_id}/prompt"
    taken = {"identifier": "a", "prompt": "again"}
    assert "already" in platform.problem("POST", path, 409, taken)["detail"]
    missing = {"_t": "ExistingAssetInput", "name": "nope"}
    unknown = {"key": "mood", "kind": "Text", "text": "blue"}
    for body, field in (
        ({"prompt": "b"}, "identifier"),
        ({"identifier": "b"}, "segments"),
        ({"identifier": "b", "segments": [unknown]}, "segments"),
        ({"identifier": "b", "prompt": " "}, "prompt"),
        ({"identifier": "b", "promptAsset": missing}, "prompt_asset"),
        ({"identifier": "b", "prompt": "b", "tags": [{"value": ""}]}, "tags"),
        ({"identifier": "b", "prompt": "b", "origin": {}}, "origin"),
    ):
        assert field in platform.problem("POST", path, 400, body)["errors"]
    assert mri.ok("GET", f"/benchmark/{benchmark_id}/prompts")["total"] == 1


def test_lists_have_one_page_at_least(mri):
    benchmark_id = mri.benchmark(prompts=())
    participant = mri.participant(benchmark_id, "a model", identifiers=())
    leaderboard = mri.leaderboard(benchmark_id)
    for path in (
        f"/benchmark/{benchmark_id}/prompts",
        f"/benchmark/{benchmark_id}/participants?status[eq]=Disabled",
        f"/benchmark/{benchmark_id}/leaderboards?name[eq]=nope",
        f"/leaderboard/{leaderboard}/runs",
        f"/participant/{participant}/samples",
    ):
        page = mri.ok("GET", path)
        assert (page["items"], page["total"], page["totalPages"]) == ([], 0, 1)


def test_lists_are_filtered_and_sorted(mri):
    first = mri.benchmark("alpha", tags=[["sky", "blue"], ["city"], [], ["sky"]])
    second = mri.benchmark("beta", prompts=())

    def names(path):
        return [item["name"] for item in mri.ok("GET", path)["items"]]

    assert names("/benchmarks?sort=-created_at&name[contains]=") == ["beta", "alpha"]
    assert names("/benchmarks?name[contains]=alp") == ["alpha"]
    assert names(f"/benchmarks?id[in]={second}&id[in]=nope") == ["beta"]
    assert names("/benchmarks?is_public[eq]=true") == []

    def identifiers(query):
        page = mri.ok("GET", f"/benchmark/{first}/prompts?{query}")
        assert page["total"] == len(page["items"])
        return [item["identifier"] for item in page["items"]]

    assert identifiers("identifier[in]=a city&identifier[in]=a beach") == ["a city", "a beach"]
    assert identifiers("tag_values[in]=sky&tag_values[in]=blue") == ["a mountain", "a beach"]
    assert identifiers("tag_values[eq]=city&identifier[eq]=a beach&logic=or") == [
        "a city",
        "a beach",
    ]
    assert identifiers("original_prompt[starts_with]=Paint a p") == ["a portrait"]
    for name in ("one", "two", "three"):
        mri.participant(first, name, identifiers=() if name == "two" else PROMPTS)
        mri.leaderboard(first, name=name)
    people = f"/benchmark/{first}/participants"
    assert names(people) == ["one", "two", "three"]
    assert names(f"{people}?sort=name&page=1&page_size=2") == ["one", "three"]
    assert names(f"{people}?status[in]=Created") == ["two"]
    assert names(f"/benchmark/{first}/leaderboards?name[eq]=two") == ["two"]
    assert names(f"/leaderboards?benchmark_id[eq]={first}&sort=-created_at")[0] == "three"
    assert names(f"/leaderboards?benchmark_id[eq]={second}") == []


def test_all_participants_are_listed_without_paging(mri):
    benchmark_id = mri.benchmark(prompts=())
    for number in range(130):
        mri.participant(benchmark_id, f"model {number}", identifiers=())
    page = mri.ok("GET", f"/benchmark/{benchmark_id}/participants")
    assert [item["name"] for item in page["items"]] == [f"model {n}" for n in range(130)]
    assert (page["total"], page["totalPages"]) == (130, 1)


def test_a_benchmark_is_changed_and_deleted(mri, platform):
    benchmark_id = mri.benchmark()
    path = f"/benchmark/{benchmark_id}"
    mri.ok("PATCH", path, {"description": "by us", "minAssetsPerPrompt": 3, "scoreShift": 5})
    mri.ok("PUT", f"{path}/name", {"name": "another name"})
    seen = mri.ok("GET", path)
    assert (seen["name"], seen["description"]) == ("another name", "by us")
    assert (seen["minAssetsPerPrompt"], seen["scoreShift"]) == (3, 5)
    assert [part["key"] for part in seen["promptStructure"]] == ["prompt", "prompt_asset"]
    mri.ok("PATCH", path, {"description": None, "minAssetsPerPrompt": None})
    seen = mri.ok("GET", path)
    assert (seen["description"], seen["minAssetsPerPrompt"]) == (None, None)
    for body in ({"minAssetsPerPrompt": 1}, {"scoreScale": 0}, {"description": "x" * 2001}):
        assert set(platform.problem("PATCH", path, 400, body)["errors"]) == set(body)
    mri.leaderboard(benchmark_id)
    mri.participant(benchmark_id, "a model")
    mri.ok("DELETE", path)
    platform.problem("GET", path, 404)
    assert mri.ok("GET", "/leaderboards")["items"] == []


def test_tags_are_counted_and_replaced(mri):
    benchmark_id = mri.benchmark(tags=[["sky"], ["sky", "city"], [], []])
    first = mri.ok("GET", f"/benchmark/{benchmark_id}/prompts")["items"][0]["id"]
    path = f"/benchmark-prompt/{first}/tags"
    mri.ok("PUT", path, {"tags": [{"value": "sky", "category": "x"}], "origin": {"source": "s"}})
    mri.ok("PUT", path, {"origin": {"source": "t"}})
    assert mri.ok("GET", f"/benchmark/{benchmark_id}/tags") == {
        "tags": [
            {"value": "city", "category": None, "promptCount": 1},
            {"value": "sky", "category": None, "promptCount": 1},
            {"value": "sky", "category": "x", "promptCount": 1},
        ]
    }
    [prompt] = mri.ok("GET", f"/benchmark/{benchmark_id}/prompts?id[eq]={first}")["items"]
    assert prompt["origin"] == {"source": "t"}


def test_samples(mri, platform):
    benchmark_id = mri.benchmark(tags=[["sky"], [], [], []])
    model = mri.participant(benchmark_id, "a model", identifiers=())
    path = f"/participant/{model}/sample"
    assert mri.status(model) == "Created"
    mri.sample(model, "a mountain", "one")
    assert mri.status(model) == "Submittable"
    body = {"identifier": "a mountain", "asset": text("one")}
    assert "already" in platform.problem("POST", path, 409, body)["detail"]
    mri.sample(model, "a mountain", "another")
    body = {"identifier": "nope", "asset": text("one")}
    assert "identifier" in platform.problem("POST", path, 400, body)["errors"]
    several = {"_t": "MultiAssetInput", "assets": [text("one"), text("two")]}
    platform.problem("POST", path, 400, {"identifier": "a mountain", "asset": several})
    body = {"identifier": "a mountain", "asset": {"_t": "ExistingAssetInput", "name": "nope"}}
    assert "asset" in platform.problem("POST", path, 400, body)["errors"]
    held = mri.ok("GET", f"/participant/{model}/samples")["items"]
    assert [(one["_t"], one["asset"]["text"]) for one in held] == [
        ("SampleOutput", "one"),
        ("SampleOutput", "another"),
    ]
    assert held[0]["tags"] == ["sky"]
    filled = f"/participant/{model}/samples?fillMissing=true&page_size=3"
    first, second = (mri.ok("GET", f"{filled}&page={page}") for page in (1, 2))
    assert [one["_t"][:6] for one in first["items"]] == ["Sample", "Sample", "Placeh"]
    assert [one["identifier"] for one in second["items"]] == ["a portrait", "a beach"]
    assert (first["total"], first["totalPages"]) == (5, 2)
    only = mri.ok("GET", f"/participant/{model}/samples?tags=sky&fillMissing=true")
    assert only["total"] == 2


def test_participants_are_submitted_once(mri, platform):
    benchmark_id = mri.benchmark()
    mri.ok("PATCH", f"/benchmark/{benchmark_id}", {"minAssetsPerPrompt": 2})
    one = mri.participant(benchmark_id, "one")
    two = mri.participant(benchmark_id, "two", versions=2)
    empty = mri.participant(benchmark_id, "empty", identifiers=())
    elsewhere = mri.participant(mri.benchmark(), "elsewhere")
    answer = mri.submit(one, two)
    assert (answer["validDatapoints"], answer["invalidDatapoints"]) == (12, 0)
    warning = answer["minAssetsPerPromptWarning"]
    assert warning["minAssetsPerPrompt"] == 2
    [underfilled] = warning["underfilledParticipants"]
    assert underfilled["participantId"] == one
    assert underfilled["underfilledPrompts"][0] == {"identifier": "a beach", "assetCount": 1}
    assert [mri.status(model) for model in (one, two)] == ["Submitted", "Submitted"]
    for ids in ([one], [empty], ["nope"], [], ["x"] * 101):
        platform.problem("POST", "/participants/submit", 400, {"participantIds": ids})
    three = mri.participant(benchmark_id, "three")
    problem = platform.problem(
        "POST", "/participants/submit", 400, {"participantIds": [three, elsewhere]}
    )
    assert "different benchmarks" in problem["detail"]
    alone = mri.ok("POST", f"/participants/{three}/submit")
    assert alone["minAssetsPerPromptWarning"]["underfilledPrompts"][0]["assetCount"] == 1
    assert mri.status(three) == "Submitted"


def test_participants_are_changed(mri, platform):
    model = mri.participant(mri.benchmark(), "a model")
    path = f"/participant/{model}"
    mri.ok("PATCH", path, {"name": "new", "cost": 0.5, "costUnit": "UsdPerImage", "lab": "us"})
    mri.ok("PUT", f"{path}/name", {"name": "newer"})
    seen = mri.ok("GET", path)
    assert (seen["name"], seen["cost"], seen["costUnit"]) == ("newer", 0.5, "UsdPerImage")
    mri.ok("PATCH", path, {"cost": None, "costUnit": None})
    seen = mri.ok("GET", path)
    assert (seen["cost"], seen["costUnit"], seen["lab"]) == (None, None, "us")
    for body in (
        {"cost": 1},
        {"costUnit": "UsdPerImage"},
        {"cost": 0, "costUnit": "UsdPerImage"},
        {"cost": 1, "costUnit": "Cents"},
        {"votesExcluded": True},
        {"name": " "},
    ):
        platform.problem("PATCH", path, 400, body)
    mri.ok("DELETE", path)
    platform.problem("GET", path, 404)


def test_leaderboards_that_are_refused(mri, platform):
    benchmark_id = mri.benchmark()
    good = {"benchmarkId": benchmark_id, "name": "n", "instruction": "i", "showPrompt": True}
    for change, field in (
        ({"benchmarkId": "nope"}, "benchmarkId"),
        ({"benchmarkId": None}, "benchmarkId"),
        ({"name": ""}, "name"),
        ({"instruction": None}, "instruction"),
        ({"showPrompt": None}, "showPrompt"),
        ({"minResponses": 2}, "minResponses"),
        ({"responseBudget": 2}, "responseBudget"),
        ({"audienceId": "nope"}, "audienceId"),
        ({"voteAggregation": "Loudest"}, "voteAggregation"),
        ({"scoreScale": 0}, "scoreScale"),
    ):
        problem = platform.problem("POST", "/leaderboard", 400, good | change)
        assert set(problem["errors"]) == {field}
    leaderboard = mri.ok("POST", "/leaderboard", good)
    assert leaderboard["benchmarkId"] == benchmark_id
    assert (leaderboard["responseBudget"], leaderboard["minResponses"]) == (2000, 3)
    assert leaderboard["voteAggregation"] == "AllVotes"
    path = f"/leaderboard/{leaderboard['id']}"
    assert "minResponses" in platform.problem("PATCH", path, 400, {"minResponses": 2})["errors"]
    mri.ok("PUT", f"{path}/name", {"name": "another"})
    mri.ok("PUT", f"{path}/response-config", {"responseBudget": 60, "minResponses": 6})
    mri.ok("PATCH", path, {"weight": 0, "voteAggregation": "MajorityVote"})
    seen = mri.ok("GET", path)
    assert (seen["name"], seen["responseBudget"], seen["minResponses"]) == ("another", 60, 6)
    assert (seen["weight"], seen["voteAggregation"]) == (0, "MajorityVote")
    assert seen["rapidContextProjection"]["context"]["segmentKey"] == "prompt"
    by_name = mri.ok("POST", "/leaderboard", good | {"benchmarkId": None, "benchmarkName": "new"})
    assert mri.ok("GET", f"/benchmark/{by_name['benchmarkId']}")["name"] == "new"


def test_the_budget_limits_the_votes_and_is_charged(mri, rapidata_sandbox):
    names = ranked_names()[:4]
    _, leaderboard_id, _ = mri.contest(names, responseBudget=20, minResponses=4)
    [run] = mri.runs(leaderboard_id)
    assert run["status"] == "Queued"
    [entry] = rapidata_sandbox.ledger()["entries"]
    assert (entry["id"], abs(entry["amount"])) == (run["jobId"], pytest.approx(0.20))
    rapidata_sandbox.advance(AT_ONCE)
    [run] = mri.runs(leaderboard_id, "?status[eq]=Completed&sort=-created_at")
    assert mri.runs(leaderboard_id, "?status[eq]=Running") == []
    standings = mri.standings(leaderboard_id)
    assert standings["totalResponses"] == 20
    assert sum(item["totalMatches"] for item in standings["items"]) == 2 * 5
    job = mri.ok("GET", f"/job/{run['jobId']}")
    assert (job["state"], job["audienceId"]) == ("Completed", "global")
    assert mri.ok("GET", f"/job/{run['jobId']}/progress")["responseCount"] == 20


def test_votes_come_by_the_clock(mri, rapidata_sandbox):
    _, leaderboard_id, _ = mri.contest(ranked_names()[:3], voteAggregation="AllVotes")
    counts = []
    for _ in range(40):
        counts.append(mri.standings(leaderboard_id)["totalResponses"])
        rapidata_sandbox.advance(1)
    # 12 matchups with 10 answers each.
    assert counts[0] == 0
    assert counts[-1] == 120
    assert counts == sorted(counts)
    assert len(set(counts)) > 5
    progress = mri.ok("GET", f"/job/{mri.runs(leaderboard_id)[0]['jobId']}/progress")
    assert progress["responseCount"] == 120


def test_new_models_are_compared_with_all_and_old_ones_not_again(mri, rapidata_sandbox):
    names = ranked_names()[:4]
    benchmark_id, leaderboard_id, _ = mri.contest(names[:3])
    rapidata_sandbox.advance(AT_ONCE)
    before = mri.standings(leaderboard_id)["totalResponses"]
    mri.submit(mri.participant(benchmark_id, names[3]))
    rapidata_sandbox.advance(AT_ONCE)
    first, second = mri.runs(leaderboard_id)
    late = mri.standings(leaderboard_id, f"?run_id[in]={second['id']}")
    played = {item["name"]: item["totalMatches"] for item in late["items"]}
    assert played == {names[3]: 12, **dict.fromkeys(names[:3], 4)}
    both = mri.standings(leaderboard_id, f"?run_id[in]={first['id']}&run_id[in]={second['id']}")
    assert both == mri.standings(leaderboard_id)
    assert both["totalResponses"] == before + late["totalResponses"]


def test_a_new_leaderboard_compares_the_models_that_are_there(mri, rapidata_sandbox):
    best, *_, worst = ranked_names()
    benchmark_id = mri.benchmark()
    models = [mri.participant(benchmark_id, name) for name in (worst, best)]
    first = mri.leaderboard(benchmark_id)
    # The first leaderboard takes all models that have media into the field.
    assert [mri.status(model) for model in models] == ["Submitted", "Submitted"]
    rapidata_sandbox.assert_paid_jobs(1)
    skipped = mri.leaderboard(benchmark_id, skipInitialRun=True)
    rapidata_sandbox.assert_paid_jobs(1)
    rapidata_sandbox.advance(AT_ONCE)
    assert mri.ranking(first) == [best, worst]
    assert {item["score"] for item in mri.standings(skipped)["items"]} == {None}
    overall = mri.ok("GET", f"/benchmark/{benchmark_id}/standings/query")["items"]
    assert all(item["isPartiallyEvaluated"] for item in overall)


def test_inverse_rankings_ask_for_the_worse_and_turn_the_result_round(mri, rapidata_sandbox):
    best, *_, worst = ranked_names()
    benchmark_id, plain, _ = mri.contest([worst, best])
    inverse = mri.leaderboard(benchmark_id, isInversed=True)
    rapidata_sandbox.advance(AT_ONCE)
    assert mri.ranking(plain) == mri.ranking(inverse) == [best, worst]


@pytest.mark.parametrize("inverse", [False, True])
def test_the_answers_to_a_run_s_job_are_the_votes(mri, platform, rapidata_sandbox, inverse):
    names = ranked_names()[::5]
    how = {"voteAggregation": "AllVotes", "isInversed": inverse, "showPrompt": True}
    _, leaderboard_id, _ = mri.contest(names, **how)
    rapidata_sandbox.advance(AT_ONCE)
    results = platform.results(mri.runs(leaderboard_id)[0]["jobId"])
    assert results["info"]["instruction"] == "Which is better?"
    assert {entry["context"] for entry in results["results"]} == {f"Paint {p}" for p in PROMPTS}
    chosen, refused = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for entry in results["results"]:
        votes = {
            text.split(" by ")[1].split(",")[0]: count
            for text, count in entry["aggregatedResults"].items()
        }
        for name, count in votes.items():
            chosen[name] += count
            refused[name] += sum(votes.values()) - count
    wins = {item["name"]: item["wins"] for item in mri.standings(leaderboard_id)["items"]}
    assert wins == (refused if inverse else chosen)
    assert list(wins) == names


def test_equal_samples_are_not_compared(mri, rapidata_sandbox):
    benchmark_id = mri.benchmark()
    leaderboard_id = mri.leaderboard(benchmark_id)
    models = [mri.participant(benchmark_id, name, identifiers=()) for name in ("one", "two")]
    for model in models:
        mri.sample(model, "a city", "the same")
    mri.submit(*models)
    assert mri.runs(leaderboard_id) == []
    rapidata_sandbox.assert_paid_jobs(0)


def test_tags_restrict_what_is_compared(mri, rapidata_sandbox):
    benchmark_id = mri.benchmark(tags=[["sky"], ["sky", "night"], ["city"], []])
    for name in ("one", "two"):
        mri.participant(benchmark_id, name)

    def identifiers(**tags):
        leaderboard_id = mri.leaderboard(benchmark_id, **tags)
        rapidata_sandbox.advance(AT_ONCE)
        return {
            identifier
            for identifier in PROMPTS
            if mri.standings(leaderboard_id, f"?prompt_identifier[eq]={identifier}")[
                "totalResponses"
            ]
        }

    assert identifiers() == set(PROMPTS)
    assert identifiers(includedTags=["sky"]) == {"a mountain", "a city"}
    assert identifiers(includedTags=["sky"], excludedTags=["night"]) == {"a mountain"}
    assert identifiers(excludedTags=["night", "city"]) == {"a mountain", "a beach"}
    assert identifiers(includedTags=["nothing"]) == set()


def test_the_audience_answers(mri, platform, rapidata_sandbox):
    body = {"filter": {"_t": "CountryFilter", "countries": ["DE"]}}
    german = platform.ok("POST", "/audience/global/filter", body)["audienceId"]
    benchmark_id, _, _ = mri.contest(ranked_names()[:3], audienceId=german)
    rapidata_sandbox.advance(AT_ONCE)
    countries = mri.ok("GET", f"/benchmark/{benchmark_id}/demographics")["dimensions"]["country"]
    assert countries == [{"value": "DE", "votes": 120, "share": 1.0}]


def test_standings_of_groups_of_voters(mri, rapidata_sandbox):
    benchmark_id, leaderboard_id, _ = mri.contest(ranked_names()[:3], voteAggregation="AllVotes")
    rapidata_sandbox.advance(AT_ONCE)
    demographics = mri.ok("GET", f"/benchmark/{benchmark_id}/demographics")
    assert demographics["totalVotes"] == 120
    for field, query in (
        ("gender", "gender"),
        ("ageBucket", "age_bucket"),
        ("country", "country"),
        ("language", "language"),
        ("occupation", "occupation"),
    ):
        buckets = demographics["dimensions"][field]
        assert sum(bucket["votes"] for bucket in buckets) == 120
        bucket = buckets[0]
        only = mri.standings(leaderboard_id, f"?{query}[in]={bucket['value'].replace('+', '%2B')}")
        assert only["totalResponses"] == bucket["votes"] < 120
    [woman] = [b for b in demographics["dimensions"]["gender"] if b["value"] == "Female"]
    others = mri.standings(leaderboard_id, "?gender[neq]=Female")
    assert others["totalResponses"] == 120 - woman["votes"]
    either = "?gender[eq]=Female&gender[eq]=Male&logic=or"
    assert mri.standings(leaderboard_id, either)["totalResponses"] > woman["votes"]
    path = f"/benchmark/{benchmark_id}/standings/breakdown?dimension=Gender"
    split = mri.ok("GET", path)
    assert split["segments"][0]["value"] in ("Male", "Female")
    assert sum(one["votes"] for one in split["segments"]) == 120
    total = sum(item["wins"] for one in split["segments"] for item in one["items"])
    assert total == sum(item["wins"] for item in split["global"]) == 120


def test_unknown_filters_are_refused(mri, platform):
    leaderboard_id = mri.leaderboard(mri.benchmark())
    path = f"/leaderboard/{leaderboard_id}/standings/query"
    for query in ("shoe_size[eq]=43", "gender[like]=x"):
        platform.problem("GET", f"{path}?{query}", 400)
    platform.problem("GET", f"/leaderboard/{leaderboard_id}x/standings/query", 404)


def test_ways_of_counting(mri, rapidata_sandbox):
    best, *_, worst = ranked_names()
    benchmark_id, leaderboard_id, _ = mri.contest([best, worst])
    rapidata_sandbox.advance(AT_ONCE)
    path = f"/leaderboard/{leaderboard_id}"
    by_matchup = mri.ok("GET", f"{path}/matrix/query")
    assert by_matchup["index"] == by_matchup["columns"] == [best, worst]
    assert by_matchup["data"][0][0] == by_matchup["data"][1][1] == 0
    assert by_matchup["data"][0][1] + by_matchup["data"][1][0] == 4
    mri.ok("PATCH", path, {"voteAggregation": "AllVotes"})
    by_vote = mri.ok("GET", f"{path}/matrix/query")["data"]
    assert by_vote[0][1] + by_vote[1][0] == 40
    weighted = mri.ok("GET", f"{path}/matrix/query?useWeightedScoring=true")["data"]
    assert 0 < weighted[0][1] < by_vote[0][1]
    overall = mri.ok("GET", f"/benchmark/{benchmark_id}/matrix/query")
    assert (overall["data"], overall["votes"]) == (by_vote, by_vote)
    mri.ok("PATCH", path, {"weight": 0.5})
    overall = mri.ok("GET", f"/benchmark/{benchmark_id}/matrix/query")
    assert overall["data"] == [[x / 2 for x in row] for row in by_vote]
    assert overall["votes"] == by_vote
    mri.ok("PATCH", path, {"isExcludedFromOverall": True})
    assert mri.ok("GET", f"/benchmark/{benchmark_id}/matrix/query")["data"] == [[0, 0], [0, 0]]


def test_displayed_scores_are_shifted_and_scaled(mri, rapidata_sandbox):
    _, leaderboard_id, _ = mri.contest(ranked_names()[:3])
    rapidata_sandbox.advance(AT_ONCE)
    plain = [item["score"] for item in mri.standings(leaderboard_id)["items"]]
    mri.ok("PATCH", f"/leaderboard/{leaderboard_id}", {"scoreShift": 100, "scoreScale": 2})
    shown = [item["score"] for item in mri.standings(leaderboard_id)["items"]]
    assert shown == [1300 + 2 * (score - 1200) for score in plain]


def test_disabled_models_keep_their_votes_only_when_wanted(mri, platform, rapidata_sandbox):
    names = ranked_names()[::5]
    benchmark_id, leaderboard_id, models = mri.contest(names)
    rapidata_sandbox.advance(AT_ONCE)
    full = mri.standings(leaderboard_id)
    path = f"/participant/{models[0]}"
    platform.problem("POST", f"{path}/enable", 400)
    mri.ok("POST", f"{path}/disable")
    assert mri.ranking(leaderboard_id) == names[1:]
    assert mri.standings(leaderboard_id)["totalResponses"] == 40
    mri.ok("PATCH", path, {"votesExcluded": False})
    kept = mri.standings(leaderboard_id)["items"]
    assert [item["isDisabled"] for item in kept] == [True, False, False]
    mri.ok("POST", f"{path}/enable")
    assert mri.standings(leaderboard_id) == full
    mri.ok("POST", f"{path}/disable?keepVotes=true")
    assert mri.standings(leaderboard_id)["totalResponses"] == 120
    # It is not compared with newcomers.
    mri.submit(mri.participant(benchmark_id, "a newcomer"))
    rapidata_sandbox.advance(AT_ONCE)
    run = mri.runs(leaderboard_id)[-1]["id"]
    late = mri.standings(leaderboard_id, f"?run_id[eq]={run}")["items"]
    assert {item["name"]: item["totalMatches"] for item in late}[names[0]] == 0
    mri.ok("DELETE", f"/participant/{models[1]}")
    assert names[1] not in mri.ranking(leaderboard_id)


def test_a_run_without_money_waits_and_a_deleted_one_is_cancelled(mri, rapidata_sandbox):
    _, leaderboard_id, _ = mri.contest(ranked_names()[:3])
    job_id = mri.runs(leaderboard_id)[0]["jobId"]
    for state, expected in (
        ("SpendLimited", "Paused"),
        ("Failed", "Failed"),
        ("ManualApproval", "Paused"),
    ):
        rapidata_sandbox.set_job_state(job_id, state)
        assert mri.runs(leaderboard_id)[0]["status"] == expected
        assert mri.runs(leaderboard_id, f"?status[eq]={expected}")
    mri.ok("DELETE", f"/job/{job_id}")
    assert mri.runs(leaderboard_id)[0]["status"] == "Cancelled"
    assert mri.standings(leaderboard_id)["totalResponses"] == 0


def test_the_same_requests_give_the_same_standings(mri, rapidata_sandbox):
    def once():
        rapidata_sandbox.reset()
        fresh = type(mri.platform)(rapidata_sandbox)
        _, leaderboard_id, _ = Benchmarks(fresh).contest(["one", "two", "three"])
        rapidata_sandbox.advance(AT_ONCE)
        answer = fresh.get(f"/leaderboard/{leaderboard_id}/standings/query").content
        fresh.close()
        return answer

    assert once() == once()
