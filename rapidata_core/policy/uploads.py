"""How uploads are cut into requests, and what their answers mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rapidata_core.wire.asset import BatchResult

BATCH_SIZE = 1000
COMPLETED = "Completed"
ABORTED = "Aborted"


@dataclass
class Uploaded:
    """What became of the URLs.

    Attributes:
        names: The platform's file name by URL.
        failures: The reason by URL.
    """

    names: dict[str, str] = field(default_factory=dict[str, str])
    failures: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, batch: BatchResult) -> None:
        """Take in the answer about one batch."""
        for item in batch.items:
            if item.status == COMPLETED and item.file_name:
                self.names[item.url] = item.file_name
            else:
                reason = item.error_message or item.stage or f"ended as {item.status}"
                self.failures[item.url] = reason


def batches(urls: Sequence[str]) -> Iterator[list[str]]:
    """Cut the URLs into batches that the platform accepts."""
    for start in range(0, len(urls), BATCH_SIZE):
        yield list(urls[start : start + BATCH_SIZE])
