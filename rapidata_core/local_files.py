"""Files of this machine that are uploaded: whether they can be, and what is in them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass

from rapidata_core.upload_cache import FileState

# Up to this size a file is read once, for its digest and to be sent; a larger one is streamed.
_IN_MEMORY = 1 << 20
_CHUNK = 1 << 20


@dataclass(frozen=True)
class LocalFile:
    """A file that was read.

    Attributes:
        path: Where it is.
        state: How it was before it was read.
        digest: Of its content.
        content: The content, unless it is too large to be held in memory.
    """

    path: str
    state: FileState
    digest: str
    content: bytes | None

    @property
    def name(self) -> str:
        """Its name without the folders."""
        return os.path.basename(self.path)

    @property
    def changed(self) -> bool:
        """Whether it was written to since."""
        return FileState.of(os.stat(self.path)) != self.state


def look_at(path: str) -> FileState | str:
    """The state of a file, or what keeps it from being uploaded, in words."""
    try:
        facts = os.stat(path)
    except FileNotFoundError:
        return f'there is no file {path!r} (for texts set data_type="text")'
    except OSError as error:
        return f"{path!r} cannot be read: {error.strerror or error}"
    except ValueError as error:
        return f"{path!r} is no path: {error}"
    if not stat.S_ISREG(facts.st_mode):
        return f"{path!r} is not a file"
    if not os.access(path, os.R_OK):
        return f"{path!r} cannot be read: Permission denied"
    if not facts.st_size:
        return f"{path!r} is empty"
    return FileState.of(facts)


def digests(paths: Iterable[str]) -> dict[str, str]:
    """Digests of files by path; those that cannot be uploaded are left out."""
    return {path: read(path).digest for path in paths if not isinstance(look_at(path), str)}


def read(path: str) -> LocalFile:
    """Read a file.

    Raises:
        OSError: It cannot be read.
    """
    with open(path, "rb", buffering=0) as file:
        state = FileState.of(os.fstat(file.fileno()))
        if state.size <= _IN_MEMORY:
            content = file.read()
            return LocalFile(path, state, hashlib.sha256(content).hexdigest(), content)
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
        return LocalFile(path, state, digest.hexdigest(), None)
