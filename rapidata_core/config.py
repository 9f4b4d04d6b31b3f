"""Settings and credentials: arguments first, then ``RAPIDATA_*`` variables, then the file.

Beside the settings of one client there is :data:`rapidata_config`, which the documents describe:
how uploads and logging behave in this process.

Empty strings count as unset everywhere, because templates and CI systems produce them.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TextIO, TypeVar, cast
from urllib.parse import urlsplit

import pydantic
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from rapidata_core.errors import AuthenticationError, ValidationError, problems_in

DEFAULT_ENVIRONMENT = "rapidata.ai"
DEFAULT_SCOPE = "openid email api"
DEFAULT_SETTLE = 30.0
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}

logger = logging.getLogger("rapidata_core")


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
        settle: Seconds within which a call that was sent is carried out, if it ever is, and shows
            in the platform's lists. Paying once rests on it.
    """

    environment: str
    endpoints: Endpoints
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    scope: str = DEFAULT_SCOPE
    ca_file: str | None = None
    namespace: str = ""
    settle: float = DEFAULT_SETTLE

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
        settle: float | None = None,
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
            settle: See the class.
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
            settle=_seconds(settle, known.get("RAPIDATA_SETTLE")),
        )


def _seconds(argument: float | None, variable: str | None) -> float:
    given = argument if argument is not None else variable or DEFAULT_SETTLE
    try:
        seconds = float(given)
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        where = "settle" if argument is not None else "RAPIDATA_SETTLE"
        raise ValidationError(where, [f"must be a number of seconds above 0, not {given!r}"])
    return seconds


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
        "under Settings > Tokens), or log in with the vendor's SDK, which stores them in "
        "~/.config/rapidata/credentials.json, or run against the sandbox: "
        "rapidata-orchestration sandbox."
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


def _truth(value: object) -> object:
    """Text as the documents read it: everything but these three is false."""
    return value.strip().lower() in {"1", "true", "yes"} if isinstance(value, str) else value


def _usable_level(value: str) -> str:
    name = value.strip().upper()
    if name not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
        raise ValueError("must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL")
    return name


def _usable_format(text: str) -> str:
    logging.Formatter(text)
    return text


def _usable_file(path: Path) -> Path:
    try:
        path.expanduser().open("a", encoding="utf-8").close()
    except OSError as error:
        raise ValueError(f"cannot be written: {error}") from None
    return path.expanduser()


def _usual_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "rapidata" / "upload_cache"


Flag = Annotated[bool, BeforeValidator(_truth)]
Share = Annotated[float, Field(ge=0, le=1)]


class Options(BaseModel, validate_assignment=True, extra="forbid"):
    """Values that are checked whenever they are set.

    Raises:
        ValidationError: A value is none, or there is no such name; nothing is changed.
    """

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except pydantic.ValidationError as error:
            raise ValidationError(type(self).__name__, problems_in(error)) from None

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            super().__setattr__(name, value)
        except pydantic.ValidationError as error:
            raise ValidationError(type(self).__name__, problems_in(error)) from None


class CompressionConfig(Options):
    """How the platform compresses images when they are uploaded; None leaves it to the platform.

    Attributes:
        enabled: Whether it does.
        quality: 1 to 100.
        max_dimension: Pixels of the longer side at most.
    """

    enabled: bool | None = None
    quality: Annotated[int, Field(ge=1, le=100)] | None = None
    max_dimension: Annotated[int, Field(ge=1)] | None = None


