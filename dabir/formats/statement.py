"""The statement (گواهی): a compact JWS (RFC 7515) that is a security event token (RFC 8417), ES256 only.

docs/formats.md, "Statement". The header is fixed to the byte, so nothing in it can choose a key or an algorithm.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from dabir.common.v1.statement_pb2 import StatementPayload
from dabir.formats import pki
from dabir.formats.events import EVENT_FIELDS, Event, EventRule, events_of
from dabir.formats.payload import POLICY, check_payload, main_event
from dabir.formats.signer import Signer, certificate_sha256, key_thumbprint, public_key
from dabir.formats.strict_json import FormatError, parse, write

__all__ = [
    "EVENT_FIELDS",
    "POLICY",
    "Event",
    "EventRule",
    "SignedStatement",
    "check_payload",
    "digest",
    "events_of",
    "leaf_entry",
    "main_event",
    "parse_statement",
    "read_statement",
    "sign_statement",
    "verify_statement",
]

# 500 recipients with 100 document indexes each, and the base64 on top.
MAX_PAYLOAD_BYTES = 512 * 1024
MAX_STATEMENT_BYTES = 704 * 1024
SALT_BYTES = 32
LEAF_PREFIX = b"dabir/leaf/v1\n"

_COORDINATE_BYTES = 32
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_HEADER = re.compile(
    rb'\{"alg":"ES256","typ":"secevent\+jwt","kid":"([A-Za-z0-9_-]{43})","x5t#S256":"([A-Za-z0-9_-]{43})"\}'
)


@dataclass(frozen=True)
class SignedStatement:
    """A statement as read: its form is right; that its signature verifies is not said by it."""

    payload: StatementPayload
    event: Event
    """The main event: ConsignmentAcceptance, of an acceptance's two."""
    kid: str
    certificate_sha256: bytes
    """Of the seal certificate it names (`x5t#S256`)."""
    signing_input: bytes
    signature: bytes
    """r and s, 32 bytes each (RFC 7518 §3.4)."""


def sign_statement(payload: StatementPayload, signer: Signer) -> str:
    """The compact JWS of `payload`, which is checked first. Raises FormatError; ValueError if the key is not P-256."""
    check_payload(payload)
    body = write(payload)
    if len(body) > MAX_PAYLOAD_BYTES:
        raise FormatError("TOO_LARGE", f"{len(body)} bytes; a payload has at most {MAX_PAYLOAD_BYTES}")
    signing_input = f"{_header(signer.certificate)}.{_encode(body)}"
    r, s = decode_dss_signature(signer.sign(signing_input.encode("ascii")))
    signature = r.to_bytes(_COORDINATE_BYTES, "big") + s.to_bytes(_COORDINATE_BYTES, "big")
    return f"{signing_input}.{_encode(signature)}"


@lru_cache(maxsize=64)
def _header(certificate: x509.Certificate) -> str:
    kid = key_thumbprint(_p256(certificate))
    x5t = _encode(certificate_sha256(certificate))
    return _encode(f'{{"alg":"ES256","typ":"secevent+jwt","kid":"{kid}","x5t#S256":"{x5t}"}}'.encode("ascii"))


def _p256(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    key = public_key(certificate)
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise ValueError("statements are signed with ES256: the seal's key must be P-256")
    return key


def read_statement(jws: str) -> SignedStatement:
    """The statement in `jws`: header, payload and field table are right. Raises FormatError; nothing else."""
    if len(jws) > MAX_STATEMENT_BYTES:
        raise FormatError("TOO_LARGE", f"{len(jws)} characters; a statement has at most {MAX_STATEMENT_BYTES}")
    parts = jws.split(".")
    if len(parts) != 3:
        raise FormatError("NOT_A_JWS", "is not a compact JWS of three parts")
    header, body, signature = (_decode(part) for part in parts)
    fixed = _HEADER.fullmatch(header)
    if fixed is None:
        message = "must be exactly alg ES256, typ secevent+jwt, kid and x5t#S256, in this order, without whitespace"
        raise FormatError("WRONG_HEADER", message, "header")
    if len(signature) != 2 * _COORDINATE_BYTES:
        raise FormatError("BAD_SIGNATURE", f"has {len(signature)} bytes; ES256 has 64", "signature")
    payload = parse(body, StatementPayload, max_bytes=MAX_PAYLOAD_BYTES)
    check_payload(payload)
    return SignedStatement(
        payload=payload,
        event=main_event(payload),
        kid=fixed.group(1).decode("ascii"),
        certificate_sha256=_decode(fixed.group(2).decode("ascii")),
        signing_input=f"{parts[0]}.{parts[1]}".encode("ascii"),
        signature=signature,
    )


def parse_statement(jws: str) -> StatementPayload:
    """The payload of `jws`, in the right form; its signature is not checked. Raises FormatError."""
    return read_statement(jws).payload


def verify_statement(jws: str, certificate: x509.Certificate) -> StatementPayload:
    """The payload of `jws`, if `certificate`'s key signed it and its extensions allow every event stated.

    That the certificate is the hub's, in force at `iat`, is the caller's to know (`pki.verify_chain`, or a directory).
    Raises FormatError: all of `parse_statement`, OTHER_CERTIFICATE, WRONG_PURPOSE, EVENT_NOT_ALLOWED, BAD_SIGNATURE.
    """
    statement = read_statement(jws)
    if statement.certificate_sha256 != certificate_sha256(certificate):
        raise FormatError("OTHER_CERTIFICATE", "names another certificate than the one given; find that one", "header")
    pki.require_purpose(certificate, "seal")
    try:
        key = _p256(certificate)
    except ValueError as error:
        raise FormatError("WEAK_KEY", str(error), "header") from None
    if statement.kid != key_thumbprint(key):
        raise FormatError("WRONG_HEADER", "kid is not the thumbprint of the certificate's key", "header")
    refused = sorted(set(statement.payload.events) - pki.events(certificate))
    if refused:
        raise FormatError("EVENT_NOT_ALLOWED", f"the certificate may not state {refused[0]}", "events")
    r, s = (int.from_bytes(half, "big") for half in (statement.signature[:32], statement.signature[32:]))
    try:
        key.verify(encode_dss_signature(r, s), statement.signing_input, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise FormatError("BAD_SIGNATURE", "the certificate's key did not sign this statement", "signature") from None
    return statement.payload


def digest(jws: str) -> bytes:
    """SHA-256 of the compact JWS: what `previous`, `answerSha256` and receipts hold. 32 bytes."""
    return hashlib.sha256(jws.encode("ascii")).digest()


def leaf_entry(jws: str, salt: bytes) -> bytes:
    """The statement's entry in the public log: SHA-256(`dabir/leaf/v1\\n` ‖ salt ‖ SHA-256(JWS bytes)). 32 bytes."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return hashlib.sha256(LEAF_PREFIX + salt + digest(jws)).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    """base64url without padding, in its one spelling (RFC 7515 §2). Raises FormatError (BAD_BASE64)."""
    if _BASE64URL.fullmatch(text) is None or len(text) % 4 == 1:
        raise FormatError("BAD_BASE64", "a part is not base64url without padding")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _encode(data) != text:
        raise FormatError("BAD_BASE64", "a part is not base64url in its one spelling")
    return data
