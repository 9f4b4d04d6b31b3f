"""Which examples of the documents are run as which programs, and which are not run and why.

An example that makes a client of its own is a program. A fragment is run behind the examples of its
page that it builds upon; what the documents leave to their reader (an id, a file, an object of an
earlier page) is filled in by the lines below, and every file that a program names is made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.seeds.documents import blocks

CLIENT = "from rapidata import RapidataClient\nclient = RapidataClient()\n"
# The smallest picture that there is.
PICTURE = bytes.fromhex("47494638396101000100800000000000ffffff2c00000000010001000002024401003b")
_PAIR = '["https://assets.rapidata.ai/flux_{0}.jpg", "https://assets.rapidata.ai/mj_{0}.jpg"]'


@dataclass(frozen=True)
class Program:
    """Examples that make a whole.

    Attributes:
        parts: Names of examples, and lines of their reader between them.
        fill: What the documents leave to their reader, and what the reader puts there.
        error: The name of the error that ends the program, as the documents' own rules want it.
        vendor: Why the vendor's SDK 3.27.1 cannot run it; empty if it can.
    """

    parts: Sequence[str]
    fill: Mapping[str, str] = field(default_factory=dict[str, str])
    error: str = ""
    vendor: str = ""

    def code(self, found: Mapping[str, str]) -> str:
        """The program."""
        text = "\n".join(found.get(part, part) for part in self.parts)
        for blank, filling in self.fill.items():
            assert blank in text, blank
            text = text.replace(blank, filling)
        return text


def _example(name: str) -> str:
    return f"img_a, img_b = {_PAIR.format(name)}\nprompt = 'A {name}.'"


_A_DEFINITION = f"""
job_definition = client.job.create_compare_job_definition(
    name="Prompt alignment",
    instruction="Which follows the prompt?",
    datapoints=[{_PAIR.format("hand")}],
)
"""
_COMPARE_ARGUMENTS = f"""
    name="Prompt alignment",
    instruction="Which image follows the prompt more accurately?",
    datapoints=[{_PAIR.format("hand")}],
    contexts=["A yellow hand on a black stone."],
