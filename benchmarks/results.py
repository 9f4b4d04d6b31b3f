"""Results files of any size, and what it costs to make tables of them.

The files have the documented format 4.1.0 and are as long as real ones: 56 MB for 10,000
comparisons with 25 responses each.

``results_compare_*`` and ``results_classification_*`` go from such a file's bytes to a table with a
row per response: ours to ``responses_arrow()`` with the extras ``speed`` and ``parquet``; the peer
is the vendor's SDK, ``json.loads`` and ``to_pandas(split_details=True)``. Beside it, against the
same peer: ``pandas`` is ``responses()`` with the extras, ``without_extras`` the same with msgspec
and pyarrow blocked; and ``summary`` is ``to_pandas()`` of both sides. ``results_ranking_*`` is
``to_pandas()`` of 1,000 rankings of four items. ``results_million_*`` writes 1,000,000 responses as
parquet, and ``twice`` is the same with 2,000,000. ``wall`` is without the imports, ``rss`` the
process's peak with them. ``--quick`` takes files of a tenth of the size, once.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figures import Measured, child, compared, of, report

RUNS = 5
SEED = 5
RESPONSES = 25
OPTIONS = ("Cat", "Dog", "Another animal", "No animal at all")
PEOPLE = 5000
DATAPOINTS = 10_000
GROUPS = 1000
MILLION = 1_000_000

FIGURES = tuple(
    f"results_{figure}"
    for figure in (
        "compare_wall",
        "compare_rss",
        "classification_wall",
        "classification_rss",
        "ranking_wall",
        "ranking_rss",
        "million_wall_s",
        "million_rss_mb",
    )
)

Entry = dict[str, Any]
Tally = dict[str, float]

# What is imported and read before the time begins. None in `sys.modules` lets an import fail.
_READ = "content = pathlib.Path('{file}').read_bytes()"
_OURS = (
    "import rapidata_core.results.tables, rapidata_core.results.wide\n"
    "from rapidata_core.results import ResultsFile\n"
    f"{_READ}"
)
_WITH_EXTRAS = f"import msgspec, pandas, pyarrow\n{_OURS}"
_WITHOUT_EXTRAS = (
    f"import sys\nsys.modules.update(msgspec=None, pyarrow=None)\nimport pandas\n{_OURS}"
)
_THEIRS = (
    "import pandas\n"
    "from rapidata.rapidata_client.results.rapidata_results import RapidataResults\n"
    f"{_READ}"
)
_SUMMARY = "table = ResultsFile(content).to_pandas()"
_THEIR_SUMMARY = "table = RapidataResults(json.loads(content)).to_pandas()"
_RESPONSES = "table = ResultsFile(content).responses()"


@dataclass(frozen=True)
class Way:
    """A way from a file's bytes to a table: the environment, what comes first, what is timed."""

    environment: str
    setup: str
    code: str


RESPONSE_WAYS = {
    "ours": Way(
        ".venv",
        # Arrow, too, imports pandas where it is installed.
        _WITH_EXTRAS,
        "table = ResultsFile(content).responses_arrow()",
    ),
    "peer": Way(
        ".venv-contract",
        _THEIRS,
        "table = RapidataResults(json.loads(content)).to_pandas(split_details=True)",
    ),
    "pandas": Way(".venv", _WITH_EXTRAS, _RESPONSES),
    "without_extras": Way(".venv", _WITHOUT_EXTRAS, _RESPONSES),
}
SUMMARY_WAYS = {
    "ours": Way(".venv", _WITH_EXTRAS, _SUMMARY),
    "peer": Way(".venv-contract", _THEIRS, _THEIR_SUMMARY),
    "without_extras": Way(".venv", _WITHOUT_EXTRAS, _SUMMARY),
}
WRITE = Way(
    ".venv",
    "import msgspec, pandas, pyarrow.parquet\nfrom rapidata_core import ResultsFile, write_dataset",
    "write_dataset(ResultsFile('{file}'), '{file}.dataset')",
)


