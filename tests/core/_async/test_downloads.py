"""Results that go into files, and from there into datasets."""

import errno
import gzip
import json
import os
import tracemalloc
from pathlib import Path

import pandas
import pytest

from rapidata_core import AsyncRapidataClient, CompareJob, Manifest, errors, fingerprint
from rapidata_core._async.api.jobs import AsyncJobApi
from rapidata_core.concurrency import async_map
from rapidata_core.policy.retry import RetryPolicy
from rapidata_core.results.export.layout import read_manifest, verify_dataset
from rapidata_core.results.quality.gate import QualityGate

LONG = 14 * 24 * 3600
SPEC = CompareJob(
    name="Texts",
    instruction="Which?",
    data_type="text",
    datapoints=[[f"left {n}", f"right {n}"] for n in range(20)],
)
FILE = json.dumps({"info": {"type": "Compare"}, "results": [{"context": "x" * 300_000}]}).encode()
FULL = Path("/dev/full")
DOWNLOAD = "/job/j/download-results"
JOB = {
    "jobId": "j",
    "name": "n",
    "definitionId": "d",
    "audienceId": "global",
    "state": "Completed",
    "createdAt": "2026-01-01T00:00:00Z",
}


async def start(client):
    audience = await client.audience.get_audience_by_id("global")
    return await audience.assign_job(await client.job.create_job_definition(SPEC))


async def test_results_as_a_file(client, rapidata_sandbox, tmp_path):
    job = await start(client)
    rapidata_sandbox.advance(LONG)
    path = tmp_path / "new" / "results.json"
    file = await job.download_results(path)
    assert (file.job_id, file.is_partial, file.job_type) == (job.id, False, "compare")
    assert file.audience_id == "global"
    whole = await job.get_results()
    assert (whole.job_id, whole.audience_id, whole.is_partial) == (job.id, "global", False)
    assert json.loads(path.read_bytes()) == whole
    assert file.labels(SPEC).equals(whole.labels(SPEC))
    assert [one.name for one in path.parent.iterdir()] == ["results.json"]


async def test_what_there_is_so_far_as_a_file(client, rapidata_sandbox, tmp_path):
    job = await start(client)
    rapidata_sandbox.advance(8)
    path = tmp_path / "results.json"
    early = await job.download_results(path, preliminary_results=True)
    assert (early.audience_id, early.is_partial) == ("global", True)
    whole = await job.get_results(preliminary_results=True)
    assert (whole.job_id, whole.audience_id, whole.is_partial) == (job.id, "global", True)
    assert 0 < len(early.responses()) < 200
    with pytest.raises(errors.WaitTimeoutError):
        await job.download_results(path, timeout=0)
    assert len(early.responses()) < 200
    rapidata_sandbox.advance(LONG)
    final = await job.download_results(path, preliminary_results=True)
    assert not final.is_partial
    assert len(final.responses()) == 200


async def test_several_files_in_one_folder_at_once(client, rapidata_sandbox, tmp_path):
    job = await start(client)
    rapidata_sandbox.advance(LONG)

    async def fetch(number):
        return await job.download_results(tmp_path / f"{number}.json")

    files = await async_map(fetch, range(6), workers=6)
    assert {len(file.responses()) for file in files} == {200}
    assert len(list(tmp_path.iterdir())) == 6


async def test_a_file_is_local(client, rapidata_sandbox):
    job = await start(client)
    with pytest.raises(errors.ValidationError, match="must be local, not memory://x/y"):
        await job.download_results("memory://x/y")


# --- on a bad line --------------------------------------------------------------------------------


async def job_of(scripted, *answers):
    scripted.on("GET", "/job/j", JOB)
    scripted.on("GET", "/job/j/progress", {"completionPercentage": 100.0})
    scripted.on("GET", DOWNLOAD, *answers)
    retry = RetryPolicy(attempts=4, first_delay=0.01, longest_delay=0.02)
    client = AsyncRapidataClient("me", "secret", scripted.url, retry=retry)
    return client, await client.job.get_job_by_id("j")


