"""The seven task types, in both dialects, and what people answer."""

from __future__ import annotations

import pytest

RAPIDS = {
    "Locate": {"target": {"literal": "Tap it"}},
    "Line": {"target": {"literal": "Draw it"}},
    "Transcription": {
        "title": {"literal": "Which words?"},
        "transcription": {"segment": "transcription"},
    },
    "FreeText": {"question": {"literal": "What is it?"}, "validationSystemPrompt": None},
}
BLUEPRINTS = {
    "Locate": {"target": "Tap it"},
    "Line": {"target": "Draw it"},
    "Transcription": {"title": "Which words?"},
    "FreeText": {"question": "What is it?"},
}
SENTENCE = "the quick brown fox jumps over the lazy dog"


def workflow(task):
    return {
        "_t": "SimpleWorkflow",
        "rapid": {"_t": task, "asset": {"segment": "asset"}, **RAPIDS[task]},
    }


def singles(platform, wire, count=3, sentence=True):
    rows = []
    for n in range(count):
        row = [wire.segment("asset", "Asset", {"_t": "TextAssetInput", "text": f"text {n}"})]
        if sentence:
            row.append(wire.segment("transcription", "Text", SENTENCE))
        rows.append(row)
    return platform.dataset(rows)


def finished(platform, job_id):
    platform.sandbox.advance(36_000)
    assert platform.state(job_id) == "Completed"
    return platform.results(job_id)


def run(platform, wire, task, votes=20, flags=(), count=3):
    dataset_id = singles(platform, wire, count)
    definition_id = platform.definition(dataset_id, workflow(task), votes=votes, flags=flags)
    return finished(platform, platform.job(definition_id))


def answers(file, member):
    return [detail[member] for entry in file["results"] for detail in entry["detailedResults"]]


@pytest.mark.parametrize("task", RAPIDS)
def test_every_task_in_both_dialects(platform, wire, task):
    file = run(platform, wire, task)
    assert file["info"]["type"] == task
    assert file["summary"] == {"totalResponses": 60}
    for n, entry in enumerate(file["results"]):
        assert entry["identifier"] == f"text {n}"
        assert len(entry["detailedResults"]) == 20
        assert entry["detailedResults"][0]["userDetails"]["userScores"]["global"] > 0

    dataset_id = platform.ok("POST", "/dataset", {"name": "old"})["datasetId"]
    body = {"asset": {"_t": "TextAssetInput", "text": "text 0"}, "transcription": SENTENCE}
    platform.ok("POST", f"/dataset/{dataset_id}/datapoint", body)
    blueprint = {"_t": f"{task}Blueprint", **BLUEPRINTS[task]}
    older = platform.definition(dataset_id, {"_t": "SimpleWorkflow", "blueprint": blueprint})
    newest = platform.ok("GET", f"/job/definition/{older}/revision")["workflow"]["rapid"]
    assert newest == workflow(task)["rapid"]
    assert platform.ok("GET", f"/job/definition/{older}")["definitionType"] == task
    assert file["info"]["instruction"] in BLUEPRINTS[task].values()


