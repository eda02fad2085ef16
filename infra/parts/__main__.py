"""python -m infra.parts: gets what the stack and its tests run, where its minutes are seen, and says where each is.

The tests that look at Temporal's UI are skipped where no browser can be had; nothing else needs one.
"""

import sys

from infra.parts import browser, s3_server, temporal_server
from infra.parts.cache import PartMissing


def main() -> int:
    try:
        for part in (s3_server, temporal_server):
            print(f"{part.__name__.rpartition('.')[2]:16} {part.program()}", flush=True)
    except PartMissing as error:
        print(error, file=sys.stderr)
        return 1
    try:
        print(f"{'browser':16} {browser.program().path}", flush=True)
    except PartMissing as error:
        print(f"{'browser':16} missing, so the tests of the UI are skipped: {error}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
