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
        "hooks": _modules("rapidata_airflow.hooks.rapidata"),
        "operators": _modules("rapidata_airflow.operators.job"),
        "triggers": _modules("rapidata_airflow.triggers.job"),
        "connection-types": [_CONNECTION_TYPE],
        "extra-links": ["rapidata_airflow.links.RapidataJobLink"],
    }


def _modules(*names: str) -> list[dict[str, Any]]:
    return [{"integration-name": "Rapidata", "python-modules": list(names)}]


_CONNECTION_TYPE: dict[str, Any] = {
    "connection-type": "rapidata",
    "hook-name": "Rapidata",
    "hook-class-name": "rapidata_airflow.hooks.rapidata.RapidataHook",
    "ui-field-behaviour": {
        "hidden-fields": ["schema", "port"],
        "relabeling": {
            "login": "Client ID",
            "password": "Client secret",
            "host": "Environment",
        },
        "placeholders": {"host": "rapidata.ai, or http://127.0.0.1:8765 for a sandbox"},
    },
    "conn-fields": {
        "namespace": {
            "label": "Namespace",
            "description": "Keeps deployments that share an account (production, staging) from "
            "adopting each other's jobs. Changing it makes cleared tasks pay again.",
            "schema": {"type": ["string", "null"]},
        }
    },
}