def test_people_tap_around_the_same_place(platform, wire):
    file = run(platform, wire, "Locate", votes=60, count=1)
    taps = answers(file, "coordinates")
    assert all(len(tap) >= 1 for tap in taps)
    points = [point for tap in taps for point in tap[:1]]
    assert all(0 <= point[axis] <= 100 for point in points for axis in "xy")
    middle = {axis: sorted(point[axis] for point in points)[len(points) // 2] for axis in "xy"}
    near = sum(abs(p["x"] - middle["x"]) < 20 and abs(p["y"] - middle["y"]) < 20 for p in points)
    assert 40 < near < 60
    assert len({(point["x"], point["y"]) for point in points}) > 50


def test_the_number_of_taps_obeys_the_settings(platform, wire):
    flags = [("locate_min_points", "2"), ("locate_max_points", "2")]
    assert {
        len(taps) for taps in answers(run(platform, wire, "Locate", flags=flags), "coordinates")
    } == {2}


def test_people_draw_around_the_same_place(platform, wire):
    strokes = answers(run(platform, wire, "Line", votes=40, count=1), "lines")
    starts = []
    for lines in strokes:
        for line in lines:
            assert line["size"] > 0
            assert len(line["points"]) > 3
            assert all(0 <= point[axis] <= 100 for point in line["points"] for axis in "xy")
        points = lines[0]["points"]
        starts.append(sum(point["x"] for point in points) / len(points))
    middle = sorted(starts)[20]
    assert sum(abs(start - middle) < 15 for start in starts) > 25


def test_people_select_words_of_the_sentence(platform, wire):
    words = SENTENCE.split(" ")
    counts = dict.fromkeys(range(len(words)), 0)
    for selected in answers(
        run(platform, wire, "Transcription", votes=60, count=1), "selectedWords"
    ):
        assert selected
        for word in selected:
            assert words[word["wordIndex"]] == word["word"]
            counts[word["wordIndex"]] += 1
    # Some words are right and most people see it.
    assert max(counts.values()) > 35
    assert min(counts.values()) < 20


def test_free_texts_are_short_different_and_as_long_as_wanted(platform, wire):
    free = answers(run(platform, wire, "FreeText", votes=40), "answer")
    assert len(set(free)) > 60
    assert all(5 < len(text) < 200 for text in free)
    long = [("free_text_minimum_characters", "120"), ("free_text_max_characters", "160")]
    assert all(
        120 <= len(t) <= 160 for t in answers(run(platform, wire, "FreeText", flags=long), "answer")
    )
    short = [("free_text_max_characters", "7")]
    assert all(
        1 <= len(t) <= 7 for t in answers(run(platform, wire, "FreeText", flags=short), "answer")
    )
    digits = [("keyboard_numeric", "true")]
    assert all(
        t.isdecimal() for t in answers(run(platform, wire, "FreeText", flags=digits), "answer")
    )


def ranking_workflow(**pair_maker):
    return {
        "_t": "GroupedRankingWorkflow",
        "criteria": "Which is better?",
        "pairMakerConfig": pair_maker or {"_t": "FullPermutationPairMaker"},
        "rankingConfig": {"_t": "BradleyTerryRankingConfig", "startingScore": 1200},
    }


def rankings(platform, wire, *sizes):
    dataset_id = platform.ok("POST", "/dataset", {"name": "ranked"})["datasetId"]
    index = 0
    for group, size in enumerate(sizes):
        for n in range(size):
            asset = {"_t": "TextAssetInput", "text": f"item {group}/{n}"}
            body = {
                "segments": [wire.segment("asset", "Asset", asset)],
                "sortIndex": index,
                "group": str(group),
            }
            platform.ok("POST", f"/dataset/{dataset_id}/datapoint", body)
            index += 1
        segments = [wire.segment("context", "Text", f"context {group}")] if group else []
        body = {"group": str(group), "segments": segments}
        platform.ok("POST", f"/dataset/{dataset_id}/group", body)
    return dataset_id


def test_a_ranking_of_all_pairs(platform, wire):
    definition_id = platform.definition(
        rankings(platform, wire, 5, 3), ranking_workflow(), votes=12
    )
    platform.sandbox.advance(1)
    estimate = platform.ok("GET", f"/job/definition/{definition_id}/cost-estimate")
    assert (estimate["datapointCount"], estimate["requiredResponses"]) == (8, 12 * (10 + 3))
    assert (
        platform.ok("GET", f"/job/definition/{definition_id}")["definitionType"] == "GroupedRanking"
    )
    job_id = platform.job(definition_id)
    file = finished(platform, job_id)
    assert file["info"]["type"] == "Ranking"
    first, second = file["results"]
    assert (first["group"], "context" in first, second["context"]) == ("0", False, "context 1")
    for entry, size, pairs in ((first, 5, 10), (second, 3, 3)):
        names = list(entry["elo"])
        assert len(names) == size
        assert all(type(score) is int for score in entry["elo"].values())
        assert entry["totalVotes"] == len(entry["detailedResults"]) == 12 * pairs
        assert sum(entry["aggregatedResults"].values()) == 12 * pairs
        compared = [frozenset(detail["compared"]) for detail in entry["detailedResults"]]
        assert {compared.count(pair) for pair in compared} == {12}
        assert len(set(compared)) == pairs
        assert all(d["votedFor"] in d["compared"] for d in entry["detailedResults"])
        # Who wins more is ranked higher when everybody met everybody equally often.
        by_wins = sorted(names, key=lambda name: entry["aggregatedResults"][name])
        scores = [entry["elo"][name] for name in by_wins]
        assert scores == sorted(scores)
        assert scores[0] < 1200 < scores[-1]
    assert file["summary"] == {"totalResponses": 12 * 13}
    progress = platform.ok("GET", f"/job/{job_id}/progress")
    assert (progress["total"], progress["completed"], progress["responseCount"]) == (8, 8, 156)


def test_an_online_ranking_keeps_to_its_budget(platform, wire):
    maker = {"_t": "OnlinePairMaker", "randomMatchesRatio": 0.5, "totalComparisonBudget": 40}
    definition_id = platform.definition(
        rankings(platform, wire, 12), ranking_workflow(**maker), votes=2
    )
    job_id = platform.job(definition_id)
    (entry,) = finished(platform, job_id)["results"]
    assert entry["totalVotes"] == 80
    pairs = {frozenset(detail["compared"]) for detail in entry["detailedResults"]}
    assert 12 <= len(pairs) <= 40
    # Everybody is compared, also where not all pairs are.
    assert len(frozenset().union(*pairs)) == 12
    page = platform.ok("GET", f"/job/{job_id}/results")
    assert page["_t"] == "GroupedRankingResults"
    (group,) = page["items"]
    assert group["pairMakerInformation"] == {
        **maker,
        "_t": "OnlinePairMakerInformation",
        "currentComparisonBudget": 40,
    }
    assert {p["elo"] for p in group["datapoints"]} == set(entry["elo"].values())


def test_rankings_that_make_no_sense_are_refused(platform, wire):
    def refused(dataset_id, **changes):
        body = {
            "definitionName": "r",
            "workflow": ranking_workflow() | changes.pop("workflow", {}),
            "referee": changes.pop("referee", {"_t": "NaiveReferee", "totalVotes": 2}),
            "datasetId": dataset_id,
        }
        return platform.problem("POST", "/job/definition", 400, body)["errors"]

    good = rankings(platform, wire, 3)
    assert "datasetId" in refused(rankings(platform, wire, 2, 1))
    assert "datasetId" in refused(platform.pairs())
    quorum = {"_t": "QuorumReferee", "threshold": 1, "maxVotes": 2}
    assert "referee" in refused(good, referee=quorum)
    none = {"pairMakerConfig": {"_t": "OnlinePairMaker", "totalComparisonBudget": 0}}
    assert refused(good, workflow=none)
    assert "workflow" in refused(good, workflow={"criteria": ""})


def test_options_are_two_to_eight_and_different(platform, wire):
    dataset_id = platform.dataset([], wire.classification_schema)

    def errors(values):
        segments = [
            wire.segment("asset", "Asset", {"_t": "TextAssetInput", "text": "a"}),
            wire.segment("answer_options", "OptionList", wire.options(values)),
        ]
        path = f"/dataset/{dataset_id}/datapoint"
        return platform.problem("POST", path, 400, {"segments": segments})["errors"]

    for values in (["a"], list("abcdefghi"), ["a", "a"]):
        assert "answer_options" in errors(values)


def test_what_examples_say_is_true_in_jobs(platform, wire):
    """A job about the content of an example gets answers that agree with the example."""
    audience_id = platform.ok("POST", "/audience", {"name": "trained", "filters": []})["audienceId"]
    box = {"xMin": 70.0, "yMin": 10.0, "xMax": 90.0, "yMax": 30.0}
    for text in ("text 0", "text 1", "text 2"):
        body = {
            "asset": {"_t": "TextAssetInput", "text": text},
            "payload": {"_t": "LocateExamplePayload", "target": "Tap it"},
            "truth": {"_t": "LocateExampleTruth", "boundingBoxes": [box]},
            "randomCorrectProbability": 0.04,
        }
        platform.ok("POST", f"/audience/{audience_id}/example", body)
    file = run(platform, wire, "Locate", votes=60, count=3)
    # The known content has no transcription, which does not matter to a locate job.
    taps = [tap[0] for tap in answers(file, "coordinates")]
    inside = sum(70 <= tap["x"] <= 90 and 10 <= tap["y"] <= 30 for tap in taps)
    assert inside > 0.7 * len(taps)
