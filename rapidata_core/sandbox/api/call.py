"""One request as the handlers see it, and how they read its body."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Row, Table

from rapidata_core.sandbox.listing import Query
from rapidata_core.sandbox.problems import Problem, invalid, missing
from rapidata_core.sandbox.settings import Account
from rapidata_core.sandbox.store import Store

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Upload:
    """The file part of a multipart request."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """A request, read completely, at one moment of the simulated clock."""

    store: Store
    account: Account
    now: int
    path: Mapping[str, str]
    query: Query
    headers: Mapping[str, str]
    raw_body: bytes
    upload: Upload | None = None

    def row(self, table: Table, kind: str, parameter: str) -> Row[Any]:
        """The row whose id is a parameter of the path.

        Raises:
            Problem: There is none.
        """
        object_id = self.path[parameter]
        found = self.store.find(table, id=object_id)
        if found is None:
            raise missing(kind, object_id)
        return found

    def fields(self) -> Fields:
        """The JSON object in the body.

        Raises:
            Problem: The body is something else.
        """
        try:
            body: Any = json.loads(self.raw_body or b"{}")
        except ValueError as error:
            raise Problem(400, "The body is not valid JSON.", str(error)) from error
        if not isinstance(body, dict):
            raise Problem(400, "The body is not a JSON object.")
        return Fields(cast(JsonObject, body))


Handler = Callable[[Call], Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and a path with the function that answers them."""

    method: str
    path: str
    handler: Handler
    open: bool = False
    """Whether it answers without an access token."""
    recorded: bool = True
    """Whether faults strike it and the journal lists it: it is part of the platform's API."""


class Fields:
    """Reads a request body, collecting everything that is wrong with it.

    Unknown fields are accepted, and an explicit null is the same as an absent field.
    """

    def __init__(self, body: JsonObject) -> None:
        self._body = {key: value for key, value in body.items() if value is not None}
        self._nulls = body.keys() - self._body.keys()
        self.errors: dict[str, list[str]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._body

    def is_null(self, key: str) -> bool:
        """Whether a field is explicitly null, where that clears what absence leaves alone."""
        return key in self._nulls

    def wrong(self, key: str, message: str) -> None:
        """Note something that is wrong with a field; twice the same is noted once."""
        noted = self.errors.setdefault(key, [])
        if message not in noted:
            noted.append(message)

    def note(self, key: str, messages: Iterable[str]) -> None:
        """Note everything that is wrong with a field."""
        for message in messages:
            self.wrong(key, message)

    def check(self) -> None:
        """Fail with everything that was wrong so far.

        Raises:
            Problem: Something was.
        """
        if self.errors:
            raise invalid(self.errors)

    def text(self, key: str) -> str:
        """A text that must be there and must not be blank."""
        text = self.optional_text(key)
        if key not in self._body or (text is not None and not text.strip()):
            self.wrong(key, f"{key} is required.")
        return text or ""

    def optional_text(self, key: str) -> str | None:
        """A text, if there is one."""
        return self._typed(key, str, "a text")

    def given_text(self, key: str) -> str | None:
        """A text that must not be blank, if there is one."""
        return self.text(key) if key in self else None

    def one_of(self, key: str, known: Sequence[str]) -> str | None:
        """One of the known texts, if there is one."""
        value = self.optional_text(key)
        if value is not None and value not in known:
            self.wrong(key, f"{key} is one of {', '.join(known)}.")
        return value

    def optional_flag(self, key: str) -> bool | None:
        """A truth value, if there is one."""
        return self._typed(key, bool, "true or false")

    def optional_whole(self, key: str) -> int | None:
        """A whole number, if there is one."""
        value: Any = self._body.get(key)
        if isinstance(value, bool):
            self.wrong(key, f"{key} is not a whole number.")
            return None
        return self._typed(key, int, "a whole number")

    def number(self, key: str) -> float:
        """A number that must be there."""
        value: Any = self._body.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(key, f"{key} is required and a number.")
            return 0.0
        try:
            return float(value)
        except OverflowError:
            self.wrong(key, f"{key} is too large.")
            return 0.0

    def optional_number(self, key: str) -> float | None:
        """A number, if there is one."""
        return self.number(key) if key in self else None

    def positive(self, key: str) -> float | None:
        """A number above zero, if there is one."""
        value = self.optional_number(key)
        if value is not None and value <= 0:
            self.wrong(key, f"{key} must be above 0.")
        return value

    def share(self, key: str) -> float:
        """A number from 0 to 1 that must be there."""
        value = self.number(key)
        if not 0 <= value <= 1:
            self.wrong(key, f"{key} is a number from 0 to 1.")
        return value

    def optional_share(self, key: str) -> float | None:
        """A number from 0 to 1, if there is one."""
        return self.share(key) if key in self else None

    def optional_object(self, key: str) -> JsonObject | None:
        """An object, if there is one."""
        return self._typed(key, dict, "an object")

    def optional_objects(self, key: str) -> list[JsonObject]:
        """A list of objects; none when absent."""
        values: list[Any] = self._typed(key, list, "a list") or []
        if not all(isinstance(value, dict) for value in values):
            self.wrong(key, f"{key} is not a list of objects.")
            return []
        return values

    def optional_texts(self, key: str) -> list[str]:
        """A list of texts; none when absent."""
        values: list[Any] = self._typed(key, list, "a list") or []
        if not all(isinstance(value, str) for value in values):
            self.wrong(key, f"{key} is not a list of texts.")
            return []
        return values

    def _typed(self, key: str, kind: type[Any], what: str) -> Any:
        value: Any = self._body.get(key)
        if value is None or isinstance(value, kind):
            return value
        self.wrong(key, f"{key} is not {what}.")
        return None
