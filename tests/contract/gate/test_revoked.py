"""Certificates of the hub's own that its CA took back: refused, within the time that the settings say."""

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from dabir.documents.v1 import documents_pb2 as pb
from services.runtime.config import StartRefused
from services.runtime.crls import Revoked
from tests.contract.gate.hub import Hub, running
from tests.contract.harness import Identities, Refusal, refusal
from tests.pki import NOT_BEFORE, TestAuthority

REQUEST = pb.GetDocumentRequest(name="documents/5f0c1d3e-7a53-4b0e-9d5c-111111111111")


async def called(hub: Hub, who: str) -> Refusal:
    """What one of the hub's own is answered by an RPC for members: whether it is known decides which."""
    return await refusal((await hub.stub(who)).GetDocument(REQUEST))


async def test_a_service_whose_certificate_is_revoked_is_refused_on_its_open_connection(tmp_path: Path) -> None:
    own = Identities(tmp_path)
    async with running(own, crl_folder=own.pki.crls, identity_cache_seconds=0.0) as hub:
        assert (await called(hub, "intake")).reason == "ROLE_MISSING"
        own.pki.revoke(own.pair("intake").chain[0])
        refused = await called(hub, "intake")
        assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "CERTIFICATE_REVOKED")
        assert (await called(hub, "worker")).reason == "ROLE_MISSING"


async def test_a_folder_without_the_hub_cas_list_stops_the_start(tmp_path: Path) -> None:
    own = Identities(tmp_path)
    (own.pki.crls / "hub-ca.pem").unlink()
    with pytest.raises(StartRefused, match=r"crl_folder .* has no revocation list of CN="):
        async with running(own, crl_folder=own.pki.crls):
            raise AssertionError("it started")


class Lists:
    """A folder of lists as a CA puts them there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.authority = folder, TestAuthority()
        self.leaf = self.authority.issue(purpose="tls").certificate
        self.put()

    def put(self, *revoked: x509.Certificate, authority: TestAuthority | None = None, days: int = 1) -> None:
        now = datetime.datetime.now(datetime.UTC)
        until = now + datetime.timedelta(days=days)
        _, crl = (authority or self.authority).crls(revoked, at=min(NOT_BEFORE, until), next_update=until)
        (self.folder / "issuing.pem").write_bytes(crl.public_bytes(Encoding.PEM))

    def revoked(self) -> Revoked:
        return Revoked(self.folder, [self.authority.intermediate], recheck_seconds=0.0)

    def named(self) -> tuple[x509.Name, int]:
        return self.leaf.issuer, self.leaf.serial_number


@pytest.fixture
def lists(tmp_path: Path) -> Lists:
    return Lists(tmp_path)


def test_a_list_is_read_again_when_it_changes(lists: Lists) -> None:
    revoked = lists.revoked()
    assert lists.named() not in revoked.now()
    lists.put(lists.leaf)
    assert lists.named() in revoked.now()


def test_a_list_that_has_ended_still_revokes(lists: Lists) -> None:
    lists.put(lists.leaf, days=-1)
    assert lists.named() in lists.revoked().now()


def test_a_list_that_vanishes_or_is_forged_changes_nothing(lists: Lists) -> None:
    lists.put(lists.leaf)
    revoked = lists.revoked()
    lists.put(authority=TestAuthority())  # of the same name, and another key
    assert lists.named() in revoked.now()
    (lists.folder / "issuing.pem").unlink()
    assert lists.named() in revoked.now()
    lists.put()
    assert lists.named() not in revoked.now()


def test_a_forged_list_does_not_do_for_a_start(lists: Lists) -> None:
    lists.put(lists.leaf, authority=TestAuthority())
    with pytest.raises(StartRefused, match="has no revocation list of CN="):
        lists.revoked()
