"""The object store that is tried: where it is, and what the checks do in it. Nothing is left but what is locked."""

import contextlib
import io
import secrets
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import urllib3
from minio import Minio
from minio.commonconfig import COMPLIANCE
from minio.error import S3Error
from minio.retention import Retention

from services.runtime.config import StartRefused, from_table

PREFIX = "dabir-conformance/"
"""Of every key the checks write."""
LOCKED_SECONDS = 600
"""As short as checks of a slow store allow: what is locked cannot be removed before."""
NO_RETENTION = "ObjectLockConfigurationNotFoundError"
"""What SeaweedFS answers for an object without retention; minio-py knows the code of AWS only."""
LEFT_BEHIND_SECONDS = 3600
"""What is under PREFIX this long is of a run that is over."""


@dataclass(frozen=True, kw_only=True)
class StoreConfig:
    """The `s3_` settings of documents, as `DocumentsConfig` says them."""

    s3_endpoint: str
    s3_access_key: str
    s3_secret_key_file: Path
    s3_bucket: str
    s3_region: str = "us-east-1"
    s3_tls: bool = True
    s3_roots: Path | None = None


def load(path: Path) -> StoreConfig:
    """The store that a configuration of documents names; its other settings may be missing. Raises StartRefused."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StartRefused(f"The configuration {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartRefused(f"The configuration {path} is not TOML: {error}.") from error
    known = set(StoreConfig.__dataclass_fields__)
    return from_table(StoreConfig, {key: given[key] for key in known & given.keys()}, path.parent, str(path))


def client(config: StoreConfig) -> Minio:
    """A client as documents has it: one answer for one request. Raises StartRefused if a file cannot be read."""
    try:
        secret = config.s3_secret_key_file.read_text(encoding="utf-8").strip()
        roots = str(config.s3_roots.resolve(strict=True)) if config.s3_roots else None
    except OSError as error:
        raise StartRefused(f"{error.filename} cannot be read: {error.strerror}.") from error
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=5, read=60), retries=urllib3.Retry(0), cert_reqs="CERT_REQUIRED", ca_certs=roots
    )
    return Minio(
        config.s3_endpoint,
        config.s3_access_key,
        secret,
        secure=config.s3_tls,
        region=config.s3_region,
        http_client=pool,
    )


def ahead(seconds: int) -> datetime:
    """An instant as S3 keeps it: in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)


class NotConforming(Exception):
    """The store does not do what a check demands; the message says what it did."""


@dataclass(frozen=True)
class Version:
    """One version of an object."""

    bucket: str
    key: str
    id: str


@dataclass
class Store:
    """A bucket under trial. Whatever is written stands in `written`, and is removed by `clear` unless it is locked."""

    minio: Minio
    bucket: str
    written: list[Version] = field(default_factory=list)

    def put(self, data: bytes = b"letter", *, key: str = "", bucket: str = "") -> Version:
        """A new version, of a new key where none is given."""
        bucket, key = bucket or self.bucket, key or new_key()
        answer = self.minio.put_object(bucket, key, io.BytesIO(data), len(data), num_parallel_uploads=1)
        return self.made(bucket, key, answer.version_id)

    def made(self, bucket: str, key: str, version: str | None) -> Version:
        """Notes a version that was written. Raises NotConforming if the store named none."""
        if not version:
            raise NotConforming("a PUT was answered without a version id")
        self.written.append(Version(bucket, key, version))
        return self.written[-1]

    def lock(self) -> tuple[Version, datetime]:
        """A new version locked in compliance mode, and until when."""
        version, until = self.put(), ahead(LOCKED_SECONDS)
        self.retain(version, until)
        return version, until

    def retain(self, version: Version, until: datetime, mode: str = COMPLIANCE) -> None:
        self.minio.set_object_retention(version.bucket, version.key, Retention(mode, until), version_id=version.id)

    def retention(self, version: Version) -> tuple[str, datetime] | None:
        """Mode and end of the lock that the store says a version has."""
        try:
            found = self.minio.get_object_retention(version.bucket, version.key, version.id)
        except S3Error as error:
            if error.code == NO_RETENTION:
                return None
            raise
        return (found.mode, found.retain_until_date) if found else None

    def read(self, version: Version, offset: int = 0, length: int = 0) -> bytes:
        response = self.minio.get_object(
            version.bucket, version.key, offset=offset, length=length, version_id=version.id
        )
        try:
            return response.read()
        finally:
            response.close()
            response.release_conn()

    def remove(self, version: Version) -> None:
        self.minio.remove_object(version.bucket, version.key, version_id=version.id)

    def versions(self, prefix: str, bucket: str = "") -> list[Any]:
        """What the store lists, delete markers included."""
        found = self.minio.list_objects(bucket or self.bucket, prefix=prefix, include_version=True, recursive=True)
        return list(found)

    def clear(self) -> list[Version]:
        """Removes what was written; returns what the store keeps because it is locked."""
        kept = [version for version in self.written if refusal(partial(self.remove, version))]
        for key in {version.key for version in self.written}:
            for marker in (one for one in self.versions(key) if one.is_delete_marker):
                self.remove(Version(self.bucket, key, marker.version_id))
        self.written.clear()
        return kept

    def clear_left_behind(self, bucket: str) -> None:
        """Removes what earlier runs had to leave, as far as it is no longer locked."""
        before = datetime.now(UTC) - timedelta(seconds=LEFT_BEHIND_SECONDS)
        with contextlib.suppress(S3Error):  # there may be no such bucket
            for one in self.versions(PREFIX, bucket):
                if one.last_modified < before:
                    refusal(partial(self.remove, Version(bucket, one.object_name, one.version_id)))


def locking_bucket_name(bucket: str) -> str:
    """Of the bucket beside this one that locks by default; a bucket's name has 63 characters at most."""
    return f"{bucket[:51]}-conformance"


def new_key() -> str:
    """A key used once."""
    return PREFIX + secrets.token_hex(16)


def refusal(call: Callable[[], object]) -> str:
    """The code with which the store refuses a call; "" if it does it. An outage (5xx) is no refusal and is raised."""
    try:
        call()
    except S3Error as error:
        if error.response is None or error.response.status < 500:
            return error.code or "refused"
        raise
    return ""
