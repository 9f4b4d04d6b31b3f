"""Which rows a model may learn from, and which are kept to test it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, cast

from rapidata_core.errors import ValidationError, is_number

if TYPE_CHECKING:
    import pandas
_MAX_LISTED = 10


def split(
    frame: pandas.DataFrame, *, by: str | Sequence[str], test_share: float = 0.2, seed: int = 0
) -> pandas.Series[str]:
    """Divide rows into ``train`` and ``test``, so that a group is never in both.

    The side of a group is decided by a keyed hash of its value (BLAKE2b, RFC 7693), and by nothing
    else: it stays the same when rows come, go or change places, on every machine. With a larger
    ``test_share``, groups only move from ``train`` to ``test``.

    Args:
        frame: Any table, for example of labels.
        by: The column that tells the groups, for example ``datapoint_id`` or ``context``; several
            columns are a group together. Of a list, such as ``items``, the order does not matter.
        test_share: Which part of the groups is for testing, on average, 0 to 1.
        seed: Another one gives another division.

    Returns:
        ``train`` or ``test`` for each row, with the frame's index.

    Raises:
        ValidationError: A column is missing, a value is null or no group, or the share is none.
    """
    import pandas

    names = [by] if isinstance(by, str) else list(by)
    problems = [] if names else ["by: name a column"]
    problems += [f"by: there is no column {name!r}" for name in names if name not in frame.columns]
    if not (is_number(test_share) and 0 <= test_share <= 1):
        problems.append(f"test_share: must be from 0 to 1, not {test_share!r}")
    if problems:
        raise ValidationError("split", problems)
    groups: list[str] = []
    for row, values in enumerate(zip(*(frame[name].tolist() for name in names), strict=True)):
        try:
            groups.append(json.dumps([_plain(value) for value in values]))
        except ValueError as error:
            problems.append(f"row {row}: {error}")
    if problems:
        raise ValidationError("by", problems[:_MAX_LISTED])
    sides = ["test" if _place(group, seed) < test_share else "train" for group in groups]
    return pandas.Series(sides, index=frame.index, dtype="string", name="split")


def _place(group: str, seed: int) -> float:
    """Where a group is between 0 and 1."""
    digest = hashlib.blake2b(group.encode(), key=str(seed).encode(), digest_size=8).digest()
    # 53 bits fit into a float exactly, so that the place is below 1.
    return (int.from_bytes(digest) >> 11) / 2**53


def _plain(value: Any) -> str | int | float | list[str]:
    """A value as JSON has it, the same whatever the column's type happens to be."""
    import numpy

    if isinstance(value, (list, tuple, numpy.ndarray)):
        return sorted(json.dumps(_plain(part)) for part in cast("Sequence[Any]", value))
    plain = cast("object", value.item() if isinstance(value, numpy.generic) else value)
    if isinstance(plain, str | int):
        return plain
    if isinstance(plain, float) and isfinite(plain):
        # Whole numbers become floats in a column with nulls.
        return int(plain) if plain.is_integer() else plain
    raise ValueError(f"a group must be a text, a number or a list of these, not {value!r}")
