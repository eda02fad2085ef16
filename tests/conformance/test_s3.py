"""Whether letters can be kept in the S3 servers there are here: the checks of `infra.conformance`, and a kill -9.

The checks run against a configured store too: `make doctor S3=config.toml`.
"""

import signal
from collections.abc import Iterator
from datetime import datetime
from functools import partial

import pytest

from infra.conformance.__main__ import try_all
from infra.conformance.s3 import CHECKS, Check
from infra.conformance.store import NotConforming, Store, Version, refusal
from infra.local import child, s3
from tests.conftest import S3Server, free_port

COPIES = "default retention locks what is copied"


@pytest.fixture(scope="module")
def store(s3_server: S3Server) -> Iterator[Store]:
    trial = Store(s3_server.client(), s3_server.bucket)
    yield trial
    trial.clear()


@pytest.mark.parametrize("check", [c for c in CHECKS if c.says != COPIES], ids=lambda check: check.says)
def test_the_store_conforms(store: Store, check: Check) -> None:
    check.run(store)


def test_seaweedfs_leaves_copies_under_default_retention_unlocked(store: Store) -> None:
    """Which is why documents sets each lock itself, reads it back and never copies."""
    (check,) = (check for check in CHECKS if check.says == COPIES)
    assert not check.relied_on
    with pytest.raises(NotConforming, match="a copy made under default retention was deleted"):
        check.run(store)


class Forgetful(Store):
    """A store that acknowledges every lock and sets none."""

    def retain(self, version: Version, until: datetime, mode: str = "") -> None:
        pass


LOCKS = [check for check in CHECKS if {"lock", "locked"} & set(check.says.split()) and check.relied_on]


@pytest.mark.parametrize("check", LOCKS, ids=lambda check: check.says)
def test_a_store_that_sets_no_locks_does_not_conform(s3_server: S3Server, check: Check) -> None:
    store = Forgetful(s3_server.client(), s3_server.bucket)
    with pytest.raises(NotConforming):
        check.run(store)
    assert store.clear() == []


def test_a_store_that_sets_no_locks_is_told_to_be_mended(
    s3_server: S3Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert try_all(Forgetful(s3_server.client(), s3_server.bucket), s3_server.endpoint) == 1
    said = capsys.readouterr().out
    for check in LOCKS:
        assert f"MEND object store     not so that {check.says}: " in said


def test_a_bucket_that_keeps_no_versions_does_not_conform(s3_server: S3Server) -> None:
    minio = s3_server.client()
    minio.make_bucket("conformance-plain")
    with pytest.raises(NotConforming, match="versioning is off"):
        CHECKS[0].run(Store(minio, "conformance-plain"))


def test_what_was_written_is_removed_and_what_is_locked_is_told(s3_server: S3Server) -> None:
    store = Store(s3_server.client(), s3_server.bucket)
    plain, (locked, _) = store.put(), store.lock()
    store.minio.remove_object(plain.bucket, plain.key)
    assert store.clear() == [locked]
    assert store.versions(plain.key) == []
    assert store.read(locked) == b"letter"


def test_what_was_acknowledged_survives_kill_9(tmp_path_factory: pytest.TempPathFactory) -> None:
    home, ports = tmp_path_factory.mktemp("s3"), {name: free_port() for name in s3.PORTS}
    s3.prepare(home, "access", "secret-secret")
    store = Store(s3.client(f"127.0.0.1:{ports['s3']}", "access", "secret-secret"), s3.BUCKET)
    stored: list[tuple[Version, datetime]] = []
    for _ in range(2):
        process = child.launch(s3.command(home, ports), home / "log")
        try:
            s3.set_up(store.minio)
            for version, until in stored:
                assert store.retention(version) == ("COMPLIANCE", until)
                assert store.read(version) == b"letter"
                assert refusal(partial(store.remove, version))
            stored = [store.lock() for _ in range(20)]
        finally:
            process.kill()
            child.stop(process, signal.SIGKILL, grace_seconds=5)
