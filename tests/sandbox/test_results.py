"""Everything that can be read about a job's answers, and jobs that wait for jobs."""

from __future__ import annotations

import itertools
from datetime import datetime

import pytest


def test_typed_results_agree_with_the_file(platform):
    job_id = platform.compare_job(points=12, votes=5, flags=[("compare_unsure", "5000")])
    platform.sandbox.advance(4)
    page = platform.ok("GET", f"/job/{job_id}/results?page_size=100")
    assert {item["state"] for item in page["items"]} == {"Labeling"}
    platform.sandbox.advance(600)
    file = platform.results(job_id)
    page = platform.ok("GET", f"/job/{job_id}/results?page=2&page_size=5")
    assert (page["_t"], page["total"], page["page"], page["pageSize"]) == ("RapidResults", 12, 2, 5)
    for entry, item in zip(file["results"][5:10], page["items"], strict=True):
        assert (item["state"], item["totalResponseCount"]) == ("Done", 5)
        assert item["context"] == entry["context"]
        assert item["payload"] == {"_t": "ComparePayload", "criteria": "Which is better?"}
        tallies = item["aggregation"]["winnerTallies"]
        assert {name: tally["count"] for name, tally in tallies.items()} == entry[
            "aggregatedResults"
        ]
        sums = {name: tally["userScoreSum"] for name, tally in tallies.items()}
        assert sums == entry["summedUserScores"]
        names = [each["identifier"] for each in item["asset"]["assets"]]
        for detail, response in zip(entry["detailedResults"], item["responses"], strict=True):
            both = {"Both": names, "Neither": []}
            voted = detail["votedFor"]
            assert response["result"]["winners"] == both.get(voted, [voted])
    single = platform.ok("GET", f"/job/{job_id}/responses?limit=1000&sort=Asc")["responses"]
    by_id = {response["id"]: response for response in single}
    for item in page["items"]:
        for response in item["responses"]:
            assert by_id[response["id"]] == response
    assert platform.ok("GET", f"/job/{job_id}/results?states=Labeling")["total"] == 0
    assert platform.ok("GET", f"/job/{job_id}/results?states=Done&states=Paused")["total"] == 12
    platform.problem("GET", f"/job/{job_id}/results?states=Dancing", 400)


def test_preliminary_results_by_job_and_by_pipeline(platform):
    job_id = platform.compare_job()
    job = platform.ok("GET", f"/job/{job_id}")
    platform.sandbox.advance(4)
    so_far = platform.ok("GET", f"/job/{job_id}/progress")["responseCount"]
    starts = (f"/pipeline/{job['pipelineId']}", f"/job/{job_id}")
    reads = ("/pipeline", f"/job/{job_id}")
    for start, read in zip(starts, reads, strict=True):
        path = f"{start}/preliminary-download"
        download_id = platform.ok("POST", path, {"sendEmail": False})["downloadId"]
        path = f"{read}/preliminary-download/{download_id}"
        answer = platform.get(path)
        assert (answer.status_code, answer.content) == (202, b"")
        platform.sandbox.advance(1)
        answer = platform.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        file = answer.json()
        voted = sum(len(entry["detailedResults"]) for entry in file["results"])
        assert so_far <= voted < 30
        so_far = voted
        platform.sandbox.advance(0.2)
    platform.sandbox.advance(600)
    assert platform.get(path).json() == file
    final = platform.results(job_id)
    for early, late in zip(file["results"], final["results"], strict=True):
        known = early["detailedResults"]
        assert late["detailedResults"][: len(known)] == known
    platform.problem("GET", "/pipeline/preliminary-download/none", 404)
    platform.problem("POST", "/pipeline/none/preliminary-download", 404)
    other = platform.compare_job()
    platform.problem("GET", f"/job/{other}/preliminary-download/{download_id}", 404)


