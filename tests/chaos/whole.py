"""Whether the hub is whole after what was done to it: read as its owner, from the signed bytes and from every table."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import psycopg
from cryptography import x509

from dabir.formats.statement import Event, digest, main_event
from dabir.intake.v1 import letter_pb2
from infra.demo.plan import REFUSAL_REASON, Fault
from infra.local.settings import events_of, identity_folder
from infra.local.stack import SERVICES, Stack
from tests.chaos import faults
from tests.chaos.letters import Kind
from tests.chaos.post import Post
from tests.chaos.traffic import Travelled
from tests.integration.ledger import audit
from tests.waiting import until

HALF = {
    "a letter without its statement, or a statement without its letter": """
        (SELECT name FROM intake.letter
            EXCEPT SELECT subject FROM ledger.statement WHERE event LIKE '%/SubmissionAcceptance')
        UNION ALL
        (SELECT subject FROM ledger.statement WHERE event LIKE '%/SubmissionAcceptance'
            EXCEPT SELECT name FROM intake.letter)
    """,
    "a letter that has not all of its deliveries": """
        SELECT letter.name FROM intake.letter LEFT JOIN intake.delivery ON delivery.letter = letter.name
        GROUP BY letter.name HAVING count(delivery.name) <> letter.recipient_count
    """,
    "a letter one of whose documents is not ready or not its own": """
        SELECT letter.name FROM intake.letter, unnest(documents) AS listed
        LEFT JOIN documents.document ON document.name = listed LEFT JOIN documents.claim ON claim.document = listed
        WHERE document.state IS DISTINCT FROM 'READY' OR claim.letter IS DISTINCT FROM letter.name
    """,
    "an available delivery without its statement or its documents' retention, or a statement without its delivery": """
        (SELECT name FROM intake.delivery WHERE available_at IS NOT NULL
            EXCEPT SELECT subject FROM ledger.statement WHERE event = 'urn:dabir:event:available')
        UNION ALL
        (SELECT subject FROM ledger.statement WHERE event = 'urn:dabir:event:available'
            EXCEPT SELECT name FROM intake.delivery WHERE available_at IS NOT NULL)
        UNION ALL
        SELECT delivery.name FROM intake.delivery JOIN intake.letter ON letter.name = delivery.letter,
            unnest(letter.documents) AS listed JOIN documents.document ON document.name = listed
        WHERE delivery.available_at IS NOT NULL AND document.retain_until IS NULL
    """,
    "a claim on documents for a letter that is not there": """
        SELECT document, letter FROM documents.claim WHERE letter NOT IN (SELECT name FROM intake.letter)
    """,
    "a decision without its receipt or its statement": """
        SELECT delivery.name FROM intake.delivery
        LEFT JOIN intake.receipt ON receipt.statement = delivery.decision
        LEFT JOIN ledger.statement ON statement.id = delivery.decision
        WHERE delivery.decision IS NOT NULL AND (receipt.delivery IS NULL OR statement.subject <> delivery.name
            OR statement.id IS NULL)
    """,
    "an answered delivery without its statement, or that names no registration of its recipient's": """
        SELECT delivery.name FROM intake.delivery
        LEFT JOIN ledger.statement ON subject = delivery.name AND event = 'urn:dabir:event:answered'
        LEFT JOIN intake.letter AS reply ON reply.name = delivery.answer
        WHERE (delivery.answer IS NOT NULL OR delivery.state = 'ANSWERED' OR statement.id IS NOT NULL) AND NOT coalesce(
            delivery.state = 'ANSWERED' AND statement.id IS NOT NULL
            AND reply.sender_office = delivery.recipient_office AND reply.registered_at = delivery.answered_at, false)
    """,
    "a handover without its statement, or a statement without its handover": """
        (SELECT statement FROM documents.handover WHERE statement IS NOT NULL
            EXCEPT SELECT id FROM ledger.statement WHERE event LIKE '%/ContentHandover')
        UNION ALL
        (SELECT id FROM ledger.statement WHERE event LIKE '%/ContentHandover'
            EXCEPT SELECT statement FROM documents.handover)
    """,
    "a statement that could not be told to its workflow": "SELECT position, reason FROM evidence.refusal",
}
"""What must never be found, with the query that finds it."""


def seals(stack: Stack) -> list[x509.Certificate]:
    """The seal of every service that states something."""
    folders = [identity_folder(stack, service) for service in SERVICES if events_of(service)]
    return [x509.load_pem_x509_certificates((folder / "seal.pem").read_bytes())[0] for folder in folders]


def check(stack: Stack, post: Post, travelled: Sequence[Travelled] = ()) -> None:
    """Every letter of the traffic arrived exactly once, and nothing in the whole hub is half there or twice."""
    registered = [letter for letter in travelled if letter.kind is not Kind.WRONG_DIGEST]
    for letter in registered:
        _check_sending_again(post, letter)
    owner_url = stack.database_url("dabir")
    with psycopg.connect(owner_url, autocommit=True) as connection:
        closing = {letter.name for letter in registered if letter.kind.closes}
        until("every letter that all have decided is closed", lambda: closing <= _closed(connection))
        _wait_for_positions(connection)
        _wait_for_runs(stack, connection)
        for what, query in HALF.items():
            found = connection.execute(query).fetchall()
            assert not found, f"{what}: {found}"
        for letter in travelled:
            if letter.kind is Kind.WRONG_DIGEST:
                _check_not_there(connection, letter)
    assert not faults.failed_runs(stack)
    chains = audit.read(owner_url, *seals(stack))
    for letter in registered:
        check_letter(chains, letter)
        _check_shown(post, letter)
    assert not post.hooks.unverified


def check_letter(chains: audit.Chains, letter: Travelled) -> None:
    """One registration, in the book it belongs to; of each delivery the planned events, each once: those answered."""
    assert letter.sent is not None
    own = [main_event(chains[letter.name][place][1]) for place in sorted(chains[letter.name])]
    assert own == [Event.SUBMISSION_ACCEPTANCE, *([Event.CLOSED] if letter.kind.closes else [])]
    registration = chains[letter.name][0, 1][0]
    assert registration == letter.sent.submission_acceptance.jws
    number = letter.sent.letter.registry_number
    book, place = audit.series_and_place(number.book, number.sequence)
    assert book == f"books/{letter.sender}/main/{letter.kind.direction}"
    assert chains[book][place][0] == registration
    of_letter = {chain for chain in chains if chain.startswith(f"{letter.name}/")}
    assert of_letter == letter.deliveries().keys() == letter.decided.keys()
    for delivery, recipient in letter.deliveries().items():
        _check_delivery(chains, letter, delivery, recipient)


def _check_delivery(chains: audit.Chains, letter: Travelled, delivery: str, recipient: str) -> None:
    statements = [chains[delivery][place] for place in sorted(chains[delivery])]
    stated = Counter(main_event(payload) for _, payload in statements)
    told = stated.pop(Event.NOTIFICATION_FOR_ACCEPTANCE, 0)  # when its webhook arrived: of its course this says nothing
    assert told <= 1, f"{delivery}: {told}"
    assert stated == Counter(_planned(letter, delivery)), f"{delivery}: {stated}"
    decided = letter.decided[delivery]
    assert decided.by_us
    assert decided.statement.jws in {jws for jws, _ in statements}
    number = decided.delivery.envelope.in_number
    book, place = audit.series_and_place(number.book, number.sequence)
    assert book == f"books/{recipient}/main/in"
    assert chains[book][place][1].sub == delivery
    if reply := letter.replies.get(delivery):
        assert reply.sent is not None
        answered = next(payload for _, payload in statements if main_event(payload) is Event.ANSWERED)
        assert answered.events[Event.ANSWERED].answer_sha256 == digest(reply.sent.submission_acceptance.jws)


def _planned(letter: Travelled, delivery: str) -> list[Event]:
    if letter.kind is Kind.REFUSED:
        return [Event.AVAILABLE, Event.CONSIGNMENT_REJECTION]
    answered = [Event.ANSWERED] if letter.kind is Kind.QUESTION else []
    assert letter.replies.keys() == (letter.decided.keys() if answered else set())
    return [Event.AVAILABLE, Event.CONSIGNMENT_ACCEPTANCE, Event.CONTENT_HANDOVER, *answered]


def _check_shown(post: Post, letter: Travelled) -> None:
    """The sender is shown where each delivery ended."""
    ended = {Kind.REFUSED: letter_pb2.DELIVERY_STATE_REFUSED, Kind.QUESTION: letter_pb2.DELIVERY_STATE_ANSWERED}
    shown = {sent.name: sent.state for sent in post.clients[letter.sender].sent_deliveries(letter.name)}
    assert shown == dict.fromkeys(letter.decided, ended.get(letter.kind, letter_pb2.DELIVERY_STATE_ACCEPTED))


def _check_sending_again(post: Post, letter: Travelled) -> None:
    """The same bytes get the same number and the same statement, those of a letter as those of a receipt."""
    assert letter.sent is not None
    answer = post.submit_again(letter.sender, letter.entry)
    assert answer.letter.registry_number == letter.sent.letter.registry_number
    assert answer.submission_acceptance.jws == letter.sent.submission_acceptance.jws
    for delivery, recipient in letter.deliveries().items():
        client = post.clients[recipient]
        again = client.refuse(delivery, REFUSAL_REASON) if letter.kind is Kind.REFUSED else client.accept(delivery)
        assert again.statement.jws == letter.decided[delivery].statement.jws


def _check_not_there(connection: psycopg.Connection[Any], letter: Travelled) -> None:
    """Nothing is left of a letter that intake refused. Its document waits, claimed by none, until it is swept."""
    assert letter.refused is not None
    assert letter.refused.reason == Fault.DIGEST.value
    traces = """
        SELECT name FROM intake.letter WHERE name = %(letter)s
        UNION ALL SELECT name FROM intake.delivery WHERE letter = %(letter)s
        UNION ALL SELECT document FROM documents.claim WHERE letter = %(letter)s
        UNION ALL SELECT name FROM ledger.chain WHERE starts_with(name, %(letter)s)
        UNION ALL SELECT subject FROM ledger.statement WHERE starts_with(subject, %(letter)s)
    """
    assert not connection.execute(traces, {"letter": letter.name}).fetchall()


def _closed(connection: psycopg.Connection[tuple[str, ...]]) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM intake.letter WHERE state = 'CLOSED'").fetchall()}


def _wait_for_positions(connection: psycopg.Connection[tuple[int, ...]]) -> None:
    """Every committed statement gets a position; positions have no gap and follow the facts within each chain."""

    def all_numbered() -> bool:
        return connection.execute("SELECT count(*) FROM ledger.statement WHERE position IS NULL").fetchone() == (0,)

    until("every statement has its position", all_numbered)
    wrong = """
        SELECT position FROM (
            SELECT position, row_number() OVER (ORDER BY position) AS place,
                lag(position) OVER (PARTITION BY subject ORDER BY sequence) AS before FROM ledger.statement
            WHERE position IS NOT NULL) AS numbered
        WHERE position <> place OR before > position
    """
    assert not connection.execute(wrong).fetchall(), "positions have a gap or do not follow the facts"


def _wait_for_runs(stack: Stack, connection: psycopg.Connection[tuple[str, ...]]) -> None:
    """Every open letter has its run in Temporal, and no other letter has one."""

    def as_open() -> bool:
        letters = connection.execute("SELECT name FROM intake.letter WHERE state = 'OPEN'").fetchall()
        return {name.replace("letters/", "letter/", 1) for (name,) in letters} == faults.runs(stack).keys()

    until("every open letter, and no other, has its run in Temporal", as_open)
