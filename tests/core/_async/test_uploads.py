"""Files, URLs and datapoints on their way to the platform, and what goes wrong on it."""

import hashlib
import json
import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest

from rapidata_core import (
    AsyncRapidataClient,
    ClassificationJob,
    CompressionConfig,
    errors,
    rapidata_config,
)
from rapidata_core._async.upload import upload_asset, upload_assets
from rapidata_core.policy.retry import RetryPolicy
from rapidata_core.policy.uploads import file_key, scope_of, url_key
from rapidata_core.upload_cache import UploadCache

URLS = [f"https://assets.rapidata.ai/{number}.jpg" for number in range(4)]
ASSET_FAILED = "One or more required assets failed to upload"


@pytest.fixture(autouse=True)
def _remembered(rapidata_sandbox, monkeypatch):
    # In the home that the test has; by default a sandbox's uploads are remembered nowhere.
    monkeypatch.setenv("RAPIDATA_cacheToDisk", "true")


def remembered():
    return UploadCache(rapidata_config.upload.cacheLocation)


@pytest.fixture
def images(tmp_path):
    """Makes files and returns their paths."""

    def make(**contents):
        for name, content in contents.items():
            file = tmp_path / f"{name}.jpg"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
        return [str(tmp_path / f"{name}.jpg") for name in contents]

    return make


def job(datapoints, **changes):
    fields = {"name": "Animals", "instruction": "What?", "answer_options": ["cat", "dog"]}
    return ClassificationJob(**{**fields, "datapoints": datapoints, **changes})


def asked(sandbox, method, path):
    return [r for r in sandbox.requests() if (r["method"], r["path"]) == (method, path)]


def uploads(sandbox):
    return [r for r in sandbox.requests() if r["method"] == "POST" and "/asset" in r["path"]]


def datapoints(sandbox):
    """What was sent and accepted: file name or text by place."""
    sent = {}
    for request in sandbox.requests():
        if request["path"].endswith("/datapoint") and request["status"] == 200:
            asset = request["body"]["segments"][0]["asset"]
            place = request["body"]["sortIndex"]
            assert place not in sent
            sent[place] = asset.get("name") or asset.get("text")
    return sent


async def there(sandbox, client, dataset_id):
    """What is in a dataset, by the platform's own account."""
    listed = await client._transport.send(
        "GET",
        f"/dataset/{dataset_id}/datapoints",
        call=None,
        about="the test",
        params=[("page_size", "100")],
    )
    return [item["segments"][0]["asset"] for item in json.loads(listed)["items"]]


def stored_name(path):
    """The name that the sandbox gives a file; it derives from all of its content."""
    path = Path(path)
    content = path.read_bytes() + b"\0" + path.name.encode()
    return f"sbx-{hashlib.blake2b(content, digest_size=12).hexdigest()}-{path.name}"


async def test_files_and_urls_side_by_side(client, rapidata_sandbox, images):
    paths = images(a=b"one", b=b"two")
    await client.job.create_job_definition(
        job([paths[0], URLS[0], paths[1]], media_contexts=[[paths[1], URLS[1]], [URLS[0]], URLS])
    )
    assert len(asked(rapidata_sandbox, "POST", "/asset/file")) == 2
    [batch] = asked(rapidata_sandbox, "POST", "/asset/batch-upload")
    assert sorted(batch["body"]["urls"]) == URLS
    sent = datapoints(rapidata_sandbox)
    assert (sent[0], sent[2]) == (stored_name(paths[0]), stored_name(paths[1]))


@pytest.mark.parametrize("size", [3, 3_000_000])
@pytest.mark.parametrize("name", ["a.jpg", "ä b.png", "no suffix"])
async def test_files_arrive_as_they_are(client, rapidata_sandbox, tmp_path, size, name):
    path = tmp_path / name
    path.write_bytes(os.urandom(size))
    assert await upload_asset(client._transport, str(path)) == stored_name(path)


