"""What the client, the sandbox and tables cost: one JSON line per figure.

``--only NAME`` (repeatable; a beginning is enough) measures some of them, ``--quick`` once instead
of five times.

Each measurement is a fresh process, ours in ``.venv`` and the vendor's SDK in ``.venv-contract``,
and the sides take turns on the same sandbox over TLS. A figure is the median of the runs, and
``ratio`` is ours / peer: lower is better. No run finds anything cached: each has an empty home, and
URLs, files and texts that no run before it had.

``define_*`` creates a compare definition of 1,000 pairs; ``at_30_ms`` is the same, twice, on a
sandbox that adds 30 ms to each answer. ``wall`` is from the first line that uses the imported
client to the definition's id, so it includes the log-in; ``wall_vs_bare`` compares it with
``bare.py``. The sandbox takes 0.2 s to prepare a batch of URLs, for which all sides wait. ``cpu``
is without the import, which has figures of its own (``cpu_with_import`` includes it); ``rss`` is
the process's peak. ``requests`` and ``bytes`` (bodies, both ways) are from the sandbox's journal.

``watch_*`` waits for 1,000 jobs for a minute, once: ours as tasks of one process, the vendor's SDK
with a thread for each of 200 jobs, whose requests and CPU are multiplied by five. One job in twenty
is completed meanwhile; ``wakeup_p99_s`` is the delay until whoever waits for it goes on. The others
make slow progress all the time.

``triggerer_*`` has 1,000 deferred tasks in one Airflow triggerer; ``airflow_triggers.py`` says how.

``results_*`` makes tables of results files; ``results.py`` says how.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import os
import random
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_triggers import TRIGGERER, measure_triggerer
from figures import PACKAGES, child, compared, of, report
from jobs import jobs_at_work
from load import Connections, cpu_seconds, load
from results import FIGURES, measure_results
from waiting import SECONDS

from rapidata_core.sandbox.process import Sandbox

RUNS = 5
SLOW_RUNS = 2
LATENCY = 30
PAIRS = 1000
KINDS = ("urls", "files", "texts")

IMPORT = "from {package} import RapidataClient"
FIRST_CALL = "RapidataClient().audience.get_audience_by_id('global')"
READ_PAIRS = "pairs = json.loads(pathlib.Path('{file}').read_text())"
DEFINE = (
    "RapidataClient().job.create_compare_job_definition("
    "'benchmark', 'Which is better?', pairs, data_type='{type}')"
)
WATCH = ("watch_requests", "watch_cpu", "watch_rss_mb", "watch_wakeup_p99_s")
# Jobs that each side waits for.
WATCHED = {"ours": 1000, "peer": 200}
# Jobs of ten answers take two minutes of real time.
WATCH_SPEED = 0.025
READY_TO_WAIT = {
    "ours": """
import waiting
from rapidata_core import AsyncRapidataClient
folder = pathlib.Path('{folder}')
job_ids = json.loads((folder / 'jobs').read_text())
client = AsyncRapidataClient()
waiting.get_ready(folder)
""",
    "peer": """
