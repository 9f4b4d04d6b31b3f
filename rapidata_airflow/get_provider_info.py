"""What Airflow should know about this package before it imports any of it.

Airflow reads this while it is itself being imported, so nothing of Airflow may be imported here.
"""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Describe the provider, in the form of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "rapidata-orchestration",
        "name": "Rapidata",
        "description": "Human labels from the `Rapidata <https://www.rapidata.ai/>`__ platform.",
        "integrations": [
            {
                "integration-name": "Rapidata",
                "external-doc-url": "https://docs.rapidata.ai/",
                "tags": ["service"],
            }
        ],
        "hooks": _modules("hooks", "rapidata"),
        "operators": _modules("operators", *_OPERATORS),
        "sensors": _modules("sensors", *_SENSORS),
        "triggers": _modules("triggers", *_TRIGGERS),
        "notifications": ["rapidata_airflow.notifications.rapidata.RapidataNotifier"],
        "task-decorators": [
            {
                "name": "rapidata_job",
                "class-name": "rapidata_airflow.decorators.job.rapidata_job_task",
            }
        ],
        "connection-types": [_CONNECTION_TYPE],
        "extra-links": [f"rapidata_airflow.links.{name}" for name in _LINKS],
    }


def _modules(folder: str, *names: str) -> list[dict[str, Any]]:
    modules = [f"rapidata_airflow.{folder}.{name}" for name in names]
    return [{"integration-name": "Rapidata", "python-modules": modules}]


_OPERATORS = (
    "approval",
    "audience",
    "benchmark",
    "definition",
    "flow",
    "job",
    "pause",
    "results",
    "signal",
)
_SENSORS = ("audience", "job", "leaderboard", "signal")
_TRIGGERS = ("audience", "benchmark", "events", "flow", "job", "leaderboard", "signal")
_LINKS = (
    "RapidataAudienceLink",
    "RapidataBenchmarkLink",
    "RapidataJobDefinitionLink",
    "RapidataJobLink",
)

_TEXT: dict[str, Any] = {"type": ["string", "null"]}
_NUMBER: dict[str, Any] = {"type": ["number", "null"], "exclusiveMinimum": 0}

_CONNECTION_TYPE: dict[str, Any] = {
    "connection-type": "rapidata",
    "hook-name": "Rapidata",
    "hook-class-name": "rapidata_airflow.hooks.rapidata.RapidataHook",
    "ui-field-behaviour": {
        "hidden-fields": ["host", "port", "schema"],
        "relabeling": {"login": "Client ID", "password": "Client secret"},
        "placeholders": {"login": "From the Rapidata dashboard, under Settings > Tokens"},
    },
    "conn-fields": {
        "environment": {
            "label": "Environment",
            "description": "A domain, or the base URL of a sandbox such as http://127.0.0.1:8765. "
            "Blank means the worker's RAPIDATA_ENVIRONMENT, or else rapidata.ai.",
            "schema": _TEXT,
        },
        "namespace": {
            "label": "Namespace",
            "description": "Keeps deployments that share an account (production, staging) from "
            "adopting each other's jobs. Changing it makes cleared tasks pay again.",
            "schema": _TEXT,
        },
        "max_cost_per_job": {
            "label": "Max cost per job",
            "description": "No job may cost more, by the platform's estimate, whatever its task "
            "allows.",
            "schema": _NUMBER,
        },
        "poll_interval": {
            "label": "Poll interval",
            "description": "Seconds between looks, for tasks that do not say. Blank means that it "
            "grows with the time waited.",
            "schema": _NUMBER,
        },
    },
}
