"""Statements as they travel, good and bad; the JWS is made by hand and not by `dabir.formats.statement`."""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from dabir.formats.signer import KeySigner
from tests.pki import private_key
from tests.vectors.cases import statement
from tests.vectors.cases.vector import Tree, Vector, dump


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def header(signer: KeySigner, **change: object) -> Tree:
    """The header of `signer`'s statements; `...` takes a member out."""
    key = private_key(signer)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("statements are signed with elliptic curve keys")
    numbers = key.public_key().public_numbers()
    x, y = (base64url(n.to_bytes(32, "big")) for n in (numbers.x, numbers.y))
    jwk = json.dumps({"crv": "P-256", "kty": "EC", "x": x, "y": y}, separators=(",", ":"))
    der = signer.certificate.public_bytes(serialization.Encoding.DER)
    made: Tree = {
        "alg": "ES256",
        "typ": "secevent+jwt",
        "kid": base64url(hashlib.sha256(jwk.encode()).digest()),
        "x5t#S256": base64url(hashlib.sha256(der).digest()),
    }
    return {name: value for name, value in {**made, **change}.items() if value is not ...}


def sign(signer: KeySigner, payload: bytes, head: bytes) -> str:
    signing_input = f"{base64url(head)}.{base64url(payload)}"
    r, s = decode_dss_signature(signer.sign(signing_input.encode("ascii")))
    return f"{signing_input}.{base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def vectors(signers: Mapping[str, KeySigner]) -> list[tuple[str, Vector]]:
    """Each with the name of the certificate to check it against."""
    found = []
    for vector in statement.payloads():
        source = _source(vector.data)
        signer = signers[source]
        jws = sign(signer, vector.data, dump(header(signer)))
        found.append((source, Vector(vector.name, jws.encode("ascii"), vector.reason, vector.path)))
    payload = dump(statement.registered())
    return (
        found
        + [("intake", v) for v in (*_headers(signers["intake"], payload), *_parts(signers["intake"], payload))]
        + [*_certificates(signers, payload)]
    )


def _source(payload: bytes) -> str:
    for name in ("documents", "notifications", "directory"):
        if f'"source":"{name}"'.encode() in payload:
            return name
    return "intake"


def _headers(signer: KeySigner, payload: bytes) -> list[Vector]:
    good = header(signer)
    der = signer.certificate.public_bytes(serialization.Encoding.DER)
    changes: dict[str, Tree] = {
        "alg none": {"alg": "none"},
        "alg HS256": {"alg": "HS256"},
        "alg ES384": {"alg": "ES384"},
        "alg es256": {"alg": "es256"},
        "no alg": {"alg": ...},
        "typ JWT": {"typ": "JWT"},
        "typ with application/": {"typ": "application/secevent+jwt"},
        "no typ": {"typ": ...},
        "no kid": {"kid": ...},
        "no x5t#S256": {"x5t#S256": ...},
        "x5t#S256 of 20 bytes": {"x5t#S256": base64url(bytes(20))},
        "with jwk": {"jwk": {"kty": "EC"}},
        "with jku": {"jku": "https://example.org/keys"},
        "with x5u": {"x5u": "https://example.org/certificate"},
        "with x5c": {"x5c": [base64.b64encode(der).decode()]},
        "with crit": {"crit": ["b64"], "b64": False},
        "kid a path": {"kid": "../../dev/null"},
    }
    heads = {name: dump(header(signer, **change)) for name, change in changes.items()}
    heads["header in another order"] = dump(dict(reversed(good.items())))
    heads["header with whitespace"] = json.dumps(good).encode()
    heads["header not JSON"] = b"{"
    heads["kid twice"] = dump(good).replace(b'"kid":', b'"kid":"x","kid":')
    found = [
        Vector(name, sign(signer, payload, head).encode(), "WRONG_HEADER", "header") for name, head in heads.items()
    ]
    wrong_kid = sign(signer, payload, dump(header(signer, kid=base64url(bytes(32)))))
    return [*found, Vector("kid of another key", wrong_kid.encode(), "WRONG_HEADER", "header")]


def _parts(signer: KeySigner, payload: bytes) -> list[Vector]:
    good = sign(signer, payload, dump(header(signer)))
    head, body, signature = good.split(".")
    der = base64url(signer.sign(f"{head}.{body}".encode("ascii")))
    other_body = base64url(payload.replace(b'"sequence":345', b'"sequence":346'))
    padding_bits = signature[:-1] + ("x" if signature[-1] != "x" else "y")
    flattened = dump({"payload": body, "protected": head, "signature": signature})
    return [
        Vector("nothing", b"", "NOT_A_JWS"),
        Vector("two parts", f"{head}.{body}".encode(), "NOT_A_JWS"),
        Vector("four parts", f"{good}.".encode(), "NOT_A_JWS"),
        Vector("JSON serialisation", flattened, "NOT_A_JWS"),
        Vector("no payload", f"{head}..{signature}".encode(), "BAD_BASE64"),
        Vector("no signature", f"{head}.{body}.".encode(), "BAD_BASE64"),
        Vector("padding", f"{head}.{body}.{signature}==".encode(), "BAD_BASE64"),
        Vector("spare bits in the last character", f"{head}.{body}.{padding_bits}".encode(), "BAD_BASE64"),
        Vector("line feed at the end", f"{good}\n".encode(), "BAD_BASE64"),
        Vector("signature in DER", f"{head}.{body}.{der}".encode(), "BAD_SIGNATURE", "signature"),
        Vector("signature of zeros", f"{head}.{body}.{base64url(bytes(64))}".encode(), "BAD_SIGNATURE", "signature"),
        Vector("payload changed", f"{head}.{other_body}.{signature}".encode(), "BAD_SIGNATURE", "signature"),
    ]


def _certificates(signers: Mapping[str, KeySigner], payload: bytes) -> list[tuple[str, Vector]]:
    def signed(name: str, by: str, **change: Any) -> bytes:
        signer = signers[by]
        return sign(signer, payload, dump(header(signers[name], **change))).encode("ascii")

    refused = "EVENT_NOT_ALLOWED"
    return [
        ("documents", Vector("another service's seal", signed("documents", "documents"), refused, "events")),
        ("body", Vector("a body's seal", signed("body", "body"), refused, "events")),
        ("signer", Vector("a certificate for sign", signed("signer", "signer"), "WRONG_PURPOSE")),
        ("tls", Vector("a certificate for tls", signed("tls", "tls"), "WRONG_PURPOSE")),
        (
            "documents",
            Vector("checked with another certificate", signed("intake", "intake"), "OTHER_CERTIFICATE", "header"),
        ),
        ("intake", Vector("signed by another key", signed("intake", "documents"), "BAD_SIGNATURE", "signature")),
    ]
