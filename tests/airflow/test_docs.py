"""The documents of the provider: their examples are those that are tested, their names exist."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path

import pytest
from airflow.sdk import BaseOperator

from rapidata_airflow.operators.approval import RapidataSpendApprovalOperator
from rapidata_airflow.operators.audience import RapidataAudienceOperator
from rapidata_airflow.operators.benchmark import RapidataEvaluateModelOperator
from rapidata_airflow.operators.definition import RapidataJobDefinitionOperator
from rapidata_airflow.operators.flow import RapidataRankingBatchOperator
from rapidata_airflow.operators.job import RapidataJobOperator
from rapidata_airflow.operators.results import RapidataFetchResultsOperator
from rapidata_airflow.operators.signal import (
    RapidataPauseSignalOperator,
    RapidataResumeSignalOperator,
    RapidataSignalOperator,
    RapidataTriggerSignalOperator,
)
from rapidata_airflow.sensors.audience import RapidataAudienceSensor
from rapidata_airflow.sensors.job import RapidataJobSensor
from rapidata_airflow.sensors.leaderboard import RapidataLeaderboardSensor
from rapidata_airflow.sensors.signal import RapidataSignalRunSensor

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "airflow").glob("*.md"))
EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)
NAMED_EXAMPLE = re.compile(
    r"<!-- (examples/airflow/dags/\w+\.py) -->\n\n```python\n(.*?)```", re.DOTALL
)
NAME = re.compile(r"\bRapidata[A-Z]\w+")
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)")


def page(path: Path) -> object:
    return pytest.param(path, id=path.name)


@pytest.mark.parametrize("path", map(page, PAGES))
def test_examples_are_parts_of_files_that_are_tested(path: Path):
    text = path.read_text(encoding="utf-8")
    named = NAMED_EXAMPLE.findall(text)
    assert len(named) == len(EXAMPLE.findall(text)), "each names its file in the line before"
    for name, code in named:
        assert code.strip()
        source = (ROOT / name).read_text(encoding="utf-8")
        assert any(textwrap.indent(code, " " * depth) in source for depth in (0, 4, 8)), code


@pytest.mark.parametrize("path", map(page, PAGES))
def test_links_lead_somewhere(path: Path):
    for target, heading in LINK.findall(path.read_text(encoding="utf-8")):
        found = (path.parent / target) if target else path
        assert found.exists(), target
        if heading:
            assert heading in headings(found), f"{target}#{heading}"


def headings(path: Path) -> set[str]:
    """The names by which a page's headings can be linked to."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_all_names_exist():
    found = set(NAME.findall("".join(path.read_text(encoding="utf-8") for path in PAGES)))
    packages = (ROOT / name for name in ("rapidata_airflow", "rapidata_core"))
    sources = "".join(file.read_text() for package in packages for file in package.rglob("*.py"))
    assert found <= set(re.findall(r"^class (\w+)", sources, re.MULTILINE))


OPERATORS = [
    RapidataAudienceOperator,
    RapidataEvaluateModelOperator,
    RapidataFetchResultsOperator,
    RapidataJobDefinitionOperator,
    RapidataJobOperator,
    RapidataPauseSignalOperator,
    RapidataRankingBatchOperator,
    RapidataResumeSignalOperator,
    RapidataSignalOperator,
    RapidataSpendApprovalOperator,
    RapidataTriggerSignalOperator,
]


@pytest.mark.parametrize("operator", OPERATORS)
def test_operators_arguments_are_told_of(operator: type[BaseOperator]):
    text = section("operators.md", operator.__name__)
    told = set(re.findall(r"`(\w+)`", text))
    templated = set(re.findall(r"`(\w+)` \*", text))
    assert arguments(operator) <= told
    # Those of Airflow's own operators are theirs to tell of.
    assert templated == set(operator.template_fields) & (arguments(operator) | told) - COMMON


@pytest.mark.parametrize(
    "sensor",
    [
        RapidataAudienceSensor,
        RapidataJobSensor,
        RapidataLeaderboardSensor,
        RapidataSignalRunSensor,
    ],
)
def test_sensors_arguments_are_told_of(sensor: type[BaseOperator]):
    text = (ROOT / "docs" / "airflow" / "sensors.md").read_text(encoding="utf-8")
    for name in arguments(sensor):
        assert f"`{name}`" in text
        assert (f"`{name}` *" in text) == (name in sensor.template_fields)


# What all operators have.
COMMON = {"rapidata_conn_id"}


def section(name: str, heading: str) -> str:
    """What a page says under a heading."""
    text = (ROOT / "docs" / "airflow" / name).read_text(encoding="utf-8")
    (found,) = [part for part in text.split("\n## ")[1:] if heading in part.partition("\n")[0]]
    return found


def arguments(operator: type[BaseOperator]) -> set[str]:
    """What an operator takes that others do not."""
    taken = inspect.signature(operator.__init__).parameters.values()
    return {one.name for one in taken if one.kind is one.KEYWORD_ONLY} - COMMON