def test_sides_with_names(platform, wire):
    workflow = wire.compare_workflow()
    workflow["rapid"]["indexIdentifiers"] = ["Flux", "Midjourney"]
    job_id = platform.job(platform.definition(platform.pairs(9), workflow, votes=5))
    platform.sandbox.advance(600)
    summary = platform.results(job_id)["summary"]
    assert summary["A_wins_total"] == summary["Flux_wins_total"] > 0
    assert (
        summary["B_wins_total"] == summary["Midjourney_wins_total"] == 9 - summary["A_wins_total"]
    )
    sides = platform.ok("GET", f"/job/{job_id}/ab-summary?useUserScore=false")
    assert sides == {
        "winCounter": {
            "Flux": summary["Flux_wins_total"],
            "Midjourney": summary["Midjourney_wins_total"],
        },
        "allTargetGroupsCompleted": True,
        "sideOrder": ["Flux", "Midjourney"],
    }
    plain = platform.compare_job(points=2)
    assert set(platform.ok("GET", f"/job/{plain}/ab-summary")["winCounter"]) == {"A", "B"}


def test_private_metadata_comes_back(platform, wire):
    dataset_id = platform.ok("POST", "/dataset", {"name": "d"})["datasetId"]
    segments = [wire.segment("asset", "Asset", wire.texts("a", "b"))]
    body = {"segments": segments, "privateMetadata": {"row": "1"}}
    platform.ok("POST", f"/dataset/{dataset_id}/datapoint", body)
    job_id = platform.job(platform.definition(dataset_id))
    platform.sandbox.advance(600)
    assert platform.results(job_id)["results"][0]["privateMetadata"] == {"row": "1"}


def test_datapoints_of_datasets_and_jobs(platform, wire):
    dataset_id = platform.pairs(3)
    job_id = platform.job(platform.definition(dataset_id))
    segments = [wire.segment("asset", "Asset", wire.texts("late", "later"))]
    body = {"segments": segments, "sortIndex": 3}
    late = platform.ok("POST", f"/dataset/{dataset_id}/datapoint", body)["datapointId"]
    page = platform.ok("GET", f"/job/{job_id}/datapoints?page_size=2")
    assert (page["total"], page["totalPages"], len(page["items"])) == (3, 2, 2)
    assert page["schema"][0]["key"] == "asset"
    one = platform.ok("GET", f"/datapoint/{late}")
    assert (one["state"], one["sortIndex"], one["datasetId"]) == ("Ready", 3, dataset_id)
    assert platform.ok("GET", f"/dataset/{dataset_id}/datapoints/failed") == {"datapoints": []}
    platform.problem("DELETE", f"/datapoint/{page['items'][0]['id']}", 409)
    platform.ok("DELETE", f"/datapoint/{late}")
    platform.problem("GET", f"/datapoint/{late}", 404)
    assert platform.ok("GET", f"/dataset/{dataset_id}/progress")["total"] == 3


def test_definitions_are_renamed_and_cloned(platform):
    definition_id = platform.definition(platform.pairs(), votes=4)
    path = f"/job/definition/{definition_id}"
    platform.ok("PATCH", path, {"name": "other"})
    assert platform.ok("GET", path)["name"] == "other"
    clone_id = platform.ok("POST", f"{path}/clone", {})["definitionId"]
    named = platform.ok("POST", f"{path}/clone", {"definitionName": "mine"})["definitionId"]
    assert platform.ok("GET", f"/job/definition/{named}")["name"] == "mine"
    assert "other" in platform.ok("GET", f"/job/definition/{clone_id}")["name"]
    mine, theirs = (
        platform.ok("GET", f"/job/definition/{one}/revision") for one in (definition_id, clone_id)
    )
    for same in ("workflow", "referee", "datasetId", "revisionNumber"):
        assert mine[same] == theirs[same]
    platform.sandbox.advance(1)
    assert platform.job(clone_id)


