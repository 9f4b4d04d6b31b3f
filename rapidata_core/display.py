"""What people at a terminal see: the address of a page, and how far a job is.

``rapidata_config.logging.silent_mode`` turns all of it off.
"""

from __future__ import annotations

import sys
import webbrowser

from rapidata_core.config import rapidata_config
from rapidata_core.types import JobProgress


def show(url: str) -> None:
    """Open a page, or print its address where there is no browser: a worker, a container."""
    if not webbrowser.open(url):
        _write(f"{url}\n")


def draw_progress(progress: JobProgress) -> None:
    """Draw a progress bar on standard error: one line that grows, in a log file a line each."""
    filled = round(progress.completion_percentage / 4)
    bar = "#" * filled + "-" * (25 - filled)
    line = f"[{bar}] {progress.completion_percentage:5.1f} % {progress.state:<9}"
    _write(f"\r{line}" if sys.stderr.isatty() else f"{line.rstrip()}\n")


def end_progress() -> None:
    """End the line that grew."""
    if sys.stderr.isatty():
        _write("\n")


def _write(text: str) -> None:
    if rapidata_config.logging.silent_mode:
        return
    sys.stderr.write(text)
    sys.stderr.flush()
