"""Incidents of a body: its certificate expired, its endpoint is down."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dabir.client import Client
from dabir.notifications.v1.notifications_pb2 import CreateEndpointRequest
from infra.demo.hooks import Receivers
from infra.local import pki
from infra.local.add_body import add_body
from infra.local.members import Member, profile_folder
from tests.incidents.hub import Hub
from tests.incidents.page import Page
from tests.incidents.test_letters import NO_LINES, workflow_id
from tests.incidents.ui import Ui
from tests.waiting import until

GOOD_FOR_SECONDS = 5
LENDER = Member("lender", "بانک", "Lender", ("مدیر",))
SECONDS_A_DAY = 86400


def test_a_certificate_expired(hub: Hub, ui: Ui, monkeypatch: pytest.MonkeyPatch) -> None:
    page, folder = Page("certificate"), profile_folder(hub.stack, LENDER)
    with monkeypatch.context() as short:
        short.setattr(pki, "LEAF_DAYS", GOOD_FOR_SECONDS / SECONDS_A_DAY)
        pair = pki.DevelopmentPki(hub.stack.pki).body_tls_pair(LENDER.id, folder)
    profile = str(add_body(hub.stack, LENDER))
    letter = hub.send("prosecutor", [LENDER.id])
    ui.open(page.queries[0].replace("sample-bank", LENDER.id))
    ui.sees(workflow_id(letter))
    until("the certificate expired", lambda: datetime.now(UTC) > pair.chain[0].not_valid_after_utc)
    refused = page.do(0, hub.stack.directory, DABIR_PROFILE=profile)
    awaiting, expired = page.sees
    assert (refused.returncode, expired in refused.stderr) == (2, True)
    ui.sees(workflow_id(letter), "1 Workflow")
    ui.picture("certificate-list")
    ui.follow(workflow_id(letter))
    ui.turn_to("User Metadata")
    ui.sees(awaiting, LENDER.name)
    ui.picture("certificate")
    named = {"BODY": LENDER.id, "NAME_FA": LENDER.fa, "NAME_EN": LENDER.en, "POSITION": LENDER.positions[0]}
    assert page.do(1, hub.stack.directory, **named).returncode == 0
    assert page.do(0, hub.stack.directory, DABIR_PROFILE=profile).returncode == 0
    with Client.from_profile(Path(profile)) as lender:
        lender.accept(f"{letter}/deliveries/1")
    ui.open(page.queries[0].replace("sample-bank", LENDER.id))
    ui.sees(NO_LINES)


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    """The bank's own system, which answers 503 until it has the secret."""
    with Receivers(["second-bank"]) as opened:
        yield opened


def test_an_endpoint_is_down(hub: Hub, ui: Ui, receivers: Receivers) -> None:
    page, link = Page("endpoint"), "link/second-bank"
    client = hub.client("second-bank")
    request = CreateEndpointRequest(endpoint_id=str(uuid.uuid4()), url=receivers.urls["second-bank"])
    secret = client.hub.call(client.hub.notifications.CreateEndpoint, request).secret
    letter = hub.send("prosecutor", ["second-bank"])
    ui.open(page.queries[0])
    ui.sees(link)
    ui.picture("endpoint-list")
    ui.follow(link)
    ui.turn_to("User Metadata")
    ui.sees("bodies/second-bank", *page.sees)
    ui.picture("endpoint")
    paused = page.do(0, hub.stack.directory, BODY="second-bank")
    assert paused.returncode == 0, paused.stderr
    ui.sees("Paused by an operator")
    ui.picture("endpoint-paused")
    receivers.trust("second-bank", secret)
    resumed = page.do(1, hub.stack.directory, BODY="second-bank")
    assert resumed.returncode == 0, resumed.stderr
    assert receivers.wait_for("second-bank", f"{letter}/deliveries/1", timeout_seconds=60)
    ui.open(page.queries[0])
    ui.sees(NO_LINES)
