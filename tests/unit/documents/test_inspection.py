"""What is found in a file. Each case runs in this process; the limits of the child are tried in tests/contract."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.documents.inspection.child import inspect
from services.documents.inspection.finding import INSPECTED_MEDIA_TYPES, Finding, Limits
from services.documents.inspection.sniff import sniff
from tests.unit.documents import files

LIMITS = Limits(memory_bytes=1 << 30, cpu_seconds=30, time_seconds=60, pages_max=20, image_pixels_max=1_000_000)
SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the folder ../shared/samples is absent")


def look(tmp_path: Path, data: bytes, media_type: str) -> Finding:
    path = tmp_path / "file"
    path.write_bytes(data)
    return inspect(str(path), media_type, LIMITS)


SOUND = [
    ("application/pdf", files.pdf(), 1),
    ("application/pdf", files.pdf(20), 20),
    ("image/png", files.image("image/png"), 1),
    ("image/jpeg", files.image("image/jpeg"), 1),
    ("image/tiff", files.image("image/tiff", 3), 3),
    ("text/plain", "می‌خواهد\r\n\t".encode(), 0),
    ("text/plain", b"\xef\xbb\xbf" + "نامه".encode(), 0),
    # The character at the end of the first look is cut.
    ("text/plain", b"a" * 4095 + "س".encode() * 70000, 0),
    ("application/xml", b'<?xml version="1.0"?><a b="c">&lt;</a>', 0),
    ("text/xml", b"<a/>", 0),
    ("text/xml", "\ufeff<?xml version='1.0'\n encoding = \"UTF-8\" ?><a>نامه</a>".encode(), 0),
    ("text/xml", b"<?xml-stylesheet href='a'?><a/>", 0),
    ("text/xml", b"<?xml version='1.0' encoding='us-ascii' standalone='yes'?>" + b"<!---->" * 20_000 + b"<a/>", 0),
    ("application/json", '\ufeff["نامه"]'.encode(), 0),
    ("application/json", b'[{"a": 1e400, "b": null}, {"a": 1}]', 0),
    ("application/json", b"[" + b"9" * 100_000 + b"]", 0),
]


@pytest.mark.parametrize(("media_type", "data", "pages"), SOUND)
def test_sound_files(tmp_path: Path, media_type: str, data: bytes, pages: int) -> None:
    assert look(tmp_path, data, media_type) == Finding(pages=pages)


REJECTED = [
    ("application/pdf", files.pdf()[:200], "DAMAGED"),
    ("application/pdf", b"%PDF-1.7\n", "DAMAGED"),
    ("application/pdf", files.pdf(0), "DAMAGED"),
    ("application/pdf", files.pdf(21), "TOO_MANY_PAGES"),
    ("application/pdf", files.encrypted_pdf(), "ENCRYPTED"),
    ("application/pdf", files.restricted_pdf(), "ENCRYPTED"),
    ("application/pdf", files.png(), "MEDIA_TYPE_MISMATCH"),
    ("application/pdf", b"\n" + files.pdf(), "MEDIA_TYPE_MISMATCH"),
    ("application/pdf", b"PK\x03\x04", "MEDIA_TYPE_MISMATCH"),
    ("image/png", files.png()[:-20], "DAMAGED"),
    ("image/png", files.png()[:20], "DAMAGED"),
    ("image/png", files.png(1001, 1000, b"x"), "INSPECTION_LIMIT"),
    ("image/png", files.png(50_000, 50_000, b"x"), "INSPECTION_LIMIT"),
    ("image/jpeg", files.image("image/jpeg")[:200], "DAMAGED"),
    ("image/jpeg", files.png(), "MEDIA_TYPE_MISMATCH"),
    ("image/tiff", files.image("image/tiff", 21), "TOO_MANY_PAGES"),
    ("text/plain", b"a\x00b", "MEDIA_TYPE_MISMATCH"),
    ("text/plain", b"a" * 100_000 + b"\x1b", "DAMAGED"),
    ("text/plain", b"a" * 100_000 + b"\xff", "DAMAGED"),
    ("text/plain", b"a" * 5_000 + "س".encode()[:1], "DAMAGED"),
    ("text/plain", "نامه".encode("utf-16"), "MEDIA_TYPE_MISMATCH"),
    ("text/plain", files.pdf(), "MEDIA_TYPE_MISMATCH"),
    ("application/xml", b"<a>", "DAMAGED"),
    ("application/xml", b"plain", "DAMAGED"),
    ("application/xml", b"<?xml version='1.0' encoding='utf-7'?><a>+ADw-b/+AD4-</a>", "DAMAGED"),
    ("text/xml", b"<?xml version='1.0'" + b" " * 70_000 + b"encoding='utf-7'?><a>+ADw-b/+AD4-</a>", "DAMAGED"),
    ("text/xml", b"<?xml version='1.0'" + b" " * 70_000 + b"?><a/>", "DAMAGED"),
    ("text/xml", b"\xef\xbb\xbf<?xml encoding='utf-8' version='1.0'?><a/>", "DAMAGED"),
    ("text/xml", b"<?xml version='1.0' encoding='utf-8\" '?><a/>", "DAMAGED"),
    ("text/xml", b"<a>" + b"x" * 100_000 + b"\xff</a>", "DAMAGED"),
    ("text/xml", b"<a>" + b"x" * 100_000 + b"\xed\xa0\x80</a>", "DAMAGED"),
    ("text/xml", b"<?xml version='1.0' encoding='iso-8859-1'?><a>" + b"x" * 100_000 + b"\xe9</a>", "DAMAGED"),
    ("application/xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "DAMAGED"),
    ("application/xml", b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><a/>', "DAMAGED"),
    ("application/json", b'{"a": 1, "a": 2}', "DAMAGED"),
    ("application/json", b"[NaN]", "DAMAGED"),
    ("application/json", b"{", "DAMAGED"),
    ("application/json", b'["' + b"x" * 100_000 + b'\xed\xa0\x80"]', "DAMAGED"),
    ("application/json", b'["' + b"x" * 100_000 + b'\xff"]', "DAMAGED"),
    ("application/json", b"[" * 100_000, "INSPECTION_LIMIT"),
]


@pytest.mark.parametrize(("media_type", "data", "rejection"), REJECTED)
def test_rejected_files_say_why_and_what_to_do(tmp_path: Path, media_type: str, data: bytes, rejection: str) -> None:
    found = look(tmp_path, data, media_type)
    assert found.rejection == rejection
    assert "under a new id" in found.message or "Split it" in found.message
    assert len(found.message) < 500


def test_every_allowed_type_has_its_inspection(tmp_path: Path) -> None:
    assert {media_type for media_type, _, _ in SOUND} == INSPECTED_MEDIA_TYPES


@given(st.binary(max_size=300), st.integers(0, 2000), st.sampled_from(sorted(INSPECTED_MEDIA_TYPES)))
def test_whatever_the_bytes_the_answer_is_a_finding(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int, media_type: str
) -> None:
    sound = next(data for kind, data, _ in SOUND if kind == media_type)
    at %= len(sound)
    found = look(tmp_path_factory.mktemp("noise"), sound[:at] + noise + sound[at + len(noise) :], media_type)
    assert isinstance(found, Finding)


@given(st.text(), st.integers(0, 3))
def test_text_cut_anywhere_is_sniffed_as_text(text: str, cut: int) -> None:
    data = ("ا" + "".join(c for c in text if c.isprintable())).encode()
    assert sniff(data[: max(1, len(data) - cut)]) == "text/plain"


PAPER = {"invalid.pdf": "DAMAGED"}
SIGNED = {
    "broken-objstream1.pdf": "DAMAGED",
    "circular-page-tree.pdf": "DAMAGED",
    "minimal-startxref-hopeless.pdf": "DAMAGED",
    "minimal-aes256.pdf": "ENCRYPTED",
}
MEDIA_TYPES = {".pdf": "application/pdf", ".png": "image/png", ".txt": "text/plain", ".xml": "application/xml"}


@needs_samples
@pytest.mark.parametrize(("folder", "rejected"), [("paper", PAPER), ("signed-pdf", SIGNED), ("text", {})])
def test_what_people_send(folder: str, rejected: dict[str, str]) -> None:
    found = {}
    for path in sorted((SAMPLES / folder).iterdir()):
        found[path.name] = inspect(str(path), MEDIA_TYPES[path.suffix], LIMITS_FOR_SCANS)
    assert {name: f.rejection.value for name, f in found.items() if f.rejection} == rejected
    assert len(found) > len(rejected)


LIMITS_FOR_SCANS = Limits(1 << 30, 30, 60, pages_max=100, image_pixels_max=100_000_000)