async def test_nothing_is_uploaded_twice(client, rapidata_sandbox, images):
    paths = images(a=b"one", b=b"two")
    await client.job.create_job_definition(job([*paths, *paths, URLS[0]]))
    assert len(uploads(rapidata_sandbox)) == 3
    # Another process, in which a copy lies elsewhere.
    [copy] = images(**{"copy/a": b"one"})
    async with AsyncRapidataClient(environment=rapidata_sandbox.url) as another:
        await another.job.create_job_definition(job([*paths, copy, URLS[0]]))
    assert len(uploads(rapidata_sandbox)) == 3
    # New content under an old name is new.
    images(a=b"changed")
    await client.job.create_job_definition(job([paths[0]]))
    assert len(uploads(rapidata_sandbox)) == 4
    old = await upload_asset(client._transport, copy)
    assert old == stored_name(copy) != await upload_asset(client._transport, paths[0])


async def test_a_file_that_was_read_before_is_not_read_again(
    client, rapidata_sandbox, images, monkeypatch
):
    [path] = images(a=b"one")
    monkeypatch.setattr("rapidata_core.upload_cache._TICK_SECONDS", -1)
    await client.job.create_job_definition(job([path]))
    monkeypatch.setattr("rapidata_core._async.assets.read", None)
    await client.job.create_job_definition(job([path]))
    assert len(uploads(rapidata_sandbox)) == 1


async def test_without_the_cache_everything_is_uploaded(client, rapidata_sandbox, images):
    rapidata_config.upload.cacheToDisk = False
    paths = images(a=b"one")
    for _ in range(2):
        await client.job.create_job_definition(job(paths))
    assert len(uploads(rapidata_sandbox)) == 2
    assert not rapidata_config.upload.cacheLocation.exists()


async def test_compression_goes_along(client, rapidata_sandbox, images):
    rapidata_config.upload.compression = CompressionConfig(
        enabled=True, quality=70, max_dimension=1024
    )
    [path] = images(a=b"one")
    await client.job.create_job_definition(job([path, URLS[0]]))
    await upload_asset(client._transport, URLS[1])
    [file] = asked(rapidata_sandbox, "POST", "/asset/file")
    [url] = asked(rapidata_sandbox, "POST", "/asset/url")
    [batch] = asked(rapidata_sandbox, "POST", "/asset/batch-upload")
    assert file["query"] == "compress=true&quality=70&maxdim=1024"
    assert url["query"].endswith("compress=true&quality=70&maxdim=1024")
    assert batch["body"]["compression"] == {"enabled": True, "quality": 70, "maxDimension": 1024}
    # Another compression makes another file of it.
    rapidata_config.upload.compression = CompressionConfig(quality=80)
    await client.job.create_job_definition(job([path]))
    assert asked(rapidata_sandbox, "POST", "/asset/file")[1]["query"] == "quality=80"


async def test_many_urls_come_in_batches(client, rapidata_sandbox):
    rapidata_config.upload.batchSize = 100
    many = [f"https://x.test/{number}.jpg" for number in range(250)]
    await client.job.create_job_definition(job(many))
    batches = asked(rapidata_sandbox, "POST", "/asset/batch-upload")
    assert sorted(len(batch["body"]["urls"]) for batch in batches) == [50, 100, 100]
    assert len({batch["body"]["correlationId"] for batch in batches}) == 1
    sent = datapoints(rapidata_sandbox)
    assert [sent[place].rpartition("-")[2] for place in range(250)] == [
        f"{number}.jpg" for number in range(250)
    ]


