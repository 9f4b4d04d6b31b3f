"""The paid call itself: ``POST /job``, sent once."""

from __future__ import annotations

import logging

from rapidata_core._async.api.definitions import AsyncDefinitionApi
from rapidata_core._async.api.jobs import AsyncJobApi
from rapidata_core._async.spend import price
from rapidata_core._async.transport import AsyncTransport
from rapidata_core._async.waiting import find_out
from rapidata_core.config import rapidata_config
from rapidata_core.errors import ServerError, TransportError
from rapidata_core.policy.submission import Identity, check_names, oldest_of
from rapidata_core.types import Submission
from rapidata_core.wire.job import CostAnswer, JobListItem

_log = logging.getLogger("rapidata_core.submit")


async def pay(
    transport: AsyncTransport,
    definition_id: str,
    audience_id: str,
    identity: Identity,
    name: str,
    revision_number: int | None = None,
    preceding_job_id: str | None = None,
    *,
    advice: str,
) -> Submission:
    """Make the paid call once, and know afterwards what it did.

    Args:
        transport: Where to.
        definition_id: What to ask.
        audience_id: Whom to ask.
        identity: By which the job is found should the answer be lost.
        name: The job's name; it ends in the identity.
        revision_number: Which revision of the definition; the latest one by default.
        preceding_job_id: A job that has to be done before this one starts.
        advice: What to do when it stays unknown whether the job was created.

    Raises:
        AmbiguousSubmissionError: It stays unknown.
    """
    definitions = AsyncDefinitionApi(transport)
    if revision_number is None:
        revision_number = (await definitions.get_revision(definition_id)).revision_number
    cost = await price(definitions.cost, definition_id)
    try:
        return await create_job(
            transport, definition_id, audience_id, name, revision_number, cost, preceding_job_id
        )
    except (TransportError, ServerError) as error:

        async def look() -> JobListItem | None:
            found = await jobs_of(transport, identity)
            return oldest_of(found) if found else None

        lost = await find_out(look, error, request="POST /job", advice=advice)
        return submission_of(lost, cost, adopted=False)


async def create_job(
    transport: AsyncTransport,
    definition_id: str,
    audience_id: str,
    name: str,
    revision_number: int,
    cost: CostAnswer,
    preceding_job_id: str | None = None,
    *,
    before: float | None = None,
) -> Submission:
    """Make the paid call, and pass on what the platform warns of.

    Args:
        transport: Where to.
        definition_id: What to ask.
        audience_id: Whom to ask.
        name: The job's name.
        revision_number: Which revision of the definition.
        cost: What it is expected to cost.
        preceding_job_id: A job that has to be done before this one starts.
        before: See :meth:`AsyncTransport.send`.
    """
    created = await AsyncJobApi(transport).create(
        definition_id=definition_id,
        audience_id=audience_id,
        revision_number=revision_number,
        name=name,
        preceding_job_id=preceding_job_id,
        check_for_explicit_content=rapidata_config.upload.checkForExplicitContent,
        before=before,
    )
    if created.cost_warning is not None:
        _log.warning(
            "job %s costs %.2f, but only %.2f is available: it will stop when the money is used up",
            created.job_id,
            created.cost_warning.estimated_cost,
            created.cost_warning.available_balance,
        )
    if created.content_check_skip_denied:
        _log.warning(
            "job %s is checked for explicit content: this account may not skip it", created.job_id
        )
    return Submission(
        job_id=created.job_id,
        definition_id=definition_id,
        audience_id=audience_id,
        adopted=False,
        estimated_cost=cost.estimated_cost,
    )


async def jobs_of(transport: AsyncTransport, identity: Identity) -> list[JobListItem]:
    """The jobs that carry the key. A failed read raises: it does not mean "nothing there"."""
    ending = [("name[ends_with]", identity.name_ending)]
    found = list(await AsyncJobApi(transport).list_all(ending))
    check_names((job.name for job in found), identity.name_ending)
    return found


def submission_of(job: JobListItem, cost: CostAnswer, *, adopted: bool) -> Submission:
    """A job of the list, as what a logical task has."""
    return Submission(
        job_id=job.job_id,
        definition_id=job.job_definition_id,
        audience_id=job.audience_id,
        adopted=adopted,
        estimated_cost=cost.estimated_cost,
    )
