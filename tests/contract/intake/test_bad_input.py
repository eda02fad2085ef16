"""What is wrong with a letter is said, with what to do, and nothing is stored."""

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
import pytest

from dabir.common.v1 import manifest_pb2 as manifests
from dabir.directory.v1 import directory_pb2 as directory
from dabir.formats.cades import sign_detached
from dabir.formats.signer import FileSigner, certificate_sha256
from dabir.intake.v1.sender_service_pb2_grpc import SenderServiceStub
from tests.contract.intake.line import CALL_SECONDS, Line
from tests.contract.intake.member import Draft, Member, now, refusal, stamp, to
from tests.contract.intake.people import People

pytestmark = pytest.mark.usefixtures("nothing_stored")

Change = Callable[[bytes], bytes]


def _replace(old: str, new: str) -> Change:
    return lambda data: data.replace(old.encode(), new.encode(), 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data[:-1], "NOT_JSON"),
        (lambda data: b"\xef\xbb\xbf" + data, "BYTE_ORDER_MARK"),
        (_replace('"subject":', '"subject":"x","subject":'), "DUPLICATE_KEY"),
        (_replace('"letterUuid":', '"letter_uuid":"x","letterUuid":'), "DUPLICATE_KEY"),
        (_replace('"letterUuid":', '"letter_uuid":'), "WRONG_SPELLING"),
        (_replace('"subject":"معرفی نماینده"', '"subject":null'), "NULL_VALUE"),
        (_replace('"subject":', '"colour":"red","subject":'), "UNKNOWN_FIELD"),
        (_replace("معرفی", "معر\x07فی"), "CONTROL_CHARACTER"),
        (_replace("معرفی", "معر\\u202eفی"), "BIDI_CHARACTER"),
        (_replace("معرفی", "معر\u2067فی"), "BIDI_CHARACTER"),
        (_replace('"PRIORITY_NORMAL"', '"PRIORITY_UNSPECIFIED"'), "UNKNOWN_ENUM_NAME"),
        (_replace('"sizeBytes":', '"sizeBytes":1e3,"pages":'), "NOT_PLAIN_DIGITS"),
        (_replace("dabir.letter.v1", "dabir.receipt.v1"), "WRONG_TYPE"),
        (_replace("RECIPIENT_KIND_TO", "RECIPIENT_KIND_COPY"), "NO_TO_RECIPIENT"),
        (lambda data: data + b" " * 262_144, "REQUEST_INVALID"),
    ],
)
async def test_bytes_that_are_no_manifest(change: Change, reason: str, interior: Member) -> None:
    draft = await interior.draft()
    changed = change(draft.data)
    refused = await refusal(interior.submit(draft.signed(changed)))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", reason)
    assert refused.message


async def _submit(member: Member, **changes: Any) -> Any:
    return await member.submit(await member.draft(**changes))


@pytest.mark.parametrize(
    ("changes", "code", "reason"),
    [
        ({"hub": "log.other.example/1"}, "INVALID_ARGUMENT", "WRONG_HUB"),
        ({"written_at": stamp(now() - timedelta(hours=25))}, "INVALID_ARGUMENT", "WRITTEN_AT_OUT_OF_RANGE"),
        ({"written_at": stamp(now() + timedelta(hours=25))}, "INVALID_ARGUMENT", "WRITTEN_AT_OUT_OF_RANGE"),
        ({"definition": "definitions/nothing/1"}, "NOT_FOUND", "DEFINITION_NOT_FOUND"),
        ({"definition": "definitions/test-cosigned/1"}, "INVALID_ARGUMENT", "SIGNER_MISSING"),
        ({"classification": manifests.CLASSIFICATION_CONFIDENTIAL}, "PERMISSION_DENIED", "CLEARANCE_MISSING"),
        ({"retention_schedule": "for-ever"}, "INVALID_ARGUMENT", "RETENTION_SCHEDULE_UNKNOWN"),
        ({"answer_due": stamp(now() + timedelta(days=2))}, "INVALID_ARGUMENT", "DUE_WITHOUT_RECIPIENT"),
        ({"office": "nowhere"}, "NOT_FOUND", "SENDER_OFFICE_UNKNOWN"),
    ],
)
async def test_a_manifest_that_does_not_do(changes: dict[str, Any], code: str, reason: str, interior: Member) -> None:
    refused = await refusal(_submit(interior, **changes))
    assert (refused.code, refused.reason) == (code, reason)
    assert refused.message


