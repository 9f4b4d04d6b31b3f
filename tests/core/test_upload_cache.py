"""The file that remembers uploads: private, shared, and never in the way."""

import logging
import os
import stat
import subprocess
import sys

import pytest

from rapidata_core import upload_cache
from rapidata_core.config import CompressionConfig, Settings
from rapidata_core.policy.uploads import file_key, scope_of, url_key
from rapidata_core.upload_cache import FileState, UploadCache


@pytest.fixture
def cache(tmp_path):
    return UploadCache(tmp_path / "folder")


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_what_was_stored_is_found(cache):
    assert cache.names(["a"]) == {}
    cache.remember({"a": "A", "b": "B"})
    assert cache.names(["a", "c"]) == {"a": "A"}
    cache.remember({"a": "A2"})
    assert cache.names(["a", "b"]) == {"a": "A2", "b": "B"}
    many = {f"key {number}": str(number) for number in range(3000)}
    cache.remember(many)
    assert cache.names(many) == many


def test_nobody_else_may_read_it(cache, tmp_path):
    assert cache.names(["a"]) == {}
    assert not (tmp_path / "folder").exists()
    os.umask(0)
    try:
        cache.remember({"a": "A"})
        assert mode(tmp_path / "folder") == 0o700
        assert {mode(file) for file in (tmp_path / "folder").iterdir()} == {0o600}
    finally:
        os.umask(0o022)


def test_entries_age(cache, monkeypatch):
    cache.remember({"a": "A"})
    now = upload_cache.time.time()
    monkeypatch.setattr(upload_cache.time, "time", lambda: now + 3601)
    assert cache.names(["a"], 3600) == {}
    assert cache.names(["a"], 3700) == cache.names(["a"]) == {"a": "A"}
    monkeypatch.setattr(upload_cache.time, "time", lambda: now + 91 * 24 * 3600)
    cache.remember({"b": "B"})
    assert cache.names(["a", "b"]) == {"b": "B"}


def test_a_file_is_known_as_long_as_it_is_untouched(cache, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"1")
    new = FileState.of(path.stat())
    # It could change again within the same tick of the clock, so it is not believed yet.
    cache.remember_digests({"a": (new, "digest")})
    assert cache.digests({"a": new}) == {}
    old = FileState(1, new.mtime_ns - 10**10, new.ctime_ns - 10**10)
    cache.remember_digests({"a": (old, "digest")})
    assert cache.digests({"a": old}) == {"a": "digest"}
    assert cache.digests({"a": FileState(2, old.mtime_ns, old.ctime_ns)}) == {}
    # Tools that restore a file's time do not restore this one.
    assert cache.digests({"a": FileState(1, old.mtime_ns, new.ctime_ns)}) == {}


def test_processes_share_it(cache, tmp_path):
    program = (
        "import sys; from pathlib import Path; from rapidata_core.upload_cache import UploadCache\n"
        "cache = UploadCache(Path(sys.argv[1]), 20)\n"
        "for number in range(20): cache.remember({f'{sys.argv[2]} {number}': 'x'})"
    )
    folder = str(tmp_path / "folder")
    runs = [
        subprocess.Popen([sys.executable, "-c", program, folder, name], stderr=subprocess.PIPE)
        for name in ("a", "b", "c")
    ]
    assert [run.communicate(timeout=60)[1] for run in runs] == [b""] * 3
    assert len(cache.names([f"{name} {number}" for name in "abc" for number in range(20)])) == 60


@pytest.mark.parametrize("trouble", ["no folder", "no database"])
def test_a_cache_that_cannot_be_used_is_mentioned_once(cache, tmp_path, caplog, trouble):
    if trouble == "no folder":
        (tmp_path / "folder").write_text("a file is in the way")
    else:
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "uploads.sqlite").write_text("this is no database, whatever it says")
    with caplog.at_level(logging.WARNING, "rapidata_core"):
        cache.remember({"a": "A"})
        assert cache.names(["a"]) == {}
        cache.remember({"b": "B"})
    [record] = caplog.records
    assert "files may be uploaded again" in record.message


def test_what_makes_an_upload_another_one():
    def settings(environment, client_id):
        return Settings.resolve(
            environment=environment, client_id=client_id, client_secret="s", variables={}
        )

    scopes = {
        scope_of(settings("rapidata.ai", "me"), None),
        scope_of(settings("rapidata.ai", "you"), None),
        scope_of(settings("rabbitdata.ch", "me"), None),
        scope_of(settings("rapidata.ai", "me"), CompressionConfig(quality=70)),
    }
    assert len(scopes) == 4
    keys = {
        file_key("s", "digest", "x/a.jpg"),
        # Results name files by their names.
        file_key("s", "digest", "x/b.jpg"),
        file_key("s", "other", "x/a.jpg"),
        file_key("t", "digest", "x/a.jpg"),
        url_key("s", "a.jpg"),
    }
    assert len(keys) == 5
    assert file_key("s", "digest", "y/a.jpg") in keys
