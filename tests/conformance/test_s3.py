"""What an object store must do before letters are kept in it; run over every S3 server there is here.

Some servers leave copies of locked objects unlocked, some let a lock be shortened, and none of them says so.
"""

import base64
import concurrent.futures
import hashlib
import io
import secrets
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from minio import Minio
from minio.commonconfig import COMPLIANCE, ENABLED, GOVERNANCE, CopySource
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.objectlockconfig import DAYS, ObjectLockConfig
from minio.retention import Retention

from infra.local import child, s3
from tests.conftest import S3Server, free_port


@pytest.fixture(scope="module")
def minio(s3_server: S3Server) -> Minio:
    return s3_server.client()


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    return s3_server.bucket


def put(minio: Minio, bucket: str, data: bytes = b"letter", key: str = "") -> tuple[str, str]:
    """A new object; its key and version."""
    key = key or f"conformance/{secrets.token_hex(16)}"
    written = minio.put_object(bucket, key, io.BytesIO(data), len(data), num_parallel_uploads=1)
    assert written.version_id
    return key, written.version_id


def read(minio: Minio, bucket: str, key: str, version: str | None = None, offset: int = 0, length: int = 0) -> bytes:
    response = minio.get_object(bucket, key, offset=offset, length=length, version_id=version)
    try:
        return response.read()
    finally:
        response.close()
        response.release_conn()


def ahead(seconds: int) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)


def lock(minio: Minio, bucket: str, seconds: int = 3600) -> tuple[str, str, datetime]:
    key, version = put(minio, bucket)
    until = ahead(seconds)
    minio.set_object_retention(bucket, key, Retention(COMPLIANCE, until), version_id=version)
    return key, version, until


def retention(minio: Minio, bucket: str, key: str, version: str) -> tuple[str, datetime]:
    found = minio.get_object_retention(bucket, key, version)
    assert found is not None
    return found.mode, found.retain_until_date


def test_the_bucket_keeps_versions_and_locks(minio: Minio, bucket: str) -> None:
    assert minio.get_bucket_versioning(bucket).status == ENABLED
    minio.get_object_lock_config(bucket)


def test_a_lock_is_read_back_as_set(minio: Minio, bucket: str) -> None:
    key, version, until = lock(minio, bucket)
    assert retention(minio, bucket, key, version) == (COMPLIANCE, until)


def test_a_lock_can_be_extended(minio: Minio, bucket: str) -> None:
    key, version, until = lock(minio, bucket)
    minio.set_object_retention(bucket, key, Retention(COMPLIANCE, until + timedelta(days=1)), version_id=version)
    assert retention(minio, bucket, key, version) == (COMPLIANCE, until + timedelta(days=1))


ATTACKS: dict[str, Callable[[Minio, str, str, str, datetime], object]] = {
    "delete": lambda m, b, key, version, until: m.remove_object(b, key, version_id=version),
    "shorten": lambda m, b, key, version, until: m.set_object_retention(
        b, key, Retention(COMPLIANCE, until - timedelta(seconds=60)), version_id=version
    ),
    "soften": lambda m, b, key, version, until: m.set_object_retention(
        b, key, Retention(GOVERNANCE, until + timedelta(seconds=60)), version_id=version
    ),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_lock_holds(minio: Minio, bucket: str, attack: Callable[..., object]) -> None:
    key, version, until = lock(minio, bucket)
    with pytest.raises(S3Error):
        attack(minio, bucket, key, version, until)
    assert retention(minio, bucket, key, version) == (COMPLIANCE, until)
    assert read(minio, bucket, key, version) == b"letter"


def test_a_lock_holds_against_a_batch_and_against_bypass(minio: Minio, bucket: str) -> None:
    key, version, until = lock(minio, bucket)
    failed = list(minio.remove_objects(bucket, [DeleteObject(key, version)], bypass_governance_mode=True))
    assert [error.name for error in failed] == [key]
    assert retention(minio, bucket, key, version) == (COMPLIANCE, until)
    assert read(minio, bucket, key, version) == b"letter"


def test_a_locked_version_stays_under_a_delete_marker_and_a_new_version(minio: Minio, bucket: str) -> None:
    key, version, _ = lock(minio, bucket)
    minio.remove_object(bucket, key)
    _, newer = put(minio, bucket, b"other", key)
    assert read(minio, bucket, key, version) == b"letter"
    assert read(minio, bucket, key, newer) == b"other"
    listed = list(minio.list_objects(bucket, prefix=key, include_version=True, recursive=True))
    assert {o.version_id for o in listed if not o.is_delete_marker} == {version, newer}
    assert len([o for o in listed if o.is_delete_marker]) == 1


def test_a_legal_hold_holds_until_it_is_lifted(minio: Minio, bucket: str) -> None:
    key, version = put(minio, bucket)
    minio.enable_object_legal_hold(bucket, key, version)
    assert minio.is_object_legal_hold_enabled(bucket, key, version)
    with pytest.raises(S3Error):
        minio.remove_object(bucket, key, version_id=version)
    minio.disable_object_legal_hold(bucket, key, version)
    minio.remove_object(bucket, key, version_id=version)
    with pytest.raises(S3Error):
        read(minio, bucket, key, version)


def test_unlocked_versions_can_be_swept(minio: Minio, bucket: str) -> None:
    key, version = put(minio, bucket)
    minio.remove_object(bucket, key, version_id=version)
    assert list(minio.list_objects(bucket, prefix=key, include_version=True, recursive=True)) == []


def test_ranges_are_exact(minio: Minio, bucket: str) -> None:
    data = secrets.token_bytes(300_000)
    key, version = put(minio, bucket, data)
    for offset, length in ((0, 1), (299_999, 1), (100_000, 150_000)):
        assert read(minio, bucket, key, version, offset=offset, length=length) == data[offset : offset + length]


def test_one_of_several_conditional_puts_wins(minio: Minio, bucket: str) -> None:
    key = f"conformance/{secrets.token_hex(16)}"

    def write(number: int) -> str:
        try:
            # minio-py offers no conditional PUT of its own.
            minio._put_object(bucket, key, str(number).encode(), {"If-None-Match": "*"})
        except S3Error as error:
            return error.code or ""
        return "stored"

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(write, range(8))) == ["PreconditionFailed"] * 7 + ["stored"]