async def test_single_uploads_report_all_problems(client, rapidata_sandbox, images):
    [path] = images(a=b"one")
    with pytest.raises(errors.ValidationError) as caught:
        await upload_assets(client._transport, [path, "gone.jpg", os.path.dirname(path)])
    assert ["there is no file" in p for p in caught.value.problems].count(True) == 1
    assert ["is not a file" in p for p in caught.value.problems].count(True) == 1
    assert not uploads(rapidata_sandbox)
    with pytest.raises(errors.ValidationError, match="The server answered 404"):
        await upload_asset(client._transport, "https://404.status.invalid/a.jpg")
    assert await upload_asset(client._transport, path) == stored_name(path)


async def test_what_the_platform_forgot_is_uploaded_again(client, rapidata_sandbox, images):
    [path] = images(a=b"one")
    settings = client._transport.settings
    scope = scope_of(settings, None)
    digest = hashlib.sha256(b"one").hexdigest()
    old = {file_key(scope, digest, path): "forgotten.jpg", url_key(scope, URLS[0]): "gone.jpg"}
    remembered().remember(old)
    await client.job.create_job_definition(job([path, URLS[0], path, URLS[0]]))
    sent = datapoints(rapidata_sandbox)
    assert sent[0] == sent[2] == stored_name(path)
    assert sent[1] == sent[3]
    assert len(asked(rapidata_sandbox, "POST", "/asset/file")) == 1
    assert len(asked(rapidata_sandbox, "POST", "/asset/url")) == 1
    assert set(remembered().names(old).values()) == {sent[0], sent[1]}


async def test_a_definition_is_made_of_what_succeeded(client, rapidata_sandbox, images):
    cat, dog = images(cat=b"cat", dog=b"dog")
    missing = os.path.join(os.path.dirname(cat), "missing.jpg")
    with pytest.raises(errors.FailedUploadException) as caught:
        await client.job.create_classification_job_definition(
            name="Image Classification",
            instruction="What animal is in this image?",
            answer_options=["Cat", "Dog"],
            datapoints=[cat, missing, "https://404.status.invalid/a.jpg", dog],
        )
    error = caught.value
    assert [point.sort_index for point in error.failed_uploads] == [1, 2]
    assert {r: len(points) for r, points in error.failures_by_reason.items()} == {ASSET_FAILED: 2}
    gone, refused = error.detailed_failures
    assert (gone.error_type, gone.error_message) == ("AssetUploadFailed", ASSET_FAILED)
    assert "there is no file" in gone.reason
    assert (refused.stage, refused.http_status) == ("download", 404)
    assert refused.timestamp.tzinfo is not None
    assert error.job_definition.id in str(error)
    assert "The server answered 404. (1)" in str(error)
    assert repr(error.failed_uploads[0]).startswith(f"Datapoint(asset={missing!r}")
    assert (await error.job_definition.estimated_cost).datapoint_count == 2
    # The cause is gone for one of them.
    images(missing=b"found")
    successful, failed = await error.dataset.add_datapoints(error.failed_uploads)
    assert [point.asset for point in successful] == [missing]
    assert [failure.item.sort_index for failure in failed] == [2]
    corrected = replace(failed[0].item, asset=URLS[0])
    assert await error.dataset.add_datapoints([corrected]) == ([corrected], [])
    assert sorted(datapoints(rapidata_sandbox)) == [0, 1, 2, 3]
    assert len(asked(rapidata_sandbox, "POST", "/job/definition")) == 1


async def test_retrying_adds_only_what_failed(client, rapidata_sandbox, images):
    cat, dog = images(cat=b"cat", dog=b"dog")
    folder = os.path.dirname(cat)
    paths = [cat, os.path.join(folder, "x.jpg"), os.path.join(folder, "y.jpg"), dog]
    with pytest.raises(errors.FailedUploadException) as caught:
        await client.job.create_job_definition(job(paths))
    first = caught.value
    images(x=b"x")
    with pytest.raises(errors.FailedUploadException) as caught:
        await first.retry()
    assert [point.asset for point in caught.value.failed_uploads] == [paths[2]]
    assert caught.value.job_definition.id == first.job_definition.id
    images(y=b"y")
    definition = await caught.value.retry()
    assert definition.id == first.job_definition.id
    sent = datapoints(rapidata_sandbox)
    assert [sent[place] for place in range(4)] == [stored_name(path) for path in paths]
    assert len(asked(rapidata_sandbox, "POST", "/asset/file")) == 4


