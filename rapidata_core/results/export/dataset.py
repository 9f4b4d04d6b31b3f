"""A job's answers as a dataset: both tables, and a manifest of what they are."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, get_args

from rapidata_core.errors import ValidationError
from rapidata_core.results.export.formats import FileFormat, copy_without, table_writer
from rapidata_core.results.export.layout import TABLES, Part, described, partitions, read_manifest
from rapidata_core.results.export.storage import (
    Location,
    as_text,
    brings_storage,
    folder_of,
    is_url,
    local_path,
    located,
    publish,
    staging,
)
from rapidata_core.results.parse import Results
from rapidata_core.results.privacy import Privacy
from rapidata_core.results.schema import SCHEMA_VERSION
from rapidata_core.results.tables import View, both_batches

if TYPE_CHECKING:
    import pyarrow

    from rapidata_core.jobs.spec import JobSpec
    from rapidata_core.results.quality.gate import QualityGate

# Job types whose agreement only the responses tell.
_NEED_RESPONSES = {"ranking", "locate", "draw", "select_words"}
# Of a gate's report in brief: datapoints, their items, and characters of a text.
_WORST, _ITEMS, _WIDE = 5, 2, 80
_PSEUDONYM = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Dataset:
    """Where answers were written.

    Attributes:
        labels: Path or URL of the file with a row per datapoint.
        responses: Path or URL of the file with a row per human answer.
        label_count: Rows in ``labels``.
        response_count: Rows in ``responses``.
        manifest: Path or URL of the file that says what they are; see :func:`read_manifest`.
        quality: How good the labels are, as in that file: ``summary`` and the report of the
            ``gate``, which is None without one.
    """

    labels: str
    responses: str
    label_count: int
    response_count: int
    manifest: str
    quality: Mapping[str, Any]

    def gate_in_brief(self) -> dict[str, Any] | None:
        """What the gate found, small enough for an XCom: without metrics that have no limit.

        Returns:
            ``passed``, ``checks``, the ``worst`` five datapoints and ``worst_count``; None without
            a gate.
        """
        report = self.quality["gate"]
        if report is None:
            return None
        worst = [_weak_in_brief(weak) for weak in report["worst"][:_WORST]]
        kept = {name: report[name] for name in ("passed", "checks", "worst_count")}
        return {**kept, "worst": worst}


def check_directory(directory: Location, partition: Mapping[str, str] | None = None) -> None:
    """Find out before anything is paid whether :func:`write_dataset` could write there at all.

    Nothing is written; free space, and permissions of an object store, are not checked.

    Args:
        directory: As for :func:`write_dataset`.
        partition: The same.

    Raises:
        ValidationError: The directory is blank, a file, not to be written to, or its kind of
            storage unknown; pyarrow is not installed; or the partition is none.
    """
    problems: list[str] = []
    if not as_text(directory).strip():
        problems.append("must not be blank")
    elif not is_url(directory):
        problems += _local_problems(local_path(directory).absolute())
    if find_spec("pyarrow") is None:
        problems.append("datasets need pyarrow: install rapidata-orchestration[parquet]")
    elif is_url(directory):
        problems += _storage_problems(directory)
    if problems:
        raise ValidationError("directory", problems)
    if partition is not None:
        Part(directory, dict(partition)).check()


def write_dataset(
    results: Results,
    directory: Location,
    *,
    spec: JobSpec | None = None,
    privacy: Privacy = Privacy(),  # noqa: B008 - frozen
    partition: Mapping[str, str] | None = None,
    about: Mapping[str, Any] | None = None,
    gate: QualityGate | None = None,
    file_format: FileFormat = "parquet",
) -> Dataset:
    """Write both tables, and a manifest that says what they are.

    Writing again replaces the files; all of them are complete before the first is replaced, and an
    error until then leaves everything as it was. Memory does not grow with the results. The same
    arguments give the same bytes.

    Args:
        results: A job's results.
        directory: A folder for one dataset, made if need be: a local path; a URL such as
            ``s3://bucket/labels`` for which the matching fsspec package is installed; or a path
            that brings its own file system, such as a ``UPath`` with storage options, or Airflow's
            ``ObjectStoragePath`` with a connection.
        spec: What was asked: gives rows their ``datapoint_id``, and goes into the manifest.
        privacy: What to keep about the people who answered.
        partition: Names and values of the part of the dataset that these results are, for example
            ``{"week": "2026-11-16"}``. Other parts stay as they are.
        about: Further facts for the manifest, as JSON.
        gate: Its report goes into the manifest; it keeps nothing from being written. It holds the
            labels in memory (of rankings, points, lines and words the responses, too), and knows no
            earlier labels.
        file_format: ``parquet``, ``jsonl`` or ``csv`` (lists are JSON in its cells, and what is
            missing is an empty cell).

    Raises:
        ValidationError: See :func:`check_directory`; or another argument is wrong.
        ResultsError: The results are damaged, or about something else than the spec.
        ExportError: Something cannot be written.
    """
    check_directory(directory)
    part = Part(directory, dict(partition or {}))
    part.check()
    if file_format not in get_args(FileFormat):
        problem = f"must be one of {', '.join(get_args(FileFormat))}, not {file_format!r}"
        raise ValidationError("file_format", [problem])
    facts = json.loads(_json(about or {}, "about"))
    view = View(results, spec, privacy)
    tables = {table: part.table(table, file_format) for table in TABLES}
    before = part.format_before()
    stale = [part.table(table, before) for table in TABLES] if before else []
    with staging(directory) as stage:
        rows, summary = _write_tables(view, tables, stage, file_format)
        files = {
            table: {"path": path, "rows": rows[table], **described(stage / path)}
            for table, path in tables.items()
        }
        quality = {"gate": None if gate is None else _report(gate, view), "summary": summary}
        manifest = _manifest(view, part.partition, facts, file_format, files, quality)
        _write_manifest(manifest, stage / part.manifest)
        names = [*tables.values(), *part.write_card(stage, file_format), part.manifest]
        publish(stage, directory, names, gone=set(stale) - set(names))
    return Dataset(
        labels=part.absolute(tables["labels"]),
        responses=part.absolute(tables["responses"]),
        label_count=rows["labels"],
        response_count=rows["responses"],
        manifest=part.absolute(part.manifest),
        quality=quality,
    )


def forget_labeler(directory: Location, labeler: str) -> int:
    """Remove a person's answers from a dataset, from all its parts.

    Only the table of responses has persons in it. The labels stay as they are: they are counts of
    the platform, from which nobody can be told. Every manifest says how many rows were removed.
    Calling it again after an error is safe. Copies, snapshots and old versions that a storage keeps
    are out of its reach.

    Args:
        directory: As it was given to :func:`write_dataset`.
        labeler: The person's :func:`rapidata_core.results.privacy.pseudonym`.

    Returns:
        How many answers were removed.

    Raises:
        ValidationError: There is no dataset, or the labeler is no pseudonym.
        ResultsError: A manifest or a table is damaged.
        ExportError: Something cannot be written.
    """
    if not _PSEUDONYM.fullmatch(labeler):
        problem = f"must be 16 hex digits, as pseudonym(id, key) gives them, not {labeler!r}"
        raise ValidationError("labeler", [problem])
    parts = partitions(directory) or [{}]
    return sum(_forget(Part(directory, partition), labeler) for partition in parts)


def write_jsonl(rows: Iterable[Mapping[str, Any]], path: Location) -> int:
    """Write rows, for example preference pairs, as JSON lines; one that is there is replaced.

    Args:
        rows: What can be said in JSON; taken one by one.
        path: A local path, or a URL.

    Returns:
        How many there were.

    Raises:
        ValidationError: A row cannot be said in JSON.
        ExportError: The file cannot be written.
    """
    count = 0
    with _replacing(path) as file:
        for count, row in enumerate(rows, 1):
            file.write(_json(row, f"rows[{count - 1}]") + b"\n")
    return count


def write_json(document: Mapping[str, Any], path: Location) -> None:
    """Write a document, for example COCO's, as JSON; one that is there is replaced.

    Args:
        document: What can be said in JSON.
        path: A local path, or a URL.

    Raises:
        ValidationError: It cannot be said in JSON.
        ExportError: The file cannot be written.
    """
    content = _json(document, "document")
    with _replacing(path) as file:
        file.write(content + b"\n")


# --- before writing -------------------------------------------------------------------------------


def _local_problems(path: Path) -> list[str]:
    nearest = next(folder for folder in (path, *path.parents) if os.path.lexists(folder))
    if not nearest.is_dir():
        return [f"{nearest} is a file; choose another directory"]
    if not os.access(nearest, os.W_OK | os.X_OK):
        return [f"{nearest} must not be written to; check its permissions, or choose another"]
    return []


def _storage_problems(directory: Location) -> list[str]:
    if brings_storage(directory):
        try:
            # The file system is made here: from a connection, which may be missing or wrong.
            _ = located(directory).fs  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
        except Exception as error:
            # Every kind of store has its own exceptions.
            return [f"cannot write to {directory} ({type(error).__name__}: {error})"]
        return []
    import fsspec  # pyright: ignore[reportMissingTypeStubs]

    protocol = as_text(directory).split("://", 1)[0]
    try:
        fsspec.get_filesystem_class(protocol)  # pyright: ignore[reportUnknownMemberType]
    except (ImportError, ValueError) as error:
        return [f"cannot write to {protocol}:// ({error})"]
    return []


# --- writing --------------------------------------------------------------------------------------


def _write_tables(
    view: View, files: Mapping[str, str], stage: Path, file_format: FileFormat
) -> tuple[dict[str, int], dict[str, Any]]:
    """Both tables in one go through the results: how many rows they have, and a summary."""
    schemas, pairs = both_batches(view)
    labels_file, responses_file = (_made(stage / files[table]) for table in TABLES)
    summary, response_count = _Summary(), 0
    with (
        table_writer(labels_file, schemas[0], file_format) as write_labels,
        table_writer(responses_file, schemas[1], file_format) as write_responses,
    ):
        for labels, responses in pairs:
            write_labels(labels)
            write_responses(responses)
            summary.add(labels)
            response_count += responses.num_rows
    found = summary.as_dict()
    return {"labels": found["datapoints"], "responses": response_count}, found


class _Summary:
    """What can be said about the quality of labels in passing."""

    def __init__(self) -> None:
        self._sums: Counter[str] = Counter()
        self._agreement = 0.0
        self._fewest: int | None = None

    def add(self, labels: pyarrow.RecordBatch) -> None:
        """Count a batch."""
        columns = ("responses", "agreement", "is_tie", "is_incomplete", "label", "truth")
        for row in labels.select(columns).to_pylist():
            responses, agreement = row["responses"], row["agreement"]
            self._fewest = responses if self._fewest is None else min(self._fewest, responses)
            self._agreement += agreement or 0.0
            gold = row["truth"] is not None
            self._sums.update(
                datapoints=1,
                answered=responses > 0,
                incomplete=row["is_incomplete"],
                ties=row["is_tie"],
                agreed=agreement is not None,
                gold=gold,
                gold_correct=gold and row["truth"] == row["label"],
            )

    def as_dict(self) -> dict[str, Any]:
        """As it stands in the manifest."""
        counted = ("datapoints", "answered", "incomplete", "ties", "gold", "gold_correct")
        agreed = self._sums["agreed"]
        return {
            **{name: self._sums[name] for name in counted},
            "fewest_responses": self._fewest,
            "mean_agreement": self._agreement / agreed if agreed else None,
        }


def _report(gate: QualityGate, view: View) -> dict[str, Any]:
    """What the gate says. It looks at whole tables, of which labels are the small one."""
    results, spec = view.results, view.spec
    responses = None
    if view.job_type in _NEED_RESPONSES:
        responses = results.responses(spec, view.privacy)
    labels = results.labels(spec)
    # More than were asked about are no reason to lose them.
    expected = None if spec is None else max(len(spec.datapoints), len(labels))
    return gate.check(labels, responses, expected=expected).as_dict()


def _weak_in_brief(weak: Mapping[str, Any]) -> dict[str, Any]:
    """A weak datapoint without what may be long: its job is known, its texts are cut."""
    kept = {name: weak[name] for name in ("datapoint", "datapoint_id", "responses", "agreement")}
    cut = {name: [_short(text) for text in weak[name][:_ITEMS]] for name in ("items", "reasons")}
    return {**kept, **cut}


def _short(text: str) -> str:
    return text if len(text) <= _WIDE else f"{text[: _WIDE - 1]}…"


def _manifest(
    view: View,
    partition: Mapping[str, str],
    about: Mapping[str, Any],
    file_format: FileFormat,
    files: Mapping[str, Any],
    quality: Mapping[str, Any],
) -> dict[str, Any]:
    """What the files are. Nothing of it depends on when they are written."""
    results, spec, privacy = view.results, view.spec, view.privacy
    return {
        "about": about,
        "as_of": results.info.get("createdAt"),
        "audience_id": results.audience_id,
        "file_format": file_format,
        "files": files,
        "is_partial": results.is_partial,
        "job_id": results.job_id,
        "job_type": view.job_type,
        "partition": partition,
        "privacy": {
            "demographics": privacy.demographics,
            "labelers": privacy.labeler_key is not None,
        },
        "quality": quality,
        "removed_responses": 0,
        "schema_version": SCHEMA_VERSION,
        "spec": None if spec is None else _described_spec(spec),
    }


def _described_spec(spec: JobSpec) -> dict[str, Any]:
    """As :func:`rapidata_core.parse_job` reads it; fields that a type gets later change nothing."""
    return {"type": spec.type, **spec.model_dump(mode="json", exclude_defaults=True)}


def _write_manifest(manifest: Mapping[str, Any], path: Path) -> None:
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)
    # Half a character, which JSON can have, is no reason to write nothing.
    _made(path).write_text(text + "\n", encoding="utf-8", errors="replace", newline="\n")


def _forget(part: Part, labeler: str) -> int:
    manifest = read_manifest(part.directory, part.partition)
    responses = part.table("responses", manifest["file_format"])
    with staging(part.directory) as stage:
        copy = _made(stage / responses)
        with (located(part.directory) / responses).open("rb") as file:
            removed = copy_without(file, copy, manifest["file_format"], "labeler", labeler)
        if removed:
            now, entry = described(copy), manifest["files"]["responses"]
            if entry["sha256"] != now["sha256"]:
                entry |= {"rows": entry["rows"] - removed, **now}
                manifest["removed_responses"] += removed
            _write_manifest(manifest, stage / part.manifest)
            # The manifest first: whoever is killed in between can see what is left to do.
            publish(stage, part.directory, [part.manifest, responses])
    return removed


def _made(path: Path) -> Path:
    """A path whose folder is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def _replacing(path: Location) -> Generator[IO[bytes]]:
    folder, name = folder_of(path)
    with staging(folder) as stage:
        with (stage / name).open("wb") as file:
            yield file
        publish(stage, folder, [name])


def _json(value: Mapping[str, Any], argument: str) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValidationError(argument, [f"cannot be said in JSON: {error}"]) from None