class UploadOptions(Options):
    """``rapidata_config.upload``. The names are those of the platform's documents.

    Attributes:
        maxWorkers: Requests at a time while uploading.
        maxRetries: How often a datapoint that failed is tried again.
        cacheToDisk: Whether uploaded files are remembered between runs.
        cacheTimeout: Seconds to wait for the cache while another process uses it.
        cacheLocation: Its folder; only ``RAPIDATA_cacheLocation`` can change it.
        cacheShards: Without effect: the cache is a single file here.
        batchSize: URLs per batch, 100 to 5000.
        batchPollInterval: Seconds between looks whether a batch is done.
        compression: See :class:`CompressionConfig`; it can only be set in code.
        contextShortening: Whether contexts that are too long are shortened.
        autoShortenContext: The same under its other name.
        failureTolerance: Share of the datapoints that may fail without an error, 0 to 1.
        checkForExplicitContent: Whether the platform checks jobs for explicit content; None
            leaves it to the platform.
    """

    maxWorkers: Annotated[int, Field(ge=1)] = 25  # noqa: N815
    maxRetries: Annotated[int, Field(ge=0)] = 3  # noqa: N815
    cacheToDisk: Flag = True  # noqa: N815
    cacheTimeout: Annotated[float, Field(ge=0)] = 1.0  # noqa: N815
    cacheLocation: Annotated[Path, AfterValidator(Path.expanduser)] = Field(  # noqa: N815
        default_factory=_usual_cache, validate_default=True, frozen=True
    )
    cacheShards: Annotated[int, Field(ge=1)] = Field(default=128, frozen=True)  # noqa: N815
    batchSize: Annotated[int, Field(ge=100, le=5000)] = 1000  # noqa: N815
    batchPollInterval: Annotated[float, Field(ge=0.01)] = 0.5  # noqa: N815
    compression: CompressionConfig | None = None
    contextShortening: Flag = False  # noqa: N815
    failureTolerance: Share = 0.0  # noqa: N815
    checkForExplicitContent: Flag | None = None  # noqa: N815

    @property
    def autoShortenContext(self) -> bool:  # noqa: N802
        """See ``contextShortening``."""
        return self.contextShortening

    @autoShortenContext.setter
    def autoShortenContext(self, value: bool) -> None:  # noqa: N802
        self.contextShortening = value


class LoggingOptions(Options):
    """``rapidata_config.logging``.

    A library must not decide how its user's program logs. So nothing is set up until one of
    ``level``, ``log_file`` and ``format`` is set, and then for the logger ``rapidata_core`` alone.

    Attributes:
        level: DEBUG, INFO, WARNING, ERROR or CRITICAL.
        log_file: A file that gets the messages, too.
        format: How a message looks; see :mod:`logging`.
        silent_mode: Whether progress bars and addresses of pages are left out. Logging goes on.
        enable_otlp: Without effect: this package sends no telemetry to anybody.
    """

    level: Annotated[str, AfterValidator(_usable_level)] = "WARNING"
    log_file: Annotated[Path, AfterValidator(_usable_file)] | None = None
    format: Annotated[str, AfterValidator(_usable_format)] = (
        "%(asctime)s - %(name)s - %(levelname)s - %(message)s"
    )
    silent_mode: Flag = False
    enable_otlp: Flag = False

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self._apply()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        self._apply()

    def _apply(self) -> None:
        """Give the logger ``rapidata_core`` its level and handlers, if somebody asked for it."""
        if self.model_fields_set.isdisjoint({"level", "log_file", "format"}):
            return
        for old in [handler for handler in logger.handlers if isinstance(handler, _OURS)]:
            logger.removeHandler(old)
            old.close()
        handlers: list[logging.Handler] = [_Terminal()]
        if self.log_file is not None:
            handlers.append(_File(self.log_file, encoding="utf-8"))
        for handler in handlers:
            handler.setFormatter(logging.Formatter(self.format))
            logger.addHandler(handler)
        logger.setLevel(self.level)


class _Terminal(logging.StreamHandler[TextIO]):
    """Standard error, unless the program shows messages itself: they would be there twice."""

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().handlers:
            super().emit(record)


class _File(logging.FileHandler):
    """The user's file."""


# So that the handlers of the program stay.
_OURS = (_Terminal, _File)


Part = TypeVar("Part", bound=Options)


class RapidataConfig:
    """How this process uploads and logs; there is one, :data:`rapidata_config`.

    Variables are read when a part is used first, so that a wrong one fails no import.
    """

    @cached_property
    def upload(self) -> UploadOptions:
        """How files and datapoints are uploaded."""
        return _of_variables(UploadOptions)

    @cached_property
    def logging(self) -> LoggingOptions:
        """What is said, and where."""
        return _of_variables(LoggingOptions)

    def check(self) -> None:
        """Read all variables.

        Raises:
            ValidationError: Some have values that are none; it lists every problem.
        """
        problems: list[str] = []
        for part in ("upload", "logging"):
            try:
                getattr(self, part)
            except ValidationError as error:
                problems += error.problems
        if problems:
            raise ValidationError("environment variables", problems)

    def __repr__(self) -> str:
        return f"RapidataConfig(upload={self.upload!r}, logging={self.logging!r})"


rapidata_config = RapidataConfig()


def _of_variables(kind: type[Part]) -> Part:
    """Options as the variables ``RAPIDATA_<name>`` say; an empty one is unset."""
    given = {name: os.environ.get(f"RAPIDATA_{name}") for name in kind.model_fields}
    try:
        return kind(**{name: text for name, text in given.items() if text})
    except ValidationError as error:
        raise ValidationError(
            "environment variables", [f"RAPIDATA_{problem}" for problem in error.problems]
        ) from None
