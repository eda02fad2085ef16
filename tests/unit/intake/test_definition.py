"""Definition files: what comes with intake reads, and what is wrong with a file is said."""

import hashlib

import pytest

from services.intake.domain import definition
from services.intake.domain.definition import DefinitionFileError, Definitions
from services.intake.domain.errors import DefinitionNotFound, DefinitionWithdrawn
from tests.unit.intake import builders
from tests.unit.intake.builders import OWN

CIRCULAR = (OWN / "circular.1.toml").read_text(encoding="utf-8")


def test_every_type_that_letters_need_comes_with_intake() -> None:
    assert {path.stem for path in OWN.glob("*.toml")} == {
        *("account-control.1", "administrative.1", "bank-inquiry.1", "banking.1", "circular.1", "freeze-order.1"),
        *("guarantee.1", "seizure.1", "tax-inquiry.1", "unfreeze-order.1"),
    }


@pytest.mark.parametrize("name", sorted(path.stem for path in OWN.glob("*.toml")))
def test_what_comes_with_intake_reads(name: str) -> None:
    file = (OWN / f"{name}.toml").read_bytes()
    found = definition.read(f"{name}.toml", file)
    type_id, version = name.split(".")
    assert found.name == f"definitions/{type_id}/{version}"
    assert found.sha256 == hashlib.sha256(file).digest()
    assert definition.read_stored(found.name, file) == found


def test_a_freeze_order_has_clocks_of_minutes() -> None:
    demands = builders.definition("freeze-order.1").demands
    assert demands.acceptance.default_seconds == 30 * 60
    assert demands.acceptance.min_seconds == 5 * 60


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x =", "is not TOML"),
        (f"color = 1\n{CIRCULAR}", "no definition has: color"),
        (f"{CIRCULAR}\nmost = 1", "no definition has: acceptance.most"),
        (CIRCULAR.replace("titleFa", "title_fa").replace("title_fa", "titleFa"), "no definition has: titleFa"),
        (CIRCULAR.replace("min_signers = 1", ""), "min_signers"),
        (CIRCULAR.replace("min_signers = 1", "min_signers = 9"), "min_signers"),
        (CIRCULAR.replace('"CLASSIFICATION_NORMAL"', '"NORMAL"'), "Invalid enum value NORMAL"),
        (CIRCULAR.replace('"RETURN_REASON_WRONG_ADDRESSEE"', '"RETURN_REASON_UNREADABLE"', 1), "refusal_reasons"),
        (CIRCULAR.replace("min_seconds = 3_600", "min_seconds = 700_000"), "acceptance.default_seconds must lie"),
        (CIRCULAR.replace("[86_400]", "[60, 86_400]"), "remind_before_seconds must stand largest first"),
        (CIRCULAR.replace("min_signers = 1", 'min_signers = 1\nrequired_positions = ["a", "b"]'), "min_signers must"),
        (CIRCULAR.replace("version = 1", "version = 2"), "must be called circular.2.toml"),
        (CIRCULAR.replace('"circular"', '"Circular"'), "type"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(DefinitionFileError, match=r"circular\.1\.toml") as refused:
        definition.read("circular.1.toml", text.encode())
    assert said in str(refused.value)


def test_one_that_is_no_longer_offered_is_known_for_its_letters_only() -> None:
    kept, offered = builders.definition("circular.1"), builders.definition()
    known = Definitions([offered], [offered, kept])
    assert known.offered(offered.name) == offered
    assert known.get(kept.name) == kept
    with pytest.raises(DefinitionWithdrawn):
        known.offered(kept.name)
    with pytest.raises(DefinitionNotFound):
        known.get("definitions/other/1")


def test_a_file_changed_under_its_name_is_found() -> None:
    kept = definition.read("circular.1.toml", CIRCULAR.encode())
    same = definition.read("circular.1.toml", CIRCULAR.encode())
    other = definition.read("circular.1.toml", f"# changed\n{CIRCULAR}".encode())
    assert definition.changed([same], [kept]) == []
    assert definition.changed([other], [kept]) == ["definitions/circular/1"]
    assert definition.changed([other], []) == []
