"""No content outside the services that may hold it: words planted in a letter are looked for everywhere else.

Temporal keeps what passes through a workflow, and any operator reads it; logs are read by more people still.
"""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dabir.client import RECIPIENT_KIND_TO, Client, ClientError, Manifest, ReceiptDetails, Recipient
from dabir.intake.v1.letter_pb2 import LETTER_STATE_CLOSED
from infra.local.members import members, profile_folder
from infra.local.stack import Stack
from tests.unit.documents.files import pdf
from tests.waiting import until

SENDER, RECIPIENT = "interior", "sample-bank"
PLANTED = {
    "subject": "زرافه در موضوع",
    "abstract": "شترمرغ در چکیده",
    "note": "کرگدن در یادداشت",
    "keyword": "پنگوئن",
    "legal basis": "مادهٔ اسب‌آبی",
    "sender's number": "گوزن/۷۷",
    "file": "تمساح",
    "incoming number": "فلامینگو/۵",
    "acting person": "مورچه‌خوار",
}


@pytest.fixture
def letter(stack: Stack, tmp_path: Path) -> Iterator[str]:
    """A letter with a planted word in each of its parts, registered, accepted and closed."""
    bodies = {member.id: member for member in members()}
    sender, recipient = (
        Client.from_profile(profile_folder(stack, bodies[body]) / "profile.toml") for body in (SENDER, RECIPIENT)
    )
    with sender, recipient:
        file = tmp_path / f"{PLANTED['file']}.pdf"
        file.write_bytes(pdf())
        manifest = Manifest(
            definition="definitions/demo-notice/1",
            subject=PLANTED["subject"],
            abstract=PLANTED["abstract"],
            keywords=[PLANTED["keyword"]],
            legal_basis=[PLANTED["legal basis"]],
            recipients=[
                Recipient(office=bodies[RECIPIENT].office, kind=RECIPIENT_KIND_TO, note=PLANTED["note"]),
            ],
        )
        manifest.sender.number = PLANTED["sender's number"]
        sent = sender.send(sender.compose(manifest, [file])).letter.name
        delivery = f"{sent}/deliveries/1"
        until("the delivery is in the mailbox", lambda: _is_there(recipient, delivery))
        details = ReceiptDetails(incoming_number=PLANTED["incoming number"], person_name=PLANTED["acting person"])
        recipient.accept(delivery, details)
        recipient.save(delivery, tmp_path / "saved")
        until("the letter closes", lambda: sender.letter(sent).state == LETTER_STATE_CLOSED)
        yield sent


def test_planted_words_are_in_no_history_and_no_log(stack: Stack, letter: str) -> None:
    # A fault would be found: what Temporal and the logs do hold of this letter is its name.
    temporal = [path.read_bytes() for path in sorted((stack.directory / "temporal").glob("temporal.db*"))]
    logs = [path.read_bytes() for path in sorted((stack.directory / "logs").iterdir())]
    assert any(letter.encode() in part for part in temporal)
    assert any(letter.removeprefix("letters/").encode() in part for part in logs)
    for name, word in PLANTED.items():
        for spelled in (word.encode(), word.encode("unicode-escape"), word.encode("utf-16-le")):
            assert not any(spelled in part for part in temporal), f"the {name} stands in Temporal's file"
            assert not any(spelled in part for part in logs), f"the {name} stands in a log"


@pytest.mark.parametrize("schema", ["notifications", "evidence"])
def test_planted_words_are_in_no_row_of_those_who_tell(stack: Stack, letter: str, schema: str) -> None:
    with psycopg.connect(stack.database_url("dabir")) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = %s", (schema,)
        )
        names = [row[0] for row in tables.fetchall()]
        assert names
        for table in names:
            query = psycopg.sql.SQL("SELECT t::text FROM {} AS t").format(psycopg.sql.Identifier(schema, table))
            rows = "\n".join(row[0] for row in connection.execute(query).fetchall())
            assert not [name for name, word in PLANTED.items() if word in rows]


def _is_there(client: Client, delivery: str) -> bool:
    try:
        client.delivery(delivery)
    except ClientError:
        return False
    return True
