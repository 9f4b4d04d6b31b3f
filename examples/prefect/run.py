"""Run the flow `human_labels` on a Prefect server of its own: python run.py OUTPUT_DIR.

Which platform it asks is up to RAPIDATA_ENVIRONMENT, RAPIDATA_CLIENT_ID and
RAPIDATA_CLIENT_SECRET. Standard output gets one line of JSON per job, standard error the progress.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

START_SECONDS = 120
STOP_SECONDS = 20


def main(directory: str) -> None:
    with tempfile.TemporaryDirectory(prefix="rapidata-prefect-") as home:
        use_home(home)
        with prefect_server(Path(home) / "server.log") as url:
            os.environ["PREFECT_API_URL"] = url
            for manifest in asyncio.run(run_flow(directory)):
                print(json.dumps({**manifest, "engine": "prefect"}))


async def run_flow(directory: str) -> list[dict[str, object]]:
    # Prefect reads its settings when it is imported, so it is not imported before they are made.
    from human_labels import human_labels
    from prefect.logging.handlers import APILogHandler

    from rapidata_prefect import RapidataCredentials

    block = RapidataCredentials(
        client_id=os.environ.get("RAPIDATA_CLIENT_ID", ""),
        client_secret=os.environ.get("RAPIDATA_CLIENT_SECRET", ""),
        environment=os.environ.get("RAPIDATA_ENVIRONMENT", ""),
    )
    await block.save("rapidata", overwrite=True)
    try:
        return await human_labels(directory, credentials="rapidata")
    finally:
        # The server ends before this process, which would send the last of its logs too late.
        await APILogHandler.aflush()


def use_home(home: str) -> None:
    """Keep this run apart from the Prefect of whoever runs it, and from the network."""
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]
    os.environ |= {
        "PREFECT_HOME": home,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


@contextlib.contextmanager
def prefect_server(log: Path) -> Iterator[str]:
    """Run a Prefect server; its log is shown if anything goes wrong."""
    port = free_port()
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    url = f"http://127.0.0.1:{port}/api"
    try:
        print("starting a Prefect server", file=sys.stderr)
        wait_until_healthy(server, f"{url}/health")
        yield url
    except Exception:
        print("last words of the Prefect server:", tail(log), sep="\n", file=sys.stderr)
        raise
    finally:
        stop(server)


def wait_until_healthy(server: subprocess.Popen[bytes], url: str) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"the Prefect server ended with status {server.returncode}")
        with contextlib.suppress(OSError), direct.open(url, timeout=5):
            return
        time.sleep(0.2)
    raise TimeoutError(f"the Prefect server did not start within {START_SECONDS} s")


def stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-40:])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} OUTPUT_DIR")
    main(sys.argv[1])
