"""The server as a process: persistence, determinism, TLS, the command line, the fixture."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rapidata_core.sandbox.process import Sandbox, SandboxError

CLI = [sys.executable, "-m", "rapidata_core.cli"]


def gone(pid, within=10.0):
    """Whether a process ends in time."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_nothing_acknowledged_is_lost_in_a_crash(tmp_path, connect):
    db = tmp_path / "sandbox.db"
    sandbox = Sandbox.start(db=db, seed=5, speed=20)
    platform = connect(sandbox)
    first = platform.compare_job(name="first")
    sandbox.advance(1000)
    file = platform.results(first)
    second = platform.compare_job(points=200, votes=500, name="second")
    time.sleep(0.2)
    before = platform.ok("GET", f"/job/{second}/progress")["responseCount"]
    ledger, now = sandbox.ledger(), sandbox.now()
    sandbox.kill()

    with Sandbox.start(db=db, speed=20) as again:
        platform = connect(again)
        assert again.client_secret == sandbox.client_secret
        assert platform.results(first) == file
        assert again.ledger() == ledger
        # The clock goes on, so nothing that was answered is unanswered again.
        assert again.now() > now
        assert platform.ok("GET", f"/job/{second}/progress")["responseCount"] >= before
        assert platform.compare_job() not in (first, second)


def test_a_file_has_one_sandbox_and_one_seed(tmp_path, capfd):
    db = tmp_path / "sandbox.db"
    with Sandbox.start(db=db, seed=1):
        with pytest.raises(SandboxError):
            Sandbox.start(db=db)
        assert "another sandbox uses it" in capfd.readouterr().err
    with pytest.raises(SandboxError):
        Sandbox.start(db=db, seed=2)
    assert "--seed 1" in capfd.readouterr().err


def answers(connect, seed):
    """All bytes that a fresh sandbox answers to a fixed list of requests."""
    start = "2026-01-31T08:00:00Z"
    with Sandbox.start(seed=seed, speed=0, clock_start=start) as sandbox:
        platform = connect(sandbox)
        seen = []
        platform.event_hooks["response"].append(lambda response: seen.append(response.read()))
        job_id = platform.compare_job(points=5, votes=30)
        paths = (
            f"/job/{job_id}",
            f"/job/{job_id}/progress",
            f"/job/{job_id}/responses",
            "/jobs",
            "/x",
        )
        for _ in range(3):
            for path in paths:
                platform.get(path)
            sandbox.advance(4.5)
        seen.append(platform.results(job_id))
        seen.append(sandbox.ledger())
        return seen


def test_same_seed_same_requests_same_clock_same_bytes(connect):
    assert answers(connect, 7) == answers(connect, 7)
    assert answers(connect, 7) != answers(connect, 8)


def test_a_stopped_clock_moves_only_by_jumps(connect):
    with Sandbox.start(speed=0) as sandbox:
        before = sandbox.now()
        assert sandbox.now() == before
        assert sandbox.advance(1.5) > before


def test_tls(connect):
    with Sandbox.start(tls=True) as sandbox:
        assert sandbox.url.startswith("https://127.0.0.1:")
        assert sandbox.environ["RAPIDATA_ENVIRONMENT"] == f"@{sandbox.url.removeprefix('https://')}"
        assert sandbox.environ["SSL_CERT_FILE"] == sandbox.ca_file
        platform = connect(sandbox)
        assert platform.ok("GET", "/audience/global")["name"] == "Global"
        assert sandbox.ledger()["balance"] == 1000.0
        folder = Path(sandbox.ca_file).parent
        assert (folder / "server.pem").stat().st_mode & 0o077 == 0
    assert not folder.exists()


def run(*arguments, **more):
    return subprocess.run(
        [*CLI, *arguments], capture_output=True, text=True, timeout=60, check=False, **more
    )


def test_it_refuses_other_machines_unless_told_so():
    for host in ("0.0.0.0", "192.0.2.1", "example.com"):
        refused = run("sandbox", "--host", host, "--port", "0")
        assert refused.returncode == 2
        assert "--allow-remote" in refused.stderr
    with Sandbox.start_with(["--host", "0.0.0.0", "--allow-remote", "--port", "0"]) as sandbox:
        assert sandbox.ledger()["balance"] == 1000.0


def test_a_taken_port_is_explained():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = run("sandbox", "--port", str(taken.getsockname()[1]))
    assert refused.returncode == 2
    assert "--port 0" in refused.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly(number):
    process = subprocess.Popen(
        [*CLI, "sandbox", "--json", "--port", "0", "--tls"], stdout=subprocess.PIPE, text=True
    )
    ready = json.loads(process.stdout.readline())
    assert " ".join(ready) == (
        "api_url environment client_id client_secret ca_file vendor_environment pid"
    )
    assert ready["vendor_environment"] == "@" + ready["api_url"].removeprefix("https://")
    folder = Path(ready["ca_file"]).parent
    process.send_signal(number)
    rest, _ = process.communicate(timeout=20)
    assert (process.returncode, rest) == (0, "")
    assert not folder.exists()


