"""The documents' examples run."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.seeds.programs import make_pictures

ROOT = Path(__file__).resolve().parents[2]
# Their examples need the engine's environment.
ENGINES = {"dagster.md", "prefect.md"}
DOCUMENTS = [
    "README.md",
    *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))),
]
# Every example of these stands for itself, and pays for one job at most. The examples of other
# pages build upon one another.
SINGLE = {"README.md", "docs/client.md", "docs/guarantees.md", "docs/sandbox.md"}
PAYS = re.compile(r"\.assign_job\(|\.submit\(|def test_")


def examples(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def single():
    for name in sorted(SINGLE):
        for number, code in enumerate(examples(name), 1):
            yield pytest.param(code, id=f"{name}-{number}")


@pytest.fixture(autouse=True)
def _nobody_waits(rapidata_sandbox, monkeypatch, tmp_path):
    """Each time somebody looks, people have worked for a minute."""
    asleep = asyncio.sleep

    async def sleep(_):
        rapidata_sandbox.advance(60)
        await asleep(0)

    monkeypatch.setattr("time.sleep", lambda _: rapidata_sandbox.advance(60))
    monkeypatch.setattr("asyncio.sleep", sleep)
    monkeypatch.setenv("BROWSER", "true")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("code", list(single()))
def test_an_example_that_stands_for_itself(code, rapidata_sandbox):
    run(code, {}, rapidata_sandbox)
    rapidata_sandbox.assert_paid_jobs(1 if PAYS.search(code) else 0)


@pytest.mark.parametrize(
    "name", [name for name in DOCUMENTS if name not in SINGLE and Path(name).name not in ENGINES]
)
def test_the_examples_of_a_page_in_their_order(name, rapidata_sandbox):
    found = examples(name)
    assert found
    scope = {}
    for code in found:
        run(code, scope, rapidata_sandbox)


def run(code, scope, sandbox):
    make_pictures(code, Path.cwd())
    exec(compile(code, "example", "exec"), scope)
    for name, test in list(scope.items()):
        if name.startswith("test_"):
            test(sandbox)


def test_there_are_examples():
    assert len(list(single())) >= 4


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    document = ROOT / name
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target
