"""Certificates: what goes in, what is stated, what is answered, how fast a revocation bites."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from dabir.directory.v1 import directory_pb2 as pb
from dabir.formats import pki
from dabir.formats.statement import Event, events_of
from infra.local.pki import Pair
from services.runtime.authentication import DirectoryResolver, DirectoryUnavailable
from services.runtime.channel import open_channel
from tests.conftest import Postgres
from tests.contract.directory.hub import ROLES, Directory, adding, digest, running
from tests.contract.gate import hub as gate_hub
from tests.contract.harness import DEADLINE_SECONDS, EVERY_ROLE, refusal, until
from tests.pki import TestAuthority, write_files


async def test_each_purpose_is_read_from_the_certificate_and_stated(directory: Directory) -> None:
    body, authority, folder = (
        await directory.create("purposes"),
        directory.identities.pki,
        directory.folder / "purposes",
    )
    tls = await directory.add(body, authority.body_tls_pair("purposes", folder), ROLES)
    sign = await directory.add(body, authority.sign_pair("purposes", "وزیر کشور", 1, folder))
    seal = await directory.add(body, authority.seal_pair("purposes", folder))
    assert [one.purpose for one in (tls, sign, seal)] == [
        pb.CERTIFICATE_PURPOSE_TLS, pb.CERTIFICATE_PURPOSE_SIGN, pb.CERTIFICATE_PURPOSE_SEAL,
    ]  # fmt: skip
    assert (tls.position, sign.position, seal.position) == ("", "وزیر کشور", "")
    assert (set(tls.roles), list(sign.roles)) == (set(ROLES), [])
    added = Event.CERTIFICATE_ADDED.value
    assert directory.stated(body) == [(added, body, one.sha256, "") for one in (tls, sign, seal)]
    listed = await (await directory.members("intake")).GetCertificates(pb.GetCertificatesRequest(parent=body))
    assert list(listed.certificates) == [tls, sign, seal]


async def test_the_same_certificate_again_is_stated_once(directory: Directory) -> None:
    body = await directory.create("again")
    pair = directory.identities.pki.seal_pair("again", directory.folder / "again")
    answers = await asyncio.gather(*(directory.add(body, pair) for _ in range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert len(directory.stated(body)) == 1


async def test_a_listed_certificate_is_refused_to_another_owner_or_with_other_roles(directory: Directory) -> None:
    first, second = await directory.create("owner-a"), await directory.create("owner-b")
    pair = directory.identities.pki.body_tls_pair("owner-a", directory.folder / "owner-a")
    await directory.add(first, pair, ROLES)
    for owner, roles in ((second, ROLES), (first, (pb.ROLE_READER,))):
        refused = await refusal(directory.add(owner, pair, roles))
        assert (refused.code, refused.reason) == ("ALREADY_EXISTS", "CERTIFICATE_ALREADY_LISTED")
    assert directory.stated(second) == []


async def test_two_owners_at_once_get_it_listed_for_one(directory: Directory) -> None:
    bodies = [await directory.create(f"race-{number}") for number in range(2)]
    pair = directory.identities.pki.seal_pair("race", directory.folder / "race")
    outcomes = await asyncio.gather(*(directory.add(body, pair) for body in bodies), return_exceptions=True)
    assert sorted(isinstance(outcome, BaseException) for outcome in outcomes) == [False, True]
    assert sum(len(directory.stated(body)) for body in bodies) == 1


async def test_a_services_seal_is_listed_without_a_statement(directory: Directory) -> None:
    pair = directory.identities.pki.seal_pair("intake", directory.folder / "intake-seal", events_of("intake"))
    added = await directory.add("services/intake", pair)
    stub = await directory.members("documents")
    listed = await stub.GetCertificates(pb.GetCertificatesRequest(parent="services/intake"))
    assert list(listed.certificates) == [added]
    assert directory.rows(b"SELECT count(*) FROM ledger.statement WHERE subject LIKE 'services/%%'") == [(0,)]


async def test_a_service_that_the_hub_does_not_have_is_not_found(directory: Directory) -> None:
    stub = await directory.members("intake")
    refused = await refusal(stub.GetCertificates(pb.GetCertificatesRequest(parent="services/billing")))
    assert (refused.code, refused.reason) == ("NOT_FOUND", "SERVICE_NOT_FOUND")
    pair = directory.identities.pki.seal_pair("billing", directory.folder / "billing")
    assert (await refusal(directory.add("services/billing", pair))).reason == "SERVICE_NOT_FOUND"
    assert (await refusal(directory.add("bodies/nobody", pair))).reason == "BODY_NOT_FOUND"


@pytest.mark.parametrize(
    ("owner", "kind", "roles", "reason"),
    [
        ("services/intake", "tls", (), "PURPOSE_NOT_ALLOWED"),
        ("services/intake", "sign", (), "PURPOSE_NOT_ALLOWED"),
        ("bodies/misuse", "tls", (), "ROLES_MISSING"),
        ("bodies/misuse", "seal", ROLES, "ROLES_NOT_ALLOWED"),
        ("bodies/misuse", "tls", (pb.ROLE_HUB_SERVICE,), "ROLES_NOT_ALLOWED"),
        ("bodies/misuse", "tls", (pb.ROLE_HUB_OPERATOR, pb.ROLE_READER), "ROLES_NOT_ALLOWED"),
    ],
)
async def test_a_certificate_in_anothers_place_is_refused(
    directory: Directory, owner: str, kind: str, roles: Any, reason: str
) -> None:
    await directory.create("misuse")
    authority, folder = directory.identities.pki, directory.folder / "misuse"
    pair = {
        "tls": authority.body_tls_pair("misuse", folder),
        "seal": authority.seal_pair("misuse", folder),
        "sign": authority.sign_pair("misuse", "رئیس", 1, folder),
    }[kind]
    refused = await refusal(directory.add(owner, pair, roles))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", reason)
    assert directory.rows(b"SELECT count(*) FROM directory.certificate WHERE sha256 = %s", digest(pair)) == [(0,)]


async def test_bytes_that_are_no_certificate_are_refused(directory: Directory) -> None:
    body = await directory.create("malformed")
    pair = directory.identities.pki.seal_pair("malformed", directory.folder / "malformed")
    der = pair.chain[0].public_bytes(Encoding.DER)
    for wrong in (b"\x30\x03abc", der + b"\0", der[:-1]):
        assert (await refusal(directory.add(body, pair, der=wrong))).reason == "CERTIFICATE_MALFORMED"
    request = adding(body, pair)
    request.issuers[0] = b"no"
    refused = await refusal(directory.operator.AddCertificate(request, timeout=DEADLINE_SECONDS))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "CERTIFICATE_MALFORMED")
    assert "issuers[0]" in refused.message


async def test_a_chain_that_does_not_hold_is_refused(directory: Directory, tmp_path: Path) -> None:
    body = await directory.create("chains")
    key, certificate = write_files(TestAuthority().issue(purpose="seal"), tmp_path, "foreign")
    refused = await refusal(directory.add(body, Pair(certificate, key)))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "UNTRUSTED_CHAIN")

    authority = directory.identities.pki
    pair = authority.seal_pair("chains", directory.folder / "chains")
    request = adding(body, pair)
    request.issuers.append(authority._pair("members-ca").chain[0].public_bytes(Encoding.DER))
    refused = await refusal(directory.operator.AddCertificate(request, timeout=DEADLINE_SECONDS))
    assert refused.reason == "EXTRA_CERTIFICATE"

    authority.revoke(pair.chain[0])
    assert (await refusal(directory.add(body, pair))).reason == "REVOKED"
    assert directory.stated(body) == []


async def test_a_certificate_whose_issuer_has_no_list_in_force_is_refused(directory: Directory) -> None:
    body = await directory.create("no-list")
    pair = directory.identities.pki.seal_pair("no-list", directory.folder / "no-list")
    for name in ("signing-ca", "root"):
        crl = directory.config.crl_folder / f"{name}.pem"
        kept = crl.read_bytes()
        crl.write_bytes(b"half a fi")
        try:
            assert (await refusal(directory.add(body, pair))).reason == "REVOCATION_UNKNOWN"
        finally:
            crl.write_bytes(kept)
    await directory.add(body, pair)


async def test_a_certificate_is_resolved_with_what_it_takes_to_rely_on_it(directory: Directory) -> None:
    body = await directory.create("resolved")
    pair = directory.identities.pki.sign_pair("resolved", "وزیر", 1, directory.folder / "resolved")
    added = await directory.add(body, pair)
    found = await directory.intake.ResolveCertificate(pb.ResolveCertificateRequest(sha256=digest(pair)))
    assert found.certificate == added
    leaf, *issuers = map(x509.load_der_x509_certificate, (added.der, *added.issuers))
    crls = [x509.load_der_x509_crl(crl) for crl in found.crls]
    root = x509.load_der_x509_certificate(found.root)
    assert [crl.issuer for crl in crls] == [issuers[0].subject, root.subject]
    assert pki.verify_chain(leaf, issuers, [root], datetime.now(UTC), crls) == (leaf, *issuers, root)


async def test_an_unlisted_certificate_is_not_found(directory: Directory) -> None:
    for call in (
        directory.intake.ResolveCertificate(pb.ResolveCertificateRequest(sha256=b"\0" * 32)),
        directory.operator.RevokeCertificate(
            pb.RevokeCertificateRequest(sha256=b"\0" * 32, reason="SUPERSEDED"), timeout=DEADLINE_SECONDS
        ),
    ):
        refused = await refusal(call)
        assert (refused.code, refused.reason) == ("NOT_FOUND", "CERTIFICATE_NOT_LISTED")


async def test_a_revocation_is_stated_once_and_bites(directory: Directory) -> None:
    pair = await directory.member("revoked")
    stub = await directory.members(pair)
    await stub.GetBody(pb.GetBodyRequest(name="bodies/revoked"))
    request = pb.RevokeCertificateRequest(sha256=digest(pair), reason="KEY_COMPROMISE")
    first = await directory.operator.RevokeCertificate(request, timeout=DEADLINE_SECONDS)
    assert first.certificate.HasField("revoked_at")
    refused = await refusal(stub.GetBody(pb.GetBodyRequest(name="bodies/revoked")))
    assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "CERTIFICATE_REVOKED")

    request.reason = "SUPERSEDED"
    assert await directory.operator.RevokeCertificate(request, timeout=DEADLINE_SECONDS) == first
    events = [(event, reason) for event, _, _, reason in directory.stated("bodies/revoked")]
    assert events == [(Event.CERTIFICATE_ADDED, ""), (Event.CERTIFICATE_REVOKED, "KEY_COMPROMISE")]
    again = await directory.add("bodies/revoked", pair, ROLES)
    assert again.revoked_at == first.certificate.revoked_at


async def test_a_reason_that_is_no_code_is_refused(directory: Directory) -> None:
    request = pb.RevokeCertificateRequest(sha256=b"\0" * 32, reason="the key was lost")
    refused = await refusal(directory.operator.RevokeCertificate(request, timeout=DEADLINE_SECONDS))
    assert (refused.code, refused.reason, refused.fields) == ("INVALID_ARGUMENT", "REQUEST_INVALID", ["reason"])


async def test_a_revocation_by_its_issuers_list_bites_when_the_file_changes(directory: Directory) -> None:
    pair = await directory.member("by-list")
    stub = await directory.members(pair)
    await stub.GetBody(pb.GetBodyRequest(name="bodies/by-list"))
    directory.identities.pki.revoke(pair.chain[0])
    refused = await refusal(stub.GetBody(pb.GetBodyRequest(name="bodies/by-list")))
    assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "CERTIFICATE_REVOKED")
    found = await directory.intake.ResolveCertificate(pb.ResolveCertificateRequest(sha256=digest(pair)))
    assert found.certificate.HasField("revoked_at")


async def test_members_read_and_change_nothing(directory: Directory) -> None:
    pair = await directory.member("reads-only")
    stub = await directory.members(pair)
    assert (await stub.GetBody(pb.GetBodyRequest(name="bodies/reads-only"))).body.name == "bodies/reads-only"
    for call in (
        directory.intake.CreateBody(pb.CreateBodyRequest(), timeout=DEADLINE_SECONDS),
        directory.intake.AddCertificate(pb.AddCertificateRequest(), timeout=DEADLINE_SECONDS),
        directory.intake.RevokeCertificate(pb.RevokeCertificateRequest(), timeout=DEADLINE_SECONDS),
    ):
        refused = await refusal(call)
        assert (refused.code, refused.reason) == ("PERMISSION_DENIED", "ROLE_MISSING")


async def test_another_service_learns_of_a_revocation_within_its_cache_time(directory: Directory) -> None:
    interior = await directory.member("cached-interior")
    async with _resolver(directory, identity_cache_seconds=0.2) as resolver:
        known = await resolver.resolve(digest(interior))
        assert known is not None
        assert (known.owner, known.purpose, known.revoked) == ("bodies/cached-interior", "tls", False)
        assert known.roles == EVERY_ROLE
        request = pb.RevokeCertificateRequest(sha256=digest(interior), reason="KEY_COMPROMISE")
        await directory.operator.RevokeCertificate(request, timeout=DEADLINE_SECONDS)
        await until(lambda: _is_revoked(resolver, interior))


async def test_an_answer_is_used_for_its_cache_time_and_one_that_is_missing_is_asked_for_soon(
    directory: Directory,
) -> None:
    body = await directory.create("cached-late")
    pair = directory.identities.pki.body_tls_pair("cached-late", directory.folder / "cached-late")
    async with _resolver(directory) as resolver:
        assert await resolver.resolve(digest(pair)) is None
        await directory.add(body, pair, ROLES)
        await until(lambda: _is_listed(resolver, pair))
        request = pb.RevokeCertificateRequest(sha256=digest(pair), reason="SUPERSEDED")
        await directory.operator.RevokeCertificate(request, timeout=DEADLINE_SECONDS)
        assert not await _is_revoked(resolver, pair)


async def test_while_directory_is_down_known_callers_go_on_for_the_stale_time(
    tmp_path: Path, fresh_postgres: Postgres
) -> None:
    async with running(tmp_path, fresh_postgres) as directory:
        known, unknown = await directory.member("interior"), await directory.member("bank")
        long, short = {"identity_stale_seconds": 600.0}, {"identity_stale_seconds": 0.0}
        async with (
            _resolver(directory, identity_cache_seconds=0.0, **long) as patient,
            _resolver(directory, identity_cache_seconds=0.0, **short) as strict,
        ):
            for resolver in (patient, strict):
                assert await resolver.resolve(digest(known)) is not None
            await directory.server.stop()
            for _ in range(2):
                found = await patient.resolve(digest(known))
                assert found is not None
                assert found.owner == "bodies/interior"
            for resolver, pair in ((patient, unknown), (strict, known)):
                with pytest.raises(DirectoryUnavailable):
                    await resolver.resolve(digest(pair))


async def _is_listed(resolver: DirectoryResolver, pair: Pair) -> bool:
    return await resolver.resolve(digest(pair)) is not None


async def _is_revoked(resolver: DirectoryResolver, pair: Pair) -> bool:
    found = await resolver.resolve(digest(pair))
    assert found is not None
    return found.revoked


@asynccontextmanager
async def _resolver(directory: Directory, **settings: float) -> AsyncIterator[DirectoryResolver]:
    """As documents has it."""
    config = gate_hub.config_of(directory.identities, **settings)
    async with open_channel(config, f"localhost:{directory.port}") as opened:
        yield DirectoryResolver(opened, config)
