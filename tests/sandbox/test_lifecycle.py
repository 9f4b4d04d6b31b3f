"""Jobs from creation to results."""

from __future__ import annotations

import re
from datetime import datetime
from uuid import UUID

import pytest

JOB_MUST = {
    "jobId": str, "name": str, "definitionId": str, "audienceId": str, "revisionNumber": int,
    "pipelineId": str, "state": str, "isPublic": bool, "audienceDeleted": bool, "createdAt": str,
    "ownerId": str, "ownerMail": str, "organizationId": str,
}  # fmt: skip
ITEM_MUST = {
    "jobId": str, "name": str, "jobDefinitionId": str, "audienceId": str, "revisionNumber": int,
    "pipelineId": str, "state": str, "ownerMail": str, "organizationId": str, "createdAt": str,
    "isShared": bool,
}  # fmt: skip


def check_types(value, must):
    for key, kind in must.items():
        assert type(value[key]) is kind, (key, value.get(key))


def test_a_compare_job_from_urls_to_results(platform, wire):
    urls = [f"https://images.example/{side}/cat%20{n}.jpg?v=1" for n in range(3) for side in "ab"]
    batch = {"urls": urls, "correlationId": "c1"}
    batch_id = platform.ok("POST", "/asset/batch-upload", batch)["batchUploadId"]
    status = "/asset/batch-upload/status?correlationId=c1"
    assert platform.ok("GET", status)["completedBatches"] == []
    platform.sandbox.advance(1)
    assert platform.ok("GET", status) == {
        "status": "Completed",
        "totalCount": 6,
        "completedCount": 6,
        "failedCount": 0,
        "completedBatches": [batch_id],
    }
    items = platform.ok("GET", f"/asset/batch-upload/{batch_id}")["items"]
    assert [item["url"] for item in items] == urls
    names = [item["fileName"] for item in items]

    def pair(n):
        parts = [{"_t": "ExistingAssetInput", "name": name} for name in names[2 * n : 2 * n + 2]]
        return wire.segment("asset", "Asset", {"_t": "MultiAssetInput", "assets": parts})

    dataset_id = platform.ok("POST", "/dataset", {"name": "d"})["datasetId"]
    for n in (2, 0, 1):
        context = wire.segment("context", "Text", f"context {n}")
        body = {"segments": [pair(n), context], "sortIndex": n, "privateMetadata": {"row": str(n)}}
        platform.ok("POST", f"/dataset/{dataset_id}/datapoint", body)
    assert platform.ok("GET", f"/dataset/{dataset_id}/progress")["ready"] == 3
    points = platform.ok("GET", f"/dataset/{dataset_id}/datapoints")
    contexts = [point["segments"][1]["originalText"] for point in points["items"]]
    assert contexts == ["context 0", "context 1", "context 2"]
    first = points["items"][0]["segments"][0]["asset"]["assets"][0]
    assert first["metadata"]["sourceUrl"] == {"_t": "SourceUrlMetadataModel", "url": urls[0]}

    definition_id = platform.definition(dataset_id, name="cats")
    job_id = platform.job(definition_id)
    job = platform.ok("GET", f"/job/{job_id}")
    check_types(job, JOB_MUST)
    UUID(job["ownerId"])
    assert job["name"] == "cats:1"
    assert job["state"] == "Submitted"
    platform.problem("GET", f"/job/{job_id}/download-results", 409)

    platform.sandbox.advance(4)
    progress = platform.ok("GET", f"/job/{job_id}/progress")
    assert progress["state"] == "Labeling"
    assert 0 < progress["responseCount"] < 30
    assert progress["completionPercentage"] == pytest.approx(
        progress["responseCount"] / 0.3, abs=0.01
    )
    (item,) = platform.ok("GET", f"/jobs?id[in]={job_id}")["items"]
    check_types(item, ITEM_MUST)
    assert item["state"] == "Running"
    assert 0 < item["progress"] < 1

    platform.sandbox.advance(20)
    job = platform.ok("GET", f"/job/{job_id}")
    assert job["state"] == "Completed"
    lasted = datetime.fromisoformat(job["completedAt"]) - datetime.fromisoformat(job["createdAt"])
    assert 6 <= lasted.total_seconds() <= 10
    assert platform.ok("GET", f"/job/{job_id}/progress") == {
        "completionPercentage": 100.0,
        "total": 3,
        "completed": 3,
        "state": "Done",
        "responseCount": 30,
    }
    file = platform.results(job_id)
    assert file["info"] == {
        "createdAt": job["completedAt"],
        "version": "4.1.0",
        "type": "Compare",
        "name": "cats:1",
        "instruction": "Which is better?",
    }
    assert [entry["context"] for entry in file["results"]] == [
        "context 0",
        "context 1",
        "context 2",
    ]
    # Both pictures of a pair are called alike, and stay distinguishable.
    assert file["results"][0]["assetUrls"] == {"cat 0.jpg": urls[0], "cat 0.jpg (2)": urls[1]}
    for entry in file["results"]:
        check_comparison(entry)
    wins = [entry["winnerIndex"] for entry in file["results"]]
    assert file["summary"] == {"A_wins_total": wins.count(0), "B_wins_total": wins.count(1)}
    platform.sandbox.advance(3600)
    assert platform.results(job_id) == file