def test_a_job_waits_for_the_preceding_one(platform):
    definition_id = platform.definition(platform.pairs())
    first = platform.job(definition_id)
    second = platform.job(definition_id, precedingJobId=first)
    third = platform.job(definition_id, precedingJobId=second)
    platform.sandbox.advance(4)
    assert [platform.state(job) for job in (first, second, third)] == [
        "Running",
        "Queued",
        "Queued",
    ]
    progress = platform.ok("GET", f"/job/{second}/progress")
    assert (progress["responseCount"], progress["state"]) == (0, "Created")
    listed = platform.ok("GET", "/jobs?state[in]=Queued")["items"]
    assert {item["jobId"] for item in listed} == {second, third}
    platform.sandbox.advance(600)
    jobs = [platform.ok("GET", f"/job/{job}") for job in (first, second, third)]
    assert [job["state"] for job in jobs] == ["Completed"] * 3
    ends = [datetime.fromisoformat(job["completedAt"]) for job in jobs]
    lasted = (ends[0] - datetime.fromisoformat(jobs[0]["createdAt"])).total_seconds()
    # Each starts at the moment at which the one before it ended, whoever looked when.
    for before, after in itertools.pairwise(ends):
        assert (after - before).total_seconds() == pytest.approx(lasted, abs=0.001)
    platform.sandbox.assert_paid_jobs(3)


def test_a_waiting_job_can_be_paused_and_loses_its_predecessor(platform):
    definition_id = platform.definition(platform.pairs())
    first = platform.job(definition_id)
    second = platform.job(definition_id, precedingJobId=first)
    platform.ok("POST", f"/job/{second}/pause")
    platform.ok("POST", f"/job/{first}/pause")
    platform.sandbox.advance(600)
    platform.ok("POST", f"/job/{second}/resume")
    assert platform.state(second) == "Queued"
    platform.ok("DELETE", f"/job/{first}")
    platform.sandbox.advance(600)
    assert platform.state(second) == "Completed"
    failed = platform.job(definition_id)
    third = platform.job(definition_id, precedingJobId=failed)
    platform.sandbox.set_job_state(failed, "Failed")
    platform.sandbox.advance(600)
    assert platform.state(third) == "Completed"
    body = {"jobDefinitionId": definition_id, "audienceId": "global", "precedingJobId": "none"}
    assert "precedingJobId" in platform.problem("POST", "/job", 400, body)["errors"]


def test_explicit_content_is_accepted(platform):
    definition_id = platform.definition(platform.pairs())
    assert platform.job(definition_id, checkForExplicitContent=True)


def test_billing(platform):
    early, job_id = platform.compare_job(), platform.compare_job()
    platform.ok("DELETE", f"/job/{early}")
    period = platform.ok("GET", "/billing-period/active")
    assert (period["status"], period["totalNetCost"], period["totalResponseCount"]) == (
        "Open",
        0.3,
        30,
    )
    assert period["lineItems"][0] == {"_t": "RunningCost", "amount": 0.6}
    assert (period["lineItems"][1]["_t"], period["lineItems"][1]["amount"]) == ("Refund", 0.3)
    start, end = (datetime.fromisoformat(period[key]) for key in ("startDate", "endDate"))
    created = datetime.fromisoformat(platform.ok("GET", f"/job/{job_id}")["createdAt"])
    assert start <= created < end
    assert start.day == end.day == 1
    outstanding = platform.ok("GET", "/billing/outstanding")
    assert (outstanding["totalOutstanding"], outstanding["currentPeriodAccrued"]) == (0.0, 0.3)
    platform.sandbox.advance(32 * 24 * 3600)
    summary = platform.ok("GET", "/billing/summary")
    assert (summary["currentPeriodUsage"], summary["availableAmount"]) == (0.0, 999.7)
    assert platform.ok("GET", "/billing-period/active")["startDate"] > period["startDate"]


def test_the_same_seed_gives_the_same_bytes(connect):
    from rapidata_core.sandbox.process import Sandbox

    files = []
    for _ in range(2):
        with Sandbox.start(seed=7, speed=0, clock_start="2026-11-21T12:00:00Z") as sandbox:
            platform = connect(sandbox)
            job_id = platform.compare_job(points=5, votes=7)
            sandbox.advance(600)
            files.append(platform.get(f"/job/{job_id}/download-results").content)
    assert files[0] == files[1]
