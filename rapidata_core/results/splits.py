"""Which rows a model may learn from, and which are kept to test it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, cast

from rapidata_core.errors import ValidationError, first, outside, refuse
from rapidata_core.results.frames import rows, table_problems

if TYPE_CHECKING:
    import pandas


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
    problems += table_problems("frame", frame, names) + outside("test_share", test_share, 0, 1)
    refuse(problems)
    groups: list[str] = []
    for row, values in enumerate(rows(frame, *names)):
        try:
            groups.append(json.dumps([_plain(value) for value in values]))
        except ValueError as error:
            problems.append(f"row {row}: {error}")
    if problems:
        raise ValidationError("by", first(problems))
    sides = ["test" if _fraction(group, seed) < test_share else "train" for group in groups]
    return pandas.Series(sides, index=frame.index, dtype="string", name="split")


def _fraction(group: str, seed: int) -> float:
    """What decides about a group: a number from 0 to below 1."""
    digest = hashlib.blake2b(group.encode(), key=str(seed).encode(), digest_size=8).digest()
    # 53 bits fit into a float exactly, so that it is below 1.
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
