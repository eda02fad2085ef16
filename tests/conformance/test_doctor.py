"""make doctor S3=config.toml: the same checks over a configured store, and one line for what is wrong with it."""

import subprocess
import sys
from pathlib import Path

import pytest
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig

from infra.conformance.s3 import CHECKS
from infra.conformance.store import PREFIX
from infra.local.settings import toml
from tests.conftest import S3Server, free_port

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def settings(tmp_path: Path, s3_server: S3Server) -> dict[str, object]:
    (tmp_path / "secret").write_text(f"{s3_server.secret_key}\n", encoding="utf-8")
    return {
        "hub": "log.dabir.example/1",
        "listen": "127.0.0.1:0",
        "s3_endpoint": s3_server.endpoint,
        "s3_access_key": s3_server.access_key,
        "s3_secret_key_file": "secret",
        "s3_bucket": s3_server.bucket,
        "s3_tls": False,
    }


def tried(folder: Path, settings: dict[str, object]) -> subprocess.CompletedProcess[str]:
    """The checks of the store in a configuration, as the doctor starts them."""
    config = folder / "documents.toml"
    config.write_text(toml(settings), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "infra.conformance", str(config)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def wrong(answer: subprocess.CompletedProcess[str]) -> str:
    """The one thing that needs mending, and its remedy, each on one line."""
    assert answer.returncode == 1, answer.stdout
    assert answer.stderr == ""
    lines = answer.stdout.splitlines()
    said = [number for number, line in enumerate(lines) if line.startswith("MEND object store")]
    assert len(said) == 1, answer.stdout
    assert lines[said[0] + 1].strip().startswith("→ ")
    return lines[said[0]]


def test_doctor_says_each_check_and_leaves_what_is_locked_only(tmp_path: Path, s3_server: S3Server) -> None:
    """The whole way of `make doctor S3=…`, with a bucket of its own."""
    minio = s3_server.client()
    minio.make_bucket("conformance-own", object_lock=True)
    minio.set_bucket_versioning("conformance-own", VersioningConfig(ENABLED))
    (tmp_path / "secret").write_text(s3_server.secret_key, encoding="utf-8")
    config = tmp_path / "store.toml"
    own = {"s3_endpoint": s3_server.endpoint, "s3_access_key": s3_server.access_key, "s3_bucket": "conformance-own"}
    config.write_text(toml({**own, "s3_secret_key_file": "secret", "s3_tls": False}), encoding="utf-8")
    answer = subprocess.run(
        ["make", "--no-print-directory", "doctor", f"PYTHON={sys.executable}", f"S3={config}"],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert s3_server.secret_key not in answer.stdout
    lines = answer.stdout.splitlines()
    for check in CHECKS:
        assert any(line.startswith(("ok   object store", "note object store")) and check.says in line for line in lines)
    assert "before" in next(line for line in lines if line.startswith("Trying the bucket conformance-own"))
    left = list(minio.list_objects("conformance-own", include_version=True, recursive=True))
    assert f"Left: {len(left) + 1} locked objects" in lines[-1]  # and the one in the bucket that locks by default
    for one in left:
        assert one.object_name
        assert one.object_name.startswith(PREFIX)
        assert not one.is_delete_marker
        assert minio.get_object_retention("conformance-own", one.object_name, one.version_id) is not None


def test_a_bucket_without_lock_is_named(tmp_path: Path, s3_server: S3Server, settings: dict[str, object]) -> None:
    minio = s3_server.client()
    minio.make_bucket("conformance-unlocked")
    minio.set_bucket_versioning("conformance-unlocked", VersioningConfig(ENABLED))
    said = wrong(tried(tmp_path, settings | {"s3_bucket": "conformance-unlocked"}))
    assert "the bucket has no object lock" in said


BAD = {
    "no such bucket": ({"s3_bucket": "conformance-nowhere"}, "NoSuchBucket"),
    "no such key": ({"s3_access_key": "nobody"}, "InvalidAccessKeyId"),
    "no such file": ({"s3_secret_key_file": "nothing"}, "nothing cannot be read: No such file or directory."),
    "nobody there": ({"s3_endpoint": "127.0.0.1:{port}"}, "MaxRetryError"),
    "no number": ({"s3_tls": "yes"}, "s3_tls must be true or false."),
    "plain text asked over TLS": ({"s3_tls": True}, "SSL"),
}


@pytest.mark.parametrize("settings_changed", BAD.values(), ids=BAD)
def test_a_store_that_cannot_be_tried_is_named(
    tmp_path: Path, settings: dict[str, object], settings_changed: tuple[dict[str, object], str]
) -> None:
    changed, says = settings_changed
    if "s3_endpoint" in changed:
        changed = {"s3_endpoint": f"127.0.0.1:{free_port()}"}
    assert says in wrong(tried(tmp_path, settings | changed))


def test_a_missing_setting_is_named(tmp_path: Path, settings: dict[str, object]) -> None:
    del settings["s3_bucket"]
    assert "s3_bucket is missing." in wrong(tried(tmp_path, settings))
