"""The command line: ``rapidata-orchestration sandbox``.

Nothing heavy is imported before a subcommand needs it.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rapidata_core.sandbox.server import Ready
    from rapidata_core.sandbox.settings import Settings

PROGRAM = "rapidata-orchestration"
_NEEDED = {"starlette", "uvicorn", "h11", "sqlalchemy", "python_multipart", "trustme"}
_EXTRA = "The sandbox needs the extra: pip install 'rapidata-orchestration[sandbox]'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:2] == ["sandbox", "exec"]:
        return _exec(given[2:])
    options = _parser().parse_args(given)
    return _sandbox(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Rapidata for data orchestration.")
    commands = parser.add_subparsers(dest="command", required=True)
    sandbox = commands.add_parser(
        "sandbox",
        help="run a local platform with simulated people and money",
        description="Run a local platform that speaks Rapidata's API, with simulated people and "
        "money: no network, no account, no cost.",
        epilog="'sandbox exec [options] -- COMMAND ...' runs a command with a sandbox of its own.",
    )
    _add_sandbox_options(sandbox)
    sandbox.add_argument(
        "--json", action="store_true", help="print one line of JSON when ready, and nothing else"
    )
    sandbox.add_argument(
        "--until-stdin-closes", action="store_true", help="end when standard input does"
    )
    return parser


def _exec_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} sandbox exec",
        usage="%(prog)s [options] -- COMMAND ...",
        description="Run a command with a sandbox of its own; the exit status is the command's.",
    )
    _add_sandbox_options(parser)
    return parser


def _add_sandbox_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--port", type=int, help="where to listen; 0 takes any free port")
    add("--host", default="127.0.0.1", help="another address needs --allow-remote")
    add("--allow-remote", action="store_true", help="let other machines in")
    add("--tls", action="store_true", help="speak https, as the vendor's SDK needs it")
    add("--db", type=Path, metavar="FILE", help="keep everything in a file")
    add("--seed", type=int, help="decides ids, people and answers (default 0)")
    add("--speed", type=_speed, default=1.0, help="simulated seconds per real second")
    add(
        "--clock-start",
        type=_moment,
        metavar="TIME",
        help="where the clock begins (RFC 3339; default now)",
    )
    add(
        "--latency",
        type=_latency,
        default=0.0,
        metavar="MS",
        help="milliseconds that every answer of the platform takes longer",
    )
    add("--faults", type=Path, metavar="FILE", help="what goes wrong, as a JSON list of faults")


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 <= speed <= 1_000_000:
        raise argparse.ArgumentTypeError("the speed is between 0 and a million")
    return speed


def _latency(text: str) -> float:
    """Milliseconds as seconds."""
    latency = float(text) / 1000
    if not 0 <= latency <= 60:
        raise argparse.ArgumentTypeError("the latency is between 0 and 60000 milliseconds")
    return latency


def _moment(text: str) -> int:
    from rapidata_core.sandbox.clock import parse_rfc3339

    try:
        return parse_rfc3339(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time such as 2026-01-31T08:00:00Z"
        ) from error


def _sandbox(options: argparse.Namespace) -> int:
    from rapidata_core.sandbox.settings import SettingsError

    try:
        return _serve(options, _settings(options))
    except SettingsError as error:
        return _fail(str(error))
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        return _fail(f"{_EXTRA} ({error.name} is missing).")


def _serve(options: argparse.Namespace, settings: Settings) -> int:
    # What is imported stays; looking for garbage among it would take a tenth of the start.
    gc.disable()
    from rapidata_core.sandbox.server import ServerError, serve

    gc.freeze()
    gc.enable()
    announce = _announce_json if options.json else _announce
    try:
        serve(settings, announce, until_stdin_closes=options.until_stdin_closes)
    except ServerError as error:
        return _fail(str(error))
    return 0


def _settings(options: argparse.Namespace) -> Settings:
    from rapidata_core.sandbox.settings import DEFAULT_PORT, Settings

    return Settings(
        host=options.host,
        port=DEFAULT_PORT if options.port is None else options.port,
        allow_remote=options.allow_remote,
        tls=options.tls,
        db=options.db,
        seed=options.seed,
        speed=options.speed,
        start=options.clock_start,
        latency=options.latency,
        faults=options.faults,
    )


def _announce_json(ready: Ready) -> None:
    print(json.dumps(ready.json()), flush=True)


def _announce(ready: Ready) -> None:
    lines = [
        f"The Rapidata sandbox is at {ready.url} (people and money are simulated).",
        "",
        f"export RAPIDATA_ENVIRONMENT={ready.vendor_environment or ready.url}",
        f"export RAPIDATA_CLIENT_ID={ready.account.client_id}",
        f"export RAPIDATA_CLIENT_SECRET={ready.account.client_secret}",
    ]
    if ready.ca_file is not None:
        lines += [f"export SSL_CERT_FILE={ready.ca_file}", "export RAPIDATA_DISABLE_OTLP=1"]
    print("\n".join(lines), flush=True)


def _exec(arguments: Sequence[str]) -> int:
    parser = _exec_parser()
    split = arguments.index("--") if "--" in arguments else len(arguments)
    command = list(arguments[split + 1 :])
    options = parser.parse_args(arguments[:split])
    if not command:
        parser.error("the command is missing: put it behind --")
    from rapidata_core.sandbox.process import Sandbox, SandboxError

    given = list(arguments[:split])
    try:
        # Several commands may run at the same time, so each takes a free port.
        sandbox = Sandbox.start_with(given if options.port is not None else [*given, "--port", "0"])
    except SandboxError as error:
        return _fail(str(error))
    with sandbox:
        return _run(command, os.environ | sandbox.environ)


def _run(command: Sequence[str], environ: dict[str, str]) -> int:
    """Run a command, handing signals on; returns its status as a shell would."""
    try:
        process = subprocess.Popen(command, env=environ)
    except OSError as error:
        _fail(f"Cannot run {command[0]}: {error.strerror}.")
        return 127 if isinstance(error, FileNotFoundError) else 126

    def forward(number: int, _frame: FrameType | None) -> None:
        # A terminal sends Ctrl-C to the command as well; once is enough.
        if number != signal.SIGINT or not _in_foreground():
            process.send_signal(number)

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        status = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - status if status < 0 else status


def _in_foreground() -> bool:
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False


def _fail(message: str) -> int:
    print(f"{PROGRAM}: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
