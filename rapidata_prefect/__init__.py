"""Human labels as tasks of Prefect 3.

Prefect's server imports this module when it starts, to learn of the block type. So only the block
is loaded at once, and what it needs to do its work when it does it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rapidata_core import __version__
from rapidata_prefect.credentials import RapidataCredentials

if TYPE_CHECKING:
    from rapidata_prefect.tasks import run_job as run_job

__all__ = ["RapidataCredentials", "__version__", "run_job"]


def __getattr__(name: str) -> Any:
    if name != "run_job":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module("rapidata_prefect.tasks").run_job


def __dir__() -> list[str]:
    return __all__
