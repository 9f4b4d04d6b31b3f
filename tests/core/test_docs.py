"""The documents' examples run."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ["README.md", "docs/client.md", "docs/sandbox.md"]


def examples():
    for name in DOCUMENTS:
        text = (ROOT / name).read_text(encoding="utf-8")
        for number, code in enumerate(re.findall(r"```python\n(.*?)```", text, re.DOTALL), 1):
            yield pytest.param(code, id=f"{name}-{number}")


@pytest.mark.parametrize("code", list(examples()))
def test_examples(code, rapidata_sandbox, monkeypatch):
    # Nobody waits in a test: each look lets the people work for a minute.
    monkeypatch.setattr("rapidata_core._sync.watch.sleep", lambda _: rapidata_sandbox.advance(60))
    scope = {}
    exec(compile(code, "example", "exec"), scope)
    for name, test in list(scope.items()):
        if name.startswith("test_"):
            test(rapidata_sandbox)
    rapidata_sandbox.assert_paid_jobs(1)


def test_there_are_examples():
    assert len(list(examples())) >= 4


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    document = ROOT / name
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target