"""
_AN_ORDER = """
order = client.order.create_classification_order(
    name="Pets", instruction="Which?", answer_options=["Cat", "Dog"], datapoints=["cat1.jpg"]
)
"""
_CREDENTIALS = ['os.environ["RAPIDATA_CLIENT_ID"]', 'os.environ["RAPIDATA_CLIENT_SECRET"]']
_LOG_IN = 'client.audience.get_audience_by_id("global")'
_A_BENCHMARK = 'benchmark = client.mri.create_new_benchmark(name="Art", prompts=["A duck."])'
_TOO_FEW = "the audience has one example and the documents ask for three; it is never ready"
_NO_ORDERS = "it has no client.order"

PROGRAMS = {
    "custom audience, page 1": Program(
        [
            CLIENT,
            "000-0",
            *(part for name in ("sign", "duck", "book") for part in (_example(name), "000-1")),
            _A_DEFINITION,
            "000-2",
        ]
    ),
    "custom audience, page 1, complete": Program(
        ["000-3", "000-4", "new_job_definition = job_definition", "000-5"],
        {"(...)": f"({_COMPARE_ARGUMENTS})", '"aud_8f3a..."': "audience.id"},
        vendor="it names the setting NoShuffleSetting only",
    ),
    "custom audience, page 2": Program(["001-0", "001-1"]),
    "custom audience, page 2, complete": Program(
        ["001-2", "audience_id, new_job_definition = audience.id, job_definition", "001-3"],
        {'"audience_id"': "audience_id"},
    ),
    "credentials": Program(
        ["import os", "002-5", _LOG_IN],
        dict(zip(['"Your client ID"', '"Your client secret"'], _CREDENTIALS, strict=True)),
    ),
    "credentials, second page": Program(
        ["import os", "002-14", _LOG_IN],
        dict(zip(['"YOUR_CLIENT_ID"', '"YOUR_CLIENT_SECRET"'], _CREDENTIALS, strict=True)),
    ),
    "quick start": Program(
        [
            *("002-4", "002-6", "002-7", "002-8", "002-9"),
            "audience_id, job_definition_id, job_id = audience.id, job_definition.id, job.id",
            *("002-10", "002-11", "002-12"),
        ],
        {f'"{name}"': name for name in ("audience_id", "job_definition_id", "job_id")},
        vendor="it has no get_job_defintion_by_id (the documents' misspelling)",
    ),
    "custom audience, step by step": Program(
        [
            *("002-15", "002-16", "002-19", "002-17"),
            "audience_id, new_job_definition = audience.id, job_definition",
            *("002-20", "002-21", "002-22", _A_BENCHMARK, "002-23"),
        ],
        {'"audience_id"': "audience_id"},
    ),
    # The jobs of a signal are read after it was triggered, else there would be none.
    "signals": Program(
        ["002-24", "002-26", "002-25", "signal_id = signal.id", "002-28", "002-27"],
        {'"signal_id"': "signal_id"},
    ),
    "signals, second page": Program(
        ["004-0", "004-2", "004-1", "signal_id = signal.id", "004-4", "004-3"],
        {'"signal_id"': "signal_id"},
    ),
    "text responses": Program([CLIENT, "002-33", "002-41"]),
    "shortened contexts": Program(
        [
            CLIENT,
            "rapi = client",
            "context_a = context_b = 'A long story. ' * 40",
            "question_a = question_b = 'What is it about?'",
            *("002-35", "002-36"),
        ],
        # The page is about long contexts and has lost its own.
        {'contexts=[""]': "contexts=[context_a]", 'context=""': "context=context_a"},
        vendor=_NO_ORDERS,
    ),
    "early stopping parameters": Program([CLIENT, "002-38", "002-39"]),
    "job types": Program(
        [CLIENT, *(f"002-{number}" for number in range(43, 50))],
    ),
    "continue with what succeeded": Program(["datapoints = range(20)", "002-55"]),
    "run an order that was found": Program(
        [
            CLIENT,
            _AN_ORDER,
            "order_id = order.id",
            "002-58",
        ],
        vendor=_NO_ORDERS,
    ),
    "run a definition that was found": Program(
        [
            CLIENT,
            _A_DEFINITION,
            "job_definition_id = job_definition.id",
            'audience = client.audience.get_audience_by_id("global")',
            "002-59",
        ]
    ),
    "confidence stopping": Program(["002-60"], error=_TOO_FEW),
    "quorum stopping": Program(["002-61"], error=_TOO_FEW),
    "preview": Program(["002-62", "002-65"]),
    "logging": Program(["002-66"]),
    "compression": Program(["002-67"]),
    "benchmark": Program(
        [
            *("002-81", "002-82", 'audience_id = "global"', "002-83", "002-84", "002-85", "002-86"),
            *("benchmark_id = benchmark.id", "002-87", "002-88"),
        ],
        {'"audience_id"': "audience_id", '"benchmark_id_here"': "benchmark_id"},
    ),
    "benchmark, advanced": Program(
        [
            *(CLIENT, _A_BENCHMARK, "002-89"),
            "leaderboard = benchmark.create_leaderboard(name='Taste', instruction='Which?')",
            *(f"002-{number}" for number in (90, 91, 92, 93, 94, 96, 95, 97, 98, 99, 100)),
        ]
    ),
    "ranking flow": Program(
        [
            *(f"002-{number}" for number in (101, 102, 103, 104, 105)),
            *(f"002-{number}" for number in range(107, 114)),
            *("flow_id = flow.id", "002-114", "002-115"),
        ],
        {'"flow_id_here"': "flow_id"},
    ),
}

_ARGUMENTS = "arguments of a call that is not shown"
_SHAPE = "the shape of an object, not code to run"
EXCLUDED = {
    **dict.fromkeys(["002-29", "002-30", "002-31", "002-32", "002-34", "002-37"], _ARGUMENTS),
    **dict.fromkeys(["002-63", "002-64"], _ARGUMENTS),
    **dict.fromkeys(["002-50", "002-51", "002-52", "002-53", "002-54", "002-106"], _SHAPE),
    **dict.fromkeys(["002-40", "002-42"], "leaves out the name, which its own page requires"),
    "002-68": "about another package, python-dotenv",
}

# Of the programs that stand for themselves.
VENDOR_CANNOT = {
    "002-56": _NO_ORDERS,
}


def programs() -> dict[str, Program]:
    """All programs: those of the table, and every other example that makes a client."""
    named = {part for program in PROGRAMS.values() for part in program.parts}
    alone = {
        name: Program([name], vendor=VENDOR_CANNOT.get(name, ""))
        for name, code in blocks().items()
        if "RapidataClient(" in code and name not in named
    }
    return {**alone, **PROGRAMS}


def make_pictures(code: str, folder: Path) -> None:
    """Make the local pictures that a program expects to be there."""
    for name in set(re.findall(r"[\"']([\w/-]+\.(?:jpe?g|png))[\"']", code)):
        if not name.startswith("missing"):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            # Pictures differ, so that none is uploaded for another.
            path.write_bytes(PICTURE + name.encode())


def prepare(program: Program, folder: Path) -> str:
    """Write the program and the pictures that it names; returns the program."""
    code = program.code(blocks())
    (folder / "program.py").write_text(code, encoding="utf-8")
    make_pictures(code, folder)
    return code