async def test_a_broken_transfer_is_begun_anew(scripted, tmp_path):
    broken = (200, {"Content-Length": str(len(FILE))}, FILE[:200_000])
    longer = (200, {"Content-Length": str(len(FILE) + 9)}, FILE)
    scripted.on("POST", "/connect/token", {"access_token": "t1"}, {"access_token": "t2"})
    client, job = await job_of(scripted, broken, (503, {}, b""), longer, (200, {}, FILE))
    async with client:
        await job.download_results(tmp_path / "results.json")
    assert (tmp_path / "results.json").read_bytes() == FILE
    assert len(scripted.requests(DOWNLOAD)) == 4


async def test_a_refused_token_is_renewed(scripted, tmp_path):
    scripted.on("POST", "/connect/token", {"access_token": "t1"}, {"access_token": "t2"})
    client, job = await job_of(scripted, (401, {}, b"refused"), (200, {}, FILE))
    async with client:
        await job.download_results(tmp_path / "results.json")
    assert (tmp_path / "results.json").read_bytes() == FILE


async def test_a_compressed_transfer(scripted, tmp_path):
    client, job = await job_of(scripted, (200, {"Content-Encoding": "gzip"}, gzip.compress(FILE)))
    async with client:
        await job.download_results(tmp_path / "results.json")
    assert (tmp_path / "results.json").read_bytes() == FILE


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((200, {"Content-Length": str(len(FILE))}, FILE[:200_000]), errors.TransportError),
        ((404, {}, b"{}"), errors.NotFoundError),
        ((500, {}, b"{}"), errors.ServerError),
        ((200, {}, b"<html>"), errors.ResultsError),
    ],
)
async def test_what_was_there_stays_if_nothing_better_comes(scripted, tmp_path, answer, error):
    (tmp_path / "results.json").write_bytes(b"older")
    client, job = await job_of(scripted, answer)
    async with client:
        with pytest.raises(error):
            await job.download_results(tmp_path / "results.json")
    assert (tmp_path / "results.json").read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["results.json"]


async def test_a_preliminary_file_that_never_comes(scripted, tmp_path, monkeypatch):
    monkeypatch.setattr("rapidata_core._async.jobs._PRELIMINARY_PAUSES", (0.0, 0.0))
    client, job = await job_of(scripted, (200, {}, FILE))
    scripted.on("GET", "/job/j", {**JOB, "state": "Running", "pipelineId": "p"})
    scripted.on("POST", "/pipeline/p/preliminary-download", {"downloadId": "x"})
    scripted.on("GET", "/pipeline/preliminary-download/x", (202, {}, b""))
    async with client:
        with pytest.raises(errors.WaitTimeoutError, match="no preliminary results"):
            await job.download_results(tmp_path / "results.json", preliminary_results=True)
    assert os.listdir(tmp_path) == []


async def test_a_disk_that_is_full(scripted, tmp_path, monkeypatch):
    async def full(self, job_id, into):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "results.json").write_bytes(b"older")
    client, job = await job_of(scripted, (200, {}, FILE))
    async with client:
        monkeypatch.setattr(AsyncJobApi, "download_results", full)
        with pytest.raises(errors.ExportError, match="Free some space there"):
            await job.download_results(tmp_path / "results.json")
    assert os.listdir(tmp_path) == ["results.json"]
    assert (tmp_path / "results.json").read_bytes() == b"older"


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
async def test_a_file_that_cannot_be_written_is_no_failed_request(scripted):
    client, job = await job_of(scripted, (200, {}, FILE))
    async with client:
        with pytest.raises(OSError, match="No space left"):
            await job._jobs.download_results("j", FULL)
    assert len(scripted.requests(DOWNLOAD)) == 1


