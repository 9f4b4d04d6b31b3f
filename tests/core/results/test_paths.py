"""Paths that bring their own file system: an address alone would lose their credentials."""

import json

import fsspec
import pandas
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from upath import UPath

from rapidata_core import CompareJob, RapidataResults, errors
from rapidata_core.results import (
    Privacy,
    check_directory,
    forget_labeler,
    job_about,
    pseudonym,
    read_manifest,
    verify_dataset,
    write_dataset,
    write_json,
    write_jsonl,
)

pytestmark = pytest.mark.filterwarnings("ignore:UPath 'vault' filesystem")
WEEK = {"week": "2026-11-16"}
ENTRY = {
    "assetUrls": {"a.jpg": "https://x/a.jpg", "b.jpg": "https://x/b.jpg"},
    "aggregatedResults": {"a.jpg": 1, "b.jpg": 0},
    "summedUserScores": {"a.jpg": 0.5, "b.jpg": 0.0},
    "detailedResults": [
        {"votedFor": "a.jpg", "userDetails": {"userId": "person 1", "country": "CH"}}
    ],
}
ONE = RapidataResults(info={"type": "Compare"}, results=[ENTRY])


class Vault(MemoryFileSystem):
    """A store that lets nobody in without the token."""

    protocol = "vault"
    store = {}
    pseudo_dirs = [""]

    def __init__(self, token="", **options):
        super().__init__(**options)
        self._token = token

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("vault://", "memory://"))

    def _open(self, path, *arguments, **options):
        self._check()
        return super()._open(path, *arguments, **options)

    def info(self, path, **options):
        self._check()
        return super().info(path, **options)

    def ls(self, path, *arguments, **options):
        self._check()
        return super().ls(path, *arguments, **options)

    def _check(self):
        if self._token != "right":
            raise PermissionError("who are you?")


fsspec.register_implementation("vault", Vault, clobber=True)


@pytest.fixture(params=["memory", "vault"])
def folder(request, tmp_path):
    options = {"token": "right"} if request.param == "vault" else {}
    return UPath(f"{request.param}://bucket/{tmp_path.name}", **options)


@pytest.mark.parametrize("partition", [{}, WEEK], ids=["whole", "divided"])
def test_a_dataset_where_credentials_are_needed(folder, partition):
    check_directory(folder)
    secret = "a secret of the tests"
    written = write_dataset(
        ONE, folder, partition=partition, privacy=Privacy(labeler_key=secret), file_format="jsonl"
    )
    assert written.labels.startswith(str(folder))
    assert written.labels.endswith("labels.jsonl")
    part = UPath(written.labels, **folder.storage_options)
    assert json.loads(part.read_text())["items"] == ["a.jpg", "b.jpg"]
    assert read_manifest(folder, partition)["files"]["labels"]["rows"] == 1
    assert verify_dataset(folder) == []
    assert forget_labeler(folder, pseudonym("person 1", secret)) == 1
    assert read_manifest(folder, partition)["removed_responses"] == 1
    # Again, and divided otherwise.
    write_dataset(ONE, folder, partition=partition)
    with pytest.raises(errors.ValidationError, match="divided"):
        write_dataset(ONE, folder, partition={} if partition else WEEK)


def test_rows_of_ones_own_where_credentials_are_needed(folder):
    write_json({"images": []}, folder / "coco.json")
    assert write_jsonl([{"a": 1}, {"a": 2}], folder / "rows.jsonl") == 2
    assert json.loads((folder / "coco.json").read_text()) == {"images": []}
    assert (folder / "rows.jsonl").read_text().splitlines()[1] == '{"a": 2}'


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "json"])
def test_datapoints_where_credentials_are_needed(folder, kind):
    table = pandas.DataFrame({"one": ["Hi!", "Bye!"], "other": ["What?", "Go."]})
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"rows.{kind}").open("wb") as file:
        match kind:
            case "parquet":
                table.to_parquet(file)
            case "csv":
                table.to_csv(file, index=False)
            case _:
                table.to_json(file, orient="records", lines=kind == "jsonl")
    question = {"type": "compare", "name": "n", "instruction": "Which?", "data_type": "text"}
    spec = job_about(question, folder / f"rows.{kind}", ["one", "other"])
    assert spec == CompareJob(**question, datapoints=[["Hi!", "What?"], ["Bye!", "Go."]])


def test_without_its_credentials_nothing_is_written():
    with pytest.raises(errors.ExportError, match="PermissionError: who are you"):
        write_dataset(ONE, UPath("vault://bucket/x"))
    with pytest.raises(errors.ValidationError, match="PermissionError: who are you"):
        job_about({"type": "free_text"}, UPath("vault://bucket/x.csv"))


def test_a_store_that_cannot_be_made_is_noticed_before_anything_is_paid():
    class Lost:
        protocol = "s3"

        def __str__(self):
            return "s3://connection@bucket/x"

        @property
        def fs(self):
            raise LookupError("there is no connection")

    with pytest.raises(errors.ValidationError, match=r"@bucket/x \(LookupError: ther"):
        check_directory(Lost())


@pytest.mark.parametrize("make", [UPath, lambda path: UPath(f"file://{path}")])
def test_a_path_of_this_machine_is_written_like_any_other(tmp_path, make):
    check_directory(make(tmp_path / "set"))
    written = write_dataset(ONE, make(tmp_path / "set"))
    assert written.labels == str(tmp_path / "set" / "labels.parquet")
    assert verify_dataset(make(tmp_path / "set")) == []
    (tmp_path / "file").touch()
    with pytest.raises(errors.ValidationError, match="is a file"):
        check_directory(make(tmp_path / "file"))
