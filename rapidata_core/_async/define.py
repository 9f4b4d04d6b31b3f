"""From a job spec to a job definition: upload the datapoints, define the job."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rapidata_core._async.api.definitions import AsyncDefinitionApi
from rapidata_core._async.context import shortened
from rapidata_core._async.transport import AsyncTransport
from rapidata_core._async.upload import AsyncRapidataDataset, fill
from rapidata_core.concurrency import async_monotonic, async_offload, async_sleep
from rapidata_core.config import rapidata_config
from rapidata_core.errors import (
    FailedUpload,
    FailedUploadException,
    RapidataError,
    RevisionConflictError,
    ServerError,
    TransportError,
    ValidationError,
    is_number,
    is_undone,
)
from rapidata_core.jobs import JobSpec
from rapidata_core.jobs.datapoint import Datapoint, is_url
from rapidata_core.local_files import look_at
from rapidata_core.policy.revisions import flags_of
from rapidata_core.policy.uploads import ASSET_FAILED, UPLOAD_PAUSES
from rapidata_core.settings import doubts

if TYPE_CHECKING:
    from rapidata_core._async.definitions import AsyncRapidataJobDefinition

_log = logging.getLogger("rapidata_core.upload")
_CONFLICT = 409
# How often a definition is sent, each time after a look whether it is there.
_ATTEMPTS = 3


@dataclass(frozen=True)
class Defined:
    """A definition that was just created.

    Attributes:
        definition_id: The definition.
        asked: When it was asked for, after all uploads, on our own clock.
    """

    definition_id: str
    asked: float


async def define(
    transport: AsyncTransport,
    spec: JobSpec,
    name: str,
    *,
    failure_tolerance: float | None = None,
    incomplete: bool = True,
) -> Defined:
    """Upload what the spec needs and create its job definition. This costs nothing yet.

    Args:
        transport: Where to.
        spec: What to ask.
        name: The definition's name.
        failure_tolerance: Share of the datapoints that may fail without an error, 0 to 1; by
            default ``rapidata_config.upload.failureTolerance``.
        incomplete: Whether a definition is made of what succeeded when more fails. If not,
            nothing is sent when too many files are missing.

    Raises:
        FailedUploadException: More datapoints failed than tolerated.
    """
    for doubt in doubts(spec.settings, spec.type):
        _log.warning("job definition %r: %s", name, doubt)
    work = _Work(transport, spec, name, checked_tolerance(failure_tolerance), incomplete)
    return Defined(await work.run(), work.asked)


def checked_tolerance(tolerance: float | None) -> float:
    """The share of datapoints that may fail.

    Raises:
        ValidationError: It is no number from 0 to 1.
    """
    if tolerance is None:
        return rapidata_config.upload.failureTolerance
    if not is_number(tolerance) or not 0 <= tolerance <= 1:
        raise ValidationError("failure_tolerance", [f"must be from 0 to 1, not {tolerance!r}"])
    return float(tolerance)


@dataclass
class _Work:
    """One definition in the making; see :func:`define`.

    Attributes:
        definition_id: The definition, once there is one: retrying makes no second one.
        asked: See :class:`Defined`.
    """

    transport: AsyncTransport
    spec: JobSpec
    name: str
    tolerance: float
    incomplete: bool
    definition_id: str | None = None
    asked: float = 0.0

    async def run(self) -> str:
        if self.definition_id is not None:
            return self.definition_id
        self.spec = spec = await shortened(self.transport, self.spec)
        points = spec.points()
        if not self.incomplete:
            await self._check_files(points)
        filled = await fill(
            self.transport,
            {"name": f"{self.name}_dataset", "schema": spec.schema_segments()},
            points,
            spec.groups(),
        )
        return await self.finish(filled.dataset, len(points), filled.failed)

    async def finish(
        self, dataset: AsyncRapidataDataset, total: int, failed: list[FailedUpload]
    ) -> str:
        """Define the job if there is enough of it.

        Args:
            dataset: What was uploaded.
            total: Number of datapoints in the spec.
            failed: Those that are not in the dataset.
        """
        tolerated = len(failed) <= self.tolerance * total
        cause = None
        if self.definition_id is None and len(failed) < total and (tolerated or self.incomplete):
            try:
                self.definition_id = await self._create(dataset.id)
            except RapidataError as error:
                if not failed:
                    raise
                cause = error
        definition_id = self.definition_id
        if definition_id is not None and tolerated:
            if failed:
                _log.warning(
                    "%d of %d datapoints could not be uploaded and are left out of job definition "
                    "%s: %s",
                    len(failed),
                    total,
                    definition_id,
                    _reasons(failed),
                )
            return definition_id

        async def retry() -> AsyncRapidataJobDefinition:
            _, still = await dataset.add_datapoints(failed)
            return self._definition(await self.finish(dataset, total, still))

        if definition_id is not None:
            state = (
                f"Job definition {definition_id!r} was created with the other "
                f"{total - len(failed)} (job_definition)"
            )
        elif cause is not None:
            state = f"No job definition could be made of the others: {cause.message}"
        else:
            state = "No job definition was created and nothing was paid"
        raise FailedUploadException(
            f"{len(failed)} of {total} datapoints could not be uploaded: {_reasons(failed)}. "
            f"{state}. See failed_uploads and detailed_failures; retry() adds what is missing once "
            "the cause is gone.",
            detailed_failures=failed,
            dataset=dataset,
            job_definition=definition_id and self._definition(definition_id),
            retry=retry,
        ) from cause

    async def _check_files(self, points: Sequence[Datapoint]) -> None:
        """Refuse before anything is sent if more files are missing than tolerated."""
        paths = {item for point in points for item in point.items() if not is_url(item)}
        looks = await async_offload(lambda: {path: look_at(path) for path in paths})
        now = datetime.now(UTC)
        failed = [
            FailedUpload(point, ASSET_FAILED, "AssetUploadFailed", now, None, problems[0])
            for point in points
            if (problems := [p for i in point.items() if isinstance(p := looks.get(i), str)])
        ]
        if len(failed) <= self.tolerance * len(points):
            return

        async def retry() -> AsyncRapidataJobDefinition:
            return self._definition(await self.run())

        raise FailedUploadException(
            f"{len(failed)} of {len(points)} datapoints cannot be uploaded: {_reasons(failed)}. "
            "Nothing was sent and nothing was paid; see failed_uploads, correct or drop them, and "
            "try again.",
            detailed_failures=failed,
            retry=retry,
        )

    async def _create(self, dataset_id: str) -> str:
        body: dict[str, Any] = {
            "definitionName": self.name,
            "workflow": self.spec.workflow(),
            "referee": self.spec.referee(),
            "datasetId": dataset_id,
        }
        flags = flags_of(self.spec.settings)
        body |= {field: values for field, values in flags.items() if values}
        definitions = AsyncDefinitionApi(self.transport)
        for attempt in range(1, _ATTEMPTS + 1):
            self.asked = async_monotonic()
            try:
                return (await definitions.create(body)).definition_id
            except (TransportError, ServerError) as error:
                if is_undone(error) or attempt == _ATTEMPTS:
                    raise
            _log.warning("the answer to POST /job/definition was lost; looking whether it is there")
            found = await self._find(definitions, dataset_id)
            if found is not None:
                return found
            # It is not there, so this makes no second one.
        raise AssertionError("the last attempt returns or raises")

    async def _find(self, definitions: AsyncDefinitionApi, dataset_id: str) -> str | None:
        """The definition of our dataset, which no other has."""
        named = [("name[eq]", self.name)]
        for pause in (0.0, *UPLOAD_PAUSES):
            await async_sleep(pause)
            for found in await definitions.list(named, 10, sort="-created_at"):
                revision = await definitions.get_revision(found.definition_id)
                if revision.dataset_id == dataset_id:
                    return found.definition_id
        return None

    def _definition(self, definition_id: str) -> AsyncRapidataJobDefinition:
        # That module builds on this one.
        from rapidata_core._async.definitions import AsyncRapidataJobDefinition

        return AsyncRapidataJobDefinition(self.transport, definition_id, self.name, 1)


async def revise(
    transport: AsyncTransport,
    definition: AsyncRapidataJobDefinition,
    spec: JobSpec | None,
    body: dict[str, Any],
    failure_tolerance: float | None,
) -> None:
    """Save a new revision of a definition, which then stands for it.

    Args:
        transport: Where to.
        definition: The definition.
        spec: A whole new description, whose datapoints are uploaded.
        body: The revision; of a new spec the dataset's id is filled in.
        failure_tolerance: See :func:`define`.

    Raises:
        FailedUploadException: More datapoints failed than tolerated; no revision was saved.
        RevisionConflictError: There is a newer revision than the one that was changed.
    """
    tolerance = checked_tolerance(failure_tolerance)
    if spec is None:
        await _save(transport, definition, body)
        return
    spec = await shortened(transport, spec)
    points = spec.points()
    name, schema = f"{spec.name}_dataset", spec.schema_segments()
    filled = await fill(transport, {"name": name, "schema": schema}, points, spec.groups())

    async def finish(failed: list[FailedUpload]) -> AsyncRapidataJobDefinition:
        if len(failed) > tolerance * len(points):

            async def retry() -> AsyncRapidataJobDefinition:
                return await finish((await filled.dataset.add_datapoints(failed))[1])

            raise FailedUploadException(
                f"{len(failed)} of {len(points)} datapoints could not be uploaded: "
                f"{_reasons(failed)}. Job definition {definition.id!r} stays as it was. See "
                "failed_uploads; retry() uploads what is missing and saves the revision.",
                detailed_failures=failed,
                dataset=filled.dataset,
                job_definition=definition,
                retry=retry,
            )
        await _save(transport, definition, {**body, "datasetId": filled.dataset.id})
        return definition

    await finish(filled.failed)


async def _save(
    transport: AsyncTransport, definition: AsyncRapidataJobDefinition, body: dict[str, Any]
) -> None:
    definitions = AsyncDefinitionApi(transport)
    base = body["baseRevisionNumber"]
    try:
        number = (await definitions.create_revision(definition.id, body)).revision_number
    except ValidationError as error:
        raise _conflict(error, definition.id, base) or error from None
    except (TransportError, ServerError) as error:
        if is_undone(error):
            raise
        _log.warning("the answer about a new revision was lost; looking whether it is there")
        latest = await definitions.get_revision(definition.id)
        same = latest.dataset_id == body["datasetId"] and latest.workflow == body["workflow"]
        if latest.revision_number <= base or not same or latest.referee != body["referee"]:
            raise
        number = latest.revision_number
    await definition.reload(number)


def _conflict(error: ValidationError, definition_id: str, base: int) -> RapidataError | None:
    if error.status_code != _CONFLICT:
        return None
    latest = (error.details or {}).get("latestRevisionNumber")
    return RevisionConflictError(
        f"Job definition {definition_id!r} has revision {latest} by now; revision {base} was to "
        "be changed. Nothing was saved: reload() it, look at what is new, and update it again.",
        job_definition_id=definition_id,
        base_revision=base,
        latest_revision=latest if isinstance(latest, int) else None,
        status_code=error.status_code,
        trace_id=error.trace_id,
    )


def _reasons(failed: Sequence[FailedUpload]) -> str:
    counted = Counter(failure.reason or failure.error_message for failure in failed)
    listed = [f"{reason} ({count})" for reason, count in counted.most_common(5)]
    more = len(counted) - len(listed)
    return "; ".join(listed) + (f"; and {more} more" if more > 0 else "")