def check_comparison(entry, votes=10):
    counts, names = entry["aggregatedResults"], list(entry["aggregatedResults"])
    voted = [detail["votedFor"] for detail in entry["detailedResults"]]
    assert len(voted) == votes
    assert {name: voted.count(name) for name in names} == counts
    assert entry["aggregatedResultsRatios"] == {name: counts[name] / votes for name in names}
    scores = dict.fromkeys(names, 0.0)
    for detail in entry["detailedResults"]:
        score = detail["userDetails"]["userScores"]["global"]
        assert 0 <= score <= 1
        scores[detail["votedFor"]] += score
    assert entry["summedUserScores"] == pytest.approx(scores)
    best = [name for name in names if counts[name] == max(counts.values())]
    assert entry["winner"] == (best[0] if len(best) == 1 else None)
    assert entry["winnerIndex"] == entry["winner_index"]
    assert entry["winnerIndex"] == (names.index(best[0]) if len(best) == 1 else None)


def test_ties_have_no_winner(platform):
    job_id = platform.compare_job(points=20, votes=2)
    platform.sandbox.advance(60)
    entries = platform.results(job_id)["results"]
    for entry in entries:
        check_comparison(entry, votes=2)
    tied = [entry for entry in entries if entry["winner"] is None]
    assert tied
    assert all(entry["winnerIndex"] is None for entry in tied)


def test_a_classification_on_a_scale(platform, wire):
    rows = [
        [
            wire.segment("asset", "Asset", {"_t": "TextAssetInput", "text": f"text {n}"}),
            wire.segment("answer_options", "OptionList", wire.options(wire.scale)),
        ]
        for n in range(30)
    ]
    dataset_id = platform.dataset(rows, wire.classification_schema)
    definition_id = platform.definition(
        dataset_id, wire.classification_workflow(), votes=25, flags=[("no_shuffle", "true")]
    )
    job_id = platform.job(definition_id, "likert")
    platform.sandbox.advance(60)
    file = platform.results(job_id)
    assert file["info"]["type"] == "Classification"
    assert file["info"]["name"] == "likert"
    totals = dict.fromkeys(wire.scale, 0)
    near = far = 0
    for n, entry in enumerate(file["results"]):
        assert entry["identifier"] == f"text {n}"
        counts = entry["aggregatedResults"]
        assert list(counts) == wire.scale
        assert sum(counts.values()) == len(entry["detailedResults"]) == 25
        assert all(d["selectedCategory"] in wire.scale for d in entry["detailedResults"])
        top = wire.scale.index(max(counts, key=counts.get))
        for index, option in enumerate(wire.scale):
            totals[option] += counts[option]
            if abs(index - top) == 1:
                near += counts[option] / (1 if top in (0, 4) else 2)
            elif abs(index - top) == 2:
                far += counts[option] / (2 if top == 2 else 1)
    assert file["summary"] == totals
    assert (
        len({max(e["aggregatedResults"], key=e["aggregatedResults"].get) for e in file["results"]})
        > 1
    )
    # The order is known, so people rather miss by one.
    assert near > 1.5 * far


def test_both_and_neither_only_with_the_setting(platform):
    plain = platform.compare_job(points=10)
    unsure = platform.compare_job(points=10, flags=[("compare_unsure", "5000")])
    platform.sandbox.advance(60)

    def extra(job_id):
        return {
            name
            for entry in platform.results(job_id)["results"]
            for name in entry["aggregatedResults"]
            if name in ("Both", "Neither")
        }

    assert extra(plain) == set()
    assert extra(unsure) == {"Both", "Neither"}


