"""A process's settings: one TOML file, read once at the start into a frozen dataclass.

    python -m services.intake CONFIG.toml

Each key of the file is a field of the class and the other way round: an unknown key, a missing one or a value of the
wrong type stops the start with a sentence. Relative paths are relative to the file. Secrets are paths of files.
"""

import dataclasses
import tomllib
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ENVIRONMENTS = ("development", "production")

Config = TypeVar("Config", bound="DataclassInstance")


class StartRefused(Exception):
    """The process cannot start as it is configured; the message says what to change. Exit status 2."""


@dataclass(frozen=True, kw_only=True)
class ProcessConfig:
    """What every process of ours needs, workers included."""

    hub: str
    """The hub's name, `iss` of its statements, e.g. `log.dabir.example/1`."""
    source: str
    """Which of the hub's own this is: `intake`, `documents`, `directory`, `notifications`, `evidence`, `worker`."""
    environment: str
    """`development` or `production`; production refuses development certificates and reflection."""
    tls_certificate: Path
    """PEM: our certificate, then its issuers without the root."""
    tls_key: Path
    """PEM, PKCS#8."""
    tls_roots: Path
    """PEM: who may issue certificates of those that call us, and, without `tls_server_roots`, of those we call."""
    tls_server_roots: Path | None = None
    """PEM: the hub's CA, or its root: who may issue certificates of the services we call. Not given: `tls_roots`, with
    which whoever issues a member's certificate could stand in for a neighbour; so production must give it."""
    metrics_listen: str
    """`host:port` of the Prometheus endpoint, on the hub's own network; port 0 takes a free one, "" offers none."""
    tls_server_name: str = "localhost"
    """The DNS name that certificates of the services we call must carry."""
    call_timeout_seconds: float = 10.0
    """Deadline of an outgoing call where the call being served has none of its own."""
    call_margin_seconds: float = 0.05
    """Taken off the deadline that is passed on, so that we still can answer."""
    log_level: str = "info"
    """`debug`, `info`, `warning` or `error`."""

    def __post_init__(self) -> None:
        if self.environment not in ENVIRONMENTS:
            raise StartRefused(f"environment is {self.environment!r}: write one of {', '.join(ENVIRONMENTS)}.")
        if self.log_level not in ("debug", "info", "warning", "error"):
            raise StartRefused(f"log_level is {self.log_level!r}: write debug, info, warning or error.")


