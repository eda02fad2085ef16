"""docs/formats.md says what the code does: its event table, its reasons and its object identifiers."""

import re
from pathlib import Path

from dabir.common.v1.statement_pb2 import StatementEvent
from dabir.formats import pki, strict_json
from dabir.formats.events import EVENT_FIELDS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "formats.md"
TEXT = PAGE.read_text(encoding="utf-8")
PREFIXES = {"e:": "http://uri.etsi.org/19522/Event/", "d:": "urn:dabir:event:"}
PARTIES = {"": 0, "sender": 1, "recipient": 1, "sender, recipient": 2, "the body, the certificate": 1}
FORMATS = Path(strict_json.__file__).resolve().parent.parent


def _rows() -> dict[str, list[str]]:
    found = re.findall(r"^\| ([ed]:\S+) \|(.*)\|$", TEXT, flags=re.MULTILINE)
    return {PREFIXES[name[:2]] + name[2:]: [cell.strip() for cell in rest.split("|")] for name, rest in found}


def _fields(cell: str) -> set[str]:
    by_json_name = {field.json_name: field.name for field in StatementEvent.DESCRIPTOR.fields}
    return {by_json_name[name] for name in re.findall(r"`(\w+)`", cell)}


def test_the_event_table_is_the_codes() -> None:
    rows = _rows()
    assert set(rows) == {str(event) for event in EVENT_FIELDS}
    for event, rule in EVENT_FIELDS.items():
        source, about, must, may, parties, reason = rows[event]
        subject, _, book = about.partition(", ")
        assert source == rule.source, event
        assert set(subject.split(" or ")) == rule.subjects, event
        assert book == {"": "", "out": "out book", "in": "in book"}[min(rule.book, default="")], event
        assert (_fields(must), _fields(may)) == (set(rule.must), set(rule.may)), event
        assert PARTIES[parties] == rule.parties, event
        listed = set(re.findall(r"[A-Z_]{6,}", reason))
        assert listed - {"REFUSED", "RETURNED"} == (set() if "a reason of" in reason else rule.reasons), event


def test_every_reason_is_explained() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in FORMATS.rglob("*.py"))
    raised = set(re.findall(r'(?:FormatError|CertificateError)\(\s*"([A-Z0-9_]+)"', source))
    explained = set(re.findall(r"`([A-Z][A-Z0-9_]{3,})`", TEXT))
    assert raised - explained == set()


def test_the_object_identifiers_are_the_codes() -> None:
    arc = re.search(r"`(2\.25\.[0-9]+)`", TEXT)
    assert arc is not None
    extensions = re.findall(r"^\| `(\.[1-4])` \| ([a-z ]+) \|", TEXT, flags=re.MULTILINE)
    assert {name: arc.group(1) + number for number, name in extensions} == {
        "development marker": pki.DEVELOPMENT_MARKER.dotted_string,
        "purpose": pki.PURPOSE.dotted_string,
        "position": pki.POSITION.dotted_string,
        "events": pki.EVENTS.dotted_string,
    }