def test_a_put_whose_bytes_are_not_its_digest_is_refused(s3_server: S3Server) -> None:
    minio, key = s3_server.client(), f"conformance/{secrets.token_hex(16)}"
    digest = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    url = minio.get_presigned_url("PUT", s3_server.bucket, key)
    answer = minio._http.request("PUT", url, body=b"letter", headers={"x-amz-checksum-sha256": digest})
    assert answer.status >= 400
    with pytest.raises(S3Error, match="NoSuchKey"):
        read(minio, s3_server.bucket, key)


@pytest.fixture(scope="module")
def locking_bucket(minio: Minio) -> str:
    """A bucket that locks whatever is put into it for a day."""
    bucket = f"conformance-{secrets.token_hex(8)}"
    minio.make_bucket(bucket, object_lock=True)
    minio.set_object_lock_config(bucket, ObjectLockConfig(COMPLIANCE, 1, DAYS))
    return bucket


def test_default_retention_locks_what_is_put(minio: Minio, locking_bucket: str) -> None:
    key, version = put(minio, locking_bucket)
    mode, until = retention(minio, locking_bucket, key, version)
    assert mode == COMPLIANCE
    assert ahead(86_400 - 3600) < until < ahead(86_400 + 3600)
    with pytest.raises(S3Error):
        minio.remove_object(locking_bucket, key, version_id=version)


@pytest.mark.xfail(strict=True, reason="SeaweedFS 4.48 leaves such copies unlocked: documents reads back, never copies")
def test_default_retention_locks_what_is_copied(minio: Minio, bucket: str, locking_bucket: str) -> None:
    key, version = put(minio, bucket)
    made = minio.copy_object(locking_bucket, key, CopySource(bucket, key, version_id=version))
    assert made.version_id
    with pytest.raises(S3Error):
        minio.remove_object(locking_bucket, key, version_id=made.version_id)


def test_a_copy_made_with_retention_is_locked(minio: Minio, bucket: str) -> None:
    key, version, until = lock(minio, bucket)
    source = CopySource(bucket, key, version_id=version)
    made = minio.copy_object(bucket, f"{key}-copy", source, retention=Retention(COMPLIANCE, until))
    assert made.version_id
    assert retention(minio, bucket, f"{key}-copy", made.version_id) == (COMPLIANCE, until)
    with pytest.raises(S3Error):
        minio.remove_object(bucket, f"{key}-copy", version_id=made.version_id)


def test_what_was_acknowledged_survives_kill_9(tmp_path_factory: pytest.TempPathFactory) -> None:
    home, ports = tmp_path_factory.mktemp("s3"), {name: free_port() for name in s3.PORTS}
    s3.prepare(home, "access", "secret-secret")
    minio = s3.client(f"127.0.0.1:{ports['s3']}", "access", "secret-secret")
    stored: list[tuple[str, str, datetime]] = []
    for _ in range(2):
        process = child.launch(s3.command(home, ports), home / "log")
        try:
            s3.set_up(minio)
            for key, version, until in stored:
                assert retention(minio, s3.BUCKET, key, version) == (COMPLIANCE, until)
                assert read(minio, s3.BUCKET, key, version) == b"letter"
                with pytest.raises(S3Error):
                    minio.remove_object(s3.BUCKET, key, version_id=version)
            stored = [lock(minio, s3.BUCKET) for _ in range(20)]
        finally:
            process.kill()
            child.stop(process, signal.SIGKILL, grace_seconds=5)
