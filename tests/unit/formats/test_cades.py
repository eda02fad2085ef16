"""Signature files beyond the vectors: other tools agree, and no bytes raise anything but FormatError."""

import contextlib
import datetime
import subprocess
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from dabir.formats import cades
from dabir.formats.der import check_der
from dabir.formats.signer import KeySigner, PrivateKey
from dabir.formats.strict_json import FormatError
from tests.pki import TestAuthority, private_key, write_files

AUTHORITY = TestAuthority()
DATA = "نامهٔ نمونه\n".encode()
AT = datetime.datetime(2026, 11, 22, 10, 14, 32, 999_999, tzinfo=UTC)
KEYS: dict[str, Callable[[], PrivateKey]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "RSA 3072": lambda: rsa.generate_private_key(65537, 3072),
}
SIGNER = AUTHORITY.issue(purpose="sign", position="x")
FILE = cades.sign_detached(DATA, SIGNER, AT)


@pytest.fixture(params=KEYS)
def key(request: pytest.FixtureRequest) -> PrivateKey:
    return KEYS[request.param]()


def test_what_is_signed_verifies(key: PrivateKey) -> None:
    signer = AUTHORITY.issue(purpose="sign", position="x", key=key)
    found = cades.verify_detached(DATA, cades.sign_detached(DATA, signer, AT))
    assert found.certificates == (signer.certificate, AUTHORITY.intermediate)
    assert found.signed_at == AT.replace(microsecond=0)
    assert found.timestamp_token is None
    with pytest.raises(FormatError) as raised:
        cades.verify_detached(DATA + b" ", cades.sign_detached(DATA, signer, AT))
    assert raised.value.reason == "WRONG_DIGEST"


