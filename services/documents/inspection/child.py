"""The warm child: reads one request a line, looks into one file, answers one line. Run by `inspector.py`.

    python -m services.documents.inspection.child MEMORY_BYTES

It can write no file, start no process and open few; memory is limited once, processor time anew for each file. It ends
when its input ends, so it does not outlive the server by more than one file's limit.
"""

import json
import math
import resource
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import BinaryIO

from services.documents.inspection.finding import Finding, Limits, too_costly
from services.documents.inspection.image import MEDIA_TYPES as IMAGES
from services.documents.inspection.image import inspect_image
from services.documents.inspection.pdf import inspect_pdf
from services.documents.inspection.sniff import HEAD_BYTES, compare
from services.documents.inspection.text import inspect_json, inspect_text, inspect_xml

_INSPECTIONS: dict[str, Callable[[BinaryIO, Limits], Finding]] = {
    "application/pdf": inspect_pdf,
    "text/plain": lambda file, _limits: inspect_text(file),
    "text/xml": lambda file, _limits: inspect_xml(file),
    "application/xml": lambda file, _limits: inspect_xml(file),
    "application/json": lambda file, _limits: inspect_json(file),
}
_OPEN_FILES = 16


def inspect(path: str, media_type: str, limits: Limits) -> Finding:
    """What the file at `path` is, against what it was declared as."""
    try:
        with open(path, "rb") as file:
            if (mismatch := compare(media_type, file.read(HEAD_BYTES))) is not None:
                return mismatch
            file.seek(0)
            if media_type in IMAGES:
                return inspect_image(file, media_type, limits)
            return _INSPECTIONS[media_type](file, limits)
    except MemoryError:
        return too_costly("memory")


def confine(memory_bytes: int) -> None:
    """Lowers this process's limits (setrlimit(2)); the hard ones, so that nothing in it can raise them again."""
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        resource.setrlimit(limit, (value, value))


def allow_cpu(seconds: int) -> None:
    """Gives the next file its processor time: at its end SIGXCPU ends this process.

    The kernel counts from the start of the process, so what is used already is added.
    """
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = math.ceil(usage.ru_utime + usage.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, resource.RLIM_INFINITY))


def main() -> None:
    confine(int(sys.argv[1]))
    for line in sys.stdin.buffer:
        request = json.loads(line)
        limits = Limits(**request["limits"])
        allow_cpu(limits.cpu_seconds)
        finding = inspect(request["path"], request["media_type"], limits)
        sys.stdout.buffer.write(json.dumps(asdict(finding)).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
