"""The connection to the platform, as a Dagster resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field, PrivateAttr
from typing_extensions import override

if TYPE_CHECKING:
    from rapidata_core import RapidataClient


class RapidataResource(dg.ConfigurableResource["RapidataResource"]):
    """The Rapidata platform.

    Every field that is left out, or empty, is read from its ``RAPIDATA_*`` variable where the
    asset runs. Dagster's UI shows plain values of resources: give the secret as ``dg.EnvVar``, of
    which it shows the name only, or leave it out.

    Example:
        .. code-block:: python

            dg.Definitions(
                assets=[...],
                resources={
                    "rapidata": RapidataResource(
                        client_id=dg.EnvVar("RAPIDATA_CLIENT_ID"),
                        client_secret=dg.EnvVar("RAPIDATA_CLIENT_SECRET"),
                    )
                },
            )
    """

    client_id: str | None = Field(
        default=None, description="OAuth2 client id; else RAPIDATA_CLIENT_ID."
    )
    client_secret: str | None = Field(
        default=None,
        repr=False,
        description="OAuth2 client secret, as an EnvVar; else RAPIDATA_CLIENT_SECRET.",
    )
    environment: str | None = Field(
        default=None,
        description="rapidata.ai, or the URL of a sandbox; else RAPIDATA_ENVIRONMENT.",
    )
    namespace: str | None = Field(
        default=None,
        description="Keeps deployments that share an account from adopting each other's jobs; "
        "else RAPIDATA_NAMESPACE.",
    )
    _client: RapidataClient | None = PrivateAttr(default=None)

    def get_client(self) -> RapidataClient:
        """The client, made at the first call and kept.

        Raises:
            AuthenticationError: There are no credentials.
            ValidationError: The environment is no environment.
        """
        if self._client is None:
            # Here, because code locations import this module only to know their assets.
            from rapidata_core import RapidataClient

            self._client = RapidataClient(
                client_id=self.client_id,
                client_secret=self.client_secret,
                environment=self.environment,
                namespace=self.namespace,
            )
        return self._client

    @override
    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Close the connections of a run."""
        if self._client is not None:
            self._client.close()
