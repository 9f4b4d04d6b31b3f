"""What the sandbox remembers: tables in one SQLite database, in memory or in a file.

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
    JSON,
    BigInteger,
    Boolean,
    Column,
    Executable,
    Float,
    ForeignKey,
    Insert,
    Integer,
    MetaData,
    Row,
    Select,
    String,
    Table,
    UniqueConstraint,
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

_T = TypeVar("_T")

_METADATA = MetaData()
SCHEMA_VERSION = "1"

_settings = Table(
    "setting",
    _METADATA,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

_counters = Table(
    "counter",
    _METADATA,
    Column("kind", String, primary_key=True),
    Column("value", Integer, nullable=False),
)

audiences = Table(
    "audience",
    _METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("description", String),
    # global, curated, custom, filtered or unlisted.
    Column("kind", String, nullable=False),
    # Where its people come from: the whole population, or a trained part of it.
    Column("pool", String, nullable=False),
    Column("base_id", String),
    Column("slice", JSON),
    Column("filters", JSON, nullable=False),
    Column("rule", JSON, nullable=False),
    # Further options of the platform, kept to be answered.
    Column("options", JSON, nullable=False),
    Column("is_public", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("cohort_id", String),
    Column("recruited_at", BigInteger),
    Column("ready_at", BigInteger),
    Column("over_at", BigInteger),
    # How many have graduated and dropped out when recruiting is over.
    Column("qualified", Integer, nullable=False),
    Column("dropped", Integer, nullable=False),
)

assets = Table(
    "asset",
    _METADATA,
    Column("file_name", String, primary_key=True),
    Column("original_name", String, nullable=False),
    Column("source_url", String),
    Column("size", Integer),
)

batches = Table(
    "batch_upload",
    _METADATA,
    Column("id", String, primary_key=True),
    Column("correlation_id", String, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("ready_at", BigInteger, nullable=False),
)

batch_items = Table(
    "batch_upload_item",
    _METADATA,
    Column("batch_id", String, ForeignKey("batch_upload.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("url", String, nullable=False),
    Column("file_name", String),
    Column("error_message", String),
    Column("stage", String),
    Column("upstream_status", Integer),
)

datasets = Table(
    "dataset",
    _METADATA,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("segment_schema", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

datapoints = Table(
    "datapoint",
    _METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("dataset_id", String, ForeignKey("dataset.id"), nullable=False, index=True),
    Column("segments", JSON, nullable=False),
    Column("sort_index", Integer),
    Column("group_name", String),
    Column("private_metadata", JSON),
    Column("created_at", BigInteger, nullable=False),
)

definitions = Table(
    "definition",
    _METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("type", String, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # A deleted definition disappears from the API, but its jobs go on and still need its revision.
    Column("deleted", Boolean, nullable=False),
)

revisions = Table(
    "revision",
    _METADATA,
    Column("definition_id", String, ForeignKey("definition.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("pipeline_id", String, nullable=False),
    Column("dataset_id", String, ForeignKey("dataset.id"), nullable=False),
    Column("workflow", JSON, nullable=False),
    Column("referee", JSON, nullable=False),
    Column("flags", JSON, nullable=False),
    Column("campaign_flags", JSON, nullable=False),
    Column("aggregator_type", String),
    Column("validation_set_id", String),
    Column("base_number", Integer),
    Column("created_at", BigInteger, nullable=False),
)

jobs = Table(
    "job",
    _METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("name", String, nullable=False, index=True),
    Column("definition_id", String, ForeignKey("definition.id"), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("audience_id", String, nullable=False),
    Column("pipeline_id", String, nullable=False),
    Column("dataset_id", String, ForeignKey("dataset.id"), nullable=False),
    # The job asks about the datapoints that existed when it was created.
    Column("last_datapoint", Integer, nullable=False),
    Column("datapoint_count", Integer, nullable=False),
    Column("votes", Integer, nullable=False),
    Column("most_responses", Integer, nullable=False),
    Column("responses", Integer, nullable=False),
    # Exactly who may answer; see pools.py.
    Column("pool", String, nullable=False),
    Column("waits_for", String, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("duration", BigInteger, nullable=False),
    Column("shift", BigInteger, nullable=False),
    Column("hold", String),
    Column("held_at", BigInteger),
    Column("failure_message", String),
    Column("review_reason", String),
    Column("charged", Boolean, nullable=False),
)

ledger = Table(
    "ledger",
    _METADATA,
    Column("seq", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("job_id", String, nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
)

examples = Table(
    "example",
    _METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("audience_id", String, nullable=False, index=True),
    Column("asset", JSON, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("truth", JSON),
    Column("context", String),
    Column("context_asset", JSON),
    Column("explanation", String),
    Column("chance", Float, nullable=False),
    Column("flags", JSON, nullable=False),
    Column("sort_index", Integer, nullable=False),
    Column("is_common_sense", Boolean),
    Column("flag_if_incorrect", Boolean),
    Column("visibility", String, nullable=False),
)

# Who qualified with which examples. A change of the examples makes a new cohort and leaves the old
# one to the jobs that it answers.
cohorts = Table(
    "cohort",
    _METADATA,
    Column("id", String, primary_key=True),
    Column("audience_id", String, nullable=False),
    # As JSON text, by which the outcome is remembered.
    Column("exam", String, nullable=False),
    Column("started_at", BigInteger, nullable=False),
)

# What is true about some content, since a qualification example said so.
truths = Table(
    "truth",
    _METADATA,
    Column("content", String, primary_key=True),
    Column("value", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

signals = Table(
    "signal",
    _METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("description", String),
    Column("audience_id", String, nullable=False),
    Column("definition_id", String, nullable=False),
    Column("revision", Integer),
    Column("interval", Integer, nullable=False),
    Column("is_paused", Boolean, nullable=False),
    Column("is_public", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("next_run_at", BigInteger, nullable=False),
    Column("last_run_at", BigInteger),
)

signal_runs = Table(
    "signal_run",
    _METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("signal_id", String, nullable=False, index=True),
    Column("source", String, nullable=False),
    # "Requested" is a trigger that the platform has not come to yet; nobody sees it.
    Column("status", String, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    # When the run moves on by itself; a run with a job moves on with its job.
    Column("due_at", BigInteger, index=True),
    Column("job_id", String),
    Column("completed_at", BigInteger),
    Column("failure_message", String),
    Column("skipped_reason", String),
)

flows = Table(
    "flow",
    _METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("type", String, nullable=False),
    # What new items are made with; an item keeps a copy.
    Column("config", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # A deleted flow disappears from the API; its items stay readable.
    Column("deleted", Boolean, nullable=False),
)

flow_items = Table(
    "flow_item",
    _METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("flow_id", String, nullable=False, index=True),
    Column("dataset_id", String, ForeignKey("dataset.id"), nullable=False),
    Column("config", JSON, nullable=False),
    Column("context", String),
    Column("context_asset", JSON),
    Column("pool", String, nullable=False),
    # The item asks about the datapoints that existed when it was created.
    Column("last_datapoint", Integer, nullable=False),
    Column("datapoint_count", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("latency", BigInteger, nullable=False),
    Column("pace", BigInteger, nullable=False),
    Column("wanted", Integer, nullable=False),
    Column("drain_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    # How and when it ends unless somebody stops it: nothing that comes later changes that.
    Column("ending", String, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("stopped_at", BigInteger),
)

preheats = Table(
    "preheat",
    _METADATA,
    Column("seq", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
)

benchmarks = Table(
    "benchmark",
    _METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("description", String),
    Column("is_public", Boolean, nullable=False),
    Column("is_published", Boolean, nullable=False),
    Column("publication_date", BigInteger),
    Column("initial_boost_level", Integer),
    Column("min_assets_per_prompt", Integer),
    Column("score_shift", Float, nullable=False),
    Column("score_scale", Float, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

prompts = Table(
    "benchmark_prompt",
    _METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("benchmark_id", String, ForeignKey("benchmark.id"), nullable=False),
    Column("identifier", String, nullable=False),
    Column("text", String),
    Column("segments", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("origin", String),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("benchmark_id", "identifier"),
)

leaderboards = Table(
    "leaderboard",
    _METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("benchmark_id", String, ForeignKey("benchmark.id"), nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("instruction", String, nullable=False),
    Column("display_instruction", String),
    Column("show_prompt", Boolean, nullable=False),
    Column("show_prompt_asset", Boolean, nullable=False),
    Column("is_inversed", Boolean, nullable=False),
    Column("response_budget", Integer, nullable=False),
    Column("min_responses", Integer, nullable=False),
    Column("audience_id", String, nullable=False),
    Column("flags", JSON, nullable=False),
    Column("priority", Integer),
    Column("weight", Float, nullable=False),
    Column("score_shift", Float, nullable=False),
    Column("score_scale", Float, nullable=False),
    Column("is_hidden", Boolean, nullable=False),
    Column("is_excluded", Boolean, nullable=False),
    Column("vote_aggregation", String, nullable=False),
    Column("included_tags", JSON, nullable=False),
    Column("excluded_tags", JSON, nullable=False),
    Column("definition_id", String),
    Column("created_at", BigInteger, nullable=False),
)

participants = Table(
    "participant",
    _METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("benchmark_id", String, ForeignKey("benchmark.id"), nullable=False, index=True),
    Column("name", String, nullable=False),
    # Its first name, from which its quality derives.
    Column("model", String, nullable=False),
    Column("status", String, nullable=False),
    Column("votes_excluded", Boolean, nullable=False),
    Column("dataset_id", String, nullable=False),
    Column("family", String),
    Column("lab", String),
    Column("proprietary_name", String),
    Column("license_type", String),
    Column("cost", Float),
    Column("cost_unit", String),
    Column("logo", String),
    Column("created_at", BigInteger, nullable=False),
)

samples = Table(
    "sample",
    _METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("participant_id", String, ForeignKey("participant.id"), nullable=False),
    Column("identifier", String, nullable=False),
    Column("asset", JSON, nullable=False),
    Column("content", String, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("participant_id", "identifier", "content"),
)

leaderboard_runs = Table(
    "leaderboard_run",
    _METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    # It outlives its leaderboard, because its job does.
    Column("leaderboard_id", String, nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("job_id", String, nullable=False, index=True),
    Column("audience_id", String, nullable=False),
    Column("question", String, nullable=False),
    Column("is_inversed", Boolean, nullable=False),
    # What is compared, in the order of the job's datapoints.
    Column("matchups", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

_COUNT = (
    upsert(_counters)
    .values(kind=bindparam("kind"), value=1)
    .on_conflict_do_update(index_elements=["kind"], set_={"value": _counters.c.value + 1})
    .returning(_counters.c.value)
)
# What ranked datapoints share, by the name of their group.
groups = Table(
    "dataset_group",
    _METADATA,
    Column("dataset_id", String, ForeignKey("dataset.id"), primary_key=True),
    Column("name", String, primary_key=True),
    Column("segments", JSON, nullable=False),
)

preliminary_downloads = Table(
    "preliminary_download",
    _METADATA,
    Column("id", String, primary_key=True),
    Column("job_id", String, nullable=False),
    # The file says what had been answered when it was asked for.
    Column("answered", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
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
        self._memory: dict[str, OrderedDict[Any, Any]] = {}
        url = "sqlite://" if path is None else f"sqlite:///{path}"
        self._engine = create_engine(url, connect_args={"timeout": 1})
        event.listen(self._engine, "connect", _configure)
        try:
            self._connection = self._engine.connect()
            _METADATA.create_all(self._connection)
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
        for table in reversed(_METADATA.sorted_tables):
            if table.name not in kept:
                self._connection.execute(delete(table))
        self._memory.clear()
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
        found = self.find(_settings, key=key)
        return None if found is None else str(found.value)

    def _set_setting(self, key: str, value: str) -> None:
        changed = self.write(update(_settings).where(_settings.c.key == key).values(value=value))
        if not changed:
            self.add(_settings, key=key, value=value)


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
