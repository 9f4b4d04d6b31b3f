"""Paging, sorting and filtering, the same for every list endpoint.

``page=1&page_size=10&sort=-created_at&name[contains]=cat&id[in]=a&id[in]=b&logic=or``. Filters
become SQL, so a list of ten thousand jobs costs what its page costs. Undocumented details are
decided as follows: text is compared with respect to case, ``page_size`` is at most 100, an empty
value of a text-search operator means no filter, and lists are in order of creation unless sorted.

A list may be told to lag (see :mod:`rapidata_core.sandbox.faults`): it then shows what was created
before some moment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    false,
    func,
    or_,
    select,
)

from rapidata_core.sandbox.clock import parse_rfc3339
from rapidata_core.sandbox.problems import Problem, invalid
from rapidata_core.sandbox.store import Store

MAX_PAGE_SIZE = 100

Kind = Literal["text", "time", "number", "flag"]
Query = Sequence[tuple[str, str]]
Column = ColumnElement[Any]

_FILTER = re.compile(r"([a-z_]+)\[([a-z_]+)\]")
_SEARCHES: dict[str, Callable[[Column, str], Column]] = {
    "contains": lambda column, text: func.instr(column, text) > 0,
    "not_contains": lambda column, text: func.instr(column, text) == 0,
    "starts_with": lambda column, text: func.substr(column, 1, len(text)) == text,
    "ends_with": lambda column, text: func.substr(column, -len(text)) == text,
}
_COMPARISONS: dict[str, Callable[[Column, Any], Column]] = {
    "eq": lambda column, value: column.is_not_distinct_from(value),
    "neq": lambda column, value: column.is_distinct_from(value),
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
}
_OPERATORS = (*_COMPARISONS, *_SEARCHES, "in")


@dataclass(frozen=True)
class Field:
    """Something that can be filtered by."""

    column: Column
    kind: Kind = "text"


@dataclass(frozen=True, eq=False)
class Listing:
    """What a list endpoint offers; made once, so that what is made of it can be kept.

    Attributes:
        rows: The rows before filtering.
        order: The order of the list, and among equals when sorted; it must end in a unique column.
        fields: What can be filtered by, under its name on the wire.
        sorts: What can be sorted by.
    """

    rows: Select[Any]
    order: tuple[Column, ...]
    fields: Mapping[str, Field]
    sorts: Mapping[str, Column] = field(default_factory=dict[str, Column])


def page_of(
    store: Store,
    listing: Listing,
    query: Query,
    item: Callable[[Row[Any]], dict[str, Any]],
    **parameters: Any,
) -> dict[str, Any]:
    """Answer a list request; ``parameters`` are those of the listing's own expressions.

    Raises:
        Problem: The query is malformed, or names a field that the list does not have.
    """
    number, size = paging(query)
    if store.shown_before is not None:
        listing = _lagging(listing)
        parameters |= {"shown_before": store.shown_before}
    page, count = _statements(listing, tuple(query))
    found = store.read(page, **parameters).all()
    total = len(found)
    if number > 1 or total == size:
        total = store.number(count, **parameters)
    return {
        "items": [item(row) for row in found],
        "page": number,
        "pageSize": size,
        "total": total,
        "totalPages": -(-total // size),
    }


@lru_cache
def _lagging(listing: Listing) -> Listing:
    """The listing without what is too new; examples and costs do not say how old they are."""
    columns = listing.rows.selected_columns
    created = columns.get("created_at", columns.get("started_at"))
    if created is None:
        return listing
    moment = bindparam("shown_before", type_=BigInteger)
    return replace(listing, rows=listing.rows.where(created < moment))


@lru_cache(maxsize=256)
def _statements(
    listing: Listing, query: tuple[tuple[str, str], ...]
) -> tuple[Select[Any], Select[Any]]:
    """The page of a query, and how many rows there are; pollers ask the same again and again."""
    number, size = paging(query)
    rows = listing.rows
    condition = where(listing.fields, query)
    if condition is not None:
        rows = rows.where(condition)
    if _only_shared(query):
        # Nothing is ever shared with the only account of the sandbox.
        rows = rows.where(false())
    chosen = rows.order_by(*_order(listing, query), *listing.order)
    count = select(func.count()).select_from(rows.subquery())
    return chosen.limit(size).offset((number - 1) * size), count


def where(fields: Mapping[str, Field], query: Query) -> Column | None:
    """The condition that a query's filters stand for; ``None`` without filters.

    Raises:
        Problem: A filter has an unknown field, an unknown operator or a malformed value.
    """
    combine = or_ if _logic(query) == "or" else and_
    lists: dict[str, list[Any]] = {}
    conditions: list[Column] = []
    for key, text in query:
        parsed = _filter_key(fields, key)
        if parsed is None:
            continue
        name, operator = parsed
        if operator == "in":
            lists.setdefault(name, []).append(_value(fields[name], key, text))
        elif operator not in _SEARCHES or text:
            conditions.append(_condition(fields[name], key, operator, text))
    conditions += [fields[name].column.in_(values) for name, values in lists.items()]
    return combine(*conditions) if conditions else None


def _filter_key(fields: Mapping[str, Field], key: str) -> tuple[str, str] | None:
    if key in fields:
        raise invalid({key: [f"Filters need an operator, as in {key}[eq]=value."]})
    match = _FILTER.fullmatch(key)
    if match is None:
        return None
    name, operator = match.groups()
    if name not in fields:
        known = ", ".join(fields)
        raise invalid({key: [f"{name} is not a field of this list; there are {known}."]})
    if operator not in _OPERATORS:
        raise invalid({key: [f"{operator} is not one of {', '.join(_OPERATORS)}."]})
    return name, operator


def _condition(known: Field, key: str, operator: str, text: str) -> Column:
    if operator in _SEARCHES:
        if known.kind != "text":
            raise invalid({key: [f"{operator} applies to text only."]})
        return _SEARCHES[operator](known.column, text)
    return _COMPARISONS[operator](known.column, _value(known, key, text))


def _value(known: Field, key: str, text: str) -> Any:
    try:
        match known.kind:
            case "text":
                return text
            case "time":
                return parse_rfc3339(text)
            case "number":
                return int(text)
            case "flag":
                return {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError, OverflowError) as error:
        raise invalid({key: [f"{text!r} is not a {known.kind}."]}) from error


def paging(query: Query) -> tuple[int, int]:
    """The number and the size of the page that a query asks for."""
    number = _positive(query, "page", 1)
    size = _positive(query, "page_size", 10)
    if size > MAX_PAGE_SIZE:
        raise invalid({"page_size": [f"The page size is at most {MAX_PAGE_SIZE}."]})
    return number, size


def _positive(query: Query, name: str, default: int) -> int:
    text = last(query, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 31):
        raise invalid({name: [f"{text!r} is not a positive number."]})
    return int(text)


def _order(listing: Listing, query: Query) -> list[Column]:
    order: list[Column] = []
    for key, text in query:
        if key != "sort" or not text:
            continue
        name = text.removeprefix("-")
        if name not in listing.sorts:
            known = ", ".join(listing.sorts)
            raise invalid({"sort": [f"This list cannot be sorted by {name}; there are {known}."]})
        column = listing.sorts[name]
        order.append(column.desc() if text.startswith("-") else column.asc())
    return order


def _logic(query: Query) -> str:
    logic = last(query, "logic") or "and"
    if logic not in ("and", "or"):
        raise invalid({"logic": ["logic is either and or or."]})
    return logic


def _only_shared(query: Query) -> bool:
    scope = last(query, "scope") or "All"
    if scope not in ("Owned", "Shared", "All"):
        raise Problem(400, "scope is one of Owned, Shared and All.")
    return scope == "Shared"


def last(query: Query, name: str) -> str | None:
    """The last value of a parameter, or ``None``."""
    values = [text for key, text in query if key == name]
    return values[-1] if values else None