async def test_large_results_are_not_held_in_memory(scripted, tmp_path):
    large = FILE[:-1] + b" " * 60_000_000 + b"}"
    client, job = await job_of(scripted, (200, {}, large))
    async with client:
        await job.download_results(tmp_path / "small.json")
        tracemalloc.start()
        await job.download_results(tmp_path / "results.json")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (tmp_path / "results.json").stat().st_size == len(large)
    assert peak < 20_000_000


# --- datasets -------------------------------------------------------------------------------------


async def test_a_job_as_a_dataset(client, rapidata_sandbox, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    submission = await client.submit(SPEC, "global", key="dataset")
    job = await client.job.get_job_by_id(submission.job_id)
    rapidata_sandbox.advance(LONG)
    gate = QualityGate(min_responses=10)
    week = {"week": "1"}
    manifest = await job.save_results(tmp_path / "set", spec=SPEC, partition=week, gate=gate)
    assert manifest.labels == str(tmp_path / "set" / "labels" / "week=1" / "labels.parquet")
    assert (manifest.label_count, manifest.response_count) == (20, 200)
    # Stored labels know the rows of labels that were never stored, and the other way round.
    stored = pandas.read_parquet(manifest.labels)
    fresh = (await job.get_results()).labels(SPEC)
    for name in ("datapoint_id", "audience_id"):
        assert list(stored[name]) == list(fresh[name])
    written = read_manifest(tmp_path / "set", week)
    assert written["about"] == {
        "actual_cost": manifest.actual_cost,
        "definition_id": job.definition_id,
        "estimated_cost": submission.estimated_cost,
        "fingerprint": fingerprint(SPEC, "global"),
        "job_url": job.url,
        "name": "Texts",
        "revision_number": 1,
        "state": "Completed",
    }
    assert (written["job_id"], written["audience_id"]) == (job.id, "global")
    assert written["as_of"] == (await job.get_results()).info["createdAt"]
    assert written["quality"]["gate"]["passed"]
    assert manifest.mean_agreement == written["quality"]["summary"]["mean_agreement"] > 0.5
    [check] = manifest.quality["checks"]
    assert (check["name"], check["passed"]) == ("min_responses", True)
    assert (manifest.quality["passed"], manifest.quality["worst"]) == (True, [])
    assert verify_dataset(tmp_path / "set") == []
    assert list((tmp_path / "temporary").iterdir()) == []


async def test_a_manifest_stays_small(client, rapidata_sandbox, tmp_path):
    texts = [[f"{side}{place} {'very long text ' * 200}" for side in "ab"] for place in range(20)]
    spec = SPEC.model_copy(update={"datapoints": texts})
    submission = await client.submit(spec, "global", key="long")
    job = await client.job.get_job_by_id(submission.job_id)
    rapidata_sandbox.advance(LONG)
    limits = {"min_agreement": 1, "min_alpha": 1, "min_responses": 999, "min_coverage": 1}
    gate = QualityGate(**limits, max_tie_rate=0, min_gold_accuracy=1, max_drift=0)
    manifest = await job.save_results(tmp_path, spec=spec, gate=gate)
    assert len(json.dumps(manifest.as_dict())) < 4_000
    found = manifest.quality
    assert (found["passed"], len(found["worst"]), found["worst_count"]) == (False, 5, 20)
    whole = read_manifest(tmp_path)["quality"]["gate"]
    assert [weak["datapoint_id"] for weak in found["worst"]] == [
        weak["datapoint_id"] for weak in whole["worst"][:5]
    ]
    assert found["checks"] == whole["checks"]
    assert Manifest(**manifest.as_dict()) == manifest
    without = await job.save_results(tmp_path, spec=spec)
    assert (without.quality, without.mean_agreement) == (None, manifest.mean_agreement)


async def test_nothing_is_asked_for_a_directory_that_cannot_be_written_to(scripted, tmp_path):
    (tmp_path / "file").write_text("x")
    client, job = await job_of(scripted, (200, {}, FILE))
    async with client:
        before = len(scripted.seen)
        with pytest.raises(errors.ValidationError, match="is a file"):
            await job.save_results(tmp_path / "file")
    assert len(scripted.seen) == before