@pytest.mark.parametrize(
    ("recipients", "changes", "reason"),
    [
        ([to("bank/registry", answer_needed=True)], {"definition": "definitions/circular/1"}, "CLOCK_NOT_OFFERED"),
        (
            [to("bank/registry", acceptance_needed=True)],
            {"acceptance_due": stamp(now() + timedelta(minutes=2))},
            "DUE_OUT_OF_RANGE",
        ),
        (
            [to("bank/registry"), to("bank/branch"), to("court/branch")],
            {"definition": "definitions/test-cosigned/1", "signers": ("وزیر", "معاون")},
            "TOO_MANY_RECIPIENTS",
        ),
        ([to("bank/registry"), to("bank/nowhere"), to("nobody/registry")], {}, "RECIPIENT_UNKNOWN"),
    ],
)
async def test_recipients_that_do_not_do(
    recipients: list[manifests.Recipient], changes: dict[str, Any], reason: str, interior: Member
) -> None:
    draft = await interior.draft(*recipients, **changes)
    assert (await refusal(interior.submit(draft))).reason == reason


async def test_unknown_recipients_are_said_by_name(interior: Member) -> None:
    refused = await refusal(_submit_to(interior, "bank/registry", "nobody/registry"))
    assert "bodies/nobody/offices/registry" in refused.message


async def _submit_to(member: Member, *offices: str) -> Any:
    return await member.submit(await member.draft(*(to(office) for office in offices)))


async def test_a_letter_that_is_too_secret(people: People) -> None:
    cleared = await people.member("interior-cleared")
    secret = await refusal(_submit(cleared, classification=manifests.CLASSIFICATION_SECRET))
    assert secret.reason == "CLEARANCE_MISSING"
    circular = {"definition": "definitions/circular/1", "classification": manifests.CLASSIFICATION_HIGHLY_CONFIDENTIAL}
    assert (await refusal(_submit(cleared, **circular))).reason == "CLASSIFICATION_NOT_PERMITTED"


async def test_anothers_letter_is_not_sent(interior: Member, bank: Member) -> None:
    draft = await interior.draft()
    refused = await refusal(bank.submit(draft))
    assert (refused.code, refused.reason) == ("PERMISSION_DENIED", "SENDER_NOT_CALLER")
    assert "Send letters of your own body only" in refused.message


# Signatures.


async def test_a_signature_of_other_bytes(interior: Member) -> None:
    draft = await interior.draft()
    draft.signatures = [sign_detached(b"other", interior.signer(), now())]
    assert (await refusal(interior.submit(draft))).reason == "SIGNATURE_WRONG"
    draft.signatures = [b"\x30\x03\x02\x01\x01"]
    assert (await refusal(interior.submit(draft))).reason == "SIGNATURE_MALFORMED"


async def test_signatures_and_documents_are_as_many_as_the_manifest_says(interior: Member) -> None:
    draft = await interior.draft()
    twice = dataclasses.replace(draft, signatures=draft.signatures * 2)
    assert (await refusal(interior.submit(twice))).reason == "SIGNATURE_COUNT_WRONG"
    more = dataclasses.replace(draft, documents=[*draft.documents, await interior.upload()])
    assert (await refusal(interior.submit(more))).reason == "DOCUMENT_COUNT_WRONG"
    bad = dataclasses.replace(draft, documents=["documents/1"])
    assert (await refusal(interior.submit(bad))).reason == "BAD_NAME"


async def _signed_by(draft: Draft, signer: FileSigner, *, named: bool = True) -> Draft:
    """The draft, signed by another key, which the manifest names."""
    draft.signers = [signer]
    if named:
        draft.manifest.signers[0].certificate_sha256 = certificate_sha256(signer.certificate)
    return draft.signed()


