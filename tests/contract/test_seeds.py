"""The documents that our user gave: the vendor's SDK runs their programs against our sandbox."""

from __future__ import annotations

import pytest

from tests.seeds.documents import FOLDER
from tests.seeds.programs import prepare, programs

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"there is no {FOLDER.name} folder")


def runnable():
    """The programs, less those that this version of the SDK cannot run, whatever the platform."""
    for name, program in programs().items() if FOLDER.is_dir() else ():
        reason = program.vendor
        marks = [pytest.mark.skip(reason=f"SDK 3.27.1: {reason}")] if reason else []
        yield pytest.param(program, id=name, marks=marks)


@pytest.mark.parametrize("program", list(runnable()))
def test_a_program_runs(program, sandbox, tmp_path, monkeypatch):
    from rapidata.rapidata_client.results.rapidata_results import RapidataResults

    code = prepare(program, tmp_path)
    monkeypatch.chdir(tmp_path)
    scope = {"__name__": "__main__"}
    if program.error:
        with pytest.raises(Exception, match=r"(?i)audience|example|recruit"):
            exec(compile(code, "program", "exec"), scope)
        return
    exec(compile(code, "program", "exec"), scope)
    if isinstance(scope.get("results"), RapidataResults):
        assert scope["results"]["results"]