import waiting
from rapidata import RapidataClient
folder = pathlib.Path('{folder}')
client = RapidataClient()
jobs = [client.job.get_job_by_id(one) for one in json.loads((folder / 'jobs').read_text())]
waiting.get_ready(folder)
""",
}
WAIT = {
    "ours": "waiting.ours(client, job_ids, folder)",
    "peer": "waiting.peer(jobs, folder)",
}
_numbers = itertools.count()


@dataclass(frozen=True)
class Place:
    """Where to measure: a sandbox, and a folder for homes and files."""

    sandbox: Sandbox
    folder: Path

    def child(self, environment: str, setup: str, code: str) -> dict[str, float]:
        """Run code in a fresh process with an empty home."""
        home = self.folder / f"home-{next(_numbers)}"
        home.mkdir()
        # The vendor's SDK looks for its newest version; there is nobody behind this port.
        environ = os.environ | self.sandbox.environ | {"HOME": str(home)}
        # As users have it, though it finds nothing.
        environ |= {"RAPIDATA_cacheToDisk": "true"}
        environ |= {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
        environ |= {"PYTHONPATH": str(Path(__file__).parent), "RAPIDATA_DISABLE_OTLP": "1"}
        return child(environment, setup, code, environ)


# --- the client beside the vendor's SDK -----------------------------------------------------------


def measure_start(place: Place, runs: int) -> None:
    """Importing the client, and its first answered call."""
    imports: dict[str, list[dict[str, float]]] = {side: [] for side in PACKAGES}
    calls: dict[str, list[dict[str, float]]] = {side: [] for side in PACKAGES}
    for _ in range(runs):
        for side, (environment, package) in PACKAGES.items():
            setup = IMPORT.format(package=package)
            imports[side].append(place.child(environment, "", setup))
            calls[side].append(place.child(environment, setup, FIRST_CALL))
    report("import_wall", "s", of(imports, "wall"))
    report("import_rss", "MB", of(imports, "rss"))
    report("first_call_cpu", "s", of(calls, "cpu_with_import"))


def measure_define(place: Place, slow: Place, kind: str, runs: int, wanted: Wanted) -> None:
    """Creating a compare definition of 1,000 pairs."""
    near = _define(place, kind, runs)
    far = _define(slow, kind, min(runs, SLOW_RUNS))

    def line(name: str, unit: str, field: str, peer: str) -> None:
        if wanted(f"define_{kind}_{name}"):
            sides = ("ours", peer)
            distant = compared(of(far, field, sides))
            report(f"define_{kind}_{name}", unit, of(near, field, sides), at_30_ms=distant)

    line("cpu", "s", "cpu", "peer")
    line("cpu_with_import", "s", "cpu_with_import", "peer")
    line("rss", "MB", "rss", "peer")
    line("wall", "s", "wall", "peer")
    line("wall_vs_bare", "s", "wall", "bare")
    line("requests", "requests", "requests", "peer")
    line("bytes", "bytes", "bytes", "peer")


def _define(place: Place, kind: str, runs: int) -> dict[str, list[dict[str, float]]]:
    measured: dict[str, list[dict[str, float]]] = {side: [] for side in (*PACKAGES, "bare")}
    for _ in range(runs):
        for side, results in measured.items():
            file = _fresh_pairs(place.folder, kind)
            place.sandbox.reset()
            results.append(_define_once(place, kind, side, file) | _traffic(place.sandbox))
    return measured


def _define_once(place: Place, kind: str, side: str, file: Path) -> dict[str, float]:
    pairs = READ_PAIRS.format(file=file)
    if side == "bare":
        return place.child(".venv", f"{pairs}\nimport bare", f"bare.define(pairs, {kind!r})")
    environment, package = PACKAGES[side]
    code = DEFINE.format(type="text" if kind == "texts" else "media")
    return place.child(environment, f"{pairs}\n{IMPORT.format(package=package)}", code)


def _fresh_pairs(folder: Path, kind: str) -> Path:
    """A file with pairs that nobody has seen before."""
    run = next(_numbers)
    if kind == "urls":
        items = [f"https://images.example/{run}/{number}.jpg" for number in range(2 * PAIRS)]
    elif kind == "texts":
        items = [f"Answer {number} of run {run}." for number in range(2 * PAIRS)]
    else:
        items = _pictures(folder / f"pictures-{run}", run)
    file = folder / f"pairs-{run}.json"
    file.write_text(json.dumps([items[n : n + 2] for n in range(0, 2 * PAIRS, 2)]))
    return file


def _pictures(folder: Path, run: int) -> list[str]:
    """Small files that begin and end as a JPEG does."""
    folder.mkdir()
    chance = random.Random(run)
    head = bytes.fromhex("ffd8ffe000104a46494600010100000100010000")
    files = [folder / f"{number}.jpg" for number in range(2 * PAIRS)]
    for file in files:
        file.write_bytes(head + chance.randbytes(4096) + b"\xff\xd9")
    return [str(file) for file in files]


def _traffic(sandbox: Sandbox) -> dict[str, float]:
    entries = sandbox.requests()
    moved = sum(entry["body_bytes"] + entry["answer_bytes"] for entry in entries)
    return {"requests": len(entries), "bytes": moved}


# --- waiting --------------------------------------------------------------------------------------


def measure_watch() -> None:
    """Waiting for many jobs for a minute."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox.start(tls=True, speed=WATCH_SPEED) as sandbox,
    ):
        place = Place(sandbox, Path(folder))
        measured = {side: [_watch(place, side, count)] for side, count in WATCHED.items()}
    threads = {f"{side}_threads": int(runs[0]["threads"]) for side, runs in measured.items()}
    report("watch_requests", "requests", of(measured, "requests"))
    report("watch_cpu", "s", of(measured, "cpu"))
    report("watch_rss_mb", "MB", of(measured, "rss"), **threads)
    report("watch_wakeup_p99_s", "s", of(measured, "wakeup_p99"))


