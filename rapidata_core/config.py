"""Settings and credentials: arguments first, then ``RAPIDATA_*`` variables, then the file.

Empty strings count as unset everywhere, because templates and CI systems produce them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from rapidata_core.errors import AuthenticationError, ValidationError

DEFAULT_ENVIRONMENT = "rapidata.ai"
DEFAULT_SCOPE = "openid email api"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Endpoints:
    """Where the platform is. Tokens are sent to these hosts and to no other."""

    api: str
    auth: str
    app: str

    @classmethod
    def of(cls, environment: str) -> Endpoints:
        """Read an environment: a name (``rapidata.ai``) or one base URL (a sandbox).

        Args:
            environment: A domain, whose services are at ``https://api.…`` and ``https://auth.…``;
                or ``http(s)://host:port``, where one server answers for all services;
                or ``@host:port``, which is how the vendor's SDK is pointed at such a server.

        Raises:
            ValidationError: It is none of these, or plain http to another machine.
        """
        if environment.startswith("@"):
            environment = f"https://{environment[1:]}"
        if "://" not in environment:
            _require(_is_domain(environment), environment)
            return cls(*(f"https://{host}.{environment}" for host in ("api", "auth", "app")))
        url = urlsplit(environment)
        _require(url.scheme in {"http", "https"} and bool(url.hostname), environment)
        _require(not (url.query or url.fragment or url.username or url.password), environment)
        if url.scheme == "http" and url.hostname not in _LOOPBACK:
            raise ValidationError(
                "environment",
                [
                    (
                        f"{environment!r} would send credentials unencrypted over the network; use "
                        "https:// (the sandbox has --tls)"
                    )
                ],
            )
        base = environment.rstrip("/")
        return cls(base, base, base)


def _is_domain(text: str) -> bool:
    host, _, port = text.partition(":")
    labels = host.split(".")
    named = all(label and label.replace("-", "").isalnum() for label in labels)
    return named and (not port or port.isdigit())


def _require(holds: bool, environment: str) -> None:
    if not holds:
        raise ValidationError(
            "environment",
            [
                (
                    f"{environment!r} is neither a domain such as {DEFAULT_ENVIRONMENT!r} "
                    "nor a base URL such as 'http://127.0.0.1:8080'"
                )
            ],
        )


@dataclass(frozen=True)
class Settings:
    """Everything that a client needs to know, resolved once.

    Attributes:
        environment: As given; see :meth:`Endpoints.of`.
        endpoints: The hosts that follow from it.
        client_id: OAuth2 client id, or None when ``token_file`` alone is used.
        client_secret: Its secret; never shown.
        token_file: JSON file with a token, shared between processes; see :mod:`auth`.
        scope: OAuth2 scopes to ask for.
        ca_file: PEM file of the authority to trust instead of the system's.
        namespace: Keeps deployments that share an account from adopting each other's jobs.
    """

    environment: str
    endpoints: Endpoints
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    scope: str = DEFAULT_SCOPE
    ca_file: str | None = None
    namespace: str = ""

    @classmethod
    def resolve(
        cls,
        *,
        client_id: str | None = None,
        client_secret: str | None = None,
        environment: str | None = None,
        token_file: str | os.PathLike[str] | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        namespace: str | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Settings:
        """Fill every setting from the first source that has it.

        Args:
            client_id: OAuth2 client id.
            client_secret: OAuth2 client secret.
            environment: See :meth:`Endpoints.of`.
            token_file: JSON file with a token.
            ca_file: PEM file of an authority to trust.
            namespace: See the class.
            variables: The process's environment unless given.

        Raises:
            AuthenticationError: There are no credentials, or only half of a pair.
            ValidationError: The environment or the credential file cannot be read as such.
        """
        known = os.environ if variables is None else variables

        def pick(argument: str | os.PathLike[str] | None, variable: str) -> str | None:
            return (os.fspath(argument) if argument else None) or known.get(variable) or None

        chosen = pick(environment, "RAPIDATA_ENVIRONMENT") or DEFAULT_ENVIRONMENT
        endpoints = Endpoints.of(chosen)
        identity = pick(client_id, "RAPIDATA_CLIENT_ID")
        secret = pick(client_secret, "RAPIDATA_CLIENT_SECRET")
        shared = pick(token_file, "RAPIDATA_TOKEN_FILE")
        if not identity and not secret and not shared:
            identity, secret = _stored_credentials(endpoints.auth, known)
        if bool(identity) != bool(secret) or not (identity or shared):
            raise _missing(identity, secret, endpoints.auth)
        return cls(
            environment=chosen,
            endpoints=endpoints,
            client_id=identity,
            client_secret=secret,
            token_file=Path(shared) if shared else None,
            scope=pick(None, "RAPIDATA_SCOPE") or DEFAULT_SCOPE,
            ca_file=pick(ca_file, "SSL_CERT_FILE"),
            namespace=pick(namespace, "RAPIDATA_NAMESPACE") or "",
        )


def _missing(identity: str | None, secret: str | None, auth_url: str) -> AuthenticationError:
    if identity and not secret:
        problem = "there is a client id but no client secret"
    elif secret and not identity:
        problem = "there is a client secret but no client id"
    else:
        problem = "there are no credentials"
    return AuthenticationError(
        f"Cannot log in at {auth_url}: {problem}. Pass client_id= and client_secret=, or set "
        "RAPIDATA_CLIENT_ID and RAPIDATA_CLIENT_SECRET (create them in the Rapidata dashboard "
        "under Settings > Tokens), or run against the sandbox: rapidata-orchestration sandbox."
    )


def _stored_credentials(
    auth_url: str, variables: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """Read the credential file that the vendor's login writes; the latest used entry wins."""
    home = variables.get("HOME") or str(Path.home())
    path = Path(home) / ".config" / "rapidata" / "credentials.json"
    try:
        stored: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None, None
    except (OSError, ValueError) as error:
        # The content may be a secret, so only the kind of the problem is named.
        raise ValidationError(
            "credential file",
            [f"{path} cannot be read ({type(error).__name__}); repair or delete it"],
        ) from None
    entries: Any = (
        cast("dict[str, Any]", stored).get(auth_url) if isinstance(stored, dict) else None
    )
    if not entries:
        return None, None
    try:
        latest = max(entries, key=lambda entry: str(entry.get("last_used", "")))
        return str(latest["client_id"]), str(latest["client_secret"])
    except (AttributeError, KeyError, TypeError):
        raise ValidationError(
            "credential file",
            [
                (
                    f"{path} has no client_id and client_secret for {auth_url}; "
                    "log in again or delete it"
                )
            ],
        ) from None
