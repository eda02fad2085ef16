"""What a type of letter demands, read from its file. Data, not code: nothing here knows a type by name."""

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import protovalidate
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor

from dabir.formats import names
from dabir.intake.v1.definition_pb2 import Clock
from dabir.intake.v1.definition_pb2 import Definition as Demands
from services.intake.domain.errors import DefinitionNotFound, DefinitionWithdrawn

_FILE_NAME = re.compile(r"[a-z][a-z0-9-]{1,62}\.[1-9][0-9]{0,5}\.toml")


class DefinitionFileError(ValueError):
    """A definition file that cannot be used; the message names it and says what to change."""


@dataclass(frozen=True)
class Definition:
    """A definition with the file it was read from."""

    name: str
    """`definitions/{type}/{version}`"""
    sha256: bytes
    """Of the file: statements name it."""
    file: bytes
    demands: Demands


def read(file_name: str, file: bytes) -> Definition:
    """The definition in a file `{type}.{version}.toml`. Raises DefinitionFileError."""
    try:
        table = tomllib.loads(file.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DefinitionFileError(f"{file_name} is not TOML: {error}.") from error
    if unknown := sorted(_unknown_keys(table, Demands.DESCRIPTOR)):
        raise DefinitionFileError(f"{file_name} has keys that no definition has: {', '.join(unknown)}. Remove them.")
    try:
        demands = json_format.ParseDict(table, Demands())
        protovalidate.validate(demands)
    except json_format.ParseError as error:
        raise DefinitionFileError(f"{file_name} does not do: {error}.") from error
    except protovalidate.ValidationError as error:
        found = "; ".join(f"{_path(violation)} {violation.proto.message}" for violation in error.violations)
        raise DefinitionFileError(f"{file_name} does not do: {found}.") from error
    if wrong := list(_contradictions(demands)):
        raise DefinitionFileError(f"{file_name} contradicts itself: {'; '.join(wrong)}.")
    if _FILE_NAME.fullmatch(file_name) is None or file_name != f"{demands.type}.{demands.version}.toml":
        raise DefinitionFileError(
            f"{file_name} must be called {demands.type}.{demands.version}.toml, as it says inside."
        )
    return Definition(names.definition(demands.type, demands.version), hashlib.sha256(file).digest(), file, demands)


def read_stored(name: str, file: bytes) -> Definition:
    """A definition as it was kept under its name. Raises DefinitionFileError."""
    type_id, version = names.split_definition(name)
    return read(f"{type_id}.{version}.toml", file)


def _unknown_keys(table: Mapping[str, Any], descriptor: Descriptor) -> Iterable[str]:
    for key, value in table.items():
        field = descriptor.fields_by_name.get(key)
        if field is None:
            yield key
        elif field.message_type is not None and isinstance(value, dict):
            yield from (f"{key}.{inner}" for inner in _unknown_keys(value, field.message_type))


def _path(violation: protovalidate.Violation) -> str:
    path = violation.proto.field
    return ".".join(element.field_name for element in path.elements) if path is not None else ""


def _contradictions(demands: Demands) -> Iterable[str]:
    for name in ("acceptance", "answer"):
        clock: Clock = getattr(demands, name)
        if demands.HasField(name) and not clock.min_seconds <= clock.default_seconds <= clock.max_seconds:
            yield f"{name}.default_seconds must lie between min_seconds and max_seconds"
    if list(demands.remind_before_seconds) != sorted(set(demands.remind_before_seconds), reverse=True):
        yield "remind_before_seconds must stand largest first, each once"
    if len(demands.required_positions) > demands.min_signers:
        yield "min_signers must be at least the number of required_positions"
    if demands.return_window_seconds > 0 and not demands.return_reasons:
        yield "return_window_seconds is given but no return_reasons are"


class Definitions:
    """Those offered for new letters, and all that letters were ever written by, as far as this process has seen."""

    def __init__(self, offered: Iterable[Definition], stored: Iterable[Definition]) -> None:
        """`offered`: from files. `stored`: from the database, `offered` among them."""
        self._known = {definition.name: definition for definition in stored}
        self._offered = frozenset(definition.name for definition in offered)

    def get(self, name: str) -> Definition:
        """Whether still offered or not. Raises DefinitionNotFound."""
        try:
            return self._known[name]
        except KeyError:
            raise DefinitionNotFound(definition=name) from None

    def add(self, definition: Definition) -> None:
        """One that another process offers."""
        self._known[definition.name] = definition

    def offered(self, name: str) -> Definition:
        """For a new letter. Raises DefinitionNotFound, DefinitionWithdrawn."""
        definition = self.get(name)
        if name not in self._offered:
            raise DefinitionWithdrawn(definition=name)
        return definition


def changed(offered: Iterable[Definition], stored: Iterable[Definition]) -> list[str]:
    """The names of definitions whose file is not what was kept when it was first offered: letters rely on that."""
    kept = {definition.name: definition.sha256 for definition in stored}
    return [d.name for d in offered if kept.get(d.name, d.sha256) != d.sha256]
