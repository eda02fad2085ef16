"""A tunnel to a hub that does not answer: it ends with a sentence, and leaves no socket."""

import socket
from pathlib import Path

import pytest

from dabir.client import UnavailableError, tunnel
from tests.unit.client.member import PaperHub, write_profile


def test_who_takes_a_connection_and_says_nothing_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnel, "_DIAL_SECONDS", 0.05)
    hub, opened = PaperHub(), tmp_path / "dabir.sock"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        profile = write_profile(hub, hub.seal(), tmp_path, directory=address)
        with pytest.raises(UnavailableError, match=f"{address}: not within 0.05 seconds; try again"):
            tunnel.serve(profile, "directory", opened, lambda: pytest.fail("nobody can connect"))
    assert not opened.exists()