def test_nobody_answers_a_datapoint_twice_and_skill_shows(platform):
    job_id = platform.compare_job(points=2, votes=400)
    platform.sandbox.advance(3600)
    seen, cursor = [], None
    while True:
        query = {"limit": 300, "sort": "Asc"} | ({"cursor": cursor} if cursor else {})
        page = platform.ok("GET", f"/job/{job_id}/responses", params=query)
        seen += page["responses"]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert len({response["id"] for response in seen}) == 800
    voters = [(response["result"]["rapidId"], response["userId"]) for response in seen]
    assert len(set(voters)) == 800
    newest = platform.ok("GET", f"/job/{job_id}/responses?limit=3")["responses"]
    assert newest == seen[-1:-4:-1]

    entry = platform.results(job_id)["results"][0]
    scores = {True: [], False: []}
    for detail in entry["detailedResults"]:
        right = detail["votedFor"] == entry["winner"]
        scores[right].append(detail["userDetails"]["userScores"]["global"])
    means = {right: sum(values) / len(values) for right, values in scores.items()}
    assert means[True] > means[False]


def test_the_same_content_has_the_same_truth_on_either_side(platform, wire):
    def winner(*items):
        rows = [[wire.segment("asset", "Asset", wire.texts(*items))]]
        job_id = platform.job(platform.definition(platform.dataset(rows), votes=500))
        platform.sandbox.advance(3600)
        return platform.results(job_id)["results"][0]["winner"]

    for n in range(4):
        assert winner(f"cat {n}", f"dog {n}") == winner(f"dog {n}", f"cat {n}")


def test_pausing_shifts_the_remaining_answers(platform):
    job_id = platform.compare_job()
    platform.sandbox.advance(3)
    platform.ok("POST", f"/job/{job_id}/pause")
    platform.ok("POST", f"/job/{job_id}/pause")
    before = platform.ok("GET", f"/job/{job_id}/progress")
    platform.sandbox.advance(1000)
    assert platform.ok("GET", f"/job/{job_id}/progress") == before
    assert before["state"] == "Paused"
    assert platform.state(job_id) == "Paused"
    platform.ok("POST", f"/job/{job_id}/resume")
    assert platform.state(job_id) == "Running"
    platform.sandbox.advance(10)
    job = platform.ok("GET", f"/job/{job_id}")
    lasted = datetime.fromisoformat(job["completedAt"]) - datetime.fromisoformat(job["createdAt"])
    assert 1000 < lasted.total_seconds() < 1012
    assert len(platform.results(job_id)["results"][0]["detailedResults"]) == 10
    platform.problem("POST", f"/job/{job_id}/pause", 409)


@pytest.mark.parametrize(
    "state",
    [
        "Submitted",
        "Running",
        "Failed",
        "ManualApproval",
        "Queued",
        "Paused",
        "SpendLimited",
        "Blocked",
    ],
)
def test_a_forced_state_stays_until_resumed_or_retried(platform, state):
    job_id = platform.compare_job()
    platform.sandbox.set_job_state(
        job_id, state, failure_message="why", review_reason="CheckErrored"
    )
    platform.sandbox.advance(100)
    job = platform.ok("GET", f"/job/{job_id}")
    assert (job["state"], job["failureMessage"], job["reviewReason"]) == (
        state,
        "why",
        "CheckErrored",
    )
    assert (job["failedAt"] is not None) == (state == "Failed")
    platform.problem("GET", f"/job/{job_id}/download-results", 404 if state == "Failed" else 409)
    platform.ok("POST", f"/job/{job_id}/retry")
    platform.sandbox.advance(100)
    job = platform.ok("GET", f"/job/{job_id}")
    assert (job["state"], job["failureMessage"], job["reviewReason"]) == ("Completed", None, None)


def test_forced_completion_and_stale_results(platform):
    job_id = platform.compare_job()
    platform.sandbox.set_job_state(job_id, "Completed")
    file = platform.results(job_id)
    assert len(file["results"][2]["detailedResults"]) == 10
    platform.sandbox.set_job_state(job_id, "StaleResults")
    assert platform.state(job_id) == "StaleResults"
    assert platform.results(job_id) == file
    platform.sandbox.advance(50)
    platform.ok("POST", f"/job/{job_id}/retry")
    assert platform.state(job_id) == "Completed"
    again = platform.results(job_id)
    assert again["info"].pop("createdAt") > file["info"].pop("createdAt")
    assert again == file


