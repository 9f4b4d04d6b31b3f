"""Files that appear whole or not at all, on disks of this machine and in object stores.

They are written into a hidden folder first, and put in their places when all of them are complete.
For a local directory that folder is inside of it, so that putting is renaming. For a URL it is
among the temporary files of this machine: an object store shows a file when it is closed, whole,
but libraries close it after an error, too.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from uuid import uuid4

from rapidata_core.errors import ExportError, RapidataError

if TYPE_CHECKING:
    from upath import UPath
    from upath.extensions import ProxyUPath

Location: TypeAlias = "str | os.PathLike[str] | UPath | ProxyUPath"
"""A local path, a URL, or a path that brings its own file system, such as a UPath."""

# How the folders are named in which somebody writes, or wrote until he was killed.
STAGE = ".rapidata-writing-"
_FILE = "file://"
# What the disk of this machine is called by paths that bring their file system.
_LOCAL = ("", "file", "local")
_ADVICE = {
    errno.ENOSPC: "Free some space there, or write elsewhere",
    errno.EDQUOT: "Free some space there, or write elsewhere",
    errno.EFBIG: "Files may not get that large there; write elsewhere",
    errno.EACCES: "Check the permissions, or write elsewhere",
    errno.EPERM: "Check the permissions, or write elsewhere",
    errno.EROFS: "It can only be read; write elsewhere",
}


def as_text(location: Location) -> str:
    """A location in words; from those of a path with a connection, its connection is found."""
    return os.fspath(location) if isinstance(location, str | os.PathLike) else str(location)


def is_url(location: Location) -> bool:
    """Whether something is not on a disk of this machine."""
    if brings_storage(location):
        return True
    text = as_text(location)
    return "://" in text and not text.startswith(_FILE) and not _is_local_path(location)


def brings_storage(location: Location) -> bool:
    """Whether something is a path elsewhere that brings its own file system and credentials.

    An address alone would lose them: as of a UPath with storage options, or of Airflow's
    ``ObjectStoragePath``, whose file system is that of a connection.
    """
    return not isinstance(location, str | os.PathLike) and not _is_local_path(location)


def local_path(location: Location) -> Path:
    """The path of something that is on a disk of this machine."""
    if _is_local_path(location):
        return Path(cast("Any", location).path)
    return Path(as_text(location).removeprefix(_FILE))


def located(location: Location) -> Path | UPath:
    """A path to read from, wherever it is."""
    if brings_storage(location):
        # Not all of them are of one class, but they can do the same.
        return cast("UPath", location)
    if not is_url(location):
        return local_path(location)
    from upath import UPath

    return UPath(as_text(location))


def folder_of(path: Location) -> tuple[Location, str]:
    """A file's folder and its name."""
    if brings_storage(path) or not is_url(path):
        file = located(path)
        return file.parent, file.name
    folder, _, name = as_text(path).rpartition("/")
    return folder, name


def _is_local_path(location: Location) -> bool:
    """Whether it is a path with a file system, which is that of this machine."""
    return getattr(location, "protocol", None) in _LOCAL


@contextmanager
def staging(directory: Location) -> Generator[Path]:
    """A local folder to write into, for :func:`publish`; what is left in it goes with it.

    Args:
        directory: Where the files shall be. A local one is made if need be.

    Raises:
        ExportError: Something cannot be written, here or inside of the block.
    """
    folder = Path(tempfile.gettempdir()) if is_url(directory) else local_path(directory)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        stage, lock = _claim(folder)
        try:
            yield stage
        finally:
            shutil.rmtree(stage, ignore_errors=True)
            _unlock(lock)
    except OSError as error:
        if isinstance(error, RapidataError):
            raise
        advice = _ADVICE.get(error.errno or 0, "Look what is wrong there, or write elsewhere")
        raise ExportError(
            f"Cannot write to {as_text(directory)}: {error}. {advice}; what was there before is "
            "unchanged."
        ) from error


