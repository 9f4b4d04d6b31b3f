"""Where event triggers note how far they have told the news, so that a restart goes on from there.

Airflow 3.3 keeps it with the asset. Airflow 3.2 has no such store, and only variables outlive a
triggerer there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from airflow.sdk.execution_time.context import (  # pyright: ignore[reportAttributeAccessIssue]
        AssetStateStoreAccessors,  # pyright: ignore[reportUnknownVariableType]
    )

Cursor = Mapping[str, Any]
"""What the core's ``news`` returns: plain JSON."""


class CursorStore(Protocol):
    """A place for one cursor."""

    async def read(self) -> Cursor | None:
        """What was written last; None if nothing was."""
        ...

    async def write(self, cursor: Cursor) -> None:
        """Replace what was written last."""
        ...


def cursor_store(key: str, assets: AssetStateStoreAccessors | None) -> CursorStore:
    """The most durable place that this Airflow has.

    Args:
        key: The name of the cursor there.
        assets: What Airflow 3.3 gives an event trigger: the stores of the assets that it watches.
    """
    return VariableStore(key) if assets is None else AssetStore(key, _accessors(assets))


class AssetStore:
    """Keeps the cursor with every asset that a trigger watches.

    Args:
        key: Its name among the asset's states.
        accessors: The stores of the assets, one each.
    """

    def __init__(self, key: str, accessors: Sequence[Any]) -> None:
        self._key = key
        self._accessors = accessors

    async def read(self) -> Cursor | None:
        """See :class:`CursorStore`."""
        found: list[Any] = [await one.aget(self._key) for one in self._accessors]
        # An asset may have been left alone for a while, and then joined again.
        written = [entry for entry in found if entry is not None]
        newest = max(written, key=lambda entry: entry["at"], default=None)
        return None if newest is None else newest["cursor"]

    async def write(self, cursor: Cursor) -> None:
        """See :class:`CursorStore`."""
        entry = {"at": datetime.now(UTC).isoformat(), "cursor": dict(cursor)}
        for one in self._accessors:
            await one.aset(self._key, entry)


class VariableStore:
    """Keeps the cursor in an Airflow variable.

    Args:
        key: The variable's name.
    """

    def __init__(self, key: str) -> None:
        self._key = key

    async def read(self) -> Cursor | None:
        """See :class:`CursorStore`."""
        from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
        from airflow.sdk.execution_time.comms import ErrorResponse, GetVariable

        # `Variable.get` takes a database that does not answer for a variable that is not there, and
        # then the news would begin anew: what ended since the last look would be lost.
        answer = await _ask(GetVariable(key=self._key))
        if not isinstance(answer, ErrorResponse):
            return json.loads(answer.value) if answer.value else None
        if answer.error != ErrorType.VARIABLE_NOT_FOUND:
            raise AirflowRuntimeError(answer)
        return None

    async def write(self, cursor: Cursor) -> None:
        """See :class:`CursorStore`."""
        from airflow.sdk.execution_time.comms import PutVariable

        about = "How far an event trigger has told Rapidata's news. Delete it to begin anew."
        await _ask(PutVariable(key=self._key, value=json.dumps(cursor), description=about))


async def _ask(message: Any) -> Any:
    """Send a message to the process that may speak to Airflow's database."""
    # There from the moment that the triggerer runs.
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    return await cast("Any", SUPERVISOR_COMMS).asend(message)


def _accessors(assets: Any) -> Sequence[Any]:
    """The stores of the assets, one each.

    Airflow wants to be asked by an asset when there are several, but tells a trigger of none
    (apache/airflow issue 71460). If that changes, one asset still works.
    """
    return [*getattr(assets, "_by_name", {}).values()] or [assets]
