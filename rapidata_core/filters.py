"""Which labelers an audience takes: filters, combined with ``&``, ``|`` and ``~``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from rapidata_core.errors import ValidationError

Json = dict[str, Any]


class AgeGroup(StrEnum):
    """Age groups that labelers give."""

    UNDER_18 = "0-17"
    BETWEEN_18_29 = "18-29"
    BETWEEN_30_39 = "30-39"
    BETWEEN_40_49 = "40-49"
    BETWEEN_50_64 = "50-64"
    OVER_65 = "65+"


class Gender(StrEnum):
    """Genders that labelers give."""

    MALE = "Male"
    FEMALE = "Female"
    OTHER = "Other"


class DeviceType(StrEnum):
    """What a labeler holds in the hand."""

    UNKNOWN = "Unknown"
    PHONE = "Phone"
    TABLET = "Tablet"


class Filter:
    """What all filters can do: be combined, and be written for the platform."""

    def wire(self) -> Json:
        """The filter as the platform reads it."""
        raise NotImplementedError

    def __and__(self, other: Filter) -> AndFilter:
        return AndFilter([*_parts(AndFilter, self), *_parts(AndFilter, other)])

    def __or__(self, other: Filter) -> OrFilter:
        return OrFilter([*_parts(OrFilter, self), *_parts(OrFilter, other)])

    def __invert__(self) -> NotFilter:
        return NotFilter(self)


@dataclass(frozen=True)
class CountryFilter(Filter):
    """Labelers in one of these countries.

    Attributes:
        country_codes: ISO 3166 codes of two letters, for example ``US``.
    """

    country_codes: Sequence[str]

    def __post_init__(self) -> None:
        _set(self, "country_codes", _codes(self, self.country_codes, str.upper))

    def wire(self) -> Json:
        """See :meth:`Filter.wire`."""
        return {"_t": "CountryFilter", "countries": list(self.country_codes)}


@dataclass(frozen=True)
class LanguageFilter(Filter):
    """Labelers whose device speaks one of these languages.

    Attributes:
        language_codes: ISO 639-1 codes of two letters, for example ``en``.
    """

    language_codes: Sequence[str]

    def __post_init__(self) -> None:
        _set(self, "language_codes", _codes(self, self.language_codes, str.lower))

    def wire(self) -> Json:
        """See :meth:`Filter.wire`."""
        return {"_t": "LanguageFilter", "languages": list(self.language_codes)}


@dataclass(frozen=True)
class AgeFilter(Filter):
    """Labelers in one of these age groups.

    Attributes:
        age_groups: :class:`AgeGroup` values.
    """

    age_groups: Sequence[AgeGroup]

    def __post_init__(self) -> None:
        _set(self, "age_groups", _choices(self, self.age_groups, AgeGroup))

    def wire(self) -> Json:
        """See :meth:`Filter.wire`."""
        return _demographic("age", self.age_groups)


@dataclass(frozen=True)
class GenderFilter(Filter):
    """Labelers of one of these genders.

    Attributes:
        genders: :class:`Gender` values.
    """

    genders: Sequence[Gender]

    def __post_init__(self) -> None:
        _set(self, "genders", _choices(self, self.genders, Gender))

    def wire(self) -> Json:
        """See :meth:`Filter.wire`."""
        return _demographic("gender", self.genders)


@dataclass(frozen=True)
class DeviceFilter(Filter):
    """Labelers with one of these devices.

    Attributes:
        device_types: :class:`DeviceType` values.
    """

    device_types: Sequence[DeviceType]

    def __post_init__(self) -> None:
        _set(self, "device_types", _choices(self, self.device_types, DeviceType))

    def wire(self) -> Json:
        """See :meth:`Filter.wire`."""
        return {"_t": "DeviceFilter", "deviceTypes": [str(kind) for kind in self.device_types]}


@dataclass(frozen=True)
class AndFilter(Filter):
    """Labelers whom all of these filters take.

    Attributes:
        filters: At least one.
    """

    filters: Sequence[Filter]

    def __post_init__(self) -> None:
        _set(self, "filters", tuple(check_filters(self.filters, type(self).__name__)))

    def wire(self) -> Json:
        """See :meth:`Filter.wire`."""
        return {"_t": "AndFilter", "filters": [part.wire() for part in self.filters]}


@dataclass(frozen=True)
class OrFilter(Filter):
    """Labelers whom one of these filters takes.

    Attributes:
        filters: At least one.
    """

    filters: Sequence[Filter]

    def __post_init__(self) -> None:
        _set(self, "filters", tuple(check_filters(self.filters, type(self).__name__)))

    def wire(self) -> Json:
        """See :meth:`Filter.wire`."""
        return {"_t": "OrFilter", "filters": [part.wire() for part in self.filters]}


@dataclass(frozen=True)
class NotFilter(Filter):
    """Labelers whom this filter does not take.

    Attributes:
        filter: The filter.
    """

    filter: Filter

    def __post_init__(self) -> None:
        check_filters([self.filter], "NotFilter")

    def wire(self) -> Json:
        """See :meth:`Filter.wire`."""
        return {"_t": "NotFilter", "filter": self.filter.wire()}


@dataclass(frozen=True)
class UnknownFilter(Filter):
    """A filter of the platform that this version has no class for.

    Attributes:
        content: The filter as the platform wrote it.
    """

    content: Mapping[str, Any]

    def wire(self) -> Json:
        """See :meth:`Filter.wire`."""
        return dict(self.content)


def check_filters(filters: Sequence[Filter], subject: str = "filters") -> Sequence[Filter]:
    """Filters that a caller gave, when they are some.

    Args:
        filters: What was given.
        subject: What it was given for, for the error.

    Raises:
        ValidationError: There are none, or something among them is no filter.
    """
    if isinstance(filters, Filter):
        raise ValidationError(subject, ["must be a list; put the filter into [ ]"])
    problems = [
        f"{part!r} is not a filter such as CountryFilter(['US'])"
        for part in filters
        if not isinstance(part, Filter)  # pyright: ignore[reportUnnecessaryIsInstance]
    ]
    if not filters:
        problems.append("needs at least one filter")
    if problems:
        raise ValidationError(subject, problems)
    return filters


def parse_filters(filters: Sequence[Filter | Mapping[str, Any]]) -> list[Filter]:
    """Read filters from the platform's JSON; what is a filter already stays as it is.

    Args:
        filters: What was given, for example ``[{"_t": "CountryFilter", "countries": ["US"]}]``.

    Raises:
        ValidationError: There are none; something among them is no filter; or one is not valid.
            A kind that we do not know is left to the platform.
    """
    if isinstance(filters, Filter | Mapping):
        raise ValidationError("filters", ["must be a list; put the filter into [ ]"])
    read = [read_filter(part) if isinstance(part, Mapping) else part for part in filters]
    check_filters(read)
    wrong = [part for one in read for part in _unread(one)]
    if wrong:
        example = CountryFilter(["US"]).wire()
        raise ValidationError("filters", [f"{part!r} is not like {example!r}" for part in wrong])
    return read


def combined(filters: Sequence[Filter]) -> Filter:
    """One filter that says what the list says: all of them.

    Raises:
        ValidationError: See :func:`check_filters`.
    """
    check_filters(filters)
    return filters[0] if len(filters) == 1 else AndFilter(filters)


def read_filter(content: Mapping[str, Any]) -> Filter:
    """A filter as the platform wrote it; what we do not know is kept as it is."""
    try:
        return _READERS[content["_t"]](content)
    except (KeyError, TypeError, ValidationError):
        return UnknownFilter(content)


def _read_demographic(content: Mapping[str, Any]) -> Filter:
    kinds: dict[str, Callable[[Any], Filter]] = {"age": AgeFilter, "gender": GenderFilter}
    return kinds[content["identifier"]](content["values"])


_READERS: dict[str, Callable[[Mapping[str, Any]], Filter]] = {
    "CountryFilter": lambda content: CountryFilter(content["countries"]),
    "LanguageFilter": lambda content: LanguageFilter(content["languages"]),
    "DeviceFilter": lambda content: DeviceFilter(content["deviceTypes"]),
    "DemographicFilter": _read_demographic,
    "AndFilter": lambda content: AndFilter([read_filter(part) for part in content["filters"]]),
    "OrFilter": lambda content: OrFilter([read_filter(part) for part in content["filters"]]),
    "NotFilter": lambda content: NotFilter(read_filter(content["filter"])),
}


def _unread(given: Filter) -> Iterator[Mapping[str, Any]]:
    """What of a filter is of a kind that we know, and cannot be read nevertheless."""
    match given:
        case UnknownFilter(content):
            kind = content.get("_t")
            if not isinstance(kind, str) or kind in _READERS:
                yield content
        case AndFilter(parts) | OrFilter(parts):
            for part in parts:
                yield from _unread(part)
        case NotFilter(part):
            yield from _unread(part)
        case _:
            pass


def _parts(kind: type[AndFilter] | type[OrFilter], given: Filter) -> Sequence[Filter]:
    """What a chain of the same operator consists of, so that ``a & b & c`` is one filter."""
    return given.filters if isinstance(given, kind) else [given]


def _set(target: Filter, field: str, value: object) -> None:
    """Normalise a field of a frozen dataclass."""
    object.__setattr__(target, field, value)


def _codes(target: Filter, codes: Sequence[str], case: Callable[[str], str]) -> tuple[str, ...]:
    listed = _listed(target, codes)
    wrong = [code for code in listed if not _is_code(code)]
    if wrong:
        problems = [f"{code!r} is not a code of two letters" for code in wrong]
        raise ValidationError(type(target).__name__, problems)
    return tuple(case(code) for code in listed)


def _is_code(code: object) -> bool:
    return isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha()


def _choices(target: Filter, values: Sequence[Any], kind: type[StrEnum]) -> tuple[Any, ...]:
    listed = _listed(target, values)
    known = [str(member) for member in kind]
    wrong = [value for value in listed if value not in known]
    if wrong:
        expected = ", ".join(known)
        problems = [f"{value!r} is not one of {expected}" for value in wrong]
        raise ValidationError(type(target).__name__, problems)
    return tuple(kind(value) for value in listed)


def _listed(target: Filter, values: Any) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, (list, tuple, set, frozenset)):
        raise ValidationError(type(target).__name__, [f"must be a list, not {values!r}"])
    listed = list(cast("Sequence[Any]", values))
    if not listed:
        raise ValidationError(type(target).__name__, ["must not be empty: it would take nobody"])
    return listed


def _demographic(identifier: str, values: Sequence[StrEnum]) -> Json:
    named = [str(value) for value in values]
    return {"_t": "DemographicFilter", "identifier": identifier, "values": named}
