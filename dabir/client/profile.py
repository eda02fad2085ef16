"""A member's profile: which body and office it is, where the hub's services are, and where its keys and journal lie.

A profile is a TOML file, by convention `profile.toml`. Relative paths start at the file's own folder. Every key:

    body = "bodies/moi"                          # whose system this is
    office = "bodies/moi/offices/central"        # the office that sends unless another is named
    hub = "log.dabir.example/1"                  # the hub that manifests and receipts are written for
    calendar = "JALALI"                          # or "GREGORIAN": how dates are shown (optional, JALALI)
    time_zone = "Asia/Tehran"                    # IANA: where dates are shown (optional, Asia/Tehran)
    language = "fa"                              # or "en": of what is said to people (optional, fa)
    journal = "journal"                          # folder: what was signed, before it is first sent (made if absent)
    watch_silence_seconds = 45                   # 20 to 600: how long a feed may be quiet before it is asked anew
                                                 # (optional, 45; a hub speaks every 10 seconds)

    [services]                                   # host:port, or several replicas as "host:port,host:port"
    intake = "127.0.0.1:7010"
    documents = "127.0.0.1:7011"
    directory = "127.0.0.1:7012"
    evidence = "127.0.0.1:7013"
    notifications = "127.0.0.1:7014"
    server_name = "localhost"                    # the name in the servers' certificates (optional: the address's host)

    [tls]                                        # to call the hub; a certificate of purpose `tls`
    certificate = "tls.pem"                      # PEM: the certificate, then its issuers without the root
    key = "tls.key"                              # PEM, PKCS#8, unencrypted

    [[sign]]                                     # one table per position that signs letters; the first is the default
    certificate = "sign.pem"                     # of purpose `sign`; the position stands in the certificate
    key = "sign.key"

    [seal]                                       # the body's seal: receipts; of purpose `seal`
    certificate = "seal.pem"
    key = "seal.key"

    [trust]
    folder = "trust"                             # see below

The trust folder holds what everything received is checked against:

    trust/roots/*.pem        the roots; a TLS server, a signer, a seal must chain to one of them
    trust/hub/*.pem          one file per seal of a hub's service: the certificate, then its issuers without the root;
                             a service that changed its key has one file for each
    trust/crls/*.pem         revocation lists (optional)

Unknown keys are refused, so that a misspelt one is not silently passed over.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dabir.client.errors import ProfileError
from dabir.formats import calendar, names
from dabir.formats.strict_json import FormatError

SERVICES = ("intake", "documents", "directory", "evidence", "notifications")


@dataclass(frozen=True)
class KeyPair:
    """A certificate file (PEM: leaf, then issuers without the root) and its key file (PEM, PKCS#8)."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Profile:
    """A profile as read; every path is absolute. See the module for what each key means."""

    path: Path
    body: str
    office: str
    hub: str
    calendar: Literal["JALALI", "GREGORIAN"]
    time_zone: str
    language: Literal["fa", "en"]
    journal: Path
    services: Mapping[str, str]
    server_name: str
    tls: KeyPair
    sign: tuple[KeyPair, ...]
    seal: KeyPair
    trust: Path
    watch_silence_seconds: float = 45


def read(path: Path) -> Profile:
    """Reads a profile. Raises ProfileError with a sentence that names the file and the key."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ProfileError(
            "PROFILE_NOT_FOUND",
            f"there is no profile at {path}; name one with --profile or in the environment variable DABIR_PROFILE",
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProfileError("PROFILE_UNREADABLE", f"{path} cannot be read as TOML: {error}") from None
    reader = _Reader(path.absolute(), table)
    profile = reader.profile()
    reader.refuse_rest()
    return profile


class _Reader:
    """Takes keys out of the table one by one; what is left at the end is unknown."""

    def __init__(self, path: Path, table: dict[str, Any]) -> None:
        self._path = path
        self._table = table

    def profile(self) -> Profile:
        services = self._take_table("services")
        sign = self._take("sign", list)
        if not sign or not all(isinstance(entry, dict) for entry in sign):
            raise self._bad("sign", "must be at least one [[sign]] table with certificate and key")
        seal, tls, trust = (self._take_table(key) for key in ("seal", "tls", "trust"))
        body, office = self._take("body", str), self._take("office", str)
        self._check_names(body, office)
        profile = Profile(
            path=self._path,
            body=body,
            office=office,
            hub=self._hub(),
            calendar=self._choice("calendar", ("JALALI", "GREGORIAN")),
            time_zone=self._zone(),
            language=self._choice("language", ("fa", "en")),
            journal=self._file(self._take("journal", str)),
            services={name: self._from(services, "services", name) for name in SERVICES},
            server_name=services.pop("server_name", ""),
            tls=self._key_pair(tls, "tls"),
            sign=tuple(self._key_pair(entry, "sign") for entry in sign),
            seal=self._key_pair(seal, "seal"),
            trust=self._file(self._from(trust, "trust", "folder")),
            watch_silence_seconds=self._silence_seconds(),
        )
        for name, rest in (("services", services), ("tls", tls), ("seal", seal), ("trust", trust)):
            self._refuse_unknown(rest, f"{name}.")
        return profile

    def refuse_rest(self) -> None:
        self._refuse_unknown(self._table, "")

    def _refuse_unknown(self, rest: Mapping[str, Any], prefix: str) -> None:
        if rest:
            raise self._bad(prefix + min(rest), "is not a key of a profile; correct its spelling or remove it")

    def _bad(self, key: str, message: str) -> ProfileError:
        return ProfileError("PROFILE_INVALID", f"{self._path}: {key} {message}")

    def _take(self, key: str, kind: type) -> Any:
        return self._from(self._table, "", key, kind)

    def _take_table(self, key: str) -> dict[str, Any]:
        table: dict[str, Any] = self._take(key, dict)
        return table

    def _from(self, table: dict[str, Any], prefix: str, key: str, kind: type = str) -> Any:
        full = f"{prefix}.{key}" if prefix else key
        value = table.pop(key, None)
        if not isinstance(value, kind) or not value:
            raise self._bad(full, "is missing" if value is None else f"must be a {_KINDS[kind]} and not empty")
        return value

    def _file(self, value: str) -> Path:
        return self._path.parent / value

    def _key_pair(self, table: dict[str, Any], prefix: str) -> KeyPair:
        certificate, key = (self._file(self._from(table, prefix, part)) for part in ("certificate", "key"))
        self._refuse_unknown(table, f"{prefix}.")
        return KeyPair(certificate, key)

    def _choice(self, key: str, allowed: tuple[str, ...]) -> Any:
        value = self._table.pop(key, allowed[0])
        if value not in allowed:
            raise self._bad(key, f"must be one of {', '.join(allowed)}")
        return value

    def _silence_seconds(self) -> int:
        seconds = self._table.pop("watch_silence_seconds", 45)
        if not isinstance(seconds, int) or not 20 <= seconds <= 600:
            raise self._bad("watch_silence_seconds", "must be a whole number from 20 to 600")
        return seconds

    def _zone(self) -> str:
        zone = self._table.pop("time_zone", "Asia/Tehran")
        try:
            return calendar.time_zone(str(zone)).key
        except FormatError as error:
            raise self._bad("time_zone", f"cannot be used: {error}") from None

    def _hub(self) -> str:
        try:
            return names.check_hub(self._take("hub", str))
        except FormatError as error:
            raise self._bad("hub", str(error)) from None

    def _check_names(self, body: str, office: str) -> None:
        try:
            names.split_body(body, "body")
            owner = names.body_of(office)
        except FormatError as error:
            raise ProfileError("PROFILE_INVALID", f"{self._path}: {error}") from None
        if owner != body:
            raise self._bad("office", f"must be an office of {body}")


_KINDS: dict[type, str] = {str: "string", list: "list of tables", dict: "table"}
