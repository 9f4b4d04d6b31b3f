"""How all wire models read: liberally."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class WireModel(BaseModel):
    """camelCase on the wire, snake_case here; fields that we do not know are ignored.

    The platform adds fields and enum values without notice, so nothing is closed: enums are read
    as text and compared with the constants in :mod:`rapidata_core.types`.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True
    )


Item = TypeVar("Item", bound=WireModel)


class Page(WireModel, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    total: int | None = None
    page: int | None = None
    page_size: int | None = None
    total_pages: int | None = None
