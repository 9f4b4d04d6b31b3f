"""What a sandbox is started with."""

from __future__ import annotations

import hashlib
import ipaddress
import uuid
from dataclasses import dataclass
from pathlib import Path

DEFAULT_PORT = 8765
OWNER_MAIL = "sandbox@rapidata.invalid"
ORGANIZATION_ID = "sbx_organization"


class SettingsError(Exception):
    """A sandbox must not be started like this."""


@dataclass(frozen=True)
class Settings:
    """The arguments of ``rapidata-orchestration sandbox``.

    Attributes:
        port: 0 takes any free port.
        db: The file that keeps everything; ``None`` keeps it in memory.
        seed: Decides ids, people and answers.
        speed: Simulated seconds per real second; 0 stops the clock between jumps.
        start: Where the clock begins, in microseconds since the epoch; ``None`` is now.
        latency: Seconds that every answer of the platform takes longer, as on a long line.
        faults: The file that says what goes wrong from the beginning.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    allow_remote: bool = False
    tls: bool = False
    db: Path | None = None
    seed: int | None = None
    speed: float = 1.0
    start: int | None = None
    latency: float = 0.0
    faults: Path | None = None

    def __post_init__(self) -> None:
        """Keep strangers out.

        Raises:
            SettingsError: Other machines would get in, and nobody said that they may.
        """
        if not (self.allow_remote or _is_loopback(self.host)):
            raise SettingsError(
                f"{self.host} is not a loopback address: anybody who reaches it could use this "
                "sandbox, whose control API asks for no password. Add --allow-remote if you "
                "mean it."
            )


@dataclass(frozen=True)
class Account:
    """The only account of a sandbox.

    It derives from the seed, so clients go on after a restart. The sandbox guards no secret: it
    checks credentials so that clients can be tested with wrong ones.
    """

    client_id: str
    client_secret: str
    owner_id: str

    @classmethod
    def of(cls, seed: int) -> Account:
        """The account of a seed."""
        return cls(
            client_id=f"sbx-client-{_digest('client', seed)[:12]}",
            client_secret=f"sbx-secret-{_digest('secret', seed)}",
            owner_id=str(
                uuid.uuid5(uuid.NAMESPACE_URL, f"https://sandbox.rapidata.invalid/{seed}")
            ),
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _digest(purpose: str, seed: int) -> str:
    return hashlib.blake2b(f"{purpose}/{seed}".encode(), digest_size=16).hexdigest()
