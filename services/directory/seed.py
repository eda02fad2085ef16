"""What directory is loaded with: a TOML file named by `seed_file`.

    [[body]]
    name = "bodies/interior"
    display_name_fa = "وزارت کشور"
    display_name_en = "Ministry of Interior"
    time_zone = "Asia/Tehran"
    calendar = "JALALI"                                # or "GREGORIAN"

    [[body.office]]
    name = "bodies/interior/offices/main"
    display_name_fa = "دبیرخانه"
    display_name_en = "Registry"
    number_pattern = "{year}/12/{sequence}"            # optional

    [[certificate]]
    owner = "bodies/interior"                          # or "services/intake", for a hub service's seal
    file = "interior/tls.pem"                          # PEM: the certificate, then its issuers without the root
    roles = ["sender", "recipient", "reader"]          # with a tls certificate only

Purpose and position are read from the certificate. Every part goes in as by its RPC, with the same checks, and every
certificate of a body is stated. At a further start only what is missing is added: what stands in directory stays as it
is, whatever the file says, since it may have been changed by RPC. A start that was killed half-way goes on.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from dabir.formats.signer import load_certificates
from dabir.formats.strict_json import FormatError
from services.directory.domain import Body, Office
from services.directory.registry import Registry
from services.runtime.config import StartRefused
from services.runtime.errors import AlreadyExists, DabirError
from services.runtime.logs import log

_BODY_KEYS = frozenset({"name", "display_name_fa", "display_name_en", "time_zone", "calendar"})
_OFFICE_KEYS = frozenset({"name", "display_name_fa", "display_name_en"})


@dataclass(frozen=True)
class Listing:
    """A certificate of the seed: `roles` as the role's names."""

    owner: str
    file: Path
    roles: tuple[str, ...]


@dataclass(frozen=True)
class Seed:
    """The file's content."""

    bodies: tuple[Body, ...]
    offices: tuple[Office, ...]
    certificates: tuple[Listing, ...]


def read(path: Path) -> Seed:
    """Raises StartRefused with what is wrong. Relative files are relative to the seed's folder."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StartRefused(f"seed_file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartRefused(f"seed_file {path} is not TOML: {error}.") from error
    try:
        _only(content, frozenset(), {"body", "certificate"})
        bodies = content.get("body", [])
        return Seed(
            bodies=tuple(_body(one) for one in bodies),
            offices=tuple(_office(office) for one in bodies for office in one.get("office", [])),
            certificates=tuple(_listing(one, path.parent) for one in content.get("certificate", [])),
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise StartRefused(f"seed_file {path} does not do: {error}.") from error


async def load(registry: Registry, path: Path) -> None:
    """Adds what is missing. Raises StartRefused, naming the entry, where one cannot be added."""
    seed = read(path)
    for body in seed.bodies:
        await _add(body.name, registry.create_body(body))
    for office in seed.offices:
        await _add(office.name, registry.create_office(office))
    for listing in seed.certificates:
        try:
            leaf, *issuers = (one.public_bytes(Encoding.DER) for one in load_certificates(listing.file))
        except (OSError, ValueError) as error:
            raise StartRefused(f"seed_file names {listing.file}, which cannot be read: {error}.") from error
        adding = registry.add_certificate(listing.owner, leaf, issuers, listing.roles)
        await _add(f"{listing.owner} {listing.file.name}", adding)


async def _add(entry: str, adding: Any) -> None:
    try:
        await adding
    except AlreadyExists as kept:
        log.info("seed_entry_kept", entry=entry, reason=kept.reason)
    except (DabirError, FormatError) as error:
        raise StartRefused(f"seed_file: {entry} cannot be added: {error}") from error


def _body(given: dict[str, Any]) -> Body:
    _only(given, _BODY_KEYS, {"office"})
    if given["calendar"] not in ("JALALI", "GREGORIAN"):
        raise ValueError(f"calendar of {given['name']} must be JALALI or GREGORIAN")
    return Body(**{key: _text(given, key) for key in _BODY_KEYS})


def _office(given: dict[str, Any]) -> Office:
    _only(given, _OFFICE_KEYS, {"number_pattern"})
    return Office(**{key: _text(given, key) for key in _OFFICE_KEYS}, number_pattern=given.get("number_pattern", ""))


def _listing(given: dict[str, Any], folder: Path) -> Listing:
    _only(given, frozenset({"owner", "file"}), {"roles"})
    return Listing(_text(given, "owner"), folder / _text(given, "file"), tuple(given.get("roles", [])))


def _only(given: dict[str, Any], required: frozenset[str], optional: set[str]) -> None:
    if missing := required - given.keys():
        raise ValueError(f"{given.get('name', 'an entry')} lacks {', '.join(sorted(missing))}")
    if unknown := given.keys() - required - optional:
        raise ValueError(f"{', '.join(sorted(unknown))} is not known here")


def _text(given: dict[str, Any], key: str) -> str:
    if not isinstance(given[key], str):
        raise TypeError(f"{key} must be a string")
    return str(given[key])
