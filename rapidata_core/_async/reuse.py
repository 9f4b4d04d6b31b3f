"""What costs nothing and is found again by what it says: definitions and audiences.

The end of its name is a marker of its content. Whoever finds none with the marker makes one, and
then looks again: of several that were made at the same moment the oldest stays.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from rapidata_core._async.api.audiences import AsyncAudienceApi
from rapidata_core._async.api.definitions import AsyncDefinitionApi
from rapidata_core._async.define import define
from rapidata_core._async.settling import until_settled
from rapidata_core._async.spend import price
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.concurrency import async_offload
from rapidata_core.jobs import JobSpec
from rapidata_core.jobs.datapoint import is_url
from rapidata_core.local_files import digests
from rapidata_core.policy.submission import check_names, content_fingerprint, key_marker
from rapidata_core.wire.audience import AudienceAnswer
from rapidata_core.wire.definition import DefinitionAnswer

_log = logging.getLogger("rapidata_core.reuse")


async def reuse_or_define(
    transport: AsyncTransport, spec: JobSpec, tolerance: float
) -> DefinitionAnswer:
    """The definition of a spec, found again or new.

    Args:
        transport: Where to.
        spec: What to ask.
        tolerance: Share of the datapoints that may fail to be uploaded, 0 to 1.

    Raises:
        FailedUploadException: More datapoints failed; no definition was made.
    """
    parts = [*spec.points(), *spec.groups()]
    paths = {item for part in parts for item in part.items() if not is_url(item)}
    content = content_fingerprint(spec, await async_offload(digests, paths))
    marker = key_marker(transport.settings.namespace, f"definition/{content}")
    # So many of the datapoints have to be there: another call may have tolerated more failures.
    least = len(spec.points()) * (1 - tolerance)

    definitions = AsyncDefinitionApi(transport)

    async def work() -> DefinitionAnswer:
        found = await _oldest_definition(definitions, marker, least)
        if found is not None:
            _log.info("job definition %s says the same; taking it", found.definition_id)
            return found
        name = f"{spec.name}{marker}"
        made = await define(transport, spec, name, failure_tolerance=tolerance, incomplete=False)
        return await _agreed_definition(transport, made.definition_id, marker, least)

    return await transport.flights.once(f"define {marker} {tolerance}", work)


async def _agreed_definition(
    transport: AsyncTransport, made: str, marker: str, least: float
) -> DefinitionAnswer:
    """The definition that everybody takes who made one at the same moment as we did."""
    definitions = AsyncDefinitionApi(transport)

    async def look() -> DefinitionAnswer | None:
        return await _oldest_definition(definitions, marker, least, made)

    what, seconds = f"Job definition {made} in the platform's list", transport.settings.settle
    oldest = await until_settled(look, what=what, seconds=seconds)
    if oldest is None:
        # It shows later than anybody counts on. That costs nothing.
        return await definitions.get(made)
    if oldest.definition_id != made:
        _log.info("job definition %s is older; deleting %s", oldest.definition_id, made)
        await definitions.delete(made)
    return oldest


async def _oldest_definition(
    definitions: AsyncDefinitionApi, marker: str, least: float, made: str = ""
) -> DefinitionAnswer | None:
    """The oldest definition with a marker that still asks what it asked at first.

    Args:
        definitions: Where to look.
        marker: The end of its name.
        least: How many datapoints it has to have.
        made: The one that was just made. The list is complete when it shows: None before.
    """
    found = list(await definitions.list_all([("name[ends_with]", marker)]))
    check_names((one.name for one in found), marker)
    if made and all(one.definition_id != made for one in found):
        return None
    for one in sorted(found, key=lambda one: (one.created_at, one.definition_id)):
        if one.definition_id == made or await _is_as_made(definitions, one.definition_id, least):
            return one
    return None


async def _is_as_made(definitions: AsyncDefinitionApi, definition_id: str, least: float) -> bool:
    latest = await definitions.get_revision(definition_id)
    if latest.revision_number != 1 or latest.state == "Failed":
        return False
    return (await price(definitions.cost, definition_id)).datapoint_count >= least


async def reuse_or_create_audience(
    transport: AsyncTransport,
    marker: str,
    is_as_made: Callable[[AudienceAnswer], bool],
    create: Callable[[], Awaitable[str]],
) -> AudienceAnswer:
    """An audience, found again or new.

    Args:
        transport: Where to.
        marker: The end of its name.
        is_as_made: Whether an audience still takes the people that it took at first.
        create: Makes one with this marker; returns its id.
    """
    audiences = AsyncAudienceApi(transport)
    found = await _oldest_audience(audiences, marker, is_as_made)
    if found is not None:
        _log.info("audience %s says the same; taking it", found.id)
        return found
    made = await create()

    async def look() -> AudienceAnswer | None:
        return await _oldest_audience(audiences, marker, is_as_made, made)

    what, seconds = f"Audience {made} in the platform's list", transport.settings.settle
    oldest = await until_settled(look, what=what, seconds=seconds)
    if oldest is None:
        return await audiences.get(made)
    if oldest.id != made:
        _log.info("audience %s is older; deleting %s", oldest.id, made)
        await audiences.delete(made)
    return oldest


async def _oldest_audience(
    audiences: AsyncAudienceApi,
    marker: str,
    is_as_made: Callable[[AudienceAnswer], bool],
    made: str = "",
) -> AudienceAnswer | None:
    """See :func:`_oldest_definition`."""
    found = await audiences.list([("name[ends_with]", marker)])
    check_names((one.name for one in found), marker)
    if made and all(one.id != made for one in found):
        return None
    same = (one for one in found if one.id == made or is_as_made(one))
    return min(same, key=lambda one: (one.created_at, one.id), default=None)