def _watch(place: Place, side: str, count: int) -> dict[str, float]:
    """One side's minute; requests and CPU as if it had waited for as many jobs as we do."""
    sandbox, folder = place.sandbox, place.folder / f"watch-{side}"
    folder.mkdir()
    sandbox.reset()
    job_ids = jobs_at_work(sandbox, count)
    (folder / "jobs").write_text(json.dumps(job_ids))
    with ThreadPoolExecutor(1) as pool:
        setup = READY_TO_WAIT[side].format(folder=folder)
        child = pool.submit(place.child, PACKAGES[side][0], setup, WAIT[side])
        while not (folder / "ready").exists() and not child.done():
            time.sleep(0.01)
        before = len(sandbox.requests())
        (folder / "go").touch()
        completed = _complete_some(sandbox, job_ids)
        used = child.result()
    report = json.loads((folder / "ended").read_text())
    ended: dict[str, float] = report["ended"]
    delays = sorted(ended[job_id] - at for job_id, at in completed.items() if job_id in ended)
    # The very last ones are completed too late for some who look every few seconds.
    assert len(delays) >= 0.8 * len(completed), (len(delays), len(completed))
    scale = WATCHED["ours"] / count
    return used | {
        "requests": (len(sandbox.requests()) - before) * scale,
        "cpu": used["cpu"] * scale,
        "wakeup_p99": delays[int(0.99 * len(delays))],
        "threads": report["threads"],
    }


def _complete_some(sandbox: Sandbox, job_ids: list[str]) -> dict[str, float]:
    """Complete one job in twenty, evenly over the minute; returns when."""
    started, chosen = time.time(), job_ids[::20]
    completed: dict[str, float] = {}
    for number, job_id in enumerate(chosen):
        time.sleep(max(0.0, started + SECONDS * (number + 0.5) / len(chosen) - time.time()))
        sandbox.set_job_state(job_id, "Completed")
        completed[job_id] = time.time()
    return completed


# --- the sandbox itself ---------------------------------------------------------------------------


def measure_ready(runs: int) -> None:
    """From the start of the process to its line that says where it is."""
    walls: list[float] = []
    cpus: list[float] = []
    for _ in range(runs):
        started = time.perf_counter()
        with Sandbox.start() as sandbox:
            walls.append(time.perf_counter() - started)
            cpus.append(cpu_seconds(sandbox.pid))
    report("sandbox_ready_s", "s", {"ours": walls}, cpu=statistics.median(cpus))


def measure_reads(runs: int) -> None:
    """Reads of one job and of a page of jobs, from another process; the slower kind counts."""
    with Sandbox.start() as sandbox, connected(sandbox) as connections:
        definition = _text_definition(connections, points=1)
        jobs = [_job(connections, definition, f"job {n}") for n in range(50)]
        paths = {"job": f"/job/{jobs[7]}", "page": "/jobs?page_size=10"}
        requests = {name: connections.request("GET", path) for name, path in paths.items()}
        loads: dict[str, list[Any]] = {name: [] for name in paths}
        for _ in range(runs):
            for name, request in requests.items():
                loads[name].append(load(connections, sandbox.pid, request, 2000))
    rates = {name: statistics.median(one.per_second for one in loads[name]) for name in paths}
    slower = min(rates, key=lambda name: rates[name])
    report(
        "sandbox_reads_per_s",
        "requests/s",
        {"ours": [one.per_second for one in loads[slower]]},
        **{
            name: {
                "per_s": round(rates[name], 1),
                "cpu_ms": round(1000 * statistics.median(one.cpu for one in loads[name]), 3),
            }
            for name in paths
        },
    )


def measure_responses() -> None:
    """The first download of the results of 10,000 texts with 10 responses each."""
    with Sandbox.start() as sandbox, connected(sandbox) as connections:
        definition = _text_definition(connections, points=10_000)
        job = _job(connections, definition, "large")
        sandbox.advance(30 * 86_400)
        request = connections.request("GET", f"/job/{job}/download-results")
        cpu, started = cpu_seconds(sandbox.pid), time.perf_counter()
        results = json.loads(connections.send([request])[0])
        wall = time.perf_counter() - started
        cpu = cpu_seconds(sandbox.pid) - cpu
        # Once more: what was made is kept.
        again = time.perf_counter()
        connections.send([request])
        again = time.perf_counter() - again
    assert sum(len(entry["detailedResults"]) for entry in results["results"]) == 100_000
    report("sandbox_responses_s", "s", {"ours": [wall]}, cpu=cpu, again=again)


