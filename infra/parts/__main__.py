"""python -m infra.parts: gets what the stack runs, where its minutes are seen, and says where each part is."""

import sys

from infra.parts import s3_server, temporal_server
from infra.parts.cache import PartMissing


def main() -> int:
    try:
        for part in (s3_server, temporal_server):
            print(f"{part.__name__.rpartition('.')[2]:16} {part.program()}", flush=True)
    except PartMissing as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
