"""A manifest, a definition, a letter and a delivery that break no rule, for tests to change."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from dabir.common.v1 import manifest_pb2 as manifests
from services.intake.domain import definition as definitions
from services.intake.domain.definition import Definition
from services.intake.domain.model import Delivery, Letter, Recall

NOW = datetime(2026, 11, 22, 10, 14, 33, 123456, tzinfo=UTC)
HUB = "log.dabir.example/1"
UUID4 = "7f0e9c1c-5f0e-4f5e-9c1c-5f0e4f5e9c1c"
LETTER = f"letters/{UUID4}"
OWN = Path(definitions.__file__).parent.parent / "definitions"


def definition(name: str = "administrative.1", **changes: Any) -> Definition:
    """A definition that comes with intake, its demands changed."""
    found = definitions.read(f"{name}.toml", (OWN / f"{name}.toml").read_bytes())
    for field, value in changes.items():
        found.demands.ClearField(field)  # type: ignore[arg-type]  # the test names a field of Definition
        if value is not None:
            found.demands.MergeFrom(type(found.demands)(**{field: value}))
    return found


def stamp(instant: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(instant)
    return made


def recipient(office: str = "bodies/bank/offices/main", **fields: Any) -> manifests.Recipient:
    return manifests.Recipient(office=office, kind=fields.pop("kind", manifests.RECIPIENT_KIND_TO), **fields)


def manifest(**changes: Any) -> manifests.Manifest:
    """An ordinary letter of interior's to one office of the bank's."""
    made = manifests.Manifest(
        type="dabir.letter.v1",
        letter_uuid=UUID4,
        hub=HUB,
        written_at=stamp(NOW.replace(microsecond=0)),
        definition="definitions/administrative/1",
        sender=manifests.ManifestSender(body="bodies/interior", office="bodies/interior/offices/registry"),
        signers=[manifests.Signer(position="وزیر", certificate_sha256=b"\1" * 32)],
        recipients=[recipient()],
        subject="معرفی نماینده",
        priority=manifests.PRIORITY_NORMAL,
        classification=manifests.CLASSIFICATION_NORMAL,
        documents=[
            manifests.ManifestDocument(
                index=1,
                role=manifests.DOCUMENT_ROLE_MAIN,
                file_name="letter.pdf",
                media_type="application/pdf",
                size_bytes=7,
                sha256=b"\2" * 32,
            )
        ],
    )
    for field, value in changes.items():
        made.ClearField(field)  # type: ignore[arg-type]  # the test names a field of Manifest
        made.MergeFrom(manifests.Manifest(**{field: value}))
    return made


_LETTER = Letter(
    name=LETTER,
    request_sha256=b"\3" * 32,
    sender_body="bodies/interior",
    sender_office="bodies/interior/offices/registry",
    sender_certificate_sha256=b"\4" * 32,
    definition="definitions/administrative/1",
    definition_sha256=b"\5" * 32,
    priority=manifests.PRIORITY_NORMAL,
    classification=manifests.CLASSIFICATION_NORMAL,
    subject="معرفی نماینده",
    recipient_count=1,
    manifest_sha256=b"\6" * 32,
    documents=["documents/11111111-1111-4111-8111-111111111111", "documents/22222222-2222-4222-8222-222222222222"],
    documents_sha256=[b"\2" * 32, b"\7" * 32],
    book="books/interior/registry/out/1405",
    sequence=345,
    number_text="1405/12/345",
    registered_at=NOW,
    acceptance_due=None,
    answer_due=None,
    retain_until=NOW + timedelta(days=3650),
    close_at=NOW + timedelta(days=365),
    urgent_unacked_at=None,
    submission_acceptance=UUID("019abcde-0000-7000-8000-000000000000"),
    submission_acceptance_sha256=b"\x08" * 32,
    state="OPEN",
    unclaimed=False,
    closed_at=None,
)
_DELIVERY = Delivery(
    name=f"{LETTER}/deliveries/1",
    letter=LETTER,
    number=1,
    sender_body="bodies/interior",
    sender_office="bodies/interior/offices/registry",
    recipient_body="bodies/bank",
    recipient_office="bodies/bank/offices/main",
    classification=manifests.CLASSIFICATION_NORMAL,
    kind="TO",
    position="",
    documents=[],
    acceptance_needed=True,
    answer_needed=False,
    acceptance_due=None,
    answer_due=None,
    state="AVAILABLE",
    book="books/bank/main/in/1405",
    sequence=17,
    number_text="1405/17",
    available_at=NOW,
)


def letter(**changes: Any) -> Letter:
    return dataclasses.replace(_LETTER, **changes)


def delivery(**changes: Any) -> Delivery:
    """An available delivery without clocks."""
    return dataclasses.replace(_DELIVERY, **changes)


def recall(**changes: Any) -> Recall:
    """A recall of the first delivery."""
    made = Recall(
        letter=LETTER,
        sha256=b"\x09" * 32,
        numbers=[1],
        statement=UUID("019abcde-0000-7000-8000-000000000001"),
        asked_at=NOW,
    )
    return dataclasses.replace(made, **changes)
