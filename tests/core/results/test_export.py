"""Datasets on disks and behind URLs: whole or not at all, and the same bytes each time."""

import csv
import errno
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import datasets
import pyarrow.dataset
import pyarrow.parquet
import pytest
import upath
from fsspec.implementations import memory

from rapidata_core import CompareJob, RapidataResults, errors, parse_job
from rapidata_core.results import ResultsFile
from rapidata_core.results.export.dataset import (
    check_directory,
    forget_labeler,
    write_dataset,
    write_json,
    write_jsonl,
)
from rapidata_core.results.export.layout import read_manifest, verify_dataset
from rapidata_core.results.export.storage import STAGE, staging
from rapidata_core.results.privacy import Privacy, pseudonym
from rapidata_core.results.quality.gate import QualityGate

FORMATS = ["parquet", "jsonl", "csv"]
KEY = "a secret of the tests"
PRIVATE = Privacy(labeler_key=KEY)
WEEK = {"week": "2026-11-16"}
FILES = ["README.md", "labels.parquet", "manifest.json", "responses.parquet"]


def answer(name, person):
    return {
        "votedFor": name,
        "userDetails": {
            "userId": person,
            "country": "CH",
            "language": "de",
            "userScores": {"global": 0.5, "art": 0.25},
            "demographics": {"age": "0-17", "gender": "Female"},
        },
    }


def entry(a, b, **changes):
    return {
        "context": 'a "book",\nü 書',
        "assetUrls": {"a.jpg": "https://x/a.jpg", "b.jpg": "https://x/b.jpg"},
        "aggregatedResults": {"a.jpg": a, "b.jpg": b},
        "summedUserScores": {"a.jpg": a * 0.5, "b.jpg": b * 0.5},
        "detailedResults": [
            *(answer("a.jpg", f"person {number}") for number in range(a)),
            *(answer("b.jpg", None) for _ in range(b)),
        ],
        **changes,
    }


def results_of(*entries):
    info = {"type": "Compare", "createdAt": "2026-11-21T10:00:00+00:00"}
    return RapidataResults(info=info, results=list(entries))


THREE = results_of(entry(3, 1), entry(2, 2, privateMetadata={"truth": "a.jpg"}), entry(0, 0))
ONE = results_of(entry(1, 0))
SPEC = CompareJob(
    name="n",
    instruction="Which?",
    datapoints=[["https://x/a.jpg", "https://x/b.jpg"]] * 3,
    contexts=['a "book",\nü 書'] * 3,
)


def listed(folder):
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def contents(folder):
    return {name: (folder / name).read_bytes() for name in listed(folder)}


def rows_of(path, file_format):
    if file_format == "parquet":
        return pyarrow.parquet.read_table(path).to_pylist()
    with open(path, encoding="utf-8", newline="") as file:
        return (
            [json.loads(line) for line in file]
            if file_format == "jsonl"
            else [*csv.DictReader(file)]
        )


