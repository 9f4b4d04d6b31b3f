"""What was uploaded before: one SQLite file, shared by all processes of a user.

The platform gives every uploaded file a name. The cache remembers it by what was uploaded, so that
a second job about the same images uploads nothing. It is only ever a shortcut: whatever is wrong
with it is logged once, and everything is uploaded as if it were not there.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from weakref import finalize

_log = logging.getLogger("rapidata_core.upload_cache")

# What a URL leads to can change, so it is believed for a day. Files are known by their content.
URL_SECONDS = 24 * 3600.0
# Nobody uploads the same file again after this; without a limit the cache would grow for ever.
_FORGOTTEN_AFTER = 90 * 24 * 3600.0
# A file that changes twice within one tick of its file system's clock keeps its times.
_TICK_SECONDS = 2.0
_TABLES = """
CREATE TABLE IF NOT EXISTS uploads (
    key TEXT PRIMARY KEY, name TEXT NOT NULL, stored_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS uploads_by_age ON uploads (stored_at);
CREATE TABLE IF NOT EXISTS digests (
    path TEXT PRIMARY KEY, state TEXT NOT NULL, digest TEXT NOT NULL, stored_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS digests_by_age ON digests (stored_at);
"""
_warned: set[Path] = set()


@dataclass(frozen=True)
class FileState:
    """What tells, without reading it, that a file is still the same.

    Attributes:
        size: In bytes.
        mtime_ns: When its content changed, as it says.
        ctime_ns: When anything about it changed; tools that set the other time do not set this.
    """

    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, facts: os.stat_result) -> FileState:
        """Read it from ``os.stat``."""
        return cls(facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)

    @property
    def text(self) -> str:
        """It as one text."""
        return f"{self.size}:{self.mtime_ns}:{self.ctime_ns}"

    @property
    def settled(self) -> bool:
        """Whether another change would show."""
        return time.time() - max(self.mtime_ns, self.ctime_ns) / 1e9 > _TICK_SECONDS


class UploadCache:
    """The file, from any thread.

    A write opens and closes it. It stays open for reading as long as this object lives, which
    should be one piece of work: to open it for each of a thousand files would cost as much as to
    upload them.
    """

    def __init__(self, folder: Path, timeout: float = 1.0) -> None:
        """Remember where it is; nothing is opened yet.

        Args:
            folder: Where the file is; both are made when something is first stored.
            timeout: Seconds to wait while another process writes.
        """
        self._path = folder / "uploads.sqlite"
        self._timeout = timeout
        self._lock = threading.Lock()
        self._reader: sqlite3.Connection | None = None

    def names(self, keys: Collection[str], seconds: float | None = None) -> dict[str, str]:
        """The platform's names of what was uploaded, by key; only the known ones.

        Args:
            keys: What is asked for.
            seconds: Older entries do not count.
        """
        since = 0.0 if seconds is None else time.time() - seconds

        def read(database: sqlite3.Connection) -> dict[str, str]:
            return dict(
                database.execute(
                    "SELECT key, name FROM uploads "
                    "WHERE key IN (SELECT value FROM json_each(?)) AND stored_at >= ?",
                    (json.dumps(list(keys)), since),
                )
            )

        return self._read(read)

    def remember(self, names: Mapping[str, str]) -> None:
        """Store names by key."""
        now = time.time()

        def write(database: sqlite3.Connection) -> None:
            database.executemany(
                "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?)",
                [(key, name, now) for key, name in names.items()],
            )
            database.execute("DELETE FROM uploads WHERE stored_at < ?", (now - _FORGOTTEN_AFTER,))

        if names:
            self._write(write)

    def digests(self, states: Mapping[str, FileState]) -> dict[str, str]:
        """Digests of files that are as they were when they were read, by path."""

        def read(database: sqlite3.Connection) -> dict[str, str]:
            rows = database.execute(
                "SELECT path, state, digest FROM digests "
                "WHERE path IN (SELECT value FROM json_each(?))",
                (json.dumps(list(states)),),
            )
            return {path: digest for path, state, digest in rows if state == states[path].text}

        return self._read(read)

    def remember_digests(self, digests: Mapping[str, tuple[FileState, str]]) -> None:
        """Store what files contained when they were in a state, by path."""
        now = time.time()
        rows = [(p, state.text, d, now) for p, (state, d) in digests.items() if state.settled]

        def write(database: sqlite3.Connection) -> None:
            database.executemany("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?)", rows)
            database.execute("DELETE FROM digests WHERE stored_at < ?", (now - _FORGOTTEN_AFTER,))

        if rows:
            self._write(write)

    def _read(self, read: Callable[[sqlite3.Connection], dict[str, str]]) -> dict[str, str]:
        try:
            with self._lock:
                if self._reader is None:
                    if not self._path.exists():
                        # Nothing was stored yet, and looking leaves nothing behind.
                        return {}
                    self._reader = self._connect(check_same_thread=False)
                    finalize(self, _close, self._reader, os.getpid())
                return read(self._reader)
        except (OSError, sqlite3.Error, UnicodeError) as error:
            # Perhaps another process has made the file, and is about to make its tables.
            if "no such table" not in str(error):
                self._warn(error)
            return {}

    def _write(self, write: Callable[[sqlite3.Connection], object]) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # SQLite alone would make it as readable as the umask allows.
            os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
            # The inner `with` commits.
            with contextlib.closing(self._open()) as database, database:
                write(database)
        except (OSError, sqlite3.Error, UnicodeError) as error:
            self._warn(error)

    def _connect(self, *, check_same_thread: bool = True) -> sqlite3.Connection:
        return sqlite3.connect(
            self._path, timeout=self._timeout, check_same_thread=check_same_thread
        )

    def _open(self) -> sqlite3.Connection:
        """A connection to write with."""
        database = self._connect()
        try:
            # Fails where another process has just opened the file, which then says the same.
            with contextlib.suppress(sqlite3.OperationalError):
                database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            database.executescript(_TABLES)
        except BaseException:
            database.close()
            raise
        return database

    def _warn(self, error: Exception) -> None:
        if self._path not in _warned:
            _warned.add(self._path)
            _log.warning(
                "the upload cache %s cannot be used (%s: %s); files may be uploaded again",
                self._path,
                type(error).__name__,
                error,
            )


def _close(database: sqlite3.Connection, pid: int) -> None:
    # A child must leave alone what its parent has open.
    if pid == os.getpid():
        database.close()
