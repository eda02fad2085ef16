"""A profile is read whole or refused with the key that is wrong."""

import importlib.resources
import zoneinfo
from pathlib import Path

import pytest

from dabir.client import profile
from dabir.client.errors import ProfileError

GOOD = """
body = "bodies/moi"
office = "bodies/moi/offices/central"
hub = "log.dabir.example/1"
journal = "journal"
[services]
intake = "127.0.0.1:1"
documents = "127.0.0.1:2"
directory = "127.0.0.1:3"
evidence = "127.0.0.1:4"
notifications = "127.0.0.1:5,127.0.0.1:6"
[tls]
certificate = "tls.pem"
key = "tls.key"
[[sign]]
certificate = "sign.pem"
key = "sign.key"
[seal]
certificate = "/keys/seal.pem"
key = "seal.key"
[trust]
folder = "../trust"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "profile.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_start_at_the_profiles_folder(tmp_path: Path) -> None:
    read = profile.read(written(tmp_path, GOOD))
    assert read.journal == tmp_path / "journal"
    assert read.sign == (profile.KeyPair(tmp_path / "sign.pem", tmp_path / "sign.key"),)
    assert read.seal.certificate == Path("/keys/seal.pem")
    assert read.services["notifications"] == "127.0.0.1:5,127.0.0.1:6"
    assert (read.calendar, read.time_zone, read.language, read.server_name) == ("JALALI", "Asia/Tehran", "fa", "")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('body = "bodies/moi"', 'body = "moi"', "body"),
        ('office = "bodies/moi/', 'office = "bodies/cbi/', "office"),
        ('hub = "log.dabir.example/1"', 'hub = "https://log"', "hub"),
        ('journal = "journal"', 'jornal = "journal"', "journal"),
        ('journal = "journal"', 'journal = "journal"\ncalender = "JALALI"', "calender"),
        ('journal = "journal"', 'journal = "journal"\ncalendar = "LUNAR"', "calendar"),
        ('journal = "journal"', 'journal = "journal"\ntime_zone = "Tehran"', "time_zone"),
        ('journal = "journal"', 'journal = "journal"\ntime_zone = 3', "time_zone"),
        ('journal = "journal"', 'journal = "journal"\nwatch_silence_seconds = 0', "watch_silence_seconds"),
        ('journal = "journal"', 'journal = "journal"\nwatch_silence_seconds = 601', "watch_silence_seconds"),
        ('journal = "journal"', 'journal = "journal"\nwatch_silence_seconds = true', "watch_silence_seconds"),
        ('evidence = "127.0.0.1:4"\n', "", "services.evidence"),
        ('evidence = "127.0.0.1:4"', "evidence = 4", "services.evidence"),
        ('[tls]\ncertificate = "tls.pem"', '[tls]\nroots = "x"\ncertificate = "tls.pem"', "tls.roots"),
        ('[[sign]]\ncertificate = "sign.pem"\nkey = "sign.key"', "", "sign"),
        ("[trust]", "[trust", "TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in GOOD
    with pytest.raises(ProfileError, match=named):
        profile.read(written(tmp_path, GOOD.replace(old, new)))


def test_an_absent_profile_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="DABIR_PROFILE"):
        profile.read(tmp_path / "none.toml")


def test_a_time_zone_is_never_of_the_machines_files(tmp_path: Path) -> None:
    """`localtime` is whatever the machine is set to."""
    utc = importlib.resources.files("tzdata").joinpath("zoneinfo", "UTC").read_bytes()
    (tmp_path / "localtime").write_bytes(utc)
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([tmp_path])
    try:
        with pytest.raises(ProfileError, match="time_zone cannot be used: 'localtime' is no IANA time zone; write one"):
            profile.read(written(tmp_path, f'time_zone = "localtime"\n{GOOD}'))
        assert profile.read(written(tmp_path, f'time_zone = "Asia/Tokyo"\n{GOOD}')).time_zone == "Asia/Tokyo"
    finally:
        zoneinfo.reset_tzpath(before)
