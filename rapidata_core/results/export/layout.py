"""Where the files of a dataset are, and the manifest that says what they are.

A dataset that is not divided has ``labels.parquet``, ``responses.parquet`` and ``manifest.json``.
One that is divided, for example by week, has
``labels/week=2026-11-16/labels.parquet``, ``responses/week=2026-11-16/responses.parquet`` and
``manifests/week=2026-11-16/manifest.json``, and so on for the other weeks.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from rapidata_core.errors import ResultsError, ValidationError
from rapidata_core.results.export.formats import FileFormat
from rapidata_core.results.export.storage import Location, as_text, located
from rapidata_core.results.schema import labels_schema, responses_schema

if TYPE_CHECKING:
    from upath import UPath

TABLES = ("labels", "responses")
_MANIFEST = "manifest.json"
_CARD = "README.md"
_OURS = "<!-- Written by rapidata-orchestration. Without this line it stays as it is. -->"
# Bytes to read at once.
_PIECE = 1 << 20
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# What would be another path, or a pattern, or is escaped in such paths by other tools.
_NOT_IN_VALUES = re.compile(r'[/\\=%*?\[\]{}"<>|\x00-\x1f\x7f]')


@dataclass(frozen=True)
class Part:
    """A dataset, or the part of one that results belong to.

    Attributes:
        directory: Where the dataset is.
        partition: Names and values of the part; empty if the dataset is not divided.
    """

    directory: Location
    partition: Mapping[str, str]

    @property
    def manifest(self) -> str:
        """The manifest's path, inside of the directory."""
        return self._inside("manifests", _MANIFEST)

    def table(self, name: str, file_format: FileFormat) -> str:
        """A table's path, inside of the directory."""
        return self._inside(name, f"{name}.{file_format}")

    def absolute(self, path: str) -> str:
        """The whole path or URL of something inside of the directory."""
        whole = located(self.directory) / path
        return str(whole.resolve() if isinstance(whole, Path) else whole)

    def check(self) -> None:
        """Make sure that a dataset can be written here, or this part of it.

        Raises:
            ValidationError: The partition leads elsewhere, or is none of the dataset's; or there is
                somebody else's ``manifest.json``.
        """
        problems = list(_partition_problems(self.partition))
        names = list(self.partition)
        other = next((one for one in partitions(self.directory) if list(one) != names), None)
        if other is not None:
            kind = f"is divided by {', '.join(other)}" if other else "is not divided"
            problems.append(f"the dataset in {as_text(self.directory)} {kind}; write elsewhere")
        if problems:
            raise ValidationError("partition", problems)
        # Refuses a manifest that is somebody else's.
        self.format_before()

    def format_before(self) -> FileFormat | None:
        """The format of what was written here before; None if nothing was, or it is damaged."""
        if not (located(self.directory) / self.manifest).exists():
            return None
        try:
            before = read_manifest(self.directory, self.partition).get("file_format")
        except ResultsError:
            return None
        return before if before in get_args(FileFormat) else None

    def write_card(self, folder: Path, file_format: FileFormat) -> list[str]:
        """Tell Hugging Face's ``datasets`` in ``README.md`` which files are which table.

        Returns:
            What was written: nothing if the dataset has a card of its user's own.
        """
        card = located(self.directory) / _CARD
        if card.exists() and _OURS not in card.read_text(encoding="utf-8"):
            return []
        lines = ["---", "configs:"]
        for table in TABLES:
            below = f"{table}/**/" if self.partition else ""
            lines += [f"- config_name: {table}", f'  data_files: "{below}{table}.{file_format}"']
        text = "\n".join([*lines, "---", _OURS, ""])
        (folder / _CARD).write_text(text, encoding="utf-8", newline="\n")
        return [_CARD]

    def _inside(self, folder: str, file: str) -> str:
        # Most tools take such folders for columns of the table.
        parts = [f"{name}={value}" for name, value in self.partition.items()]
        return "/".join([folder, *parts, file]) if parts else file


def partitions(directory: Location) -> list[dict[str, str]]:
    """The parts of the dataset that is there; one that is not divided is its only part."""
    root = located(directory)
    found: list[dict[str, str]] = [{}] if (root / _MANIFEST).exists() else []
    paths = (path.as_posix() for path in root.glob(f"manifests/**/{_MANIFEST}"))
    for path in sorted(paths):
        parts = path.rpartition("/manifests/")[2].split("/")[:-1]
        found.append(dict(part.split("=", 1) for part in parts if "=" in part))
    return found


def read_manifest(
    directory: Location, partition: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What :func:`rapidata_core.results.write_dataset` wrote, about what, and how good it is.

    Args:
        directory: As it was given there.
        partition: As it was given there.

    Raises:
        ValidationError: There is no such dataset.
        ResultsError: The manifest is damaged.
    """
    path = located(directory) / Part(directory, partition or {}).manifest
    try:
        manifest = json.loads(path.read_bytes())
    except OSError as error:
        problem = f"has no dataset that can be read, or not this part of it: {error}"
        raise ValidationError("directory", [problem]) from None
    except ValueError as error:
        raise ResultsError(f"{path} is damaged: {error}. Write the dataset again.") from None
    if not isinstance(manifest, dict) or "schema_version" not in manifest:
        raise ValidationError("directory", [f"has a {_MANIFEST} that is no dataset's: {path}"])
    return cast("dict[str, Any]", manifest)


def verify_dataset(directory: Location) -> list[str]:
    """Compare the files of a dataset, those of all its parts, with what its manifests say.

    Returns:
        What is wrong, a sentence per file; empty if all is as it was written.

    Raises:
        ValidationError: There is no dataset.
        ResultsError: A manifest is damaged.
    """
    problems: list[str] = []
    for partition in partitions(directory) or [{}]:
        for entry in read_manifest(directory, partition)["files"].values():
            path = located(directory) / entry["path"]
            try:
                found = described(path)
            except OSError as error:
                problems.append(f"{path} cannot be read: {error}")
            else:
                if found["sha256"] != entry["sha256"]:
                    problems.append(f"{path} is not as it was written")
    return problems


def described(path: Path | UPath) -> dict[str, Any]:
    """A file's length in bytes and its digest, as manifests say them."""
    digest, length = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            length += len(piece)
    return {"bytes": length, "sha256": digest.hexdigest()}


def _partition_problems(partition: Mapping[str, str]) -> Iterator[str]:
    columns = (*labels_schema(), *responses_schema("", demographics=True))
    taken = {column.name for column in columns}
    for name, value in partition.items():
        if not _NAME.fullmatch(name):
            yield f"{name!r}: must be letters, digits and underscores, with a letter first"
        elif name in taken:
            yield f"{name!r}: is a column of the tables; choose another name"
        if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            yield f"{name}: must be a text, not {value!r}"
        elif not value.strip() or value in {".", ".."} or _NOT_IN_VALUES.search(value):
            yield (
                f"{name}: must be a name for a folder, not {value!r}: not blank, '.' or '..', "
                'without line breaks and / \\ = % * ? [ ] { } " < > |'
            )
