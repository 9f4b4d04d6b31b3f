"""The database of a sandbox: one SQLite file, or memory; see :mod:`rapidata_core.sandbox.tables`.

All requests share one connection, and handlers run one after the other on the event loop. SQLite
has a single writer anyway, a statement here takes microseconds, and a handler that never awaits
between its first read and its commit cannot interleave with another one: every request is
serialisable without a lock.

Building a statement anew for each request costs four times what running it does, so what nearly
every request needs (:meth:`Store.find`, :meth:`Store.add`, :meth:`Store.next_id`) is built once.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    Executable,
    Insert,
    Row,
    Select,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.engine import Result
from sqlalchemy.exc import OperationalError

from rapidata_core.sandbox.clock import Anchor, Clock, fresh_anchor
from rapidata_core.sandbox.tables import METADATA, audiences, counters, settings

_T = TypeVar("_T")

SCHEMA_VERSION = "1"

_COUNT = (
    upsert(counters)
    .values(kind=bindparam("kind"), value=1)
    .on_conflict_do_update(index_elements=["kind"], set_={"value": counters.c.value + 1})
    .returning(counters.c.value)
)

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class StoreError(Exception):
    """The database file cannot be used."""


class Store:
    """The database, the ids and the clock of one sandbox."""

    def __init__(
        self, path: Path | None, seed: int | None, speed: float, start: int | None = None
    ) -> None:
        """Open or create a store.

        Args:
            path: The database file; ``None`` keeps everything in memory.
            seed: Decides ids, people and answers. ``None`` keeps the file's own seed, else 0.
            speed: Simulated seconds per real second.
            start: Where a new clock begins; ``None`` is the real time.

        Raises:
            StoreError: The file is in use, is not a sandbox's, or has another seed.
        """
        self.speed = speed
        self.start = start
        # Nothing happens by itself before this moment; see api/signals.py.
        self.wake_at = 0
        # Whether a job may be waiting for another one; see api/jobs.py.
        self.jobs_wait = True
        # Lists show what was created before this moment, else all; see faults.py.
        self.shown_before: int | None = None
        # Tokens of earlier generations are refused; see api/auth.py.
        self.token_generation = 0
        self._memory: dict[str, OrderedDict[Any, Any]] = {}
        url = "sqlite://" if path is None else f"sqlite:///{path}"
        self._engine = create_engine(url, connect_args={"timeout": 1})
        event.listen(self._engine, "connect", _configure)
        try:
            self._connection = self._engine.connect()
            METADATA.create_all(self._connection)
            self._connection.commit()
        except OperationalError as error:
            reason = "another sandbox uses it" if "locked" in str(error) else str(error.orig)
            raise StoreError(f"Cannot open {path}: {reason}.") from error
        with self.transaction():
            self.seed = self._agree_on_seed(path, seed)
            self.clock = Clock(self._restore_clock())

    def close(self) -> None:
        """Close the database."""
        self._connection.close()
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Commit at the end, or roll everything back when an exception leaves the block."""
        with self._connection.begin():
            yield

    def read(self, statement: Executable, **parameters: Any) -> Result[Any]:
        """Run a query."""
        return self._connection.execute(statement, parameters)

    def one(self, statement: Executable, **parameters: Any) -> Row[Any] | None:
        """The only row of a query, or ``None``."""
        return self._connection.execute(statement, parameters).one_or_none()

    def find(self, table: Table, **key: Any) -> Row[Any] | None:
        """The only row with these values, or ``None``: ``find(jobs, id=job_id)``."""
        return self._connection.execute(_lookup(table, *key), key).one_or_none()

    def number(self, statement: Executable, **parameters: Any) -> int:
        """The only number of a query; nothing counts as zero."""
        return int(self._connection.execute(statement, parameters).scalar() or 0)

    def write(self, statement: Executable) -> int:
        """Run a change; returns how many rows it touched."""
        return self._connection.execute(statement).rowcount

    def add(self, table: Table, **values: Any) -> None:
        """Insert one row."""
        self._connection.execute(_insertion(table), values)

    def add_many(self, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        """Insert rows."""
        if rows:
            self._connection.execute(_insertion(table), rows)

    def add_or_keep(self, table: Table, **values: Any) -> None:
        """Insert one row unless its key exists."""
        self._connection.execute(_careful_insertion(table), values)

    def next_id(self, kind: str) -> str:
        """A new id.

        Ids derive from the seed and a counter per kind, so the same requests get the same ids
        and the n-th job has the same id however many datapoints were created in between.
        """
        count = self._connection.execute(_COUNT, {"kind": kind}).scalar_one()
        return f"sbx_{kind}_{_short_hash(f'{self.seed}/{kind}/{count}')}"

    def set_anchor(self, anchor: Anchor) -> None:
        """Remember the clock."""
        self.clock.anchor = anchor
        self._write_anchor(anchor)

    def reset(self) -> None:
        """Back to the beginning: no objects, all ids and the clock from the start.

        Assets stay: they are addressed by content, so keeping them cannot be observed, while a
        client that caches file names within its process would otherwise lose them.
        """
        kept = {"asset", "setting"}
        for table in reversed(METADATA.sorted_tables):
            if table.name not in kept:
                self._connection.execute(delete(table))
        self._memory.clear()
        self.token_generation = 0
        self.set_anchor(fresh_anchor(self.speed, self.start))

    def remembered(self, kind: str, key: Any, make: Callable[[], _T], limit: int = 8) -> _T:
        """Something that derives from what is stored, made anew unless it was among the last few.

        Args:
            kind: What it is.
            key: Which one; what is remembered under a key must never change until a reset.
            make: Makes it.
            limit: How many of its kind are remembered.
        """
        known = self._memory.setdefault(kind, OrderedDict())
        if key not in known:
            known[key] = make()
        known.move_to_end(key)
        if len(known) > limit:
            known.popitem(last=False)
        return known[key]

    def is_empty(self) -> bool:
        """Whether nothing was ever put into this store."""
        return self.number(select(func.count()).select_from(audiences)) == 0

    def _agree_on_seed(self, path: Path | None, seed: int | None) -> int:
        kept = self._setting("seed")
        if self._setting("schema") not in (None, SCHEMA_VERSION):
            raise StoreError(f"{path} was written by another version of the sandbox.")
        if kept is not None and seed is not None and int(kept) != seed:
            raise StoreError(f"{path} was created with --seed {kept}, not {seed}.")
        agreed = int(kept) if kept is not None else (seed or 0)
        self._set_setting("schema", SCHEMA_VERSION)
        self._set_setting("seed", str(agreed))
        return agreed

    def _restore_clock(self) -> Anchor:
        kept = self._setting("clock")
        if kept is None:
            anchor = fresh_anchor(self.speed, self.start)
        else:
            real, simulated, speed = kept.split()
            before = Anchor(int(real), int(simulated), float(speed))
            now = fresh_anchor(self.speed, None).real
            anchor = Anchor(now, before.at(now), self.speed)
        self._write_anchor(anchor)
        return anchor

    def _write_anchor(self, anchor: Anchor) -> None:
        self._set_setting("clock", f"{anchor.real} {anchor.simulated} {anchor.speed!r}")

    def _setting(self, key: str) -> str | None:
        found = self.find(settings, key=key)
        return None if found is None else str(found.value)

    def _set_setting(self, key: str, value: str) -> None:
        changed = self.write(update(settings).where(settings.c.key == key).values(value=value))
        if not changed:
            self.add(settings, key=key, value=value)


@cache
def _lookup(table: Table, *columns: str) -> Select[Any]:
    return select(table).where(*(table.c[name] == bindparam(name) for name in columns))


@cache
def _insertion(table: Table) -> Insert:
    return insert(table)


@cache
def _careful_insertion(table: Table) -> Insert:
    return upsert(table).on_conflict_do_nothing()


def _configure(connection: Any, _record: Any) -> None:
    """Make acknowledged writes survive the death of the process, and keep other processes out."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA locking_mode=EXCLUSIVE")
    cursor.execute("PRAGMA journal_mode=WAL")
    # In WAL mode NORMAL loses nothing when the process dies; only a power cut could cost a commit.
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _short_hash(text: str) -> str:
    value = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=9).digest())
    letters: list[str] = []
    for _ in range(11):
        value, index = divmod(value, 62)
        letters.append(_ALPHABET[index])
    return "".join(letters)
