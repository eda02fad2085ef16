"""What a letter says to its recipient, once a receipt opened it."""

from typing import Any

from dabir.cli import shapes, words
from dabir.cli.session import Session
from dabir.client.opening import Held, Opened
from dabir.common.v1.manifest_pb2 import CAPACITY_SELF, Recipient, Relation, Signer
from dabir.formats import names
from dabir.intake.v1.letter_pb2 import Envelope


def shape(delivery: str, opened: Opened | None) -> dict[str, Any]:
    """For `--json`; of what is closed, that nothing is known. Raises VerificationError."""
    if opened is None:
        return {"subject": None, "documents": [], "held": []}
    letter, own = opened.manifest.manifest, _own_entry(delivery, opened)
    return {
        "subject": letter.subject,
        "documents": [document.file_name for document in letter.documents],
        "held": [shapes.held(one) for one in opened.held],
        "abstract": letter.abstract or None,
        "note": own.note or None,
        "answer_needed": own.answer_needed,
        "sender_number": letter.sender.number or None,
        "sender_date": letter.sender.date or None,
        "signers": [shapes.signer(one) for one in letter.signers],
        "relations": [shapes.relation(one) for one in letter.relations],
    }


def show(session: Session, envelope: Envelope, opened: Opened) -> None:
    """For a person: what its signers signed, as far as it is said, and why it is not to be acted on yet."""
    letter, own = opened.manifest.manifest, _own_entry(envelope.delivery, opened)
    session.line("subject", letter.subject)
    for signer in letter.signers:
        session.line("signer", _signer(session, signer))
    if own_words := " ".join(filter(None, (session.number(letter.sender.number), session.day(letter.sender.date)))):
        session.line("sender_number", own_words)
    for relation in letter.relations:
        session.line("relation", _relation(session, relation))
    if letter.abstract:
        session.line("abstract", letter.abstract)
    if own.note:
        session.line("note", own.note)
    if own.answer_needed:
        due = session.due(envelope.times.answer_due, is_late=envelope.times.late_answer)
        session.line("answer_due", due or session.word(words.NO_DUE))
    session.line("documents", "، ".join(document.file_name for document in letter.documents))
    for held in opened.held:
        session.err.print(_held(session, held), style="bold yellow")


def _own_entry(delivery: str, opened: Opened) -> Recipient:
    return opened.manifest.manifest.recipients[names.split_delivery(delivery)[1] - 1]


def _signer(session: Session, signer: Signer) -> str:
    """The position, and where it does not sign in its own right: how, for whom, by which decree."""
    if signer.capacity in (0, CAPACITY_SELF):
        return signer.position
    capacity = session.word(words.of(words.CAPACITIES, signer.capacity))
    return f"{signer.position} ({' '.join(filter(None, (capacity, signer.on_behalf_of, signer.decree)))})"


def _relation(session: Session, relation: Relation) -> str:
    """What it is to which letter. One outside Dabir is nobody's but the signers' word."""
    kind = session.word(words.of(words.RELATIONS, relation.kind))
    if relation.letter:
        return f"{kind} {relation.letter}"
    outside = (relation.body, session.number(relation.number), session.day(relation.date))
    return f"{kind} {' '.join(filter(None, outside))} ({session.word(words.NOT_VERIFIED)})"


def _held(session: Session, held: Held) -> str:
    """What must be taken in first, in words."""
    said = session.word(words.HELD if held.delivery else words.HELD_NOT_COME)
    return said.format(kind=session.word(words.of(words.RELATIONS, held.kind)), letter=held.delivery or held.letter)
