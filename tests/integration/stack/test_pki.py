"""The development PKI: what it issues is what `dabir.formats.pki` and a TLS library take, and no more."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.x509 import CertificateRevocationList, load_pem_x509_crl

from dabir.formats import pki as formats
from infra.local.pki import DevelopmentPki, Pair


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentPki:
    made = DevelopmentPki(tmp_path_factory.mktemp("pki"))
    made.make()
    return made


def crls(authority: DevelopmentPki) -> list[CertificateRevocationList]:
    return [load_pem_x509_crl(path.read_bytes()) for path in authority.crls.glob("*.pem")]


def check(authority: DevelopmentPki, pair: Pair) -> None:
    root = x509.load_pem_x509_certificate(authority.root.read_bytes())
    leaf, *issuers = pair.chain
    formats.verify_chain(leaf, issuers, [root], datetime.now(UTC) + timedelta(seconds=1), crls(authority))


def test_each_certificate_has_its_purpose_and_chains_to_the_root(authority: DevelopmentPki, tmp_path: Path) -> None:
    made = {
        "tls": authority.body_tls_pair("interior", tmp_path),
        "sign": authority.sign_pair("interior", "قائم‌مقام وزیر کشور", 1, tmp_path),
        "seal": authority.seal_pair("intake", tmp_path, ["urn:dabir:event:closed", "urn:dabir:event:available"]),
    }
    for purpose, pair in made.items():
        assert formats.purpose(pair.chain[0]) == purpose
        assert formats.is_development(pair.chain[0])
        check(authority, pair)
    assert formats.position(made["sign"].chain[0]) == "قائم‌مقام وزیر کشور"
    assert formats.events(made["seal"].chain[0]) == {"urn:dabir:event:closed", "urn:dabir:event:available"}


def test_the_marker_is_critical_where_something_is_signed(authority: DevelopmentPki, tmp_path: Path) -> None:
    def critical(certificate: x509.Certificate) -> bool:
        return certificate.extensions.get_extension_for_oid(formats.DEVELOPMENT_MARKER).critical

    assert all(map(critical, authority.sign_pair("interior", "وزیر", 1, tmp_path).chain))
    assert all(map(critical, authority.seal_pair("interior", tmp_path).chain))


def test_every_name_is_plain_ascii(authority: DevelopmentPki, tmp_path: Path) -> None:
    for certificate in authority.sign_pair("interior", "وزیر کشور", 1, tmp_path).chain:
        assert certificate.subject.rfc4514_string().isascii()
        assert certificate.issuer.rfc4514_string().isascii()


def test_what_is_revoked_is_on_the_list_and_stays_there(authority: DevelopmentPki, tmp_path: Path) -> None:
    revoked = authority.sign_pair("tax", "رئیس", 1, tmp_path / "revoked")
    other = authority.sign_pair("tax", "رئیس", 1, tmp_path / "other")
    authority.revoke(revoked.chain[0])
    DevelopmentPki(authority.folder).make()  # the next start
    check(authority, other)
    with pytest.raises(formats.CertificateError) as refused:
        check(authority, revoked)
    assert refused.value.reason == "REVOKED"


def test_a_second_start_keeps_every_key_and_freshens_the_lists(authority: DevelopmentPki, tmp_path: Path) -> None:
    seal = authority.seal_pair("intake", tmp_path)
    kept = {path: path.read_bytes() for path in (authority.root, authority.hub_ca, seal.key, seal.certificate)}
    for path in authority.crls.iterdir():
        path.write_bytes(b"stale")
    again = DevelopmentPki(authority.folder)
    again.make()
    assert again.seal_pair("intake", tmp_path) == seal
    assert {path: path.read_bytes() for path in kept} == kept
    assert all(crl.next_update_utc and crl.next_update_utc > datetime.now(UTC) for crl in crls(again))


def test_a_kill_between_key_and_certificate_leaves_nothing_that_counts(
    authority: DevelopmentPki, tmp_path: Path
) -> None:
    pair = authority.seal_pair("intake", tmp_path)
    pair.certificate.unlink()
    again = authority.seal_pair("intake", tmp_path)
    check(authority, again)


@contextmanager
def echo_server(server: Pair, roots: bytes) -> Iterator[str]:
    handler = grpc.method_handlers_generic_handler(
        "echo", {"Echo": grpc.unary_unary_rpc_method_handler(lambda request, _: request)}
    )
    running = grpc.server(ThreadPoolExecutor(1), handlers=[handler])
    pair = (server.key.read_bytes(), server.certificate.read_bytes())
    credentials = grpc.ssl_server_credentials([pair], roots, require_client_auth=True)
    port = running.add_secure_port("127.0.0.1:0", credentials)
    running.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        running.stop(None).wait()


def test_tls_library_takes_the_certificates_of_services_and_bodies(authority: DevelopmentPki, tmp_path: Path) -> None:
    roots = authority.root.read_bytes()
    server = authority.service_tls_pair("intake", tmp_path / "intake")
    member = authority.body_tls_pair("interior", tmp_path / "interior")
    with echo_server(server, roots) as address:
        for client in (server, member):
            credentials = grpc.ssl_channel_credentials(roots, client.key.read_bytes(), client.certificate.read_bytes())
            options = [("grpc.ssl_target_name_override", "localhost")]
            with grpc.secure_channel(address, credentials, options) as channel:
                call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/echo/Echo")
                assert call(b"hello", timeout=10) == b"hello"