async def test_the_wrong_certificate_signs(line: Line, interior: Member, bank: Member) -> None:
    tls = line.tls("interior")
    cases = {
        "CERTIFICATE_PURPOSE_WRONG": FileSigner(tls.key, tls.certificate),
        "CERTIFICATE_OF_ANOTHER_BODY": bank.signer(),
        "CERTIFICATE_POSITION_WRONG": interior.signer("معاون"),
    }
    for reason, signer in cases.items():
        refused = await refusal(interior.submit(await _signed_by(await interior.draft(), signer)))
        assert refused.reason == reason
        assert "signatures[0]" in refused.message
    seal = await refusal(interior.submit(await _signed_by(await interior.draft(), interior.seal())))
    assert seal.reason == "CERTIFICATE_PURPOSE_WRONG"
    other = await _signed_by(await interior.draft(), interior.signer("معاون"), named=False)
    assert (await refusal(interior.submit(other))).reason == "CERTIFICATE_MISMATCH"


async def test_a_certificate_that_directory_does_not_list(line: Line, interior: Member) -> None:
    pair = line.pki.sign_pair("interior", "وزیر", 9, line.folder / "unlisted")
    draft = await _signed_by(await interior.draft(), FileSigner(pair.key, pair.certificate))
    refused = await refusal(interior.submit(draft))
    assert (refused.code, refused.reason) == ("NOT_FOUND", "CERTIFICATE_NOT_LISTED")


async def test_a_certificate_that_was_revoked(line: Line, interior: Member) -> None:
    signer = interior.signer("برکنار")
    draft = await interior.draft(signers=["برکنار"])
    async with line.operator() as operator:
        await operator.RevokeCertificate(
            directory.RevokeCertificateRequest(sha256=certificate_sha256(signer.certificate), reason="LEFT_OFFICE"),
            timeout=CALL_SECONDS,
        )
    refused = await refusal(interior.submit(draft))
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "CERTIFICATE_REVOKED")


# Documents.


async def test_documents_that_cannot_be_claimed(interior: Member, bank: Member) -> None:
    draft = await interior.draft()
    cases = {
        "DIGEST_MISMATCH": await interior.upload(b"other bytes of the same length"[: len("نامهٔ آزمایشی\n".encode())]),
        "DOCUMENT_NOT_FOUND": await bank.upload(),
        "DOCUMENT_REJECTED": await interior.upload(b"%PDF-1.7 damaged", "application/pdf"),
    }
    for reason, document in cases.items():
        refused = await refusal(interior.submit(dataclasses.replace(draft, documents=[document])))
        assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", reason)
        assert refused.metadata["document"] == document


# Callers.


async def test_a_role_without_the_right(people: People, interior: Member) -> None:
    reader = await people.member("interior-reader")
    refused = await refusal(reader.submit(await interior.draft()))
    assert (refused.code, refused.reason) == ("PERMISSION_DENIED", "ROLE_MISSING")


async def test_no_deadline(interior: Member) -> None:
    draft = await interior.draft()
    refused = await refusal(interior.sender.SubmitLetter(draft.request))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "DEADLINE_REQUIRED")


async def test_a_certificate_nobody_listed_and_none_at_all(line: Line, interior: Member) -> None:
    draft = await interior.draft()
    async with line.channel("stranger") as channel:
        stranger = SenderServiceStub(channel)
        refused = await refusal(stranger.SubmitLetter(draft.request, timeout=CALL_SECONDS))
    assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "CERTIFICATE_NOT_LISTED")
    bare = grpc.ssl_channel_credentials(line.pki.root.read_bytes())
    async with grpc.aio.secure_channel(f"localhost:{line.ports['intake']}", bare) as channel:
        nobody = SenderServiceStub(channel)
        assert (await refusal(nobody.SubmitLetter(draft.request, timeout=CALL_SECONDS))).code == "UNAVAILABLE"


async def test_relations_to_what_is_not_ones_own(interior: Member, court: Member) -> None:
    relation = manifests.Relation(
        kind=manifests.RELATION_KIND_CITES, letter="letters/7f0e9c1c-5f0e-4f5e-9c1c-5f0e4f5e9c1c"
    )
    refused = await refusal(_submit(interior, relations=[relation]))
    assert (refused.code, refused.reason) == ("NOT_FOUND", "RELATED_LETTER_NOT_FOUND")
