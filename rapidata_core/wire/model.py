"""How all wire models read: liberally."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel

# The largest page of a list that the platform is known to give.
PAGE_SIZE = 100


class WireModel(BaseModel):
    """camelCase on the wire, snake_case here; fields that we do not know are ignored.

    The platform adds fields and enum values without notice, so nothing is closed: enums are read
    as text and compared with the constants in :mod:`rapidata_core.types`.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, given: Any) -> Any:
        """The platform says null for what it could as well leave out, whatever the field."""
        if not isinstance(given, dict):
            return given
        fields = cast("dict[str, Any]", given)
        if None not in fields.values():
            return fields
        return {name: value for name, value in fields.items() if value is not None}


Item = TypeVar("Item", bound=WireModel)


class Page(WireModel, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    total: int | None = None
