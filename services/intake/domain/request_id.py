"""Requests that bear an id: each is stated once, however often it comes."""

import hashlib
import json


def sha256(*request: str) -> bytes:
    """Digest of what is asked under an id: equal if and only if every part is."""
    return hashlib.sha256(json.dumps(request).encode()).digest()
