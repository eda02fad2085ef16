"""Which ports webhooks go to: in production 443 and those listed, elsewhere any."""

import asyncio
import uuid
from dataclasses import replace
from typing import Any

import pytest

from dabir.notifications.v1 import notifications_pb2 as pb
from services.notifications.channels import open_channels
from services.notifications.domain.endpoint import WEBHOOK
from services.notifications.domain.errors import UrlNotAllowed
from services.notifications.domain.tries import Result
from services.notifications.servicer.members import NotificationServicer
from services.runtime.identity import Caller, set_caller
from tests.unit.notifications.test_config import load
from tests.unit.notifications.test_domain import notification
from tests.unit.notifications.test_places import endpoint

PRODUCTION = {"environment": "production", "tls_service_issuers": "hub-ca.pem", "crl_folder": "crls"}
WITH_8443: dict[str, Any] = PRODUCTION | {"outgoing_ports": [8443]}
# No such name is in the DNS, ever (RFC 6761 section 6.4); none of these is looked up.
HOST = "hooks.bank.invalid"


class Reached(Exception):
    """A request passed the checks, and would have been stored."""


class NoPool:
    def connection(self) -> object:
        raise Reached


def test_in_production_443_and_those_listed_elsewhere_any() -> None:
    assert load(**PRODUCTION).webhook_ports == frozenset({443})
    assert load(**WITH_8443).webhook_ports == frozenset({443, 8443})
    assert load(outgoing_ports=[8443]).webhook_ports is None


@pytest.mark.parametrize(
    ("settings", "port", "outcome"),
    [
        (PRODUCTION, "", Reached),
        (PRODUCTION, ":443", Reached),
        (PRODUCTION, ":8443", UrlNotAllowed),
        (WITH_8443, "", Reached),
        (WITH_8443, ":8443", Reached),
        (WITH_8443, ":8444", UrlNotAllowed),
        ({}, ":8444", Reached),
    ],
)
async def test_an_endpoint_at_another_port_is_refused(
    settings: dict[str, Any], port: str, outcome: type[Exception]
) -> None:
    with pytest.raises(outcome):
        await asyncio.create_task(create(f"https://{HOST}{port}/dabir", settings))


async def create(url: str, settings: dict[str, Any]) -> None:
    """In a task of its own, whose caller ends with it."""
    set_caller(Caller(b"", body="bodies/bank"))
    no_pool: Any = NoPool()
    request = pb.CreateEndpointRequest(endpoint_id=str(uuid.uuid4()), url=url)
    await NotificationServicer(load(**settings), no_pool, lambda: None).CreateEndpoint(request, None)


async def test_one_that_was_made_before_is_not_called() -> None:
    at_another = replace(endpoint(), url=f"https://{HOST}:8443/dabir")
    async with open_channels(load(**PRODUCTION)) as channels:
        result = await channels[WEBHOOK].send(at_another, notification(), lambda _lookup: None)
    assert result == Result("ADDRESS_NOT_ALLOWED")
