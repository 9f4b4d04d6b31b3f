"""Airflow's assets: what they tell about labels, and assets that Rapidata's signals update."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import Asset, AssetWatcher

from rapidata_airflow.triggers.events import RapidataSignalRunEventTrigger
from rapidata_airflow.version import AIRFLOW_3_3

if TYPE_CHECKING:
    from airflow.sdk import Context

# What Airflow's database has room for.
_LONGEST_PARTITION_KEY = 250
_TOLD = ("job_id", "job_url", "audience_id", "definition_id", "estimated_cost", "actual_cost")


def announce(
    context: Context,
    outlets: Iterable[object],
    manifest: Mapping[str, Any],
    partition_key: str | None = None,
) -> None:
    """Say in the outlets' asset events what they were updated with.

    An event gets the extra ``job_id``, ``job_url``, ``audience_id``, ``definition_id``,
    ``estimated_cost``, ``actual_cost`` and ``adopted``; and if the answers were saved, ``uri`` (the
    file with the labels), ``rows`` (how many labels), ``responses`` (how many answers),
    ``mean_agreement`` and ``quality_passed`` (None without a quality gate). What it has already
    stays.

    Args:
        context: The task's.
        outlets: The task's; only assets get events, not aliases.
        manifest: What the task returns: a :class:`rapidata_core.types.Manifest` as a mapping, and
            ``adopted``.
        partition_key: The events' partition; see :func:`partition_problems`.
    """
    events = context["outlet_events"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
    quality = cast("Mapping[str, Any]", manifest.get("quality") or {})
    extra = {
        **{name: manifest.get(name) for name in _TOLD},
        "adopted": manifest.get("adopted"),
    }
    if "labels" in manifest:
        extra |= {
            "uri": manifest["labels"],
            "rows": manifest["label_count"],
            "responses": manifest["response_count"],
            "mean_agreement": manifest.get("mean_agreement"),
            "quality_passed": quality.get("passed"),
        }
    for asset in (outlet for outlet in outlets if isinstance(outlet, Asset)):
        event: Any = events[asset]
        event.extra |= extra
        if partition_key is not None:
            event.add_partitions(partition_key)


def partition_problems(partition_key: object) -> list[str]:
    """What is wrong with a partition key: to be asked before anything is paid.

    What is not a text is left alone: it will be one when Airflow has rendered it.
    """
    if partition_key is not None and not AIRFLOW_3_3:
        return ["partition_key: needs Airflow 3.3 or later; leave it out"]
    if not isinstance(partition_key, str) or 0 < len(partition_key.strip()) <= (
        _LONGEST_PARTITION_KEY
    ):
        return []
    return [
        f"partition_key: must have 1 to {_LONGEST_PARTITION_KEY} characters, not {partition_key!r}"
    ]


def signal_asset(
    signal_id: str, *, name: str | None = None, group: str = "rapidata", **kwargs: Any
) -> Asset:
    """An asset that every finished run of a signal updates: ``schedule=[signal_asset("…")]``.

    Args:
        signal_id: The signal.
        name: The asset's name; by default made from the id.
        group: The asset's group.
        **kwargs: See :class:`rapidata_airflow.triggers.events.RapidataSignalRunEventTrigger`.

    Raises:
        ValidationError: An argument is wrong; every problem is listed.
    """
    trigger = RapidataSignalRunEventTrigger(signal_id=signal_id, **kwargs)
    return Asset(
        name=name or f"rapidata_signal_{signal_id}",
        # Airflow leaves schemes alone that begin like this.
        uri=f"x-rapidata://signals/{signal_id}",
        group=group,
        watchers=[AssetWatcher(name="runs", trigger=trigger)],
    )


def watched(context: Context) -> list[dict[str, Any]]:
    """What the asset events that started this DAG run tell: payloads of our event triggers.

    Airflow starts one DAG run for all events that came since the last one, so there may be several.
    Each is here once, in the order in which they came.

    Args:
        context: The task's.
    """
    by_asset = context["triggering_asset_events"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
    found = [event for events in by_asset.values() for event in events]
    payloads: list[dict[str, Any]] = []
    for event in sorted(found, key=lambda event: event.timestamp):
        extra = cast("dict[str, Any]", event.extra)
        payload = extra.get("payload")
        if extra.get("from_trigger") and payload not in payloads:
            payloads.append(cast("dict[str, Any]", payload))
    return payloads