def test_an_unknown_state_is_refused(platform):
    job_id = platform.compare_job()
    path = f"/_sandbox/jobs/{job_id}/state"
    assert "state" in platform.problem("POST", path, 400, {"state": "Dancing"})["errors"]


def test_datapoints_added_later_belong_to_later_jobs(platform, wire):
    dataset_id = platform.pairs(2)
    definition_id = platform.definition(dataset_id)
    first = platform.job(definition_id)
    segments = [wire.segment("asset", "Asset", wire.texts("late", "later"))]
    platform.ok("POST", f"/dataset/{dataset_id}/datapoint", {"segments": segments, "sortIndex": 0})
    second = platform.job(definition_id)
    platform.sandbox.advance(60)
    assert len(platform.results(first)["results"]) == 2
    assert len(platform.results(second)["results"]) == 3


def test_renaming_and_deleting(platform):
    job_id = platform.compare_job()
    platform.ok("PATCH", f"/job/{job_id}", {"name": "other"})
    assert platform.ok("GET", "/jobs?name[eq]=other")["total"] == 1
    platform.ok("DELETE", f"/job/{job_id}")
    platform.problem("GET", f"/job/{job_id}", 404)
    assert platform.ok("GET", "/jobs")["items"] == []


def test_revisions(platform, wire):
    definition_id = platform.definition(platform.pairs())
    path = f"/job/definition/{definition_id}"
    first = platform.ok("GET", f"{path}/revision")
    assert first["state"] == "Pending"
    assert first["workflow"]["rapid"]["criteria"] == {"literal": "Which is better?"}
    UUID(first["createdById"])
    body = {
        "workflow": wire.compare_workflow("Which is worse?"),
        "referee": {"_t": "NaiveReferee", "totalVotes": 3},
        "baseRevisionNumber": 1,
        "requireLatest": True,
    }
    assert platform.ok("POST", f"{path}/revision", body)["revisionNumber"] == 2
    conflict = platform.problem("POST", f"{path}/revision", 409, body)
    assert conflict["latestRevisionNumber"] == 2
    platform.sandbox.advance(1)
    second = platform.ok("GET", f"{path}/revision")
    assert (second["revisionNumber"], second["state"]) == (2, "Completed")
    assert second["datasetId"] == first["datasetId"]
    assert platform.ok("GET", f"{path}/revision/1")["referee"]["totalVotes"] == 10
    numbers = [
        r["revisionNumber"]
        for r in platform.ok("GET", f"{path}/revisions?sort=-revision_number")["items"]
    ]
    assert numbers == [2, 1]
    (listed,) = platform.ok("GET", f"/job/definitions?id[in]={definition_id}")["items"]
    assert listed["revisionCount"] == 2
    platform.ok("DELETE", path)
    platform.problem("GET", path, 404)
    assert platform.ok("GET", "/job/definitions")["total"] == 0


def test_the_older_dialect_means_the_same(platform, wire):
    """Datapoints with separate fields, workflows with blueprints."""
    dataset_id = platform.ok("POST", "/dataset", {"name": "old"})["datasetId"]
    for n in range(3):
        body = {
            "asset": wire.texts(f"cat {n}", f"dog {n}"),
            "context": f"context {n}",
            "sortIndex": n,
        }
        platform.ok("POST", f"/dataset/{dataset_id}/datapoint", body)
    workflow = {
        "_t": "SimpleWorkflow",
        "blueprint": {"_t": "CompareBlueprint", "criteria": "Which is better?"},
    }
    old = platform.definition(dataset_id, workflow)
    new = platform.definition(platform.pairs())

    def revision(definition_id):
        found = platform.ok("GET", f"/job/definition/{definition_id}/revision")
        points = platform.ok("GET", f"/dataset/{found['datasetId']}/datapoints")["items"]
        return found["workflow"], [point["segments"] for point in points]

    assert revision(old) == revision(new)