def test_openssl_verifies_it_as_cades(key: PrivateKey, tmp_path: Path) -> None:
    signer = AUTHORITY.issue(purpose="sign", position="x", key=key)
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "data.p7s").write_bytes(cades.sign_detached(DATA, signer, AT))
    pem = serialization.Encoding.PEM
    trust = [AUTHORITY.root.public_bytes(pem), *(crl.public_bytes(pem) for crl in AUTHORITY.crls())]
    (tmp_path / "trust.pem").write_bytes(b"".join(trust))
    check = [
        *("openssl", "cms", "-verify", "-cades", "-binary", "-purpose", "any", "-attime", str(int(AT.timestamp()))),
        *("-crl_check_all", "-CAfile", "trust.pem", "-inform", "DER", "-in", "data.p7s", "-content", "data"),
    ]
    done = subprocess.run([*check, "-out", "verified"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "verified").read_bytes() == DATA
    (tmp_path / "data").write_bytes(DATA + b"!")
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_what_openssl_signs_verifies_here(key: PrivateKey, tmp_path: Path) -> None:
    signer = AUTHORITY.issue(purpose="sign", position="x", key=key)
    key_file, certificates_file = write_files(signer, tmp_path, "signer")
    (tmp_path / "data").write_bytes(DATA)
    sign = [
        *("openssl", "cms", "-sign", "-cades", "-binary", "-md", "sha256", "-nosmimecap", "-outform", "DER"),
        *("-signer", str(certificates_file), "-inkey", str(key_file), "-in", "data", "-out", "data.p7s"),
    ]
    chain_file = tmp_path / "chain.pem"
    chain_file.write_bytes(AUTHORITY.intermediate.public_bytes(serialization.Encoding.PEM))
    sign += ["-certfile", str(chain_file)]
    done = subprocess.run(sign, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = cades.verify_detached(DATA, (tmp_path / "data.p7s").read_bytes())
    assert found.certificates == (signer.certificate, AUTHORITY.intermediate)


@pytest.mark.parametrize("name", ["بانک نمونه Signer", "بانک مرکزی (ایران)", "٣٤ بانک 12"])
def test_names_that_asn1crypto_cannot_prepare_are_signed_and_read(name: str) -> None:
    signer = AUTHORITY.issue(purpose="sign", position="x", common_name=name)
    found = cades.verify_detached(DATA, cades.sign_detached(DATA, signer, AT))
    assert found.certificates[0] == signer.certificate


def test_times_after_2049_are_written_as_the_standard_says() -> None:
    at = datetime.datetime(2050, 1, 1, tzinfo=UTC)
    assert cades.read_signature(cades.sign_detached(DATA, SIGNER, at)).signed_at == at


def test_a_chain_with_its_root_is_not_signed_with() -> None:
    signer = KeySigner(private_key(SIGNER), SIGNER.certificate, (*SIGNER.chain, AUTHORITY.root))
    with pytest.raises(FormatError) as raised:
        cades.sign_detached(DATA, signer, AT)
    assert raised.value.reason == "LOOSE_SIGNATURE_FILE"


def test_certificates_have_positive_serial_numbers() -> None:
    number = AUTHORITY.intermediate.serial_number
    serial = number.to_bytes(number.bit_length() // 8 + 1, "big")
    assert FILE.count(serial) == 1
    with pytest.raises(FormatError, match="serial number"):
        cades.read_signature(FILE.replace(serial, bytes([serial[0] | 0x80]) + serial[1:]))


def test_a_chain_has_at_most_four_certificates() -> None:
    others = tuple(AUTHORITY.issue(common_name=str(n)).certificate for n in range(3))
    with pytest.raises(FormatError, match="at most 4"):
        cades.sign_detached(DATA, KeySigner(private_key(SIGNER), SIGNER.certificate, (*SIGNER.chain, *others)), AT)


def test_size_is_checked_first() -> None:
    with pytest.raises(FormatError) as raised:
        cades.read_signature(FILE + bytes(cades.MAX_SIGNATURE_BYTES))
    assert raised.value.reason == "TOO_LARGE"


@settings(deadline=None, max_examples=300)
@given(data=st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_format_errors(data: bytes) -> None:
    with pytest.raises(FormatError):
        cades.read_signature(data)


@settings(deadline=None, max_examples=400)
@given(at=st.integers(0, len(FILE) - 1), byte=st.integers(0, 255))
def test_one_changed_byte_never_verifies(at: int, byte: int) -> None:
    changed = bytearray(FILE)
    changed[at] = byte
    if bytes(changed) == FILE:
        return
    # One bit of the intermediate's own signature is its issuer's to check, in the path to the root.
    with contextlib.suppress(FormatError):
        found = cades.verify_detached(DATA, bytes(changed))
        assert found.certificates != (SIGNER.certificate, AUTHORITY.intermediate)


@settings(deadline=None, max_examples=300)
@given(start=st.integers(0, len(FILE)), length=st.integers(1, 40), piece=st.binary(max_size=40))
def test_pieces_put_in_raise_only_format_errors(start: int, length: int, piece: bytes) -> None:
    with contextlib.suppress(FormatError):
        cades.verify_detached(DATA, FILE[:start] + piece + FILE[start + length :])


def nested(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = b"\x30" + bytes([len(data)]) + data
    return data


@pytest.mark.parametrize(
    "data",
    [
        nested(24).hex(),
        "0101ff",
        "010100",
        "0201" + "80",
        "02020080",
        "0500",
        "0603550403",
        "0302" + "0780",
        "030100",
        "170d3236313132323130313433325a",
        "180f32303530303130313030303030305a",
        "3000",
        "3106020101020102",
        "0c02d984",
    ],
)
def test_der_passes(data: str) -> None:
    check_der(bytes.fromhex(data))


@pytest.mark.parametrize(
    "data",
    [
        "",
        "01",
        "0101",
        "010101",
        "01020000",
        "0200",
        "02020001",
        "0202ff80",
        "050100",
        "0600",
        "060280" + "01",
        "06020180",
        "0300",
        "030108",
        "030101",
        "03020781",
        "170b323631313232313031345a",
        "1711323631313232313031343332" + "2b30303030",
        "181132303530303130313030303030302e305a",
        "3106020102020101",
        "2404040101" + "04",
        "30800000",
        "3081" + "00",
        "1f8101" + "00",
        "9f0141",
        nested(25).hex(),
        "10" + "00",
        "30060201010c0541",
        "0500" + "00",
    ],
)
def test_what_is_not_der_is_refused(data: str) -> None:
    with pytest.raises(FormatError) as raised:
        check_der(bytes.fromhex(data))
    assert raised.value.reason == "NOT_DER"