async def test_when_nothing_succeeds_there_is_no_definition(client, rapidata_sandbox, tmp_path):
    with pytest.raises(errors.FailedUploadException) as caught:
        await client.job.create_job_definition(job([str(tmp_path / "a.jpg")]))
    assert caught.value.job_definition is None
    (tmp_path / "a.jpg").write_bytes(b"now")
    definition = await caught.value.retry()
    assert (await definition.estimated_cost).datapoint_count == 1


async def test_some_failures_may_be_tolerated(client, rapidata_sandbox, images, caplog):
    paths = [*images(a=b"a", b=b"b", c=b"c"), "missing.jpg"]
    with caplog.at_level(logging.WARNING, "rapidata_core"):
        definition = await client.job.create_job_definition(job(paths), failure_tolerance=0.25)
    assert "1 of 4 datapoints could not be uploaded" in caplog.text
    assert (await definition.estimated_cost).datapoint_count == 3
    rapidata_config.upload.failureTolerance = 0.25
    assert await client.job.create_job_definition(job(paths))
    with pytest.raises(errors.FailedUploadException):
        await client.job.create_job_definition(job(paths), failure_tolerance=0.2)
    with pytest.raises(errors.ValidationError, match="failure_tolerance"):
        await client.job.create_job_definition(job(paths), failure_tolerance=2)


async def test_refused_datapoints_are_grouped_by_the_platforms_reason(client, rapidata_sandbox):
    said = {"title": "Invalid datapoint format", "status": 400}
    fault = {"method": "POST", "path": ".*/datapoint", "phase": "before", "action": "status"}
    rapidata_sandbox.faults([{**fault, "status": 400, "body": said}] * 2)
    with pytest.raises(errors.FailedUploadException) as caught:
        await client.job.create_job_definition(job(["a", "b", "c"], data_type="text"))
    [(reason, points)] = caught.value.failures_by_reason.items()
    assert (reason, len(points)) == ("Invalid datapoint format", 2)
    failure = caught.value.detailed_failures[0]
    assert failure.error_type == "RapidataError"
    assert isinstance(failure.exception, errors.ValidationError)
    definition = await caught.value.retry()
    assert (await definition.estimated_cost).datapoint_count == 3


async def test_money_is_strict_about_missing_files(client, rapidata_sandbox, images):
    paths = [*images(a=b"a", b=b"b", c=b"c"), "missing.jpg"]
    with pytest.raises(errors.FailedUploadException, match="Nothing was sent") as caught:
        await client.submit(job(paths), "global", key="k")
    assert [point.asset for point in caught.value.failed_uploads] == ["missing.jpg"]
    assert not uploads(rapidata_sandbox)
    rapidata_sandbox.assert_paid_jobs(0)
    await client.submit(job(paths), "global", key="k", failure_tolerance=0.25)
    rapidata_sandbox.assert_paid_jobs(1)


async def test_money_is_strict_about_urls(client, rapidata_sandbox):
    spec = job([URLS[0], "https://404.status.invalid/a.jpg"])
    with pytest.raises(errors.FailedUploadException) as caught:
        await client.submit(spec, "global", key="k")
    assert caught.value.job_definition is None
    assert not asked(rapidata_sandbox, "POST", "/job/definition")
    # Trying again with the same key does not take an incomplete definition.
    with pytest.raises(errors.FailedUploadException):
        await client.submit(spec, "global", key="k")
    rapidata_sandbox.assert_paid_jobs(0)


TEXTS = ["one", "two", "three", "three", "four"]
DATAPOINT = {"method": "POST", "path": ".*/datapoint"}


