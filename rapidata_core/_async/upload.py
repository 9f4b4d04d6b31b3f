"""From a job spec to a job definition: upload the assets, add the datapoints, define the job."""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from rapidata_core._async.api.assets import AsyncAssetApi
from rapidata_core._async.api.datasets import AsyncDatasetApi
from rapidata_core._async.api.definitions import AsyncDefinitionApi
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.concurrency import async_map, async_sleep
from rapidata_core.errors import FailedUploadException, WaitTimeoutError
from rapidata_core.jobs import JobSpec
from rapidata_core.policy.uploads import ABORTED, Uploaded, batches

# httpx's pool slows down as concurrency grows; more than this gains nothing.
_WORKERS = 16
_UPLOAD_TIMEOUT = 1800.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


async def define(transport: AsyncTransport, spec: JobSpec, name: str) -> str:
    """Upload what the spec needs and create its job definition. This costs nothing yet.

    Args:
        transport: Where to.
        spec: What to ask.
        name: The definition's name.

    Returns:
        The definition's id.

    Raises:
        FailedUploadException: Some datapoints have assets that the platform could not get; no
            definition was created.
    """
    uploaded = await upload_urls(transport, spec.asset_urls())
    _refuse_incomplete(spec, uploaded)
    datasets = AsyncDatasetApi(transport)
    dataset = await datasets.create(f"{name}_dataset", spec.schema_segments())

    async def add(index: int) -> None:
        await datasets.add_datapoint(dataset.dataset_id, spec.datapoint(index, uploaded.names))

    await async_map(add, range(len(spec.datapoints)), _WORKERS)
    body: dict[str, Any] = {
        "definitionName": name,
        "workflow": spec.workflow(),
        "referee": spec.referee(),
        "datasetId": dataset.dataset_id,
    }
    for target, field in (("rapids", "rapidFeatureFlags"), ("campaign", "campaignFeatureFlags")):
        if flags := spec.feature_flags(target):
            body[field] = flags
    return (await AsyncDefinitionApi(transport).create(body)).definition_id


async def upload_urls(transport: AsyncTransport, urls: Sequence[str]) -> Uploaded:
    """Let the platform fetch the URLs, and wait until it has.

    Raises:
        WaitTimeoutError: The platform did not finish within half an hour.
    """
    assets = AsyncAssetApi(transport)
    correlation = str(uuid.uuid4())
    open_batches: set[str] = set()
    for batch in batches(urls):
        open_batches.add((await assets.create_batch(batch, correlation)).batch_upload_id)
    uploaded = Uploaded()
    deadline = time.monotonic() + _UPLOAD_TIMEOUT
    pause = _FIRST_PAUSE
    while open_batches:
        status = await assets.batch_status(sorted(open_batches))
        finished = open_batches.intersection(status.completed_batches)
        if status.status == ABORTED:
            # Aborted batches are not listed as completed; their items say what became of them.
            finished = set(open_batches)
        for batch_id in sorted(finished):
            uploaded.add(await assets.batch_result(batch_id))
        open_batches -= finished
        if not open_batches:
            break
        if time.monotonic() > deadline:
            raise WaitTimeoutError(
                f"The platform has not fetched {len(open_batches)} batch(es) of URLs after "
                f"{_UPLOAD_TIMEOUT:.0f} s. Nothing was paid; try again later.",
                job_id="",
                state="Uploading",
            )
        await async_sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
    return uploaded


def _refuse_incomplete(spec: JobSpec, uploaded: Uploaded) -> None:
    failures: defaultdict[str, list[object]] = defaultdict(list)
    for index, datapoint in enumerate(spec.datapoints):
        missing = [url for url in spec.urls_of(index) if url not in uploaded.names]
        if missing:
            reason = uploaded.failures.get(missing[0], "the platform did not report it")
            failures[reason].append(datapoint)
    if not failures:
        return
    count = sum(len(items) for items in failures.values())
    reasons = "; ".join(f"{reason} ({len(items)})" for reason, items in failures.items())
    raise FailedUploadException(
        f"{count} of {len(spec.datapoints)} datapoints could not be uploaded: {reasons}. No job "
        "definition was created and nothing was paid; see failed_uploads, correct or drop them, "
        "and try again.",
        failures=failures,
    )
