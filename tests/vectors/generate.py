"""Writes the vectors beside this file anew: `python -m tests.vectors.generate`.

Only for a new rule or a new form: signatures and certificates are random, so every signed vector changes. What is
committed is the truth that `test_vectors.py` reads; it also holds that the unsigned ones are what the cases say.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from dabir.formats.events import EVENT_FIELDS, events_of
from dabir.formats.signer import KeySigner
from tests.pki import TestAuthority
from tests.vectors.cases import jws, manifest, receipt, signature
from tests.vectors.cases.vector import Tree, Vector

VECTORS = Path(__file__).resolve().parent
UNSIGNED = {"manifest": manifest.vectors, "receipt": receipt.receipts, "recall": receipt.recalls}


def main() -> None:
    authority = TestAuthority("Dabir vectors")
    for name, make in UNSIGNED.items():
        _write(name, {"vectors": [vector.record() for vector in make()]})
    data = base64.b64encode(signature.DATA).decode("ascii")
    _write("signature", {"data": data, "vectors": [_signature(v) for v in signature.vectors(authority)]})
    signers = _signers(authority)
    statements = [_statement(name, vector) for name, vector in jws.vectors(signers)]
    certificates = {name: _pem(signer.certificate) for name, signer in signers.items()}
    _write("statement", {"certificates": certificates, "vectors": statements})
    chain = {"root": _pem(authority.root), "intermediate": _pem(authority.intermediate)}
    _write("trust", chain | {"crls": [_pem(crl) for crl in authority.crls()]})


def _signers(authority: TestAuthority) -> dict[str, KeySigner]:
    sources = sorted({rule.source for rule in EVENT_FIELDS.values()})
    signers = {source: authority.issue(purpose="seal", events=events_of(source)) for source in sources}
    return signers | {
        "body": authority.issue(purpose="seal", body="bodies/interior"),
        "signer": authority.issue(purpose="sign", position="مدیرکل", body="bodies/interior"),
        "tls": authority.issue(purpose="tls", body="bodies/interior"),
    }


def _signature(vector: Vector) -> Tree:
    """Always in base64, with the file's digest: what a statement's `fileSha256` holds."""
    record = {key: value for key, value in vector.record().items() if not key.startswith("input")}
    digest = base64.b64encode(hashlib.sha256(vector.data).digest()).decode("ascii")
    return record | {"inputBase64": base64.b64encode(vector.data).decode("ascii"), "sha256": digest}


def _statement(certificate: str, vector: Vector) -> Tree:
    """A good one also with its digest and its entry in the log for a salt of 32 equal bytes."""
    record = vector.record() | {"certificate": certificate}
    if vector.reason:
        return record
    salt, digest = b"\x07" * 32, hashlib.sha256(vector.data).digest()
    entry = hashlib.sha256(b"dabir/leaf/v1\n" + salt + digest).digest()
    named = {"sha256": digest, "salt": salt, "leafEntry": entry}
    return record | {name: base64.b64encode(value).decode("ascii") for name, value in named.items()}


def _pem(item: Any) -> str:
    encoded: bytes = item.public_bytes(serialization.Encoding.PEM)
    return encoded.decode("ascii")


def _write(name: str, content: Tree) -> None:
    # ASCII only: a vector that holds a bidi override must not change how an editor shows it.
    text = json.dumps(content, ensure_ascii=True, indent=1)
    (VECTORS / f"{name}.json").write_text(text + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
