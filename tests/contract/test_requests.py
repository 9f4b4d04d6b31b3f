"""For every capability our client asks the platform for the same as the vendor's SDK does.

Nothing is recorded ahead: both run the same scenario, each on a fresh sandbox, and what the sandbox
was asked is compared. What is sent to change something has to be the same, as often as it was sent.
What is read has to be the same, however often: the two wait differently.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from urllib.parse import parse_qsl

import pytest

from tests.contract.scenarios import SCENARIOS, Pictures

_ID = re.compile(r"\b(sbx_[a-z_]+?|aud|ula)_\w{11}\b")
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
# Our jobs have names by which they are found again, so that none is paid twice.
_MARKER = re.compile(r', "name": "[^"]* \[rk:[0-9a-f.]+\]"')

# What one of the two reads and the other does not, on purpose.
OURS_ALONE = {
    "GET /jobs": "how we wait, and how we see whether a job was paid already",
    "GET /signal": "whether a signal was created already",
    "GET /signal/<sbx_signal>/run": "which runs there were before a trigger",
    "GET /signal/run/<sbx_run>": "what became of the run that was triggered",
    "GET /benchmark/<sbx_benchmark>/leaderboards": "whether a leaderboard was created already",
    "GET /benchmark/<sbx_benchmark>/participants": "page by page, not all at once",
    "GET /participant/<sbx_participant>": "whether a model was submitted already",
    "GET /participant/<sbx_participant>/samples": "whether a model was added already",
    "GET /job/definition/<sbx_definition>/cost-estimate": "the price, before it is paid",
    "GET /job/definition/<sbx_definition>/revision/2": "what was saved, as the platform has it",
    "GET /audience/<sbx_audience>/examples": "whether there are enough, before people are sought",
}
THEIRS_ALONE = {
    "GET /connect/userinfo": "the SDK greets its user by name in its logs",
    "GET /audience/global/user-metrics": "a warning, when a job is assigned, that nobody is there",
    "GET /signal/<sbx_signal>/run": "all runs, where we ask for those that have jobs",
    "GET /benchmark/<sbx_benchmark>/participants": "all at once, not page by page",
    "GET /benchmark/<sbx_benchmark>/prompts": "with every benchmark; we read them when asked for",
}
# Scenarios in which the two upload the same by different requests.
OTHER_UPLOADS = {
    "ranking_definition": "the SDK uploads the media contexts of groups one by one",
}


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_both_ask_for_the_same(name, vendor, ours, sandbox, tmp_path):
    import rapidata

    import rapidata_core

    pictures = Pictures(tmp_path, name)
    theirs = asked(sandbox, lambda: SCENARIOS[name](vendor, rapidata, pictures))
    own = asked(sandbox, lambda: SCENARIOS[name](ours, rapidata_core, pictures))
    assert theirs
    ours_alone = [one for one in own - theirs if called(one) not in OURS_ALONE]
    theirs_alone = [one for one in theirs - own if called(one) not in THEIRS_ALONE]
    if name in OTHER_UPLOADS:
        ours_alone = [one for one in ours_alone if "POST /asset/" not in one]
        theirs_alone = [one for one in theirs_alone if "POST /asset/" not in one]
    report = ["We alone ask for:", *ours_alone, "The SDK alone asks for:", *theirs_alone]
    assert not ours_alone + theirs_alone, "\n".join(report)


def asked(sandbox, run) -> Counter[str]:
    """What a scenario asked for on a fresh sandbox, in a form that does not depend on ids.

    What is sent to change something counts as often as it was sent, what is read counts once.
    """
    sandbox.reset()
    run()
    found: Counter[str] = Counter()
    for entry in sandbox.requests():
        line = f"{entry['method']} {entry['path']}"
        query = sorted(parse_qsl(entry["query"]))
        if query:
            line += f" ?{query}"
        if entry["method"] == "GET":
            found[nameless(line)] = 1
        elif entry["path"] != "/connect/token":
            said = _MARKER.sub("", json.dumps(normal(entry["body"]), sort_keys=True))
            found[nameless(f"{line} {said}")] += 1
    return found


def called(line: str) -> str:
    """Method and path."""
    return " ".join(line.split(" ")[:2])


def nameless(line: str) -> str:
    """Without what is drawn by lot."""
    return _UUID.sub("<uuid>", _ID.sub(r"<\1>", line))


def normal(value):
    """The platform reads null as absent, and 1.0 as 1; an upload in batches has no order."""
    if isinstance(value, dict):
        return {name: normal(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        found = [normal(one) for one in value]
        return sorted(found) if all(str(one).startswith("http") for one in found) else found
    return int(value) if isinstance(value, float) and value.is_integer() else value
