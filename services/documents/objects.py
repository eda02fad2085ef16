"""Segments in S3: the one file that talks to it. minio-py is synchronous, so every call runs in a bounded executor."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import urllib3
from minio import Minio
from minio.commonconfig import COMPLIANCE, ENABLED
from minio.error import MinioException, S3Error
from minio.retention import Retention

from services.documents.config import DocumentsConfig
from services.documents.domain import errors
from services.documents.domain.upload import SEGMENT_BYTES, Segment
from services.runtime.config import StartRefused
from services.runtime.logs import log

Result = TypeVar("Result")

_BLOCK_BYTES = 256 * 1024
_GONE = frozenset({"NoSuchKey", "NoSuchVersion"})
# What S3 servers answer for an object without retention: AWS the first, SeaweedFS the second.
_NO_RETENTION = frozenset({"NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError"})


@asynccontextmanager
async def open_objects(config: DocumentsConfig) -> AsyncIterator["Objects"]:
    """The bucket of the configuration. Raises StartRefused when letters cannot be kept in it."""
    objects = Objects(config)
    try:
        await objects.check_bucket()
        yield objects
    finally:
        objects.close()


class Objects:
    """The bucket. Every function raises StoreUnavailable when S3 does not do what was asked."""

    def __init__(self, config: DocumentsConfig) -> None:
        """Raises StartRefused where the secret key cannot be read."""
        self._bucket = config.s3_bucket
        self._endpoint = config.s3_endpoint
        self._executor = ThreadPoolExecutor(config.s3_connections, thread_name_prefix="s3")
        self._http = _pool(config)
        self._client = _client(config, self._http)

    def close(self) -> None:
        """Ends the threads; what runs in them is finished first."""
        self._executor.shutdown()
        self._http.clear()

    async def check_bucket(self) -> None:
        """Raises StartRefused on a bucket that cannot keep letters: without versions or without object lock."""

        def check() -> None:
            try:
                self._client.get_object_lock_config(self._bucket)
                versioned = self._client.get_bucket_versioning(self._bucket).status == ENABLED
            except S3Error as error:
                raise StartRefused(
                    f"The bucket {self._bucket} at {self._endpoint} does not do: {error.code}. Make one with object "
                    f"lock; it cannot be given one later."
                ) from error
            if not versioned:
                raise StartRefused(f"The bucket {self._bucket} has no versioning. Switch it on.")

        try:
            await self._run(check)
        except errors.StoreUnavailable as error:
            raise StartRefused(f"The object store at {self._endpoint} does not answer. Start it first.") from error

    async def put(self, key: str, data: bytes) -> tuple[bytes, str]:
        """Stores a segment under a key never used before; returns the SHA-256 of what was sent and S3's version id.

        Never repeated here: a PUT that was answered by silence may have happened, and the key is used once.
        """

        def put() -> tuple[bytes, str]:
            # part_size: minio-py would otherwise cut at 5 MiB.
            written = self._client.put_object(
                self._bucket, key, io.BytesIO(data), len(data), part_size=SEGMENT_BYTES, num_parallel_uploads=1
            )
            if not written.version_id:
                raise S3Error("NoVersion", "the store gave no version id", key, "", "", None)  # type: ignore[arg-type]
            return hashlib.sha256(data).digest(), written.version_id

        return await self._run(put)

    async def get(self, segment: Segment) -> bytearray:
        """A segment's bytes, equal in size and digest to what was stored. Raises SegmentDamaged."""
        data = await self._run(lambda: self._read(segment))
        if data is None:
            log.error("segment_damaged", document=segment.document, number=segment.number)
            raise errors.SegmentDamaged(document=segment.document, number=segment.number)
        return data

    def _read(self, segment: Segment) -> bytearray | None:
        """None if the bytes are gone or others. Read in blocks: in one piece urllib3 would hold it three times.

        Raises S3Error and urllib3's HTTPError, as `_retention` does, for `_run`.
        """
        data, position = memoryview(bytearray(segment.size_bytes)), 0
        try:
            response = self._client.get_object(self._bucket, segment.key, version_id=segment.version)
        except S3Error as error:
            if error.code in _GONE:
                return None
            raise
        try:
            for block in response.stream(_BLOCK_BYTES):
                if position + len(block) > len(data):
                    return None
                data[position : position + len(block)] = block
                position += len(block)
        finally:
            response.close()
            response.release_conn()
        whole = position == len(data) and hashlib.sha256(data).digest() == segment.sha256
        return data.obj if whole else None  # type: ignore[return-value]  # a memoryview knows no type of its object

    async def retain(self, segment: Segment, until: datetime) -> datetime:
        """Locks a segment in compliance mode until then, or longer if it is; the instant read back, in whole seconds.

        Raises RetentionNotKept. Never by copying: SeaweedFS leaves copies unlocked.
        """
        wanted = until.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=bool(until.microsecond))

        def retain() -> datetime | None:
            kept = self._retention(segment)
            if kept is None or kept < wanted:
                self._client.set_object_retention(
                    self._bucket, segment.key, Retention(COMPLIANCE, wanted), version_id=segment.version
                )
                kept = self._retention(segment)
            return kept

        kept = await self._run(retain)
        if kept is None or kept < wanted:
            raise errors.RetentionNotKept(document=segment.document)
        return kept

    async def delete(self, key: str, version: str | None) -> None:
        """Deletes a key that is no segment of a claimed document: the version known, and every one that is listed."""

        def delete() -> None:
            listed = self._client.list_objects(self._bucket, prefix=key, include_version=True, recursive=True)
            versions = {one.version_id for one in listed if one.object_name == key}
            for one in versions | ({version} if version else set()):
                self._client.remove_object(self._bucket, key, version_id=one)

        await self._run(delete)

    def _retention(self, segment: Segment) -> datetime | None:
        """Until when a segment is locked in compliance mode; None when it is not, or in a mode that can be lifted."""
        try:
            found = self._client.get_object_retention(self._bucket, segment.key, segment.version)
        except S3Error as error:
            if error.code in _NO_RETENTION:
                return None
            raise
        if found is None or found.mode != COMPLIANCE:
            return None
        return found.retain_until_date.astimezone(UTC)

    async def _run(self, work: Callable[[], Result]) -> Result:
        """`work` in one of the threads. Raises StoreUnavailable."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            said = error.code if isinstance(error, S3Error) else type(error).__name__
            log.warning("object_store_failed", endpoint=self._endpoint, said=said)
            raise errors.StoreUnavailable(retry_after_seconds=2.0) from error


def _pool(config: DocumentsConfig) -> urllib3.PoolManager:
    return urllib3.PoolManager(
        maxsize=config.s3_connections,
        timeout=urllib3.Timeout(connect=config.s3_connect_timeout_seconds, read=config.s3_timeout_seconds),
        # Only what never reached the server is tried again.
        retries=urllib3.Retry(total=None, connect=2, read=0, redirect=0, status=0, other=0),
        cert_reqs="CERT_REQUIRED",
        ca_certs=str(config.s3_roots) if config.s3_roots else None,
    )


def _client(config: DocumentsConfig, http: urllib3.PoolManager) -> Minio:
    """Raises StartRefused."""
    try:
        secret = config.s3_secret_key_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise StartRefused(
            f"s3_secret_key_file {config.s3_secret_key_file} cannot be read: {error.strerror}."
        ) from error
    return Minio(
        config.s3_endpoint,
        config.s3_access_key,
        secret,
        secure=config.s3_tls,
        region=config.s3_region,
        http_client=http,
    )
