"""Who gets through the handshake and the gate, and who does not."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from structlog.testing import capture_logs

from dabir.documents.v1 import documents_pb2 as pb
from dabir.documents.v1.documents_pb2_grpc import DocumentServiceStub
from infra.local.pki import Pair
from services.runtime.channel import open_channel
from services.runtime.identity import Role
from tests.contract.gate.hub import Hub, config_of, running
from tests.contract.harness import DEADLINE_SECONDS, EVERY_ROLE, Identities, channel, refusal, sha256
from tests.pki import TestAuthority, write_files

DOCUMENT = "documents/5f0c1d3e-7a53-4b0e-9d5c-111111111111"
REQUEST = pb.GetDocumentRequest(name=DOCUMENT)


async def test_a_revoked_certificate_is_refused(hub: Hub) -> None:
    stub = await hub.stub()
    await stub.GetDocument(REQUEST)
    hub.listed.revoke(hub.identities.sha256("interior"))
    refused = await refusal(stub.GetDocument(REQUEST))
    assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "CERTIFICATE_REVOKED")


@pytest.mark.parametrize("purpose", ["sign", "seal"])
async def test_a_certificate_for_another_purpose_cannot_call(hub: Hub, purpose: str) -> None:
    hub.listed.add(hub.identities.sha256("bank"), "bodies/bank", EVERY_ROLE, purpose)
    refused = await refusal((await hub.stub("bank")).GetDocument(REQUEST))
    assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "CERTIFICATE_PURPOSE_WRONG")


async def test_a_certificate_listed_for_a_hub_service_makes_nobody_a_member(hub: Hub) -> None:
    hub.listed.add(hub.identities.sha256("bank"), "services/intake", EVERY_ROLE)
    refused = await refusal((await hub.stub("bank")).GetDocument(REQUEST))
    assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "CERTIFICATE_NOT_LISTED")


async def test_a_hub_service_off_the_allow_list_is_refused(hub: Hub) -> None:
    refused = await refusal((await hub.stub("notifications")).GetDocument(REQUEST))
    assert (refused.code, refused.reason) == ("PERMISSION_DENIED", "SERVICE_NOT_ALLOWED")


async def test_a_hub_service_has_no_members_rights(hub: Hub) -> None:
    refused = await refusal((await hub.stub("intake")).GetDocument(REQUEST))
    assert (refused.code, refused.reason) == ("PERMISSION_DENIED", "ROLE_MISSING")


async def test_only_the_hubs_ca_can_name_a_hub_service(hub: Hub) -> None:
    pki, folder = hub.identities.pki, hub.identities.pki.folder / "pretender"
    # The members' CA issues what a body asks for, a name of ours included.
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier("urn:dabir:service:intake")]
    pair = pki._leaf(folder / "tls", "members-ca", "pretender", [(x509.SubjectAlternativeName(names), False)])
    async with channel(hub.port, pair, pki.root) as opened:
        refused = await refusal(DocumentServiceStub(opened).GetDocument(REQUEST))
    assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "CERTIFICATE_NOT_LISTED")


@pytest.mark.parametrize("case", ["none", "foreign", "expired"])
async def test_a_certificate_that_the_roots_do_not_vouch_for_fails_in_the_handshake(
    identities: Identities, tmp_path: Path, case: str
) -> None:
    now, authority = datetime.now(UTC), TestAuthority()
    roots = tmp_path / "roots.pem"
    both = identities.pki.root.read_bytes() + authority.root.public_bytes(Encoding.PEM)
    roots.write_bytes(identities.pki.root.read_bytes() if case == "foreign" else both)
    expiry = now - timedelta(days=1) if case == "expired" else now + timedelta(days=1)
    signer = authority.issue(purpose="tls", body="bodies/interior", not_after=expiry)
    key, certificate = write_files(signer, tmp_path, "client")
    async with running(identities, tls_roots=roots) as hub:
        hub.listed.add(signer.certificate.fingerprint(hashes.SHA256()), "bodies/interior")
        chain = (None, None) if case == "none" else (key.read_bytes(), certificate.read_bytes())
        credentials = grpc.ssl_channel_credentials(roots.read_bytes(), *chain)
        target = f"localhost:{hub.port}"
        async with grpc.aio.secure_channel(target, credentials, [("grpc.enable_retries", 0)]) as opened:
            assert (await refusal(DocumentServiceStub(opened).GetDocument(REQUEST))).code == "UNAVAILABLE"
        assert hub.documents.calls == 0


async def test_a_certificate_of_a_known_root_that_is_not_listed_is_unauthenticated(hub: Hub) -> None:
    refused = await refusal((await hub.stub("unlisted")).GetDocument(REQUEST))
    assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "CERTIFICATE_NOT_LISTED")


async def test_an_old_client_that_speaks_tls_1_2_is_refused(hub: Hub) -> None:
    pair, root = hub.identities.pair("interior"), hub.identities.pki.root
    assert await asyncio.to_thread(_handshake, hub.port, pair, root, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    with pytest.raises(ssl.SSLError):
        await asyncio.to_thread(_handshake, hub.port, pair, root, ssl.TLSVersion.TLSv1_2)


async def test_a_new_certificate_is_served_without_a_restart_and_a_half_replaced_one_is_not(
    tmp_path: Path, identities: Identities
) -> None:
    pki = identities.pki
    now, later = (pki.service_tls_pair("documents", tmp_path / name) for name in ("now", "later"))
    async with running(identities, tls_certificate=now.certificate, tls_key=now.key) as hub:
        client = identities.pair("interior")

        async def served() -> bytes:
            return await asyncio.to_thread(_server_certificate, hub.port, client, pki.root)

        first = sha256(now)
        assert await served() == first
        now.certificate.write_bytes(later.certificate.read_bytes())
        with capture_logs() as told:
            for _ in range(3):
                assert await served() == first
        assert [line["event"] for line in told].count("certificate_not_reloaded") == 1
        now.key.write_bytes(later.key.read_bytes())
        assert await served() == sha256(later)
        await (await hub.stub()).GetDocument(REQUEST)


async def test_production_goes_on_with_its_own_certificate_where_a_development_one_took_its_place(
    tmp_path: Path, identities: Identities
) -> None:
    own, crls = TestAuthority(), tmp_path / "crls"
    files = {name: Pair(*reversed(write_files(own.issue(purpose="tls"), tmp_path, name))) for name in ("hub", "body")}
    roots, issuers = tmp_path / "roots.pem", tmp_path / "issuers.pem"
    roots.write_bytes(own.root.public_bytes(Encoding.PEM))
    issuers.write_bytes(own.intermediate.public_bytes(Encoding.PEM))
    crls.mkdir()
    for number, crl in enumerate(own.crls()):
        (crls / f"{number}.pem").write_bytes(crl.public_bytes(Encoding.PEM))
    served_of, development = files["hub"], identities.pki.service_tls_pair("documents", tmp_path / "development")
    settings: dict[str, Any] = {"environment": "production", "tls_service_issuers": issuers, "crl_folder": crls}
    settings |= {"tls_certificate": served_of.certificate, "tls_key": served_of.key, "tls_roots": roots}
    async with running(identities, **settings) as hub:

        async def served_after(another: Pair) -> bytes:
            served_of.key.write_bytes(another.key.read_bytes())
            served_of.certificate.write_bytes(another.certificate.read_bytes())
            return await asyncio.to_thread(_server_certificate, hub.port, files["body"], roots)

        first = sha256(served_of)
        assert await served_after(development) == first
        assert await served_after(files["body"]) == sha256(files["body"])


async def test_what_a_call_may_do_is_the_certificates_roles(hub: Hub) -> None:
    hub.listed.add(hub.identities.sha256("bank"), "bodies/bank", frozenset({Role.READER}))
    stub = await hub.stub("bank")
    await stub.GetDocument(REQUEST)
    refused = await refusal(stub.QueryUpload(pb.QueryUploadRequest(document=DOCUMENT)))
    assert (refused.code, refused.reason) == ("PERMISSION_DENIED", "ROLE_MISSING")


@pytest.mark.parametrize("trusted", ["server", "caller"])
async def test_whom_we_call_is_judged_by_roots_of_their_own(hub: Hub, tmp_path: Path, trusted: str) -> None:
    pair, ours, others = hub.identities.pair("interior"), hub.identities.pki.root, tmp_path / "others.pem"
    others.write_bytes(TestAuthority().root.public_bytes(Encoding.PEM))
    config = config_of(
        hub.identities,
        tls_certificate=pair.certificate,
        tls_key=pair.key,
        tls_roots=others if trusted == "server" else ours,
        tls_server_roots=ours if trusted == "server" else others,
        call_timeout_seconds=2.0,
    )
    async with open_channel(config, f"localhost:{hub.port}") as opened:
        call = DocumentServiceStub(opened).GetDocument(REQUEST)
        if trusted == "server":
            await call
        else:
            assert (await refusal(call)).code == "UNAVAILABLE"
    assert hub.documents.calls == (1 if trusted == "server" else 0)


def _connected(port: int, pair: Pair, root: Path, newest: ssl.TLSVersion) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(root))
    context.load_cert_chain(pair.certificate, pair.key)
    context.set_alpn_protocols(["h2"])
    context.maximum_version = newest
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT

    raw = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_SECONDS)
    try:
        return context.wrap_socket(raw, server_hostname="localhost")
    except BaseException:
        raw.close()
        raise


def _handshake(port: int, pair: Pair, root: Path, newest: ssl.TLSVersion) -> str | None:
    with _connected(port, pair, root, newest) as tls:
        return tls.version()


def _server_certificate(port: int, pair: Pair, root: Path) -> bytes:
    with _connected(port, pair, root, ssl.TLSVersion.TLSv1_3) as tls:
        der = tls.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).fingerprint(hashes.SHA256())
