"""The block that keeps credentials in Prefect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

# The module and not the class: `prefect block register` takes every block that it finds here.
from prefect.blocks import abstract
from pydantic import Field, HttpUrl, SecretStr
from typing_extensions import override

if TYPE_CHECKING:
    from rapidata_core import AsyncRapidataClient, RapidataClient


class RapidataCredentials(abstract.CredentialsBlock):
    """Keeps the credentials of a Rapidata account, and makes clients with them.

    What is left empty is taken from the ``RAPIDATA_*`` variables of the process that makes the
    client. Hand a block to flows by its name: Prefect stores the parameters of flow runs, and of a
    block's secret it stores only a mask.

    Attributes:
        client_id: OAuth2 client id.
        client_secret: Its secret.
        environment: ``rapidata.ai``, or the base URL of a sandbox.
        namespace: Keeps deployments that share an account from adopting each other's jobs.

    Example:
        Make a client:
        ```python
        from rapidata_prefect import RapidataCredentials

        credentials = RapidataCredentials.load("BLOCK_NAME")
        client = credentials.get_client()
        ```
    """

    _block_type_name: ClassVar[str | None] = "Rapidata Credentials"
    _block_type_slug: ClassVar[str | None] = "rapidata-credentials"
    _documentation_url: ClassVar[HttpUrl | None] = HttpUrl("https://docs.rapidata.ai/")
    _logo_url: ClassVar[HttpUrl | None] = HttpUrl("https://github.com/RapidataAI.png?size=200")

    client_id: str = Field(
        default="",
        title="Client ID",
        description="OAuth2 client id; if empty, the variable RAPIDATA_CLIENT_ID.",
    )
    client_secret: SecretStr = Field(
        default=SecretStr(""),
        description="OAuth2 client secret; if empty, the variable RAPIDATA_CLIENT_SECRET.",
    )
    # Empty by default: else credentials of a sandbox in the variables would go to the platform.
    environment: str = Field(
        default="",
        description="The platform's domain, or the base URL of a sandbox; if empty, the variable "
        "RAPIDATA_ENVIRONMENT, else rapidata.ai.",
    )
    namespace: str = Field(
        default="",
        description="Keeps deployments that share an account from adopting each other's jobs; if "
        "empty, the variable RAPIDATA_NAMESPACE.",
    )

    @override
    def get_client(self) -> RapidataClient:
        """Make a client. Nothing is sent before its first call.

        Raises:
            AuthenticationError: There are no credentials, here or in the variables.
            ValidationError: A field is wrong.
        """
        from rapidata_core import RapidataClient

        return RapidataClient(**self._arguments())

    def get_async_client(self) -> AsyncRapidataClient:
        """Make a client whose calls are awaited; otherwise as :meth:`get_client`."""
        from rapidata_core import AsyncRapidataClient

        return AsyncRapidataClient(**self._arguments())

    def _arguments(self) -> dict[str, Any]:
        secret = self.client_secret.get_secret_value()
        if secret and not secret.strip("*"):
            from rapidata_core.errors import ValidationError

            masked = (
                "client_secret: is the mask that Prefect stores instead of a secret in the "
                "parameters of a flow run; pass the block's name and load it in the run"
            )
            raise ValidationError("RapidataCredentials", [masked])
        return {
            "client_id": self.client_id,
            "client_secret": secret,
            "environment": self.environment,
            "namespace": self.namespace,
        }
