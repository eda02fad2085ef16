"""python -m infra.conformance CONFIG.toml: whether letters can be kept in the object store that documents is to use.

CONFIG.toml is documents' configuration, or a file with its `s3_` settings only. A line for each check; ends with 1 if
the store lacks what Dabir relies on.
"""

import sys
from pathlib import Path

import urllib3
from minio.error import MinioException

from infra.conformance.s3 import BUCKET_CHECK, CHECKS, Check, NotTried
from infra.conformance.store import (
    LOCKED_SECONDS,
    PREFIX,
    NotConforming,
    Store,
    ahead,
    client,
    load,
    locking_bucket_name,
)
from services.runtime.config import StartRefused

REMEDY = "keep letters in a store that does this: set it up so, or take another one (docs/operate.md, make doctor)"


def main() -> int:
    """Prints what is found, and what is left in the store."""
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    path = Path(sys.argv[1])
    try:
        config = load(path)
        minio = client(config)
    except StartRefused as error:
        return _mend("object store", str(error), "mend it and run this again")
    try:
        return try_all(Store(minio, config.s3_bucket), config.s3_endpoint)
    except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
        return _mend("object store", _words(error), f"see that {config.s3_endpoint} runs and has this key and bucket")


def try_all(store: Store, endpoint: str) -> int:
    """Makes every check and says what each gave; 1 if the store lacks what Dabir relies on."""
    beside = locking_bucket_name(store.bucket)
    print(
        f"Trying the bucket {store.bucket} at {endpoint}. Some objects under {PREFIX} cannot be removed before "
        f"{ahead(2 * LOCKED_SECONDS):%H:%M} UTC, and those in {beside}, a bucket that is made for this and stays, for "
        f"a day: a later run removes them.",
        flush=True,
    )
    store.versions(PREFIX)  # an answer at all, or the one sentence that says there is none
    if not tried(store, BUCKET_CHECK):
        return 1
    answers = [tried(store, check) for check in CHECKS if check is not BUCKET_CHECK]
    kept = store.clear()
    for bucket in (store.bucket, beside):
        store.clear_left_behind(bucket)
    print(f"Left: {len(kept)} locked objects; all else is removed.")
    return 0 if all(answers) else 1


def tried(store: Store, check: Check) -> bool:
    """Makes one check and says what it gave. True unless the store lacks what Dabir relies on."""
    try:
        check.run(store)
    except NotTried as error:
        print(f"{'note':5}{'object store':16} not tried that {check.says}: {error}", flush=True)
    except (NotConforming, MinioException, urllib3.exceptions.HTTPError, OSError) as error:
        if check.relied_on:
            _mend("object store", f"not so that {check.says}: {_words(error)}", REMEDY)
            return False
        print(f"{'note':5}{'object store':16} not so that {check.says}: {_words(error)} (Dabir does not rely on it)")
    else:
        print(f"{'ok':5}{'object store':16} {check.says}", flush=True)
    return True


def _mend(part: str, found: str, remedy: str) -> int:
    print(f"{'MEND':5}{part:16} {found}\n{'':5}{'':16} → {remedy}", flush=True)
    return 1


def _words(error: Exception) -> str:
    """One line, without the addresses and ids of a server's answer."""
    code = getattr(error, "code", None)
    return " ".join((f"{code}" if code else str(error) if isinstance(error, NotConforming) else repr(error)).split())


if __name__ == "__main__":
    raise SystemExit(main())