def measure_results(quick: bool, wanted: Callable[[str], bool]) -> None:
    """Tables of results files."""
    runs, part = (1, 10) if quick else (RUNS, 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in ("compare", "classification"):
            if wanted(f"results_{kind}_wall") or wanted(f"results_{kind}_rss"):
                file = _file(folder, kind, DATAPOINTS // part)
                _report_tables(
                    kind, _measure(file, RESPONSE_WAYS, runs), _measure(file, SUMMARY_WAYS, runs)
                )
        if wanted("results_ranking_wall") or wanted("results_ranking_rss"):
            measured = _measure(_file(folder, "ranking", GROUPS // part), SUMMARY_WAYS, runs)
            report("results_ranking_wall", "s", of(measured, "wall"))
            report("results_ranking_rss", "MB", of(measured, "rss"))
        if wanted("results_million_wall_s") or wanted("results_million_rss_mb"):
            _measure_million(folder, MILLION // part, runs)


def _report_tables(kind: str, responses: Measured, summary: Measured) -> None:
    for field, unit in (("wall", "s"), ("rss", "MB")):
        # Beside the wall time, CPU time, which busy neighbours disturb less.
        cpu = {"cpu": compared(of(responses, "cpu"))} if field == "wall" else {}
        report(
            f"results_{kind}_{field}",
            unit,
            of(responses, field),
            pandas=compared(of(responses, field, ("pandas", "peer"))),
            without_extras=compared(of(responses, field, ("without_extras", "peer"))),
            summary=compared(of(summary, field)),
            summary_without_extras=compared(of(summary, field, ("without_extras", "peer"))),
            **cpu,
        )


def _measure_million(folder: Path, responses: int, runs: int) -> None:
    ways = {"ours": WRITE}
    once = _measure(_file(folder, "compare", responses // RESPONSES), ways, runs)
    twice = _measure(_file(folder, "compare", 2 * responses // RESPONSES), ways, 1)
    for field, name, unit in (
        ("wall", "results_million_wall_s", "s"),
        ("rss", "results_million_rss_mb", "MB"),
    ):
        double = compared(of(twice, field, ("ours",)))["ours"]
        report(name, unit, of(once, field, ("ours",)), responses=responses, twice=double)


def _measure(file: Path, ways: Mapping[str, Way], runs: int) -> Measured:
    """The ways take turns, so that a noisy machine disturbs all alike."""
    measured: Measured = {name: [] for name in ways}
    # The vendor's SDK looks for its newest version; there is nobody behind this port.
    environ = os.environ | {"HOME": str(file.parent), "HTTPS_PROXY": "http://127.0.0.1:9"}
    environ |= {"RAPIDATA_DISABLE_OTLP": "1"}
    for _ in range(runs):
        for name, way in ways.items():
            setup, code = way.setup.format(file=file), way.code.format(file=file)
            measured[name].append(child(way.environment, setup, code, environ))
    return measured


def _file(folder: Path, kind: str, datapoints: int) -> Path:
    file = folder / f"{kind}-{datapoints}.json"
    write_results(file, kind, datapoints)
    return file


# --- files ----------------------------------------------------------------------------------------


def write_results(file: Path, kind: str, datapoints: int) -> None:
    """Write a results file, datapoint by datapoint; the same arguments give the same bytes.

    Args:
        file: Where to.
        kind: ``compare``, ``classification`` or ``ranking`` (of four items each).
        datapoints: How many; each has 25 responses.
    """
    chance = random.Random(SEED)
    people = [_person(chance) for _ in range(PEOPLE)]
    entry = _ENTRIES[kind]
    info = {
        "createdAt": "2026-11-21T07:31:59.353232+00:00",
        "version": "4.1.0",
        "type": kind.capitalize(),
        "name": "benchmark",
        "instruction": "Which image follows the prompt more accurately?",
    }
    with file.open("w") as out:
        out.write(f'{{"info": {json.dumps(info)}, "results": [')
        for number in range(datapoints):
            answers = chance.choices(people, k=RESPONSES)
            out.write(", " * (number > 0) + entry(chance, number, answers))
        out.write('], "summary": {}}')


Person = tuple[float, str]
"""Somebody's score, and what a results file says about them, as JSON."""


def _person(chance: random.Random) -> Person:
    score = round(chance.uniform(0.1, 0.99), 4)
    jobs = ("Healthcare", "Other Employment", "Education", "Craft and Trade")
    demographics = {
        "age": chance.choice(("0-17", "18-29", "30-39", "40-49", "50-64", "65+")),
        "gender": chance.choice(("Female", "Male", "Other")),
        "occupation": chance.choice(jobs),
    }
    details = {
        "country": chance.choice(("BY", "LY", "PT", "RS", "SG", "IN", "BR", "DE", "US")),
        "language": chance.choice(("ru", "ar", "pt", "sr", "en", "de")),
        "userScores": {"global": score},
        # Not everybody tells.
        "demographics": demographics if chance.random() < 0.8 else {},
    }
    return score, json.dumps(details)


def _compare(chance: random.Random, number: int, people: list[Person]) -> str:
    names = (f"aurora-20-1-25_{number}.png", f"dalle-3_{number}.jpg")
    votes = chance.choices(names, (chance.random(), chance.random()), k=len(people))
    tallies = _tallies(names, votes, people)
    winner, weighted = (
        _best(tallies[field]) for field in ("aggregatedResults", "summedUserScores")
    )
    index = None if winner is None else names.index(winner)
    entry = {
        "context": f"A small blue book sitting on a large red book, number {number}.",
        "winner": winner,
        "winnerIndex": index,
        "winner_index": index,
        "weightedWinner": weighted,
        "weightedWinnerIndex": None if weighted is None else names.index(weighted),
        "assetUrls": _urls(names),
    }
    answers = {name: json.dumps({"votedFor": name}) for name in names}
    return _with_details(entry | tallies, [answers[vote] for vote in votes], people)


def _classification(chance: random.Random, number: int, people: list[Person]) -> str:
    name = f"animal-{number}.jpeg"
    weights = [chance.random() for _ in OPTIONS]
    votes = chance.choices(OPTIONS, weights, k=len(people))
    entry = {
        "identifier": f"https://assets.rapidata.ai/{name}",
        "originalFileName": name,
        "assetUrl": _urls([name])[name],
    }
    answers = {option: json.dumps({"selectedCategory": option}) for option in OPTIONS}
    tallies = _tallies(OPTIONS, votes, people)
    return _with_details(entry | tallies, [answers[vote] for vote in votes], people)


def _ranking(chance: random.Random, number: int, people: list[Person]) -> str:
    names = [f"model-{item}_{number}.jpg" for item in range(4)]
    pairs = [chance.sample(names, 2) for _ in people]
    votes = [chance.choice(pair) for pair in pairs]
    entry = {
        "group": f"prompt {number}",
        "totalVotes": len(votes),
        "assetUrls": _urls(names),
        "elo": {name: chance.randint(900, 1500) for name in names},
    }
    answers = [
        json.dumps({"votedFor": vote, "compared": pair})
        for vote, pair in zip(votes, pairs, strict=True)
    ]
    return _with_details(entry | _tallies(names, votes, people), answers, people)


_ENTRIES: dict[str, Callable[[random.Random, int, list[Person]], str]] = {
    "compare": _compare,
    "classification": _classification,
    "ranking": _ranking,
}


def _with_details(entry: Entry, answers: list[str], people: list[Person]) -> str:
    """An entry with its answers, each of which is an object as JSON."""
    details = [
        f'{answer[:-1]}, "userDetails": {person}}}'
        for answer, (_, person) in zip(answers, people, strict=True)
    ]
    return f'{json.dumps(entry)[:-1]}, "detailedResults": [{", ".join(details)}]}}'


def _tallies(options: Sequence[str], votes: list[str], people: list[Person]) -> dict[str, Tally]:
    counts: Tally = dict.fromkeys(options, 0)
    scores: Tally = dict.fromkeys(options, 0.0)
    for vote, (score, _) in zip(votes, people, strict=True):
        counts[vote] += 1
        scores[vote] += score
    scores = {option: round(score, 4) for option, score in scores.items()}
    return {
        "aggregatedResults": counts,
        "aggregatedResultsRatios": _shares(counts),
        "summedUserScores": scores,
        "summedUserScoresRatios": _shares(scores),
    }


def _shares(values: Tally) -> Tally:
    total = sum(values.values())
    return {option: value / total for option, value in values.items()}


def _best(values: Tally) -> str | None:
    best = [option for option, value in values.items() if value == max(values.values())]
    return best[0] if len(best) == 1 else None


def _urls(names: Sequence[str]) -> dict[str, str]:
    folder = "https://assets.rapidata.ai/0198f2f4-7b1c-7d51"
    return {name: f"{folder}/{name}" for name in names}
