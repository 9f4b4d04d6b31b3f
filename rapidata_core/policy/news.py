"""What is new since somebody looked last: a cursor that tells every end exactly once.

Objects of a list end in any order, and the lists cannot be asked what ended since. So a cursor
remembers which objects were open, and since when to look for others. New ones may show late in a
list, after younger ones. So a while is looked at again, and the cursor knows what was seen of it.
All times are the platform's: a wrong clock here changes nothing.

The cursor is as long as the number of objects that are open, however old the oldest of them is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from rapidata_core.errors import ValidationError

_BEGIN_ANEW = "pass the cursor of the last look as it was, or None to begin anew"


@dataclass(frozen=True)
class Seen:
    """What a look showed of one object.

    Attributes:
        id: The object's id.
        began: When it began: what the list is filtered by.
        has_ended: Whether it has ended, so that it is news.
    """

    id: str
    began: datetime
    has_ended: bool


@dataclass(frozen=True)
class Cursor:
    """Where somebody is in the news.

    Attributes:
        since: Objects that began then or later are looked for; None for all.
        seen: Those of them that are known.
        open: Known objects that had not ended, however old they are.
    """

    since: datetime | None = None
    seen: frozenset[str] = frozenset()
    open: frozenset[str] = frozenset()

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it; see :func:`read_cursor`."""
        return {
            "since": None if self.since is None else self.since.isoformat(),
            "seen": sorted(self.seen),
            "open": sorted(self.open),
        }


def read_cursor(document: object) -> Cursor:
    """A cursor that was written down.

    Raises:
        ValidationError: It is damaged; every problem is listed.
    """
    if not isinstance(document, Mapping):
        problem = f"must be a mapping, not {type(document).__name__}; {_BEGIN_ANEW}"
        raise ValidationError("cursor", [problem])
    fields = cast("Mapping[str, Any]", document)
    problems = [
        f"{name}: must be a list of ids; {_BEGIN_ANEW}"
        for name in ("seen", "open")
        if not _is_ids(fields.get(name))
    ]
    since = fields.get("since")
    if since is not None and _moment(since) is None:
        problems.append(f"since: must be a time with its zone, not {since!r}; {_BEGIN_ANEW}")
    if "since" not in fields:
        problems.append(f"since: is missing; {_BEGIN_ANEW}")
    if problems:
        raise ValidationError("cursor", problems)
    return Cursor(_moment(since), frozenset(fields["seen"]), frozenset(fields["open"]))


def check_since(since: datetime) -> None:
    """Refuse a time that leaves open which moment it is.

    Raises:
        ValidationError: It has no zone.
    """
    if since.tzinfo is None:
        problem = "must have a zone, for example datetime(2026, 11, 21, tzinfo=UTC)"
        raise ValidationError("since", [problem])


def advance(
    cursor: Cursor, listed: Iterable[Seen], others: Iterable[Seen], late: timedelta
) -> tuple[list[str], Cursor]:
    """What has ended since the cursor, and the next cursor.

    Args:
        cursor: The last one.
        listed: The objects that began at ``cursor.since`` or later, as the list has them now.
        others: The open ones that began earlier. Those that are gone are in neither, and are
            forgotten.
        late: How long an object may take to show in the list.

    Returns:
        Ids of objects, those that began first come first; each is told by one cursor only.
    """
    # A list that does not filter as it was asked to must not tell old news.
    recent = [one for one in listed if cursor.since is None or one.began >= cursor.since]
    new = [one for one in recent if one.id not in cursor.seen or one.id in cursor.open]
    known = {one.id: one for one in [*others, *new]}
    ended = sorted((one.began, one.id) for one in known.values() if one.has_ended)
    still_open = frozenset(one.id for one in known.values() if not one.has_ended)
    since = _later(cursor.since, recent, late)
    seen = {one.id for one in recent if since is None or one.began >= since}
    if since == cursor.since:
        # A list that is older than the last one must not make us forget.
        seen |= cursor.seen
    return [one for _, one in ended], Cursor(since, frozenset(seen), still_open)


def _later(since: datetime | None, recent: Iterable[Seen], late: timedelta) -> datetime | None:
    """From when to look next: by then, all that is older has shown."""
    newest = max((one.began for one in recent), default=None)
    if newest is None:
        return since
    return newest - late if since is None else max(since, newest - late)


def _is_ids(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, str) and one for one in cast("list[object]", value)
    )


def _moment(text: object) -> datetime | None:
    """The time that a text says; None if it is none, or has no zone."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