@dataclass(frozen=True, kw_only=True)
class ServiceConfig(ProcessConfig):
    """What every gRPC service needs. A service's `config.py` derives its own from it."""

    listen: str
    """`127.0.0.1:PORT`; port 0 takes a free one."""
    database_url_file: Path
    """A file with the connection string (libpq's, or a URL) of this service's role. In production with
    `sslmode=verify-full`, unless its host is the folder of a Unix socket."""
    allowed_services: tuple[str, ...] = ()
    """The hub's own that may call us, by the name in their certificate's `urn:dabir:service:{name}`."""
    services: tuple[str, ...] = ()
    """The proto services to serve, e.g. `dabir.intake.v1.SenderService`; none named means all of them."""
    tls_service_issuers: Path | None = None
    """PEM: the hub's CA, the direct and only issuer of `urn:dabir:service:…` certificates. Not given: every root's word
    is taken for it, which is right only where all roots are the hub's own; so production must give it.
    """
    crl_folder: Path | None = None
    """Revocation lists of `tls_service_issuers`, one per file, PEM or DER; read again within `identity_cache_seconds`.
    A hub service whose certificate is on one is refused; so production must give it."""
    seal_certificate: Path | None = None
    """PEM: the certificate of this service's seal, then its issuers without the root."""
    seal_key: Path | None = None
    """PEM, PKCS#8: the key that signs this service's statements."""

    database_pool_size: int = 10
    """Connections at most."""
    database_connections_per_body: int = 4
    """Of them, in use by the calls of one body; its further calls wait as for any."""
    database_pool_wait_seconds: float = 5.0
    """How long a call waits for one before RESOURCE_EXHAUSTED."""
    database_pool_waiting_calls: int = 200
    """How many calls may wait at once; more are refused at once."""
    database_statement_timeout_seconds: float = 10.0
    database_lock_timeout_seconds: float = 5.0
    database_idle_in_transaction_seconds: float = 5.0
    """A stopped process must not hold a book."""

    max_concurrent_rpcs: int = 256
    """Calls in work at once; further ones get RESOURCE_EXHAUSTED with RetryInfo."""
    concurrent_rpcs_per_body: int = 64
    """Of them, of one body; further ones get RESOURCE_EXHAUSTED with RetryInfo, while others are served."""
    max_unlisted_streams: int = 16
    """Of health and reflection, which need no more than a certificate of our CA, at once; also how many of health's
    other calls may keep us waiting for their message at once."""
    max_concurrent_streams: int = 128
    """Calls in work at once on one connection; further ones wait at the client."""
    message_max_bytes: int = 4 * 1024 * 1024
    """Of one message, either way."""
    metadata_max_bytes: int = 8 * 1024
    """Of a call's metadata."""
    handshake_timeout_seconds: float = 10.0
    connection_idle_seconds: float = 600.0
    """A connection without a call for this long is closed; its client opens another with its next call."""
    deadline_min_seconds: float = 0.1
    """A mutating call with less time left is refused before any work is done."""
    stream_idle_seconds: float = 30.0
    """A stream whose other end neither sends nor takes a message for this long is ended; so is any other call whose
    request is not there, whole, this long after it began."""
    stream_recheck_seconds: float = 30.0
    """How often the caller of an open stream is authenticated again; at most 60."""
    identity_cache_seconds: float = 30.0
    """How long directory's answer about a certificate is used: that is how fast a revocation bites."""
    identity_stale_seconds: float = 600.0
    """How long it is used while directory does not answer."""
    stop_wait_seconds: float = 0.0
    """After NOT_SERVING, before calls are refused: the balancer's time to notice."""
    stop_grace_seconds: float = 10.0
    """What runs may take this long to finish."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.database_connections_per_body < 1:
            raise StartRefused("database_connections_per_body must be at least 1.")
        if not 0 < self.stream_recheck_seconds <= 60:
            raise StartRefused("stream_recheck_seconds must be more than 0 and at most 60.")
        if self.environment == "production" and self.tls_service_issuers is None:
            raise StartRefused(
                "tls_service_issuers is missing: in production give the hub's CA, or whoever issues a member's "
                "certificate could issue one in a service's name."
            )
        if self.environment == "production" and self.crl_folder is None:
            raise StartRefused(
                "crl_folder is missing: in production give the folder of the hub CA's revocation lists, or a service's "
                "stolen certificate would be taken until it expires."
            )
        if (self.seal_certificate is None) != (self.seal_key is None):
            raise StartRefused("seal_certificate and seal_key belong together: give both or neither.")


def load(config_class: type[Config], path: Path) -> Config:
    """Read `path`. Raises StartRefused with everything that is wrong with it."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StartRefused(f"The configuration {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartRefused(f"The configuration {path} is not TOML: {error}.") from error
    return from_table(config_class, given, path.parent, str(path))


def from_table(config_class: type[Config], given: dict[str, Any], folder: Path, name: str) -> Config:
    """The settings in `given`, relative paths from `folder`. Raises StartRefused; `name` says where they stand."""
    fields = {field.name: field for field in dataclasses.fields(config_class)}
    hints = typing.get_type_hints(config_class)
    required = {key for key, field in fields.items() if field.default is dataclasses.MISSING}
    wrong = [f"{key} is not a setting of this service" for key in sorted(given.keys() - fields.keys())]
    wrong += [f"{key} is missing" for key in sorted(required - given.keys())]
    values: dict[str, Any] = {}
    for key in sorted(given.keys() & fields.keys()):
        try:
            values[key] = _value(given[key], hints[key], folder)
        except ValueError as error:
            wrong.append(f"{key} {error}")
    if wrong:
        raise StartRefused(f"The configuration {name} does not do: {'; '.join(wrong)}.")
    return config_class(**values)


_NAMES = {str: "a string", int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}


def _value(given: object, hint: Any, folder: Path) -> object:
    """`given` as the type of its field: str, int, float, bool, Path, a tuple of one of them, or one of them or None."""
    if isinstance(hint, types.UnionType):
        (hint,) = (one for one in typing.get_args(hint) if one is not types.NoneType)
    if typing.get_origin(hint) is tuple:
        if not isinstance(given, list):
            raise ValueError("must be a list")
        return tuple(_value(one, typing.get_args(hint)[0], folder) for one in given)
    if hint is Path and isinstance(given, str) and given:
        return folder / given
    if hint is float and isinstance(given, int) and not isinstance(given, bool):
        return float(given)
    if type(given) is not hint:
        raise ValueError(f"must be {_NAMES.get(hint, str(hint))}")
    return given
