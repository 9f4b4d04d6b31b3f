"""The connection to the Rapidata platform."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
from airflow.sdk.log import mask_secret

from rapidata_core.errors import AuthenticationError, RapidataError

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from rapidata_core import AsyncRapidataClient, RapidataClient


class RapidataHook(BaseHook):
    """Log in to the Rapidata platform with an Airflow connection.

    The connection (type ``rapidata``) holds the client id as its login, the client secret as its
    password and the environment as its host: a domain, or the base URL of a sandbox. Its extra
    field ``namespace`` keeps deployments that share an account from adopting each other's jobs.
    A connection without login and password takes them from the worker's ``RAPIDATA_*`` variables.

    Args:
        rapidata_conn_id: The connection's id.
    """

    conn_name_attr = "rapidata_conn_id"
    default_conn_name = "rapidata_default"
    conn_type = "rapidata"
    hook_name = "Rapidata"

    def __init__(self, rapidata_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.rapidata_conn_id = rapidata_conn_id
        self._client: RapidataClient | None = None

    def get_conn(self) -> RapidataClient:
        """The client, made when it is first asked for; use it as a context manager to close it.

        Raises:
            AirflowNotFoundException: There is no such connection.
            AuthenticationError: It has no credentials, or only half of a pair.
        """
        if self._client is None:
            from rapidata_core import RapidataClient

            try:
                connection = self.get_connection(self.rapidata_conn_id)
            except AirflowNotFoundException:
                raise _missing(self.rapidata_conn_id) from None
            self._client = RapidataClient(**_client_arguments(connection))
        return self._client

    async def aget_conn(self) -> AsyncRapidataClient:
        """A new asynchronous client, for triggers; the caller closes it.

        Raises:
            AirflowNotFoundException: There is no such connection.
            AuthenticationError: It has no credentials, or only half of a pair.
        """
        try:
            connection = await self.aget_connection(self.rapidata_conn_id)
        except AirflowNotFoundException:
            raise _missing(self.rapidata_conn_id) from None
        # The first import takes half a second, and all triggers share the event loop.
        return await asyncio.to_thread(_async_client, connection)

    def test_connection(self) -> tuple[bool, str]:
        """Log in and read one object; Airflow's "Test" button shows the outcome."""
        try:
            with self.get_conn() as client:
                audience = client.audience.get_audience_by_id("global")
        except (AirflowException, RapidataError) as error:
            return False, str(error)
        return True, f"Logged in; audience {audience.name!r} is there"


def _async_client(connection: Connection) -> AsyncRapidataClient:
    from rapidata_core import AsyncRapidataClient

    return AsyncRapidataClient(**_client_arguments(connection))


def _client_arguments(connection: Connection) -> dict[str, Any]:
    _check_pair(connection)
    extra = cast("dict[str, Any]", connection.extra_dejson)  # pyright: ignore[reportUnknownMemberType]
    # Airflow masks what connections hold, but not what the worker's environment does.
    if secret := connection.password or os.environ.get("RAPIDATA_CLIENT_SECRET"):
        mask_secret(secret)
    return {
        "client_id": connection.login,
        "client_secret": connection.password,
        "environment": _environment(connection),
        "namespace": extra.get("namespace"),
    }


def _check_pair(connection: Connection) -> None:
    """Refuse half of a pair: the other half would be taken from another account's variables."""
    if bool(connection.login) == bool(connection.password):
        return
    present, absent = "login (client id)", "password (client secret)"
    if connection.password:
        present, absent = absent, present
    raise AuthenticationError(
        f"Connection {connection.conn_id!r} has a {present} but no {absent}. Set both, or neither "
        "to use the worker's RAPIDATA_CLIENT_ID and RAPIDATA_CLIENT_SECRET."
    )


def _environment(connection: Connection) -> str | None:
    """The host, joined with the port that Airflow splits off when a connection is a URI."""
    if connection.host and connection.port:
        return f"{connection.host}:{connection.port}"
    return connection.host


def _missing(conn_id: str) -> AirflowNotFoundException:
    return AirflowNotFoundException(
        f"There is no connection {conn_id!r}. Create it with: airflow connections add {conn_id} "
        "--conn-type rapidata --conn-login CLIENT_ID --conn-password CLIENT_SECRET "
        "(or in the UI under Admin > Connections; the credentials are in the Rapidata dashboard "
        "under Settings > Tokens)"
    )
