"""Every committed vector gets the verdict it says; every rule has a bad one."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

import dabir.formats.strict_json
from dabir.formats import cades, pki, statement
from dabir.formats.events import EVENT_FIELDS
from dabir.formats.manifest import parse_manifest, write_manifest
from dabir.formats.receipt import parse_recall, parse_receipt, write_recall, write_receipt
from dabir.formats.strict_json import FormatError
from tests.vectors.cases.vector import Vector
from tests.vectors.generate import UNSIGNED, VECTORS

KINDS = ("manifest", "receipt", "recall", "signature", "statement")
FORMATS = Path(dabir.formats.strict_json.__file__).resolve().parent.parent

# Reasons that need more than one input to show: unit tests hold them.
SHOWN_ELSEWHERE = {
    "TOO_LARGE": "test_strict_json.py, test_cades.py, test_statement.py",
    "UNKNOWN_TIME_ZONE": "test_calendar.py",
    "UNKNOWN_CALENDAR": "test_calendar.py",
    "PURPOSE_MISSING": "test_pki.py",
    "BAD_EXTENSION": "test_pki.py",
    "UNTRUSTED_CHAIN": "test_pki.py",
    "EXTRA_CERTIFICATE": "test_pki.py",
    "NOT_YET_VALID": "test_pki.py",
    "EXPIRED": "test_pki.py",
    "UNKNOWN_CRITICAL_EXTENSION": "test_pki.py",
    "REVOCATION_UNKNOWN": "test_pki.py",
    "REVOKED": "test_pki.py",
}


def load(kind: str) -> Any:
    return json.loads((VECTORS / f"{kind}.json").read_text(encoding="ascii"))


FILES = {kind: load(kind) for kind in KINDS}
CERTIFICATES = {
    name: x509.load_pem_x509_certificate(pem.encode()) for name, pem in FILES["statement"]["certificates"].items()
}


def check_manifest(data: bytes, record: dict[str, Any]) -> None:
    parse_manifest(data)


def check_receipt(data: bytes, record: dict[str, Any]) -> None:
    parse_receipt(data)


def check_recall(data: bytes, record: dict[str, Any]) -> None:
    parse_recall(data)


def check_signature(data: bytes, record: dict[str, Any]) -> None:
    found = cades.verify_detached(base64.b64decode(FILES["signature"]["data"]), data)
    assert base64.b64encode(found.sha256).decode() == record["sha256"]


def check_statement(data: bytes, record: dict[str, Any]) -> None:
    jws = data.decode("ascii")
    statement.verify_statement(jws, CERTIFICATES[record["certificate"]])
    assert base64.b64encode(statement.digest(jws)).decode() == record["sha256"]
    entry = statement.leaf_entry(jws, base64.b64decode(record["salt"]))
    assert base64.b64encode(entry).decode() == record["leafEntry"]


CHECKS: dict[str, Callable[[bytes, dict[str, Any]], None]] = {
    "manifest": check_manifest,
    "receipt": check_receipt,
    "recall": check_recall,
    "signature": check_signature,
    "statement": check_statement,
}


@pytest.mark.parametrize(
    ("kind", "record"),
    [pytest.param(kind, record, id=f"{kind}: {record['name']}") for kind in KINDS for record in FILES[kind]["vectors"]],
)
def test_verdict(kind: str, record: dict[str, Any]) -> None:
    vector = Vector.from_record(record)
    if record["verdict"] == "good":
        CHECKS[kind](vector.data, record)
        return
    with pytest.raises(FormatError) as raised:
        CHECKS[kind](vector.data, record)
    assert (raised.value.reason, raised.value.path) == (record["reason"], record["path"])
    assert len(str(raised.value)) < 600
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("kind", UNSIGNED)
def test_unsigned_vectors_are_what_the_cases_say(kind: str) -> None:
    assert FILES[kind]["vectors"] == [vector.record() for vector in UNSIGNED[kind]()], (
        "python -m tests.vectors.generate"
    )


@pytest.mark.parametrize(
    ("kind", "parse", "write"),
    [
        ("manifest", parse_manifest, write_manifest),
        ("receipt", parse_receipt, write_receipt),
        ("recall", parse_recall, write_recall),
    ],
)
def test_good_vectors_round_trip(kind: str, parse: Callable[[bytes], Any], write: Callable[[Any], bytes]) -> None:
    good = [Vector.from_record(record) for record in FILES[kind]["vectors"] if record["verdict"] == "good"]
    assert good
    for vector in good:
        message = parse(vector.data)
        written = write(message)
        assert parse(written) == message
        assert write(parse(written)) == written


def test_names_are_distinct() -> None:
    for kind in KINDS:
        names = [record["name"] for record in FILES[kind]["vectors"]]
        assert len(set(names)) == len(names), kind


def test_every_reason_has_a_bad_vector() -> None:
    """A rule without a vector is a rule that a second implementation will not find."""
    source = "".join(path.read_text(encoding="utf-8") for path in FORMATS.rglob("*.py"))
    raised = set(re.findall(r'(?:FormatError|CertificateError)\(\s*"([A-Z0-9_]+)"', source))
    shown = {record["reason"] for kind in KINDS for record in FILES[kind]["vectors"] if record["verdict"] == "bad"}
    assert raised - shown - set(SHOWN_ELSEWHERE) == set()
    assert set(SHOWN_ELSEWHERE) <= raised


def test_every_event_has_a_good_vector() -> None:
    good = [record["input"] for record in FILES["statement"]["vectors"] if record["verdict"] == "good"]
    stated = {uri for jws in good for uri in statement.parse_statement(jws).events}
    assert stated == {str(event) for event in EVENT_FIELDS}


def test_certificates_lead_to_the_root() -> None:
    trust = load("trust")
    root, intermediate = (x509.load_pem_x509_certificate(trust[name].encode()) for name in ("root", "intermediate"))
    crls = [x509.load_pem_x509_crl(pem.encode()) for pem in trust["crls"]]
    at = cades.verify_detached(
        base64.b64decode(FILES["signature"]["data"]),
        base64.b64decode(next(r for r in FILES["signature"]["vectors"] if r["name"] == "P-256")["inputBase64"]),
    ).signed_at
    for certificate in CERTIFICATES.values():
        assert pki.verify_chain(certificate, [intermediate], [root], at, crls) == (certificate, intermediate, root)