def test_without_json_it_says_what_to_export():
    process = subprocess.Popen([*CLI, "sandbox", "--port", "0"], stdout=subprocess.PIPE, text=True)
    lines = [process.stdout.readline() for _ in range(5)]
    process.terminate()
    process.communicate(timeout=20)
    exported = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines[2:])
    assert exported["RAPIDATA_ENVIRONMENT"] in lines[0]
    assert set(exported) == {"RAPIDATA_ENVIRONMENT", "RAPIDATA_CLIENT_ID", "RAPIDATA_CLIENT_SECRET"}


def test_it_ends_with_its_parent(tmp_path):
    program = (
        "import os, signal\n"
        "from rapidata_core.sandbox.process import Sandbox\n"
        "print(Sandbox.start().pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, timeout=60, check=False
    )
    assert parent.returncode == -signal.SIGKILL
    assert gone(int(parent.stdout))


SHOW = "import os; print(os.environ['RAPIDATA_ENVIRONMENT'], os.environ['SANDBOX_URL'])"


def test_exec_runs_a_command_with_a_sandbox():
    plain = run("sandbox", "exec", "--", sys.executable, "-c", SHOW)
    assert plain.returncode == 0, plain.stderr
    environment, url = plain.stdout.split()
    assert environment == url
    assert url.startswith("http://127.0.0.1:")
    secure = run("sandbox", "exec", "--tls", "--", sys.executable, "-c", SHOW)
    environment, url = secure.stdout.split()
    assert f"https://{environment.removeprefix('@')}" == url


def test_exec_talks_to_the_sandbox_and_ends_it():
    program = (
        "import os, urllib.request as u\n"
        "print(u.build_opener(u.ProxyHandler({})).open(os.environ['SANDBOX_URL']"
        " + '/_sandbox/health').status)\n"
        "print(os.environ['SANDBOX_URL'].rpartition(':')[2])\n"
    )
    done = run("sandbox", "exec", "--speed", "5", "--", sys.executable, "-c", program)
    assert done.returncode == 0, done.stderr
    status, port = done.stdout.split()
    assert status == "200"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)), timeout=5)


def test_exec_returns_the_status_of_the_command():
    def status(program):
        return run("sandbox", "exec", "--", sys.executable, "-c", program).returncode

    assert status("raise SystemExit(7)") == 7
    assert status("import os; os.kill(os.getpid(), 9)") == 128 + 9
    missing = run("sandbox", "exec", "--", "no-such-command-anywhere")
    assert missing.returncode == 127
    assert "no-such-command-anywhere" in missing.stderr
    assert run("sandbox", "exec").returncode == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_exec_hands_signals_on(number):
    program = (
        "import signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(42))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [*CLI, "sandbox", "exec", "--", sys.executable, "-c", program],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 42


def test_a_missing_extra_is_named(tmp_path):
    (tmp_path / "starlette.py").write_text("raise ModuleNotFoundError('x', name='starlette')\n")
    environ = os.environ | {"PYTHONPATH": str(tmp_path)}
    refused = run("sandbox", "--port", "0", env=environ)
    assert refused.returncode == 2
    assert "rapidata-orchestration[sandbox]" in refused.stderr


def test_the_plugin_and_the_command_line_import_little():
    program = (
        "import sys, rapidata_core, rapidata_core.cli, rapidata_core.sandbox.pytest_plugin\n"
        "import rapidata_core.sandbox.process\n"
        "heavy = ('starlette', 'uvicorn', 'sqlalchemy', 'httpx', 'httpx2', 'pandas', 'trustme')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_fixture_isolates_tests_of_other_projects(tmp_path):
    """In an own pytest run, on two workers, without a home."""
    (tmp_path / "test_it.py").write_text(
        "import os, pytest\n"
        "@pytest.mark.parametrize('n', range(6))\n"
        "def test_it(rapidata_sandbox, n):\n"
        "    assert os.environ['SANDBOX_URL'] == rapidata_sandbox.url\n"
        "    assert rapidata_sandbox.requests() == []\n"
        "    rapidata_sandbox.request('GET', '/_sandbox/health')\n"
        "    rapidata_sandbox.advance(10 ** 6)\n"
        "    print('url', rapidata_sandbox.url)\n"
        "def test_without():\n"
        "    assert 'SANDBOX_URL' not in os.environ\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    for name in ("SANDBOX_URL", "RAPIDATA_ENVIRONMENT"):
        clean.pop(name, None)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-rA",
            "-n2",
            "-p",
            "no:cacheprovider",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        cwd=tmp_path,
        env=clean | {"HOME": str(home)},
    )
    assert done.returncode == 0, done.stdout
    urls = {line for line in done.stdout.splitlines() if line.startswith("url ")}
    assert len(urls) == 2
    assert list(home.iterdir()) == []