def test_an_older_classification(platform, wire):
    dataset_id = platform.ok("POST", "/dataset", {"name": "old"})["datasetId"]
    body = {"asset": {"_t": "TextAssetInput", "text": "a text"}, "contextAsset": None}
    platform.ok("POST", f"/dataset/{dataset_id}/datapoint", body)
    blueprint = {"_t": "ClassifyBlueprint", "title": "Which?", "categories": wire.options("xyz")}
    workflow = {"_t": "SimpleWorkflow", "blueprint": blueprint}
    job_id = platform.job(platform.definition(dataset_id, workflow))
    platform.sandbox.advance(60)
    file = platform.results(job_id)
    assert file["info"]["instruction"] == "Which?"
    assert list(file["results"][0]["aggregatedResults"]) == ["x", "y", "z"]


def test_files(platform, wire):
    sent = {"file": ("dir/cat.png", b"\x89PNG", "image/png")}
    first = platform.ok("POST", "/asset/file?compress=true", files=sent)
    assert first == platform.ok("POST", "/asset/file", files=sent)
    assert first["originalSizeBytes"] == 4
    assert first["wasCompressed"] is False
    url = platform.ok("POST", "/asset/url?url=https%3A//a.example/x/dog.png")
    parts = [{"_t": "ExistingAssetInput", "name": one["fileName"]} for one in (first, url)]
    asset = {"_t": "MultiAssetInput", "assets": parts}
    dataset_id = platform.dataset([[wire.segment("asset", "Asset", asset)]])
    job_id = platform.job(platform.definition(dataset_id))
    platform.sandbox.advance(60)
    urls = platform.results(job_id)["results"][0]["assetUrls"]
    assert list(urls) == ["cat.png", "dog.png"]
    assert urls["dog.png"] == "https://a.example/x/dog.png"


def test_failing_urls(platform):
    urls = ["ftp://a/b", "https://no.such.invalid/a.png", "https://403.status.invalid/a.png"]
    batch_id = platform.ok("POST", "/asset/batch-upload", {"urls": urls})["batchUploadId"]
    pending = platform.ok("GET", f"/asset/batch-upload/{batch_id}")
    assert [item["status"] for item in pending["items"]] == ["Pending"] * 3
    platform.sandbox.advance(1)
    batch = platform.ok("GET", f"/asset/batch-upload/{batch_id}")
    assert (batch["failedCount"], batch["completedCount"]) == (3, 0)
    fates = [(item["status"], item["stage"], item["upstreamHttpStatus"]) for item in batch["items"]]
    assert fates == [
        ("Failed", "validation", None),
        ("Failed", "download", None),
        ("Failed", "download", 403),
    ]
    body = platform.problem("POST", f"/asset/url?url={urls[2]}", 400)
    assert (body["stage"], body["upstreamHttpStatus"]) == ("download", 403)


def test_contexts_are_shortened_to_what_a_datapoint_accepts(platform):
    items = [{"context": "word " * 200, "question": "?"}, {"context": "short", "question": "?"}]
    shortened = platform.ok("POST", "/datasets/shorten-context", {"items": items})["items"]
    assert 300 < len(shortened[0]["shortenedContext"]) <= 400
    assert shortened[1] == {"shortenedContext": "short"}


def test_audiences(platform):
    for audience_id in ("global", "aud_MU1GZYoESyO"):
        audience = platform.ok("GET", f"/audience/{audience_id}")
        assert audience["status"] == "Ready"
        assert audience["graduationRule"]["_t"] == "TaskAccuracy"
        UUID(audience["ownerId"])
        metrics = platform.ok("GET", f"/audience/{audience_id}/user-metrics")
        assert metrics["usersPerState"]["Graduated"] > 0
    found = platform.ok("GET", "/audiences?name[contains]=lign&sort=-created_at")
    assert [item["id"] for item in found["items"]] == ["aud_MU1GZYoESyO"]
    platform.problem("GET", "/audience/aud_nobody", 404)


def test_pages_show_and_escape(platform):
    job_id = platform.compare_job(name="<script>alert(1)</script>")
    definition_id = platform.ok("GET", f"/job/{job_id}")["definitionId"]
    paths = ("/", "/audiences/global", f"/audiences/global/job/{job_id}")
    for path in (*paths, f"/definitions/{definition_id}"):
        page = platform.get(path, headers={"Authorization": ""})
        assert page.status_code == 200
        assert "<script>" not in page.text
        assert platform.sandbox.client_secret not in page.text
    assert "&lt;script&gt;" in platform.get("/").text
    assert re.search(r"value=.0.", platform.get(f"/audiences/global/job/{job_id}").text)
    assert platform.get("/audiences/global/job/none").status_code == 404
    assert platform.get("/audiences/nobody").status_code == 404