@contextmanager
def connected(sandbox: Sandbox) -> Iterator[Connections]:
    """Connections with a token."""
    secret = base64.b64encode(f"{sandbox.client_id}:{sandbox.client_secret}".encode()).decode()
    request = urllib.request.Request(
        f"{sandbox.url}/connect/token",
        b"grant_type=client_credentials",
        {"Authorization": f"Basic {secret}"},
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    token = json.loads(direct.open(request).read())["access_token"]
    connections = Connections(sandbox.url, token)
    try:
        yield connections
    finally:
        connections.close()


def _text_definition(connections: Connections, points: int) -> str:
    def post(path: str, *bodies: object) -> list[dict[str, Any]]:
        requests = [connections.request("POST", path, json.dumps(body).encode()) for body in bodies]
        return [json.loads(answer) for answer in connections.send(requests)]

    def point(number: int) -> object:
        texts = [{"_t": "TextAssetInput", "text": f"{side} {number}"} for side in "ab"]
        asset = {"_t": "MultiAssetInput", "assets": texts}
        segments = [{"key": "asset", "kind": "Asset", "asset": asset}]
        return {"segments": segments, "sortIndex": number}

    dataset = post("/dataset", {"name": "benchmark"})[0]["datasetId"]
    post(f"/dataset/{dataset}/datapoint", *(point(number) for number in range(points)))
    rapid = {"_t": "Compare", "asset": {"segment": "asset"}, "criteria": {"literal": "Which?"}}
    definition = {
        "definitionName": "benchmark",
        "workflow": {"_t": "SimpleWorkflow", "rapid": rapid},
        "referee": {"_t": "NaiveReferee", "totalVotes": 10},
        "datasetId": dataset,
    }
    return post("/job/definition", definition)[0]["definitionId"]


def _job(connections: Connections, definition: str, name: str) -> str:
    body = {
        "jobDefinitionId": definition,
        "audienceId": "global",
        "revisionNumber": 1,
        "name": name,
    }
    request = connections.request("POST", "/job", json.dumps(body).encode())
    return json.loads(connections.send([request])[0])["jobId"]


# --- what is wanted -------------------------------------------------------------------------------

Wanted = Callable[[str], bool]
START = ("import_wall", "import_rss", "first_call_cpu")
DEFINE_FIGURES = ("cpu", "cpu_with_import", "rss", "wall", "wall_vs_bare", "requests", "bytes")


def main() -> None:
    """Measure what is wanted; the sides take turns, so that a noisy machine disturbs all alike."""
    parser = argparse.ArgumentParser(description="Measure the client and the sandbox.")
    parser.add_argument("--only", action="append", metavar="NAME", help="the beginning of a name")
    parser.add_argument("--quick", action="store_true", help="one run instead of several")
    options = parser.parse_args()
    runs = 1 if options.quick else RUNS

    def wanted(name: str) -> bool:
        return not options.only or name.startswith(tuple(options.only))

    if wanted("sandbox_ready_s"):
        measure_ready(runs)
    if wanted("sandbox_reads_per_s"):
        measure_reads(runs)
    if wanted("sandbox_responses_s"):
        measure_responses()
    if any(wanted(name) for name in WATCH):
        measure_watch()
    if any(wanted(name) for name in TRIGGERER):
        measure_triggerer(options.quick)
    if any(wanted(name) for name in FIGURES):
        measure_results(options.quick, wanted)
    kinds = [k for k in KINDS if any(wanted(f"define_{k}_{figure}") for figure in DEFINE_FIGURES)]
    if not kinds and not any(wanted(name) for name in START):
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox.start(tls=True) as near,
        Sandbox.start(tls=True, latency=LATENCY) as far,
    ):
        place, slow = Place(near, Path(folder)), Place(far, Path(folder))
        if any(wanted(name) for name in START):
            measure_start(place, runs)
        for kind in kinds:
            measure_define(place, slow, kind, runs, wanted)


if __name__ == "__main__":
    main()
