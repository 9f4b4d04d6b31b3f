"""The documents that our user gave: every program in them runs on our client, as it is written."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.seeds.documents import FOLDER, blocks
from tests.seeds.programs import EXCLUDED, PROGRAMS, prepare, programs

RUNNER = Path(__file__).parents[1] / "run_program.py"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"there is no {FOLDER.name} folder")


@pytest.mark.parametrize("name", list(programs()))
def test_a_program_runs(name, rapidata_sandbox, tmp_path):
    program = programs()[name]
    code = prepare(program, tmp_path)
    done = subprocess.run(
        [sys.executable, RUNNER, tmp_path / "program.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if program.error:
        assert done.returncode, program.error
        assert "example" in done.stderr.splitlines()[-1], done.stderr
    else:
        assert done.returncode == 0, f"{code}\n{done.stderr}"


def test_every_example_is_run_or_excluded_with_a_reason():
    run = {part for program in programs().values() for part in program.parts}
    examples = set(blocks())
    assert examples - run - set(EXCLUDED) == set()
    assert set(EXCLUDED) <= examples - run
    for program in PROGRAMS.values():
        ast.parse(program.code(blocks()))


def test_the_layout_that_was_lost_is_restored():
    found = blocks()
    assert len(found) > 100
    for name, code in found.items():
        if name not in EXCLUDED:
            ast.parse(code)
        comments = [line for line in code.splitlines() if line.lstrip().startswith("#")]
        if name not in EXCLUDED:
            # A comment that goes on too far would hide a call.
            assert not [line for line in comments if "rapidata." in line or " = client." in line]
