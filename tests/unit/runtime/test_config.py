"""Settings from TOML: what is taken, and that whatever is wrong is said at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.runtime.config import ProcessConfig, ServiceConfig, StartRefused, from_table, load

NEEDED: dict[str, Any] = {
    "hub": "log.dabir.example/1",
    "source": "intake",
    "environment": "development",
    "tls_certificate": "tls.pem",
    "tls_key": "/keys/tls.key",
    "tls_roots": "roots.pem",
    "metrics_listen": "127.0.0.1:0",
    "listen": "127.0.0.1:0",
    "database_url_file": "url",
}


@dataclass(frozen=True, kw_only=True)
class OfIntake(ServiceConfig):
    definitions: tuple[Path, ...] = ()
    clock_seconds: float = 1.5


def table(**changed: Any) -> OfIntake:
    return from_table(OfIntake, NEEDED | changed, Path("/etc/dabir"), "intake.toml")


def test_paths_are_relative_to_the_file() -> None:
    config = table(definitions=["a.toml", "/b.toml"])
    assert (config.tls_certificate, config.tls_key) == (Path("/etc/dabir/tls.pem"), Path("/keys/tls.key"))
    assert config.definitions == (Path("/etc/dabir/a.toml"), Path("/b.toml"))


def test_what_is_not_given_has_its_default() -> None:
    config = table()
    assert (config.clock_seconds, config.seal_key, config.services, config.max_concurrent_rpcs) == (1.5, None, (), 256)


def test_a_whole_number_does_for_a_number_and_a_list_for_a_tuple() -> None:
    config = table(clock_seconds=2, services=["dabir.intake.v1.SenderService"])
    assert config.clock_seconds == 2.0
    assert config.services == ("dabir.intake.v1.SenderService",)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"clock": 1}, "clock is not a setting of this service"),
        ({"environment": "production"}, "tls_service_issuers is missing"),
        ({"environment": "production", "tls_service_issuers": "hub-ca.pem"}, "crl_folder is missing"),
        ({"clock_seconds": "1"}, "clock_seconds must be a number"),
        ({"clock_seconds": True}, "clock_seconds must be a number"),
        ({"max_concurrent_rpcs": 1.5}, "max_concurrent_rpcs must be a whole number"),
        ({"max_concurrent_rpcs": True}, "max_concurrent_rpcs must be a whole number"),
        ({"services": "all"}, "services must be a list"),
        ({"services": [1]}, "services must be a string"),
        ({"tls_key": 7}, "tls_key must be a path"),
        ({"tls_key": ""}, "tls_key must be a path"),
        ({"environment": "test"}, "environment is 'test'"),
        ({"log_level": "loud"}, "log_level is 'loud'"),
        ({"stream_recheck_seconds": 61}, "at most 60"),
        ({"database_connections_per_body": 0}, "must be at least 1"),
        ({"seal_key": "k"}, "belong together"),
    ],
)
def test_a_wrong_setting_is_named(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(StartRefused, match=says):
        table(**changed)


def test_everything_wrong_is_said_at_once() -> None:
    given = {key: value for key, value in NEEDED.items() if key != "listen"} | {"lissten": "x", "hub": 3}
    with pytest.raises(StartRefused) as caught:
        from_table(OfIntake, given, Path(), "intake.toml")
    for said in ("intake.toml", "lissten is not a setting", "listen is missing", "hub must be a string"):
        assert said in str(caught.value)


def test_a_file_that_is_missing_or_no_toml_is_said(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="cannot be read"):
        load(ProcessConfig, tmp_path / "nowhere.toml")
    for wrong in (b"hub = ", b"\xff\xfe"):
        (tmp_path / "wrong.toml").write_bytes(wrong)
        with pytest.raises(StartRefused, match="is not TOML"):
            load(ProcessConfig, tmp_path / "wrong.toml")
