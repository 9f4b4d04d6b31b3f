"""Audience filters: which of the simulated people one selects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from rapidata_core.sandbox import crowd

Json = Mapping[str, Any]

_DEMOGRAPHICS: dict[str, tuple[str, ...]] = {
    "age": ("0-17", "18-29", "30-39", "40-49", "50-64", "65+"),
    "gender": ("Male", "Female", "Other"),
}
_DEVICES = ("Unknown", "Phone", "Tablet")
_TRAITS: dict[str, tuple[str, str, Callable[[str], bool], str]] = {
    "CountryFilter": (
        "country",
        "countries",
        lambda text: len(text) == 2 and text.isascii() and text.isalpha(),
        "is not a country code of two letters, such as US",
    ),
    "LanguageFilter": (
        "language",
        "languages",
        lambda text: len(text) == 2 and text.isascii() and text.isalpha(),
        "is not a language code of two letters, such as en",
    ),
    "DeviceFilter": (
        "device",
        "deviceTypes",
        lambda text: text in _DEVICES,
        f"is not one of {', '.join(_DEVICES)}",
    ),
}
"""Per kind: the trait, the member with the values, what a value must be, and how to say so."""

KINDS = (*_TRAITS, "DemographicFilter", "AndFilter", "OrFilter", "NotFilter")


def problems(wanted: Any) -> Iterator[str]:
    """Everything that is wrong with a filter."""
    match wanted:
        case {"_t": "AndFilter" | "OrFilter" as kind}:
            parts = wanted.get("filters")
            if not isinstance(parts, list) or not parts:
                yield f"{kind} needs a list of filters."
                return
            for part in cast("list[Any]", parts):
                yield from problems(part)
        case {"_t": "NotFilter"}:
            yield from problems(wanted.get("filter"))
        case {"_t": "DemographicFilter"}:
            identifier = wanted.get("identifier")
            known = _DEMOGRAPHICS.get(identifier) if isinstance(identifier, str) else None
            if known is None:
                yield (
                    f"{identifier!r} is not something people can be filtered by; "
                    f"there are {', '.join(_DEMOGRAPHICS)}."
                )
                return
            yield from _value_problems(
                wanted, "values", lambda text: text in known, f"is not one of {', '.join(known)}"
            )
        case {"_t": str(kind)} if kind in _TRAITS:
            _, member, accepts, complaint = _TRAITS[kind]
            yield from _value_problems(wanted, member, accepts, complaint)
        case {"_t": kind}:
            yield f"{kind!r} is not a filter of audiences; there are {', '.join(KINDS)}."
        case _:
            yield f"A filter is an object with _t, one of {', '.join(KINDS)}."


def selected(seed: int, population: str, filters: Sequence[Json]) -> Sequence[int]:
    """The numbers of the people of a population whom all filters select, in ascending order."""
    if not filters:
        return range(crowd.POPULATION)
    return _selected(seed, population, json.dumps(filters, sort_keys=True))


@lru_cache(maxsize=32)
def _selected(seed: int, population: str, filters: str) -> Sequence[int]:
    return sorted(_matching(seed, population, {"_t": "AndFilter", "filters": json.loads(filters)}))


def _matching(seed: int, population: str, wanted: Json) -> set[int]:
    match wanted["_t"]:
        case "AndFilter":
            parts = [_matching(seed, population, part) for part in wanted["filters"]]
            return parts[0].intersection(*parts[1:])
        case "OrFilter":
            return set[int]().union(
                *(_matching(seed, population, part) for part in wanted["filters"])
            )
        case "NotFilter":
            return set(range(crowd.POPULATION)) - _matching(seed, population, wanted["filter"])
        case "DemographicFilter":
            return _having(seed, population, wanted["identifier"], wanted["values"])
        case kind:
            trait, member, _, _ = _TRAITS[kind]
            return _having(seed, population, trait, wanted[member])


def _having(seed: int, population: str, trait: str, values: Sequence[str]) -> set[int]:
    # Codes are compared without regard to case, as the platform's own clients normalise them.
    wanted = {value.lower() for value in values}
    column = _column(seed, population, trait)
    return {number for number, value in enumerate(column) if value in wanted}


@lru_cache(maxsize=16)
def _column(seed: int, population: str, trait: str) -> Sequence[str]:
    """One trait of everybody: a tenth of a second instead of one for whole labelers."""
    return [
        crowd.trait(seed, population, number, trait).lower() for number in range(crowd.POPULATION)
    ]


def _value_problems(
    wanted: Json, member: str, accepts: Callable[[str], bool], complaint: str
) -> Iterator[str]:
    values = wanted.get(member)
    if not isinstance(values, list) or not values:
        yield f"{wanted['_t']} needs a list of {member}."
        return
    for value in cast("list[Any]", values):
        if not isinstance(value, str) or not accepts(value):
            yield f"{value!r} {complaint}."