@pytest.mark.parametrize(
    "lost",
    [
        [{"phase": "after_commit", "action": "drop"}],
        [{"phase": "before", "action": "drop"}],
        [{"phase": "after_commit", "action": "status", "status": 502}] * 3,
        [{"phase": "before", "action": "status", "status": 503}] * 2,
        [
            {"phase": "before", "action": "drop"},
            {"phase": "after_commit", "action": "drop", "nth": 2},
            {"phase": "after_commit", "action": "drop", "nth": 4},
        ],
    ],
)
async def test_a_lost_answer_makes_no_second_datapoint(client, rapidata_sandbox, monkeypatch, lost):
    monkeypatch.setattr("rapidata_core._async.upload.UPLOAD_PAUSES", (0.0,))
    rapidata_sandbox.faults([{**DATAPOINT, **fault} for fault in lost])
    definition = await client.job.create_job_definition(job(TEXTS, data_type="text"))
    found = await there(rapidata_sandbox, client, await definition.dataset_id)
    assert sorted(asset["text"] for asset in found) == sorted(TEXTS)


async def test_where_reading_does_not_tell_the_datapoint_fails(rapidata_sandbox):
    reading = {"method": "GET", "path": ".*/progress", "phase": "before"}
    rapidata_sandbox.faults(
        [
            {**DATAPOINT, "phase": "after_commit", "action": "drop"},
            {**reading, "action": "status", "status": 500},
        ]
    )
    async with AsyncRapidataClient(retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(errors.FailedUploadException) as caught:
            await client.job.create_job_definition(job(TEXTS, data_type="text"))
        [failure] = caught.value.detailed_failures
        assert failure.error_type == "OutcomeUnknown"
        assert "looks for it first" in failure.error_message
        definition = await caught.value.retry()
        found = await there(rapidata_sandbox, client, await definition.dataset_id)
    assert sorted(asset["text"] for asset in found) == sorted(TEXTS)


async def test_an_unreachable_platform_is_not_asked_for_every_datapoint(rapidata_sandbox, images):
    paths = images(**{f"n{number}": bytes([number]) for number in range(40)})
    async with AsyncRapidataClient(retry=RetryPolicy(attempts=1)) as client:
        rapidata_sandbox.faults(
            [{**DATAPOINT, "phase": "before", "action": "status", "status": 429}] * 100
        )
        with pytest.raises(errors.FailedUploadException) as caught:
            await client.job.create_job_definition(job(paths))
    assert len(caught.value.failed_uploads) == 40
    assert caught.value.job_definition is None


async def test_a_refused_token_ends_it(client, rapidata_sandbox):
    rapidata_sandbox.faults(
        [{**DATAPOINT, "phase": "before", "action": "status", "status": 401}] * 100
    )
    with pytest.raises(errors.AuthenticationError):
        await client.job.create_job_definition(job([f"t{n}" for n in range(50)], data_type="text"))


async def test_batches_that_cannot_be_followed_fail_their_datapoints(rapidata_sandbox):
    rapidata_sandbox.faults(
        [
            {
                "method": "GET",
                "path": "/asset/batch-upload/status",
                "phase": "before",
                "action": "status",
                "status": 500,
            }
        ]
    )
    async with AsyncRapidataClient(retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(errors.FailedUploadException) as caught:
            await client.job.create_job_definition(job(["https://x.test/a.jpg"]))
        assert caught.value.failures_by_reason.keys() == {ASSET_FAILED}
        assert await caught.value.retry()


async def test_a_dataset_whose_answer_is_lost_is_made_again(client, rapidata_sandbox):
    rapidata_sandbox.faults(
        [{"method": "POST", "path": "/dataset", "phase": "after_commit", "action": "drop"}]
    )
    definition = await client.job.create_job_definition(job(TEXTS, data_type="text"))
    assert (await definition.estimated_cost).datapoint_count == 5
