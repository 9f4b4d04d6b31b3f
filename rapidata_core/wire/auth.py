"""The token endpoint."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class TokenAnswer(BaseModel):
    """RFC 6749 section 5.1: snake_case, unlike the rest of the platform."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    access_token: str = Field(repr=False, min_length=1)
    expires_in: float | None = None
