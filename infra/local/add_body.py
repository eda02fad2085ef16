"""A body of one's own on a running stack: its body, office and certificates in directory, its keys, its profile.

Every step may be repeated and finds what an earlier run left; the profile is written last, so where there is one all it
needs is there. Killed anywhere and asked for again, it completes.
"""

import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from cryptography.hazmat.primitives.serialization import Encoding
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from dabir.directory.v1 import directory_pb2 as pb
from dabir.directory.v1.directory_pb2_grpc import DirectoryInternalServiceStub, DirectoryServiceStub
from dabir.formats import names, pki
from dabir.formats.signer import load_certificates
from dabir.formats.strict_json import FormatError, check_text
from infra.local.members import (
    OFFICE_EN,
    OFFICE_FA,
    TIME_ZONE,
    Keys,
    Member,
    make_keys,
    members,
    profile_folder,
    write_profile,
)
from infra.local.pki import DevelopmentPki
from infra.local.settings import OPERATOR, config_file, identity_folder
from infra.local.stack import Stack

MOST_POSITIONS = 20
POSITION_CHARACTERS = 200
ALL_CALLS_SECONDS = 30.0


class AddBodyError(Exception):
    """The body is not there as asked for. `code` is a gRPC status code's name, `reason` UPPER_SNAKE; `str()` says what
    to do.
    """

    def __init__(self, code: str, reason: str, message: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(message)


def add_body(stack: Stack, wanted: Member) -> Path:
    """Returns the body's `profile.toml`. Raises AddBodyError; nothing is made for a wish that cannot be granted.

    Asked for again with further positions at the end, it adds these.
    """
    _check_development(stack)
    _check(wanted)
    folder = profile_folder(stack, wanted)
    _check_positions(wanted, folder)
    authority = DevelopmentPki(stack.pki)
    with _channel(stack) as channel:
        directory = _Directory(channel)
        directory.create(wanted)
        keys = make_keys(authority, wanted, folder)
        directory.list_certificates(wanted, keys)
    return write_profile(stack, authority, wanted, keys)


def _check_development(stack: Stack) -> None:
    settings = tomllib.loads(config_file(stack, "directory").read_text(encoding="utf-8"))
    if settings["environment"] != "development":
        raise AddBodyError(
            "FAILED_PRECONDITION",
            "NOT_DEVELOPMENT",
            "This hub is not one for development: the body's certificates come from its own CA, and an operator lists "
            "them by DirectoryInternalService.",
        )


def _check(wanted: Member) -> None:
    try:
        names.check_id(wanted.id, "NAME")
        names.check_id(wanted.office_id, "--office")
        for position in wanted.positions:
            check_text(position, "--position")
    except FormatError as error:
        raise AddBodyError("INVALID_ARGUMENT", error.reason, str(error)) from None
    if wanted.id in {member.id for member in members()}:
        raise AddBodyError(
            "ALREADY_EXISTS",
            "BODY_OF_THE_DEMO",
            f"{wanted.name} is one of the demo's and has its profile already: choose another name.",
        )
    if not 1 <= len(wanted.positions) <= MOST_POSITIONS:
        said = f"A body has 1 to {MOST_POSITIONS} positions that sign, not {len(wanted.positions)}."
        raise AddBodyError("INVALID_ARGUMENT", "POSITIONS_INVALID", said)
    if len(set(wanted.positions)) < len(wanted.positions):
        raise AddBodyError("INVALID_ARGUMENT", "POSITIONS_INVALID", "A position is named twice: name each once.")
    if not all(position.strip() and len(position) <= POSITION_CHARACTERS for position in wanted.positions):
        said = f"A position has 1 to {POSITION_CHARACTERS} characters: write e.g. --position مدیرعامل."
        raise AddBodyError("INVALID_ARGUMENT", "POSITIONS_INVALID", said)


def _check_positions(wanted: Member, folder: Path) -> None:
    """A key that stands there signs for its position for ever: the wish must begin with the positions there are."""
    there: list[str] = []
    while (file := folder / f"sign-{len(there) + 1}.pem").exists():
        there.append(pki.position(load_certificates(file)[0]))
    if list(wanted.positions[: len(there)]) != there:
        said = f"{wanted.name} signs as {', '.join(there)}: name these first, then further ones."
        raise AddBodyError("ALREADY_EXISTS", "OTHER_POSITIONS", said)


@contextmanager
def _channel(stack: Stack) -> Iterator[grpc.Channel]:
    """To directory, as the stack's operator."""
    identity = identity_folder(stack, OPERATOR)
    key, certificate = ((identity / name).read_bytes() for name in ("tls.key", "tls.pem"))
    credentials = grpc.ssl_channel_credentials(stack.roots.read_bytes(), key, certificate)
    options = [("grpc.ssl_target_name_override", "localhost")]
    with grpc.secure_channel(stack.address("directory.grpc"), credentials, options) as channel:
        yield channel


class _Directory:
    """What an operator has directory do for a body. Every method raises AddBodyError."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._operator, self._reader = DirectoryInternalServiceStub(channel), DirectoryServiceStub(channel)
        self._deadline = time.monotonic() + ALL_CALLS_SECONDS

    def create(self, wanted: Member) -> None:
        """Body and office."""
        body = pb.Body(
            name=wanted.name,
            display_name_fa=wanted.fa,
            display_name_en=wanted.en,
            time_zone=TIME_ZONE,
            calendar=pb.CALENDAR_JALALI,
        )
        self._call(self._operator.CreateBody, pb.CreateBodyRequest(body=body))
        there = self._call(self._reader.ListOffices, pb.ListOfficesRequest(parent=wanted.name)).offices
        if there and wanted.office not in {office.name for office in there}:
            said = f"{wanted.name} has the office {names.split_office(there[0].name)[1]}: name that by --office."
            raise AddBodyError("ALREADY_EXISTS", "OTHER_OFFICE", said)
        office = pb.Office(name=wanted.office, display_name_fa=OFFICE_FA, display_name_en=OFFICE_EN)
        self._call(self._operator.CreateOffice, pb.CreateOfficeRequest(office=office))

    def list_certificates(self, wanted: Member, keys: Keys) -> None:
        """All of the body's, `tls` with its roles."""
        roles = [pb.Role.Value(f"ROLE_{role.upper()}") for role in wanted.roles]
        for pair in (keys.tls, *keys.sign, keys.seal):
            leaf, *issuers = (certificate.public_bytes(Encoding.DER) for certificate in pair.chain)
            request = pb.AddCertificateRequest(owner=wanted.name, der=leaf, issuers=issuers)
            request.roles.extend(roles if pair == keys.tls else [])
            self._call(self._operator.AddCertificate, request)

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        try:
            return method(request, timeout=max(0.0, self._deadline - time.monotonic()))
        except grpc.RpcError as error:
            raise _refusal(error) from error


def _refusal(error: grpc.RpcError) -> AddBodyError:
    """Directory's reason and sentence, with the fields that it names."""
    if not isinstance(error, grpc.Call):
        return AddBodyError("UNAVAILABLE", "NO_ANSWER", f"directory gave no answer: {error}")
    code = error.code().name
    status = rpc_status.from_call(error)
    if status is None:
        said = (
            f"directory gave no answer ({error.details()}): `dabir hub status` says whether it is up; ask again then."
        )
        return AddBodyError(code, code, said)
    info, wrong = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        _ = detail.Unpack(info) or detail.Unpack(wrong)
    said = error.details() or code
    fields = "".join(
        f" {one.field}: {one.description}" for one in wrong.field_violations if one.description not in said
    )
    return AddBodyError(code, info.reason or code, f"{said}{fields}")
