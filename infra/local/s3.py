"""The local stack's S3: SeaweedFS in one process, with the hub's bucket, versioned and locked.

Object lock holds against the S3 interface, not against this machine's own users, who can write to the files below.
"""

import contextlib
import hashlib
import json
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path

import urllib3
from minio import Minio
from minio.commonconfig import ENABLED
from minio.error import MinioException
from minio.versioningconfig import VersioningConfig

from infra.local.child import Command
from infra.parts import s3_server

BUCKET = "dabir-documents"
"""One bucket: every bucket costs a volume."""
PORTS = tuple(f"{part}{kind}" for part in ("s3", "master", "volume", "filer", "admin") for kind in ("", ".grpc"))
PROBE_TIMEOUT_SECONDS = 60
"""The first PUT of a server can stall 5 to 19 s, in about one start of fourteen."""


class S3NotReadyError(RuntimeError):
    """The S3 server could not be made ready; the message says what it answered last."""


def prepare(directory: Path, access_key: str, secret_key: str) -> None:
    """Makes the folder and the file with the one identity that may use the server."""
    (directory / "data").mkdir(parents=True, exist_ok=True)
    identity = {
        "name": "dabir",
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    file = directory / "s3.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"identities": [identity]}), encoding="utf-8")


def command(directory: Path, ports: Mapping[str, int]) -> Command:
    """The server in the foreground on ten loopback ports, `ports` holding one for each of PORTS.

    SIGTERM stops it; it may take its time, so SIGKILL follows after 5 s: what it acknowledged is on disk.

    `mini` has a maintenance worker that no option ends. It looks for `admin` at its port + 10000, where nothing is, and
    says so in the log every 5 s; nothing here needs it. `weed server` has none, but waits whole seconds between its
    parts: it is ready 3 s later, and does not end within the 5 s.
    """
    sockets = _socket_folder(directory)
    flags = [
        f"-dir={directory / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false",
        "-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false",
        f"-s3.config={directory / 's3.json'}",
        "-s3.autoCreateBucket=false", "-s3.allowDeleteBucketNotEmpty=false", "-disableHttp",
        "-volume.max=1000", "-volume.preStopSeconds=0", "-master.volumeSizeLimitMB=128",
        "-filer.disableDirListing", "-filer.exposeDirectoryData=false",
        f"-filer.localSocket={sockets / 'filer.sock'}", f"-s3.localSocket={sockets / 's3.sock'}",
    ]  # fmt: skip
    for name in PORTS:
        part, _, kind = name.partition(".")
        flags.append(f"-{part}.port{'.' + kind if kind else ''}={ports[name]}")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(directory)}
    return Command((str(s3_server.program()), "-logtostderr", "mini", *flags), environment)


def client(endpoint: str, access_key: str, secret_key: str) -> Minio:
    """A client of the local server (`127.0.0.1:PORT`), patient enough for a first PUT."""
    timeout = urllib3.Timeout(connect=5, read=PROBE_TIMEOUT_SECONDS)
    pool = urllib3.PoolManager(timeout=timeout, retries=urllib3.Retry(0))
    return Minio(endpoint, access_key, secret_key, secure=False, region="us-east-1", http_client=pool)


def wait_ready(minio: Minio, *, timeout_seconds: float = 60) -> None:
    """Returns when the server lists its buckets; raises S3NotReadyError when it does not within the time."""
    _until(timeout_seconds, minio.list_buckets)


def set_up(minio: Minio, *, timeout_seconds: float = 120) -> None:
    """Makes the bucket, versioned and locked, as far as that is missing; returns when a PUT is acknowledged."""
    _until(timeout_seconds, lambda: _make_bucket(minio))
    _until(timeout_seconds, lambda: _probe(minio))


def _make_bucket(minio: Minio) -> None:
    if not minio.bucket_exists(BUCKET):
        minio.make_bucket(BUCKET, object_lock=True)
    if minio.get_bucket_versioning(BUCKET).status != ENABLED:
        minio.set_bucket_versioning(BUCKET, VersioningConfig(ENABLED))
    minio.get_object_lock_config(BUCKET)  # an error if the bucket has none: it cannot be given one later


def _probe(minio: Minio) -> None:
    name = f"probe/{uuid.uuid4()}"
    written = minio.put_object(BUCKET, name, BytesIO(b"probe"), 5)
    minio.remove_object(BUCKET, name, version_id=written.version_id)


def _until(timeout_seconds: float, attempt: Callable[[], object]) -> None:
    """Repeats the call until it is answered. Raises S3NotReadyError when the time is over."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            attempt()
        except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            if time.monotonic() > deadline:
                raise S3NotReadyError(f"the S3 server is not ready after {timeout_seconds} s: {error}") from error
            time.sleep(0.05)
        else:
            return


def _socket_folder(directory: Path) -> Path:
    """A short path for Unix sockets, whose names may have 107 bytes at most (unix(7))."""
    if len(bytes(directory / "filer.sock")) <= 107:
        return directory
    folder = Path(tempfile.gettempdir()) / f"dabir-{hashlib.sha256(bytes(directory)).hexdigest()[:16]}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    return folder
