"""Airflow's ``ObjectStoragePath``: the file system of its connection writes and reads datasets."""

from __future__ import annotations

import pandas
import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem

from rapidata_core import CompareJob, RapidataClient, errors, job_about
from rapidata_core.results import check_directory, read_manifest, verify_dataset
from rapidata_core.sandbox.process import Sandbox

QUESTION = {"type": "compare", "name": "n", "instruction": "Which?", "data_type": "text"}
PAIRS = [["Hi!", "What?"], ["Bye!", "Go."]]


class PrivateStore(MemoryFileSystem):
    """The store of a connection: what is written elsewhere in memory is not here."""

    store: dict[str, object] = {}
    pseudo_dirs = [""]
    cachable = False


@pytest.fixture
def store() -> PrivateStore:
    """The file system that the connection ``labels_store`` leads to."""
    PrivateStore.store.clear()
    PrivateStore.pseudo_dirs[:] = [""]
    found = PrivateStore()
    attach("memory", "labels_store").fs = found
    return found


@pytest.fixture
def folder(store: PrivateStore) -> ObjectStoragePath:
    return ObjectStoragePath("memory://labels_store@bucket/greetings")


def test_results_are_saved_by_the_connection(
    sandbox: Sandbox, client: RapidataClient, store: PrivateStore, folder: ObjectStoragePath
) -> None:
    check_directory(folder)
    spec = CompareJob(**QUESTION, datapoints=PAIRS)
    submission = client.submit(spec, "global", key="greetings")
    sandbox.advance(36_000)
    manifest = client.job.get_job_by_id(submission.job_id).save_results(folder, spec=spec)
    assert store.exists("/bucket/greetings/labels.parquet")
    assert not MemoryFileSystem().exists("/bucket/greetings/labels.parquet")
    # What an XCom says is enough to find them again.
    found = ObjectStoragePath(manifest.labels)
    assert found.conn_id == "labels_store"
    table = pandas.read_parquet(found.path, filesystem=found.fs)
    assert [list(items) for items in table["items"]] == PAIRS
    assert read_manifest(folder)["job_id"] == submission.job_id
    assert verify_dataset(folder) == []
    # And to ask about them again.
    assert job_about(QUESTION, found, {"datapoints": "items"}) == spec


def test_a_connection_that_is_missing_is_noticed_before_anything_is_paid() -> None:
    with pytest.raises(errors.ValidationError, match="nobody_made_it@bucket"):
        check_directory(ObjectStoragePath("s3://nobody_made_it@bucket/x"))
