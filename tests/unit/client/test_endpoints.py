"""Where we are told: the successor of a deleted endpoint is looked for, and not for ever."""

from pathlib import Path
from typing import Any, cast

import pytest

from dabir.client import RefusedError, endpoints
from dabir.client.hub import Hub
from dabir.client.journal import Journal


class EveryIdUsed:
    """A hub to which no id is new."""

    notifications: Any = type("Stub", (), {"CreateEndpoint": None})

    def __init__(self) -> None:
        self.asked: list[str] = []

    def call(self, _method: object, request: Any) -> None:
        self.asked.append(request.endpoint_id)
        raise RefusedError("ENDPOINT_ID_REUSED", "used before", code="ALREADY_EXISTS")


def test_a_hub_that_knows_every_id_is_not_asked_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "_MOST_ENDED", 3)
    hub = EveryIdUsed()
    with pytest.raises(RefusedError, match="used before"):
        endpoints.webhook_secret(cast("Hub", hub), Journal(tmp_path), "https://bank.example/")
    assert len(set(hub.asked)) == len(hub.asked) == 3
