"""What was tried and what came of it, as the table of ``docs/guarantees.md``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.network import Endured
from tests.chaos.races import Race
from tests.chaos.schedules import Verdict
from tests.chaos.sweep import PHASES, Swept

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "guarantees.md"
BEGIN, END = "<!-- chaos -->", "<!-- /chaos -->"
HEAD = ("what is tried", "points", "duplicates", "lost", "unfinished", "extra requests")


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        points: How often it was tried.
        duplicates: What was paid beyond what was asked for.
        lost: What was asked for and not got.
        extra: How many more requests it took than without misfortune.
    """

    what: str
    points: int
    duplicates: int
    lost: int
    unfinished: int = 0
    extra: str = ""

    def cells(self) -> list[str]:
        numbers = (self.points, self.duplicates, self.lost, self.unfinished)
        return [self.what, *(f"{number:,}" for number in numbers), self.extra]


def row_of_sweep(swept: Swept) -> Row:
    outcomes = swept.outcomes
    struck = [outcome for outcome in outcomes if outcome.struck]
    extra = sum(outcome.requests - swept.clean_requests for outcome in struck)
    return Row(
        f"sweep: {swept.verb}, each of {swept.clean_requests} requests in {len(PHASES)} ways",
        len(struck),
        sum(outcome.duplicates for outcome in outcomes),
        sum(outcome.lost for outcome in outcomes),
        sum(outcome.unfinished for outcome in outcomes),
        f"{extra / max(1, len(struck)):+.1f} per point",
    )


def row_of_schedules(verdicts: Sequence[Verdict]) -> Row:
    return Row(
        f"schedules: {verdicts[0].verb}, two faults anywhere",
        len(verdicts),
        sum(verdict.duplicates for verdict in verdicts),
        sum(verdict.lost for verdict in verdicts),
        sum(verdict.unfinished for verdict in verdicts),
    )


def row_of_network(endured: Endured, overhead: float) -> Row:
    return Row(
        "network: submit, every tenth request fails",
        endured.submissions,
        endured.duplicates,
        endured.lost,
        extra=f"{overhead - 1:+.0%}",
    )


def row_of_races(all_races: Sequence[Race]) -> Row:
    runners = all_races[0].runners
    return Row(
        f"races: submit, {runners} at once from several processes",
        len(all_races),
        sum(race.duplicates for race in all_races),
        sum(race.lost for race in all_races),
    )


def row_of_peer(answers: int, paid: int) -> Row:
    lost = "one answer" if answers == 1 else f"{answers} answers"
    return Row(f"the vendor's SDK, {lost} to `POST /job` lost", 1, paid - 1, 0)


def table(rows: Sequence[Row]) -> str:
    """The rows as markdown."""
    lines = [list(HEAD), ["---", *["---:"] * (len(HEAD) - 1)], *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def write(content: str, document: Path = DOCUMENT) -> None:
    """Put the table between its two marks."""
    before, _, rest = document.read_text(encoding="utf-8").partition(BEGIN)
    _, mark, after = rest.partition(END)
    assert mark, f"{document} has no place for the table"
    document.write_text(f"{before}{BEGIN}\n{content}\n{END}{after}", encoding="utf-8")
