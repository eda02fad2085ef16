"""What an object store must do before letters are kept in it. Each check is a function of a Store; CHECKS has them all.

Some servers leave copies of locked objects unlocked, some let a lock be shortened, and none of them says so.
"""

import base64
import concurrent.futures
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from minio.commonconfig import COMPLIANCE, ENABLED, GOVERNANCE, CopySource
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.objectlockconfig import DAYS, ObjectLockConfig
from minio.retention import Retention

from infra.conformance.store import NotConforming, Store, Version, ahead, locking_bucket_name, new_key, refusal

DAY_SECONDS = 86_400
RACERS = 8
LOST_RACE = {"PreconditionFailed", "ConditionalRequestConflict"}
"""What a conditional PUT that came second is answered (S3's API reference, PutObject: 412 and 409)."""
NO_BUCKETS = {"AccessDenied", "MethodNotAllowed", "NotImplemented", "TooManyBuckets"}


class NotTried(Exception):
    """The check could not be made with this key; the message says why."""


def demand(holds: bool, otherwise: str) -> None:
    """Raises NotConforming with what the store did unless the condition holds."""
    if not holds:
        raise NotConforming(otherwise)


def keeps_versions_and_locks(store: Store) -> None:
    found = store.minio.get_bucket_versioning(store.bucket).status
    demand(found == ENABLED, f"the bucket's versioning is {found or 'off'}: switch it on")
    code = refusal(lambda: store.minio.get_object_lock_config(store.bucket))
    demand(not code, f"the bucket has no object lock ({code}): make one with it, it cannot be given one later")


def reads_a_lock_back_as_set(store: Store) -> None:
    version, until = store.lock()
    _still_locked(store, version, until)


def extends_a_lock(store: Store) -> None:
    version, until = store.lock()
    later = until + timedelta(seconds=60)
    store.retain(version, later)
    _still_locked(store, version, later)


def deletes_nothing_locked(store: Store) -> None:
    version, until = store.lock()
    demand(bool(refusal(lambda: store.remove(version))), "a locked version was deleted")
    _still_locked(store, version, until)


def shortens_no_lock(store: Store) -> None:
    version, until = store.lock()
    sooner = until - timedelta(seconds=60)
    demand(bool(refusal(lambda: store.retain(version, sooner))), "a lock was shortened")
    _still_locked(store, version, until)


def softens_no_lock(store: Store) -> None:
    version, until = store.lock()
    later = until + timedelta(seconds=60)
    demand(bool(refusal(lambda: store.retain(version, later, GOVERNANCE))), "a compliance lock became a governance one")
    _still_locked(store, version, until)


def lets_nobody_bypass_a_lock(store: Store) -> None:
    version, until = store.lock()
    batch = [DeleteObject(version.key, version.id)]
    failed = list(store.minio.remove_objects(store.bucket, batch, bypass_governance_mode=True))
    demand([error.name for error in failed] == [version.key], "a batch that bypasses governance deleted it")
    _still_locked(store, version, until)


def lists_versions_and_delete_markers(store: Store) -> None:
    version, until = store.lock()
    store.minio.remove_object(store.bucket, version.key)
    newer = store.put(b"other", key=version.key)
    demand(store.read(newer) == b"other", "a version put after a delete marker is not read back")
    listed = store.versions(version.key)
    demand(
        {one.version_id for one in listed if not one.is_delete_marker} == {version.id, newer.id}, "one is not listed"
    )
    demand(len([one for one in listed if one.is_delete_marker]) == 1, "the delete marker is not listed")
    _still_locked(store, version, until)


def holds_until_lifted(store: Store) -> None:
    version = store.put()
    store.minio.enable_object_legal_hold(version.bucket, version.key, version.id)
    try:
        held = store.minio.is_object_legal_hold_enabled(version.bucket, version.key, version.id)
        demand(held, "a legal hold is not read back")
        demand(bool(refusal(lambda: store.remove(version))), "a version on legal hold was deleted")
    finally:
        store.minio.disable_object_legal_hold(version.bucket, version.key, version.id)
    store.remove(version)
    demand(bool(refusal(lambda: store.read(version))), "a version whose hold was lifted stays after its deletion")


def removes_what_is_unlocked(store: Store) -> None:
    version = store.put()
    store.remove(version)
    demand(store.versions(version.key) == [], "a version that was deleted is still listed")


def reads_exact_ranges(store: Store) -> None:
    data = secrets.token_bytes(300_000)
    version = store.put(data)
    for offset, length in ((0, 1), (299_999, 1), (100_000, 150_000)):
        read = store.read(version, offset=offset, length=length)
        demand(read == data[offset : offset + length], f"bytes {offset} to {offset + length} are others")


