"""Jobs that a program pauses, and goes on with; what a person has paused stays so."""

import pytest

from rapidata_core import CompareJob, errors

SPEC = CompareJob(name="Texts", instruction="Which?", data_type="text", datapoints=[["a", "b"]])


@pytest.fixture
async def job(client):
    submission = await client.submit(SPEC, "global", key="k")
    return await client.job.get_job_by_id(submission.job_id)


async def full_name(job):
    return (await job._jobs.get(job.id)).name


async def test_what_a_program_has_paused_it_resumes(client, job):
    name = await full_name(job)
    await job.pause(by="Airflow")
    assert await job.get_status() == "Paused"
    assert await job.paused_by == "Airflow"
    marker = name.removeprefix("Texts")
    assert await full_name(job) == f"Texts (paused by Airflow){marker}"
    assert (await client.job.get_job_by_id(job.id)).name == "Texts"
    assert not await job.resume_if_paused_by("Dagster")
    assert await job.get_status() == "Paused"
    assert await job.resume_if_paused_by("Airflow")
    assert await job.get_status() != "Paused"
    assert await full_name(job) == name
    assert await job.paused_by is None
    assert not await job.resume_if_paused_by("Airflow")


async def test_what_a_person_has_paused_stays_paused(job):
    await job.pause()
    assert await job.paused_by is None
    # Nor is it the program's by pausing it once more.
    await job.pause(by="Airflow")
    assert await job.paused_by is None
    assert not await job.resume_if_paused_by("Airflow")
    assert await job.get_status() == "Paused"


async def test_a_paused_job_is_still_the_job_of_its_key(client, job, rapidata_sandbox):
    await job.pause(by="Airflow")
    assert (await client.submit(SPEC, "global", key="k")).job_id == job.id
    rapidata_sandbox.assert_paid_jobs(1)


async def test_a_new_name_keeps_the_note(job):
    await job.pause(by="Airflow")
    await job.rename("Other texts")
    assert job.name == "Other texts"
    assert (await full_name(job)).startswith("Other texts (paused by Airflow) [rk:")
    assert await job.resume_if_paused_by("Airflow")


async def test_a_crash_before_the_pause_leaves_a_note_that_means_nothing(job, rapidata_sandbox):
    refused = {"phase": "before", "action": "status", "status": 403}
    rapidata_sandbox.faults([{"method": "POST", "path": "/job/[^/]+/pause", **refused}])
    with pytest.raises(errors.RapidataError):
        await job.pause(by="Airflow")
    assert "(paused by Airflow)" in await full_name(job)
    assert await job.paused_by is None
    assert not await job.resume_if_paused_by("Airflow")
    assert "(paused by Airflow)" not in await full_name(job)


async def test_a_crash_after_the_resuming_can_be_mended(job, rapidata_sandbox):
    """It has gone on, and only the note is left."""
    await job.pause(by="Airflow")
    refused = {"phase": "before", "action": "status", "status": 403}
    rapidata_sandbox.faults([{"method": "PATCH", "path": "/job/[^/]+", **refused}])
    with pytest.raises(errors.RapidataError):
        await job.resume_if_paused_by("Airflow")
    assert await job.get_status() != "Paused"
    await job.resume_if_paused_by("Airflow")
    assert "(paused by Airflow)" not in await full_name(job)


async def test_a_job_that_has_ended_gets_no_note(job, rapidata_sandbox):
    name = await full_name(job)
    rapidata_sandbox.set_job_state(job.id, "Completed")
    with pytest.raises(errors.ValidationError):
        await job.pause(by="Airflow")
    assert await full_name(job) == name


@pytest.mark.parametrize("by", ["", " ", "me (here)"])
async def test_a_program_needs_a_name_that_can_be_found_again(job, by):
    with pytest.raises(errors.ValidationError, match="by: must be a name without parentheses"):
        await job.pause(by=by)
    assert await job.get_status() != "Paused"