def publish(
    stage: Path, directory: Location, names: Sequence[str], gone: Iterable[str] = ()
) -> None:
    """Put files in their places, each in one step, one after the other.

    Args:
        stage: What :func:`staging` gave.
        directory: The same as there.
        names: Paths inside of both. Let the file be last that vouches for the others.
        gone: Paths of files that are not wanted any more.

    Raises:
        ExportError: Not all could be put there; it names the first that could not.
    """
    put = _upload if is_url(directory) else _rename
    put(stage, directory, names, gone)


def _rename(stage: Path, directory: Location, names: Sequence[str], gone: Iterable[str]) -> None:
    folder = local_path(directory)
    for name in names:
        # A name must not survive a power failure that its content does not.
        _sync(stage / name, os.O_RDWR)
    # Of two who write here at the same moment, one does it after the other.
    with _alone(folder):
        for name in names:
            try:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(stage / name, folder / name)
            except OSError as error:
                raise _half_done(name, directory, error) from error
        for name in gone:
            with suppress(OSError):
                (folder / name).unlink()
        for parent in {(folder / name).parent for name in names}:
            with suppress(OSError):
                _sync(parent, os.O_RDONLY)


def _upload(stage: Path, directory: Location, names: Sequence[str], gone: Iterable[str]) -> None:
    folder = cast("UPath", located(directory))
    for name in names:
        target = folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.fs.put_file(str(stage / name), target.path)  # pyright: ignore[reportUnknownMemberType]
        except Exception as error:
            # Every kind of store has its own exceptions.
            raise _half_done(name, directory, error) from error
    for name in gone:
        with suppress(Exception):
            (folder / name).unlink()


def _half_done(name: str, directory: Location, error: Exception) -> ExportError:
    return ExportError(
        f"Cannot put {name} into {as_text(directory)}: {type(error).__name__}: {error}. Files "
        "that come before it may be new already: find out what is wrong there, then write again."
    )


def _sync(path: Path, mode: int) -> None:
    """Have the disk hold what was written."""
    handle = os.open(path, mode)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- who writes here ------------------------------------------------------------------------------


def _claim(folder: Path) -> tuple[Path, int | None]:
    """Make a folder of our own, and hold it, so that nobody takes it for a dead one's."""
    while True:
        stage = folder / f"{STAGE}{uuid4().hex}"
        # Answers of people are nobody else's business, and folders for temporary files are shared.
        stage.mkdir(mode=0o700)
        try:
            lock = _lock(stage, wait=False)
        except (BlockingIOError, FileNotFoundError):
            # Somebody has taken it for a dead one's before we held it.
            continue
        except OSError:
            return stage, None
        if stage.exists():
            return stage, lock
        _unlock(lock)


def _sweep(folder: Path) -> None:
    """Remove what killed processes have left. Where there are no locks, nobody knows: it stays."""
    for stage in folder.glob(f"{STAGE}*"):
        with suppress(OSError):
            lock = _lock(stage, wait=False)
            shutil.rmtree(stage, ignore_errors=True)
            _unlock(lock)


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    lock = None
    with suppress(OSError):
        lock = _lock(folder, wait=True)
    try:
        yield
    finally:
        _unlock(lock)


if sys.platform == "win32":

    def _lock(folder: Path, *, wait: bool) -> int:
        raise OSError(errno.ENOLCK, "folders cannot be locked here")

    def _unlock(lock: int | None) -> None:
        pass

else:
    import fcntl

    def _lock(folder: Path, *, wait: bool) -> int:
        """Hold a folder. The system lets go of it when the process ends, however it ends.

        Raises:
            BlockingIOError: Somebody else holds it.
            OSError: It is not there, or such locks are not known where it is.
        """
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(lock)
            raise
        return lock

    def _unlock(lock: int | None) -> None:
        if lock is not None:
            # Closing alone would not do: a forked child may have it open, too.
            fcntl.flock(lock, fcntl.LOCK_UN)
            os.close(lock)