def lets_one_of_several_conditional_puts_win(store: Store) -> None:
    key = new_key()

    def write(number: int) -> str:
        def put() -> None:
            # minio-py offers no conditional PUT of its own.
            written = store.minio._put_object(store.bucket, key, str(number).encode(), {"If-None-Match": "*"})
            store.made(store.bucket, key, written.version_id)

        return refusal(put) or "stored"

    with concurrent.futures.ThreadPoolExecutor(RACERS) as threads:
        answers = list(threads.map(write, range(RACERS)))
    demand(
        answers.count("stored") == 1, f"{answers.count('stored')} of {RACERS} conditional PUTs of one key were stored"
    )
    demand(set(answers) <= {"stored", *LOST_RACE}, f"conditional PUTs that lost were answered {set(answers)}")


def refuses_bytes_that_are_not_their_digest(store: Store) -> None:
    def put(key: str, digested: bytes) -> None:
        digest = base64.b64encode(hashlib.sha256(digested).digest()).decode()
        written = store.minio._put_object(store.bucket, key, b"letter", {"x-amz-checksum-sha256": digest})
        store.made(store.bucket, key, written.version_id)

    put(new_key(), b"letter")
    key = new_key()
    demand(bool(refusal(lambda: put(key, b"other"))), "bytes with the digest of others were stored")
    demand(store.versions(key) == [], "bytes with the digest of others were refused and stored")


def locks_by_default(store: Store) -> None:
    version = store.put(bucket=locking_bucket(store))
    found = store.retention(version)
    demand(found is not None and found[0] == COMPLIANCE, "a version put under default retention is not locked")
    until = found[1] if found else ahead(0)
    demand(abs((until - ahead(DAY_SECONDS)).total_seconds()) < 3600, f"default retention of a day ends at {until}")
    demand(bool(refusal(lambda: store.remove(version))), "a version put under default retention was deleted")


def locks_copies_by_default(store: Store) -> None:
    bucket, version = locking_bucket(store), store.put()
    source = CopySource(version.bucket, version.key, version_id=version.id)
    made = store.minio.copy_object(bucket, version.key, source)
    copy = store.made(bucket, version.key, made.version_id)
    demand(bool(refusal(lambda: store.remove(copy))), "a copy made under default retention was deleted")


def locks_a_copy_made_with_retention(store: Store) -> None:
    version, until = store.lock()
    source = CopySource(version.bucket, version.key, version_id=version.id)
    made = store.minio.copy_object(store.bucket, new_key(), source, retention=Retention(COMPLIANCE, until))
    copy = store.made(store.bucket, made.object_name, made.version_id)
    demand(bool(refusal(lambda: store.remove(copy))), "a copy made with retention was deleted")
    _still_locked(store, copy, until)


def locking_bucket(store: Store) -> str:
    """A bucket beside ours that locks whatever is put into it for a day, the shortest there is; it stays."""
    bucket = locking_bucket_name(store.bucket)
    try:
        if not store.minio.bucket_exists(bucket):
            store.minio.make_bucket(bucket, object_lock=True)
        store.minio.set_object_lock_config(bucket, ObjectLockConfig(COMPLIANCE, 1, DAYS))
    except S3Error as error:
        if error.code in NO_BUCKETS:
            raise NotTried(f"this key may not make the bucket {bucket}: {error.code}") from error
        raise
    return bucket


def _still_locked(store: Store, version: Version, until: datetime) -> None:
    found = store.retention(version)
    demand(found == (COMPLIANCE, until), f"a lock in compliance mode until {until} is read back as {found}")
    demand(store.read(version) == b"letter", "the bytes of a locked version are others")


@dataclass(frozen=True)
class Check:
    """`relied_on`: without it Dabir cannot keep letters; otherwise Dabir does without, and it is only told."""

    says: str
    run: Callable[[Store], None]
    relied_on: bool = True


BUCKET_CHECK = Check("the bucket keeps versions and locks", keeps_versions_and_locks)
"""Without it, none of the others says anything."""
CHECKS = (
    BUCKET_CHECK,
    Check("a lock is read back as set", reads_a_lock_back_as_set),
    Check("a lock can be extended", extends_a_lock),
    Check("a locked version cannot be deleted", deletes_nothing_locked),
    Check("a lock cannot be shortened", shortens_no_lock),
    Check("a compliance lock cannot be softened", softens_no_lock),
    Check("a lock cannot be bypassed", lets_nobody_bypass_a_lock),
    Check("versions are listed with delete markers", lists_versions_and_delete_markers),
    Check("a legal hold holds until it is lifted", holds_until_lifted),
    Check("unlocked versions can be removed", removes_what_is_unlocked),
    Check("ranges are exact", reads_exact_ranges),
    Check("one of several conditional PUTs wins", lets_one_of_several_conditional_puts_win),
    Check("bytes that are not their digest are refused", refuses_bytes_that_are_not_their_digest),
    Check("a copy made with retention is locked", locks_a_copy_made_with_retention),
    # documents sets every lock itself and reads it back, and never copies.
    Check("default retention locks what is put", locks_by_default, relied_on=False),
    Check("default retention locks what is copied", locks_copies_by_default, relied_on=False),
)