def in_process(code, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


# --- what is written ------------------------------------------------------------------------------


def test_a_dataset_on_disk(tmp_path):
    written = write_dataset(THREE, tmp_path / "new" / "folder")
    assert (written.label_count, written.response_count) == (3, 8)
    assert listed(tmp_path / "new" / "folder") == FILES
    assert [p.name for p in (tmp_path / "new" / "folder").iterdir() if p.is_dir()] == []
    assert pyarrow.parquet.read_table(written.labels).equals(THREE.labels_arrow())
    assert pyarrow.parquet.read_table(written.responses).equals(THREE.responses_arrow())
    metadata = pyarrow.parquet.read_schema(written.labels).metadata
    assert metadata == THREE.labels_arrow().schema.metadata
    again = write_dataset(ONE, tmp_path / "new" / "folder")
    assert again.labels == written.labels == str(tmp_path / "new" / "folder" / "labels.parquet")
    assert pyarrow.parquet.read_table(again.labels).num_rows == 1
    assert listed(tmp_path / "new" / "folder") == FILES


def test_a_dataset_behind_a_url(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    written = write_dataset(THREE, "memory://labels/job_1")
    with upath.UPath(written.labels).open("rb") as file:
        assert pyarrow.parquet.read_table(file).equals(THREE.labels_arrow())
    assert read_manifest("memory://labels/job_1")["files"]["labels"]["rows"] == 3
    assert verify_dataset("memory://labels/job_1") == []
    assert list(tmp_path.iterdir()) == []


def test_a_url_of_a_file_is_a_path(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    written = write_dataset(THREE, f"file://{tmp_path}/a set")
    assert written.labels == str(tmp_path / "a set" / "labels.parquet")
    assert listed(tmp_path / "a set") == FILES
    assert verify_dataset(f"file://{tmp_path}/a set") == []
    write_jsonl([{"a": 1}], f"file://{tmp_path}/rows.jsonl")
    assert (tmp_path / "rows.jsonl").exists()


def test_results_without_datapoints(tmp_path):
    written = write_dataset(results_of(), tmp_path)
    assert (written.label_count, written.response_count) == (0, 0)
    assert pyarrow.parquet.read_table(written.labels).equals(results_of().labels_arrow())
    assert read_manifest(tmp_path)["quality"]["summary"]["fewest_responses"] is None


@pytest.mark.parametrize("file_format", FORMATS)
def test_all_formats_say_the_same(file_format, tmp_path):
    written = write_dataset(THREE, tmp_path, file_format=file_format, privacy=PRIVATE)
    labels, responses = (
        rows_of(written.labels, file_format),
        rows_of(written.responses, file_format),
    )
    expected = THREE.labels_arrow().to_pylist()
    answers = THREE.responses_arrow(privacy=PRIVATE).to_pylist()
    if file_format == "csv":
        assert [json.loads(row["votes"]) for row in labels] == [row["votes"] for row in expected]
        assert [row["context"] for row in labels] == [row["context"] for row in expected]
        assert [row["is_tie"] for row in labels] == ["false", "true", "false"]
        assert [row["agreement"] for row in labels] == ["0.75", "0.5", ""]
        assert [row["labeler"] or None for row in responses] == [row["labeler"] for row in answers]
        assert list(labels[0]) == list(expected[0])
    else:
        assert labels == expected
        assert responses == answers


def test_another_format_takes_the_place_of_the_first(tmp_path):
    write_dataset(THREE, tmp_path, file_format="csv")
    (tmp_path / "labels.jsonl").write_text("somebody else's")
    write_dataset(THREE, tmp_path, file_format="parquet")
    assert listed(tmp_path) == [FILES[0], "labels.jsonl", *FILES[1:]]
    assert "parquet" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("partition", [{}, WEEK])
@pytest.mark.filterwarnings("ignore")
def test_the_datasets_library_reads_it(file_format, partition, tmp_path):
    write_dataset(THREE, tmp_path / "set", partition=partition, file_format=file_format)
    if partition:
        write_dataset(ONE, tmp_path / "set", partition={"week": "x"}, file_format=file_format)
    folder, cache = str(tmp_path / "set"), str(tmp_path / "cache")
    labels = datasets.load_dataset(folder, "labels", cache_dir=cache)["train"]
    responses = datasets.load_dataset(folder, "responses", cache_dir=cache)["train"]
    assert (len(labels), len(responses)) == ((4, 9) if partition else (3, 8))
    assert set(labels["label"]) == {"a.jpg", None}
    assert labels.column_names == THREE.labels_arrow().schema.names


def test_a_card_of_ones_own_stays(tmp_path):
    write_dataset(THREE, tmp_path)
    (tmp_path / "README.md").write_text("# Our labels")
    write_dataset(ONE, tmp_path)
    assert (tmp_path / "README.md").read_text() == "# Our labels"
    assert verify_dataset(tmp_path) == []


def test_row_groups_are_neither_tiny_nor_all(tmp_path):
    # Batches of these have few datapoints, and files of many batches have many.
    many = results_of(*[entry(50, 50)] * 1_500)
    written = write_dataset(many, tmp_path)
    assert pyarrow.parquet.read_metadata(written.labels).num_row_groups == 1
    responses = pyarrow.parquet.read_metadata(written.responses)
    assert responses.num_rows == 150_000
    assert responses.num_row_groups == 5


# --- partitions -----------------------------------------------------------------------------------


def test_parts_are_written_beside_one_another(tmp_path):
    first = write_dataset(THREE, tmp_path, partition=WEEK)
    before = contents(tmp_path)
    second = write_dataset(ONE, tmp_path, partition={"week": "2026-11-23 ü"})
    assert first.labels == str(tmp_path / "labels" / "week=2026-11-16" / "labels.parquet")
    assert first.manifest == str(tmp_path / "manifests" / "week=2026-11-16" / "manifest.json")
    assert contents(tmp_path).items() >= before.items()
    assert len(listed(tmp_path)) == 7
    table = pyarrow.dataset.dataset(tmp_path / "labels", partitioning="hive").to_table()
    weeks = table.column("week").to_pylist()
    assert (weeks.count("2026-11-16"), weeks.count("2026-11-23 ü")) == (3, 1)
    assert read_manifest(tmp_path, WEEK)["partition"] == WEEK
    assert second.label_count == 1
    write_dataset(ONE, tmp_path, partition=WEEK)
    assert pyarrow.dataset.dataset(tmp_path / "labels", partitioning="hive").count_rows() == 2
    assert verify_dataset(tmp_path) == []


def test_parts_of_parts_behind_a_url():
    where = "memory://parts"
    for day in ("1", "2"):
        write_dataset(THREE, where, partition={"month": "11", "day": day})
    assert upath.UPath(f"{where}/responses/month=11/day=2/responses.parquet").exists()
    assert verify_dataset(where) == []
    upath.UPath(f"{where}/labels/month=11/day=1/labels.parquet").write_bytes(b"x")
    [problem] = verify_dataset(where)
    assert "day=1/labels.parquet is not as it was written" in problem


@pytest.mark.parametrize(
    ("partition", "problem"),
    [
        ({"week": ".."}, "week: must be a name for a folder"),
        ({"week": "a/b"}, "week: must be"),
        ({"week": "a\\b"}, "week: must be"),
        ({"week": "a=b"}, "week: must be"),
        ({"week": " "}, "week: must be"),
        ({"week": "%2e"}, "week: must be"),
        ({"week": "*"}, "week: must be"),
        ({"week": "a\n"}, "week: must be"),
        ({"week": 5}, "week: must be a text, not 5"),
        ({"we/ek": "x"}, "'we/ek': must be letters"),
        ({"_week": "x"}, "'_week': must be letters"),
        ({"": "x"}, "'': must be letters"),
        ({"week\n": "x"}, "must be letters"),
        ({"label": "x"}, "'label': is a column"),
        ({"age": "x"}, "'age': is a column"),
    ],
)
def test_partitions_that_are_no_names(partition, problem, tmp_path):
    with pytest.raises(errors.ValidationError) as caught:
        write_dataset(THREE, tmp_path, partition=partition)
    assert problem in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_all_that_is_wrong_with_a_partition_is_said_at_once(tmp_path):
    with pytest.raises(errors.ValidationError) as caught:
        write_dataset(THREE, tmp_path, partition={"we-ek": "..", "label": " "})
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize("where", ["disk", "memory"])
@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        (None, WEEK, "is not divided"),
        (WEEK, None, "is divided by week"),
        (WEEK, {"day": "1"}, "is divided by week"),
        (WEEK, {**WEEK, "day": "1"}, "is divided by week"),
    ],
)
def test_a_dataset_is_divided_in_one_way(first, second, problem, where, tmp_path):
    directory = tmp_path if where == "disk" else f"memory://{tmp_path.name}"
    write_dataset(THREE, directory, partition=first)
    with pytest.raises(errors.ValidationError, match=problem):
        write_dataset(ONE, directory, partition=second)
    assert read_manifest(directory, first)["files"]["labels"]["rows"] == 3
    assert verify_dataset(directory) == []


# --- whole or not at all --------------------------------------------------------------------------


def full_disk(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), errors.ExportError),
        (OSError(errno.EACCES, "Permission denied"), errors.ExportError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (MemoryError(), MemoryError),
    ],
)
@pytest.mark.parametrize("where", ["disk", "memory"])
def test_a_failure_while_writing_changes_nothing(failure, error, where, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    directory = tmp_path / "set" if where == "disk" else f"memory://whole/{tmp_path.name}"
    write_dataset(THREE, directory)
    before = read_manifest(directory)

    def fail(*_, **__):
        raise failure

    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", fail)
    with pytest.raises(error) as caught:
        write_dataset(ONE, directory)
    assert read_manifest(directory) == before
    assert verify_dataset(directory) == []
    assert [path for path in tmp_path.rglob("*") if STAGE in path.name] == []
    if isinstance(failure, OSError):
        assert f"Cannot write to {directory}: " in str(caught.value)
        assert "what was there before is unchanged" in str(caught.value)


def test_a_full_disk_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", full_disk)
    with pytest.raises(errors.ExportError, match="Free some space there"):
        write_dataset(ONE, tmp_path)
    assert listed(tmp_path) == []


@pytest.mark.parametrize("step", ["described", "_write_manifest"])
def test_a_failure_at_the_end_changes_nothing(step, tmp_path, monkeypatch):
    write_dataset(THREE, tmp_path)
    before = contents(tmp_path)
    monkeypatch.setattr(f"rapidata_core.results.export.dataset.{step}", full_disk)
    with pytest.raises(errors.ExportError):
        write_dataset(ONE, tmp_path)
    assert contents(tmp_path) == before


def test_damaged_results_change_nothing(tmp_path):
    write_dataset(THREE, tmp_path)
    before = contents(tmp_path)
    damaged = ResultsFile(json.dumps(THREE).encode()[:-50])
    with pytest.raises(errors.ResultsError):
        write_dataset(damaged, tmp_path)
    assert contents(tmp_path) == before
    assert list(tmp_path.glob(".*")) == []


def test_a_file_that_cannot_get_to_its_place_is_named(tmp_path):
    (tmp_path / "responses.parquet").mkdir()
    with pytest.raises(
        errors.ExportError, match=r"Cannot put responses\.parquet into .*new already"
    ):
        write_dataset(ONE, tmp_path)
    assert not (tmp_path / "manifest.json").exists()
    assert list(tmp_path.glob(".*")) == []


def test_an_upload_that_fails_is_named(tmp_path, monkeypatch):
    upload = memory.MemoryFileSystem.put_file

    def fail(self, local, remote, **options):
        if "responses" in remote:
            raise RuntimeError("SlowDown")
        upload(self, local, remote, **options)

    monkeypatch.setattr(memory.MemoryFileSystem, "put_file", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(errors.ExportError, match=r"responses\.parquet into memory://.*SlowDown"):
        write_dataset(ONE, "memory://fails")
    assert not upath.UPath("memory://fails/manifest.json").exists()
    assert list(tmp_path.iterdir()) == []


def test_content_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    happened = []
    synchronise, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda f: (happened.append("fsync"), synchronise(f)))
    monkeypatch.setattr(os, "replace", lambda a, b: (happened.append(Path(b).name), replace(a, b)))
    write_dataset(ONE, tmp_path)
    named = [name for name in happened if name != "fsync"]
    assert sorted(named) == FILES
    assert named[-1] == "manifest.json"
    assert happened[:4] == ["fsync"] * 4
    assert happened[-1] == "fsync"


LIMITED = """
import resource, sys
from pathlib import Path
from rapidata_core import errors
from rapidata_core.results import ResultsFile
from rapidata_core.results.export.dataset import write_dataset
results = ResultsFile(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
for file_format in sys.argv[3:]:
    try:
        write_dataset(results, f"{sys.argv[2]}/{file_format}", file_format=file_format)
    except errors.ExportError as error:
        print(error)
"""


def test_files_that_may_not_grow(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(results_of(*[entry(5, 5)] * 100)))
    sets = tmp_path / "sets"
    for file_format in FORMATS:
        write_dataset(THREE, sets / file_format)
    before = contents(sets)
    done = in_process(LIMITED, tmp_path / "results.json", sets, *FORMATS)
    for said, file_format in zip(done.stdout.splitlines(), FORMATS, strict=True):
        assert said.startswith(f"Cannot write to {sets / file_format}: "), done.stderr
    assert contents(sets) == before
    assert list(sets.rglob(".*")) == []


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.name != "posix" or subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full(small_disk):
    write_dataset(THREE, small_disk)
    before = contents(small_disk)
    (small_disk / "filler").write_bytes(b"x" * 20_000)
    many = results_of(*[entry(5, 5, context=os.urandom(200).hex()) for _ in range(200)])
    with pytest.raises(errors.ExportError, match="Free some space there"):
        write_dataset(many, small_disk)
    (small_disk / "filler").unlink()
    assert contents(small_disk) == before
    assert list(small_disk.glob(".*")) == []


KILLED = """
import os, signal, sys
import pyarrow.parquet
from rapidata_core.results import ResultsFile
from rapidata_core.results.export.dataset import write_dataset
write = pyarrow.parquet.ParquetWriter.write_table
def kill(self, table, *arguments, **options):
    write(self, table, *arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)
pyarrow.parquet.ParquetWriter.write_table = kill
write_dataset(ResultsFile(sys.argv[1]), sys.argv[2])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_what_a_killed_process_leaves_is_removed_by_the_next_one(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(ONE))
    folder = tmp_path / "set"
    write_dataset(THREE, folder)
    before = contents(folder)
    assert in_process(KILLED, tmp_path / "results.json", folder).returncode == -9
    left = [name for name in listed(folder) if name.startswith(STAGE)]
    assert left
    assert {name: (folder / name).read_bytes() for name in FILES} == before
    assert verify_dataset(folder) == []
    write_dataset(THREE, folder)
    assert contents(folder) == before
    assert list(folder.glob(".*")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks")
def test_what_somebody_is_writing_is_not_removed(tmp_path):
    with staging(tmp_path) as stage:
        (stage / "half").write_text("a fil")
        write_dataset(ONE, tmp_path)
        with staging(tmp_path) as other:
            assert other != stage
        assert (stage / "half").read_text() == "a fil"
    assert listed(tmp_path) == FILES


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks")
def test_two_who_write_at_the_same_moment_do_not_mix(tmp_path, monkeypatch):
    replace = os.replace
    other = threading.Thread(target=write_dataset, args=(THREE, tmp_path))

    def interrupted(source, target):
        replace(source, target)
        if other.ident is None:
            # The other one comes when the first of our files is in its place.
            other.start()
            other.join(timeout=0.5)

    monkeypatch.setattr(os, "replace", interrupted)
    write_dataset(ONE, tmp_path)
    other.join()
    assert verify_dataset(tmp_path) == []
    assert read_manifest(tmp_path)["files"]["labels"]["rows"] == 3
    assert listed(tmp_path) == FILES


# --- the manifest ---------------------------------------------------------------------------------


def test_the_manifest_says_what_it_is(tmp_path):
    content = json.dumps(THREE).encode()
    file = ResultsFile(content, job_id="job_1", audience_id="global", is_partial=True)
    about = {"name": "n", "estimated_cost": 2.5, "actual_cost": None}
    written = write_dataset(file, tmp_path, spec=SPEC, about=about, privacy=PRIVATE)
    assert Path(written.manifest) == tmp_path / "manifest.json"
    text = Path(written.manifest).read_text(encoding="utf-8")
    manifest = json.loads(text)
    assert text == json.dumps(manifest, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    assert manifest == read_manifest(tmp_path)
    files = manifest.pop("files")
    assert parse_job(manifest.pop("spec")) == SPEC
    assert manifest == {
        "about": about,
        "as_of": "2026-11-21T10:00:00+00:00",
        "audience_id": "global",
        "file_format": "parquet",
        "is_partial": True,
        "job_id": "job_1",
        "job_type": "compare",
        "partition": {},
        "privacy": {"demographics": False, "labelers": True},
        "quality": {
            "gate": None,
            "summary": {
                "datapoints": 3,
                "answered": 2,
                "incomplete": 3,
                "ties": 1,
                "gold": 1,
                "gold_correct": 0,
                "fewest_responses": 0,
                "mean_agreement": 0.625,
            },
        },
        "removed_responses": 0,
        "schema_version": 1,
    }
    responses = (tmp_path / "responses.parquet").read_bytes()
    assert files["responses"]["bytes"] == len(responses)
    assert (files["labels"]["rows"], files["responses"]["rows"]) == (3, 8)
    labels, answers = map(pyarrow.parquet.read_table, (written.labels, written.responses))
    ids = labels.column("datapoint_id").to_pylist()
    assert ids == list(file.labels(SPEC)["datapoint_id"])
    assert None not in ids
    for table in (labels, answers):
        assert table.column_names[:2] == ["job_id", "audience_id"]
        assert set(table["audience_id"].to_pylist()) == {"global"}


def test_no_secret_and_no_unwanted_fact_is_written(tmp_path):
    for file_format in FORMATS:
        folder = tmp_path / file_format
        write_dataset(THREE, folder, file_format=file_format, privacy=PRIVATE)
        everything = b"".join(contents(folder).values())
        for secret in (KEY, "person 1", "0-17", "Female"):
            assert secret.encode() not in everything
    written = write_dataset(THREE, tmp_path / "all", privacy=Privacy(demographics=True))
    assert pyarrow.parquet.read_table(written.responses).column("age").to_pylist() == ["0-17"] * 8
    assert read_manifest(tmp_path / "all")["privacy"] == {"demographics": True, "labelers": False}


SAME = """
import json, sys
from rapidata_core import parse_job
from rapidata_core.results import ResultsFile
from rapidata_core.results.export.dataset import write_dataset
results = ResultsFile(sys.argv[1], job_id="j")
spec = parse_job(json.load(open(sys.argv[2])))
about = {name: name for name in {"name", "state", "definition_id"}}
for file_format in ("parquet", "jsonl", "csv"):
    write_dataset(results, f"{sys.argv[3]}/{file_format}", spec=spec, about=about,
                  file_format=file_format)
"""


def test_the_same_arguments_give_the_same_bytes(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(THREE))
    (tmp_path / "spec.json").write_text(SPEC.model_dump_json())
    files = []
    for seed in ("1", "2"):
        if files:
            # A time that were written could be one in whole seconds.
            time.sleep(1.1)
        folder = tmp_path / seed
        done = in_process(
            SAME,
            tmp_path / "results.json",
            tmp_path / "spec.json",
            folder,
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": f"UTC+{seed}"},
        )
        assert done.returncode == 0, done.stderr
        files.append(contents(folder))
    assert files[0] == files[1]
    assert len(files[0]) == 12


def test_the_report_of_a_gate_is_part_of_it(tmp_path):
    gate = QualityGate(min_responses=2, max_tie_rate=0.9, min_coverage=0.5)
    write_dataset(THREE, tmp_path, gate=gate, spec=SPEC)
    report = read_manifest(tmp_path)["quality"]["gate"]
    assert report == json.loads(json.dumps(gate.check(THREE.labels(SPEC), expected=3).as_dict()))
    assert (report["passed"], report["worst"][0]["datapoint"]) == (False, 2)


def test_a_gate_sees_points(tmp_path):
    spots = [{"coordinates": [{"x": 10.0, "y": 10.0}]}] * 3
    located = {"identifier": "1.jpg", "detailedResults": spots}
    results = RapidataResults(info={"type": "Locate"}, results=[located])
    write_dataset(results, tmp_path, gate=QualityGate(min_agreement=0.5))
    assert read_manifest(tmp_path)["quality"]["gate"]["passed"]


@pytest.mark.parametrize("about", [{"a": float("nan")}, {"a": object()}, {"a": {1, 2}}])
def test_facts_that_json_cannot_say(about, tmp_path):
    with pytest.raises(errors.ValidationError, match="about"):
        write_dataset(THREE, tmp_path, about=about)
    assert list(tmp_path.iterdir()) == []


def test_formats_that_there_are_not(tmp_path):
    with pytest.raises(errors.ValidationError, match="must be one of parquet, jsonl, csv"):
        write_dataset(THREE, tmp_path, file_format="xlsx")


def test_files_that_have_changed(tmp_path):
    write_dataset(THREE, tmp_path)
    assert verify_dataset(tmp_path) == []
    with (tmp_path / "labels.parquet").open("ab") as file:
        file.write(b"x")
    (tmp_path / "responses.parquet").unlink()
    changed, missing = verify_dataset(tmp_path)
    assert changed.endswith("labels.parquet is not as it was written")
    assert "responses.parquet cannot be read" in missing


def test_manifests_that_are_none(tmp_path):
    for call in (read_manifest, verify_dataset, lambda where: forget_labeler(where, "0" * 16)):
        with pytest.raises(errors.ValidationError, match="has no dataset that can be read"):
            call(tmp_path)
        with pytest.raises(errors.ValidationError, match="has no dataset that can be read"):
            call("memory://nothing")
    (tmp_path / "manifest.json").write_text('{"dbt_schema_version": 12}')
    for call in (read_manifest, verify_dataset, lambda where: write_dataset(ONE, where)):
        with pytest.raises(errors.ValidationError, match=r"manifest\.json that is no dataset's"):
            call(tmp_path)
    assert listed(tmp_path) == ["manifest.json"]
    (tmp_path / "manifest.json").write_text('{"schema_ver')
    for call in (read_manifest, verify_dataset):
        with pytest.raises(errors.ResultsError, match="is damaged"):
            call(tmp_path)
    write_dataset(ONE, tmp_path)
    assert verify_dataset(tmp_path) == []


# --- before anything is paid ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("directory", "problem"),
    [(" ", "must not be blank"), ("floppy://a/b", "cannot write to floppy://")],
)
def test_directories_that_cannot_be_written_to(directory, problem):
    for check in (check_directory, lambda where: write_dataset(THREE, where)):
        with pytest.raises(errors.ValidationError, match=problem):
            check(directory)


@pytest.mark.parametrize("below", ["", "set", "set/labels"])
def test_a_file_where_a_directory_should_be(below, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(errors.ValidationError, match=r"file is a file; choose another directory"):
        check_directory(tmp_path / "file" / below)


def test_a_link_that_leads_nowhere(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(errors.ValidationError, match="link is a file"):
        check_directory(tmp_path / "link" / "set")


def test_a_parent_that_must_not_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(errors.ValidationError, match=f"{tmp_path} must not be written to"):
        check_directory(tmp_path / "new" / "set")
    (tmp_path / "new").mkdir()
    check_directory(tmp_path / "new" / "set")


def test_a_directory_is_checked_without_touching_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for directory in (tmp_path / "new" / "set", "memory://labels", "new", "."):
        check_directory(directory)
    assert list(tmp_path.iterdir()) == []


def test_datasets_need_pyarrow(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(errors.ValidationError, match=r"install rapidata-orchestration\[parquet\]"):
        check_directory(tmp_path)


# --- one person less ------------------------------------------------------------------------------


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("where", ["disk", "memory"])
def test_a_person_is_forgotten(file_format, where, tmp_path):
    directory = tmp_path / "set" if where == "disk" else f"memory://forget/{tmp_path.name}"
    person = pseudonym("person 1", KEY)
    written = write_dataset(THREE, directory, privacy=PRIVATE, file_format=file_format)
    labels = upath.UPath(written.labels).read_bytes()
    copy = tmp_path / "copy"

    def answers():
        copy.write_bytes(upath.UPath(written.responses).read_bytes())
        return rows_of(copy, file_format)

    before = answers()
    assert forget_labeler(directory, person) == 2
    assert answers() == [row for row in before if row["labeler"] != person]
    assert len(before) == 8
    manifest = read_manifest(directory)
    assert manifest["files"]["responses"]["rows"] == 6
    assert manifest["removed_responses"] == 2
    assert upath.UPath(written.labels).read_bytes() == labels
    assert verify_dataset(directory) == []
    assert forget_labeler(directory, person) == 0
    assert forget_labeler(directory, pseudonym("person 0", KEY)) == 2
    assert read_manifest(directory)["removed_responses"] == 4


def test_a_person_is_forgotten_in_all_parts(tmp_path):
    for week, results in (("1", THREE), ("2", results_of(entry(0, 2))), ("3", THREE)):
        write_dataset(results, tmp_path, partition={"week": week}, privacy=PRIVATE)
    before = contents(tmp_path)
    assert forget_labeler(tmp_path, pseudonym("person 1", KEY)) == 4
    changed = {name for name, content in contents(tmp_path).items() if content != before[name]}
    assert changed == {
        f"{kind}/week={week}/{file}"
        for week in ("1", "3")
        for kind, file in (("manifests", "manifest.json"), ("responses", "responses.parquet"))
    }
    assert verify_dataset(tmp_path) == []
    table = pyarrow.dataset.dataset(tmp_path / "responses", partitioning="hive").to_table()
    assert table.num_rows == 14
    assert pseudonym("person 1", KEY) not in table.column("labeler").to_pylist()


@pytest.mark.parametrize("file_format", FORMATS)
def test_forgetting_goes_on_where_it_was_interrupted(file_format, tmp_path, monkeypatch):
    write_dataset(THREE, tmp_path, privacy=PRIVATE, file_format=file_format)
    person, replace = pseudonym("person 1", KEY), os.replace

    def interrupted(source, target):
        if Path(target).stem == "responses":
            raise OSError("pulled")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        with pytest.raises(errors.ExportError, match="pulled"):
            forget_labeler(tmp_path, person)
    assert len(verify_dataset(tmp_path)) == 1
    assert forget_labeler(tmp_path, person) == 2
    assert verify_dataset(tmp_path) == []
    manifest = read_manifest(tmp_path)
    assert (manifest["files"]["responses"]["rows"], manifest["removed_responses"]) == (6, 2)


def test_forgetting_keeps_the_columns(tmp_path):
    written = write_dataset(ONE, tmp_path, privacy=PRIVATE)
    schema = pyarrow.parquet.read_schema(written.responses)
    assert forget_labeler(tmp_path, pseudonym("person 0", KEY)) == 1
    assert pyarrow.parquet.read_schema(written.responses).equals(schema, check_metadata=True)
    assert pyarrow.parquet.read_table(written.responses).num_rows == 0


def test_cells_that_are_long(tmp_path):
    long = results_of(entry(1, 1, context="x" * 200_000))
    write_dataset(long, tmp_path, privacy=PRIVATE, file_format="csv")
    assert forget_labeler(tmp_path, pseudonym("person 0", KEY)) == 1


@pytest.mark.parametrize("labeler", ["person 1", "", "ABCDEFABCDEFABCD", "0" * 15, "0" * 16 + "\n"])
def test_who_is_no_pseudonym(labeler, tmp_path):
    write_dataset(THREE, tmp_path, privacy=PRIVATE)
    with pytest.raises(errors.ValidationError, match=r"as pseudonym\(id, key\) gives them"):
        forget_labeler(tmp_path, labeler)


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", b"{", b"\xff\xfe", b"[]\n"])
@pytest.mark.parametrize("file_format", FORMATS)
def test_tables_that_are_none(file_format, content, tmp_path):
    write_dataset(THREE, tmp_path, privacy=PRIVATE, file_format=file_format)
    (tmp_path / f"responses.{file_format}").write_bytes(content)
    before = contents(tmp_path)
    if (file_format, content) == ("jsonl", b""):
        # A table without rows.
        assert forget_labeler(tmp_path, "0" * 16) == 0
    else:
        with pytest.raises(errors.ResultsError, match=f"cannot be read as {file_format}"):
            forget_labeler(tmp_path, "0" * 16)
    assert contents(tmp_path) == before


def test_half_characters(tmp_path):
    results = results_of(entry(1, 0))
    results["info"]["createdAt"] = "half \ud800"
    write_dataset(results, tmp_path)
    assert read_manifest(tmp_path)["as_of"] == "half ?"


def test_a_failure_while_forgetting_changes_nothing(tmp_path, monkeypatch):
    write_dataset(THREE, tmp_path, privacy=PRIVATE)
    before = contents(tmp_path)
    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", full_disk)
    with pytest.raises(errors.ExportError):
        forget_labeler(tmp_path, pseudonym("person 1", KEY))
    assert contents(tmp_path) == before


# --- rows and documents ---------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["disk", "memory"])
def test_rows_as_json_lines(where, tmp_path):
    path = tmp_path / "new" / "pairs.jsonl" if where == "disk" else "memory://rows/pairs.jsonl"
    rows = [{"prompt": "ü\n", "chosen": [1, None]}, {"prompt": "", "chosen": {}}]
    assert write_jsonl(iter(rows), path) == 2
    lines = upath.UPath(path).read_text(encoding="utf-8").split("\n")
    assert [json.loads(line) for line in lines[:-1]] == rows
    assert lines[-1] == ""
    assert "ü" in lines[0]
    assert write_jsonl([], path) == 0
    assert upath.UPath(path).read_bytes() == b""


def test_a_document_as_json(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_json({"images": []}, "coco.json")
    assert json.loads((tmp_path / "coco.json").read_text()) == {"images": []}
    assert listed(tmp_path) == ["coco.json"]


@pytest.mark.parametrize("cell", [float("nan"), object(), "\ud800", {1}])
def test_rows_that_json_cannot_say(cell, tmp_path):
    path = tmp_path / "rows.jsonl"
    write_jsonl([{"a": 1}], path)
    with pytest.raises(errors.ValidationError, match=r"rows\[1\] is not valid"):
        write_jsonl([{"a": 2}, {"a": cell}], path)
    with pytest.raises(errors.ValidationError, match="document is not valid"):
        write_json({"a": cell}, path)
    assert path.read_text() == '{"a": 1}\n'
    assert listed(tmp_path) == ["rows.jsonl"]


def test_rows_that_break_off(tmp_path):
    path = tmp_path / "rows.jsonl"
    write_jsonl([{"a": 1}], path)

    def rows():
        yield {"a": 2}
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        write_jsonl(rows(), path)
    assert path.read_text() == '{"a": 1}\n'
    assert listed(tmp_path) == ["rows.jsonl"]


def test_a_file_cannot_be_written_into_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(errors.ExportError, match="Cannot write to"):
        write_jsonl([{"a": 1}], tmp_path / "file" / "rows.jsonl")
