"""The connection to the Rapidata platform."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
from airflow.sdk.log import mask_secret

from rapidata_core.concurrency import AsyncFlights
from rapidata_core.errors import AuthenticationError, RapidataError, ValidationError

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from rapidata_core import AsyncRapidataClient, RapidataClient

# Airflow's supervisor answers one trigger at a time, and takes 80 ms for a connection that is in
# its database. So triggers that ask at once ask once.
_flights = AsyncFlights()


class RapidataHook(BaseHook):
    """Log in to the Rapidata platform with an Airflow connection.

    The connection (type ``rapidata``) holds the client id as its login, the client secret as its
    password, and in its extra:

    * ``environment``: a domain, or the base URL of a sandbox. The host may say it instead, so that
      a URI can;
    * ``namespace``: keeps deployments that share an account from adopting each other's jobs;
    * ``max_cost_per_job``: no job may cost more, whatever its task allows;
    * ``poll_interval``: seconds between looks, for tasks that do not say.

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
        self._settings: _Settings | None = None
        self._client: RapidataClient | None = None

    def get_conn(self) -> RapidataClient:
        """The client, made when it is first asked for; use it as a context manager to close it.

        Raises:
            AirflowNotFoundException: There is no such connection.
            AuthenticationError: It has no credentials, or only half of a pair.
            ValidationError: Its extra holds values that are none; every one is named.
        """
        if self._client is None:
            from rapidata_core import RapidataClient

            self._client = RapidataClient(**_arguments(self._read()))
        return self._client

    async def aget_conn(self) -> AsyncRapidataClient:
        """A new asynchronous client, for triggers; the caller closes it.

        Raises:
            AirflowNotFoundException: There is no such connection.
            AuthenticationError: It has no credentials, or only half of a pair.
            ValidationError: Its extra holds values that are none; every one is named.
        """
        self._settings = await _flights.once(self.rapidata_conn_id, self._aread)
        # The first import takes half a second, and all triggers share the event loop.
        return await asyncio.to_thread(_async_client, self._settings)

    def max_cost(self, wanted: float | None) -> float | None:
        """What a job may cost at most.

        Args:
            wanted: The limit that its task sets, if it sets one.

        Returns:
            The lower one of that and the connection's; None if there is neither.

        Raises:
            AirflowNotFoundException, AuthenticationError, ValidationError: See :meth:`get_conn`.
        """
        limits = (wanted, self._read().max_cost_per_job)
        return min((limit for limit in limits if limit is not None), default=None)

    def poll_interval(self, wanted: float | None) -> float | None:
        """Seconds between looks: what the task wants, or else the connection.

        Args:
            wanted: What the task wants, if it says.

        Raises:
            AirflowNotFoundException, AuthenticationError, ValidationError: See :meth:`get_conn`.
        """
        return self._read().poll_interval if wanted is None else wanted

    def test_connection(self) -> tuple[bool, str]:
        """Log in and read one object; Airflow's "Test" button shows the outcome."""
        try:
            with self.get_conn() as client:
                client.audience.get_audience_by_id("global")
        except (AirflowException, RapidataError) as error:
            return False, str(error)
        namespace = self._read().client["namespace"]
        return True, f"Logged in; {f'namespace {namespace!r}' if namespace else 'no namespace'}"

    def _read(self) -> _Settings:
        """What the connection says, read once."""
        if self._settings is None:
            try:
                connection = self.get_connection(self.rapidata_conn_id)
            except AirflowNotFoundException:
                raise _missing(self.rapidata_conn_id) from None
            self._settings = _settings_of(connection)
        return self._settings

    async def _aread(self) -> _Settings:
        """What the connection says now."""
        try:
            connection = await self.aget_connection(self.rapidata_conn_id)
        except AirflowNotFoundException:
            raise _missing(self.rapidata_conn_id) from None
        # Masking asks Airflow's supervisor, which may be busy.
        return await asyncio.to_thread(_settings_of, connection)


@dataclass(frozen=True)
class _Settings:
    """What a connection says.

    Attributes:
        client: Arguments of a client.
        max_cost_per_job: What any job may cost at most.
        poll_interval: Seconds between looks.
    """

    # The secret is in it.
    client: dict[str, Any] = field(repr=False)
    max_cost_per_job: float | None
    poll_interval: float | None


def _async_client(settings: _Settings) -> AsyncRapidataClient:
    from rapidata_core import AsyncRapidataClient

    return AsyncRapidataClient(**_arguments(settings))


def _arguments(settings: _Settings) -> dict[str, Any]:
    """What a client is made with."""
    from rapidata_core.http import LOGGER

    # A line per request would drown what a task has to say.
    logger = logging.getLogger(LOGGER)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)
    return {**settings.client, "on_token": mask_secret}


def _settings_of(connection: Connection) -> _Settings:
    _check_pair(connection)
    extra = cast("dict[str, Any]", connection.extra_dejson)  # pyright: ignore[reportUnknownMemberType]
    problems: list[str] = []
    settings = _Settings(
        client={
            "client_id": connection.login,
            "client_secret": connection.password,
            "environment": _environment(connection, extra, problems),
            "namespace": _text(extra, "namespace", problems),
        },
        max_cost_per_job=_number_above_0(extra, "max_cost_per_job", problems),
        poll_interval=_number_above_0(extra, "poll_interval", problems),
    )
    if problems:
        raise ValidationError(f"connection {connection.conn_id!r}", problems)
    # Airflow masks what connections hold, but not what the worker's environment does.
    if secret := connection.password or os.environ.get("RAPIDATA_CLIENT_SECRET"):
        mask_secret(secret)
    return settings


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


def _environment(connection: Connection, extra: dict[str, Any], problems: list[str]) -> str | None:
    """The extra's, or the host joined with the port that Airflow splits off a URI."""
    said = _text(extra, "environment", problems)
    host = connection.host or None
    if host and connection.port:
        host = f"{host}:{connection.port}"
    if said and host and said != host:
        problems.append(f"environment: the extra says {said!r} and the host {host!r}; keep one")
    return said or host


def _text(extra: dict[str, Any], name: str, problems: list[str]) -> str | None:
    value = extra.get(name)
    if value is not None and not isinstance(value, str):
        problems.append(f"{name}: must be a text, not {value!r}")
        return None
    return value or None


def _number_above_0(extra: dict[str, Any], name: str, problems: list[str]) -> float | None:
    """A number, or text that is one: everything in a URI is text."""
    value = extra.get(name)
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0.0
    if not 0 < number < float("inf"):
        problems.append(f"{name}: must be a number above 0, not {value!r}")
    return number


def _missing(conn_id: str) -> AirflowNotFoundException:
    return AirflowNotFoundException(
        f"There is no connection {conn_id!r}. Create it with: airflow connections add {conn_id} "
        "--conn-type rapidata --conn-login CLIENT_ID --conn-password CLIENT_SECRET "
        "(or in the UI under Admin > Connections; the credentials are in the Rapidata dashboard "
        "under Settings > Tokens)"
    )
