"""Which Airflow this is, where its versions differ."""

from __future__ import annotations

from importlib.metadata import version

_MAJOR, _MINOR = (int(part) for part in version("apache-airflow-core").split(".")[:2])

AIRFLOW_3_3 = (_MAJOR, _MINOR) >= (3, 3)
"""Whether there are task and asset state stores, kills that triggers are told of, partitions that
are chosen at run time, and retry policies."""
