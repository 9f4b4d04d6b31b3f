"""What results tell about the people who answered."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import cast

from rapidata_core.errors import ValidationError

# 16 hex digits = 64 bits: among a million labelers the chance that two share one is below 1e-7.
_DIGITS = 16
# What can be tried out is no secret.
_SHORTEST_KEY = 16


@dataclass(frozen=True)
class Privacy:
    """What tables hold about the people who answered. By default as little as possible.

    Attributes:
        demographics: Whether to keep age, gender and occupation, where the platform tells them.
            Some labelers are minors, and three such facts with country and language may single
            somebody out: keep them only for a purpose that you can name.
        labeler_key: A secret of yours, at least 16 characters long. Where the platform says who
            answered, the column ``labeler`` then has a pseudonym made with it (see
            :func:`pseudonym`); without a key it stays empty.

    Raises:
        ValidationError: The key is too short.
    """

    demographics: bool = False
    labeler_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        key = cast("object", self.labeler_key)
        if key is not None and not (isinstance(key, str) and len(key) >= _SHORTEST_KEY):
            problem = f"must be a text of {_SHORTEST_KEY} characters or more; a random one is best"
            raise ValidationError("labeler_key", [problem])


def pseudonym(labeler_id: str, key: str) -> str:
    """A labeler's name in tables: the same for the same person and key, and nothing without it.

    It is the beginning of HMAC-SHA256 (RFC 2104) of the platform's id, 16 hex digits.

    Args:
        labeler_id: As the platform names the person.
        key: Your secret.
    """
    return hmac.new(key.encode(), labeler_id.encode(), hashlib.sha256).hexdigest()[:_DIGITS]
