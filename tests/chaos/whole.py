"""Whether the hub is whole after what was done to it: read as its owner, from the signed bytes and from every table."""

from collections import Counter
from collections.abc import Sequence

import psycopg
from cryptography import x509

from dabir.formats.statement import Event, main_event
from infra.local.settings import events_of, identity_folder
from infra.local.stack import SERVICES, Stack
from tests.chaos import faults
from tests.chaos.post import Post
from tests.chaos.traffic import Travelled
from tests.chaos.waiting import until
from tests.integration.ledger import audit

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
    "a decision without its receipt or its statement": """
        SELECT delivery.name FROM intake.delivery
        LEFT JOIN intake.receipt ON receipt.statement = delivery.decision
        LEFT JOIN ledger.statement ON statement.id = delivery.decision
        WHERE delivery.decision IS NOT NULL AND (receipt.delivery IS NULL OR statement.subject <> delivery.name
            OR statement.id IS NULL)
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


def check(stack: Stack, post: Post, travelled: Sequence[Travelled]) -> None:
    """Every letter of the traffic arrived exactly once, and nothing in the whole hub is half there or twice."""
    owner_url = stack.database_url("dabir")
    with psycopg.connect(owner_url, autocommit=True) as connection:
        closing = {letter.name for letter in travelled if letter.closes}
        until("every letter that all have signed for is closed", lambda: closing <= _closed(connection))
        _wait_for_positions(connection)
        _wait_for_runs(stack, connection)
        for what, query in HALF.items():
            found = connection.execute(query).fetchall()
            assert not found, f"{what}: {found}"
    assert not faults.failed_runs(stack)
    chains = audit.read(owner_url, *seals(stack))
    for letter in travelled:
        check_letter(chains, letter)
        _check_sending_again(post, letter)
    assert not post.hooks.unverified


def check_letter(chains: audit.Chains, letter: Travelled) -> None:
    """One registration; of each delivery one `available`, one acceptance, one handover: those that were answered."""
    assert letter.sent is not None
    own = [main_event(chains[letter.name][place][1]) for place in sorted(chains[letter.name])]
    assert own == [Event.SUBMISSION_ACCEPTANCE, *([Event.CLOSED] if letter.closes else [])]
    assert chains[letter.name][0, 1][0] == letter.sent.submission_acceptance.jws
    of_letter = {chain for chain in chains if chain.startswith(f"{letter.name}/")}
    assert of_letter == letter.deliveries().keys() == letter.decided.keys()
    for delivery, decided in letter.decided.items():
        stated = Counter(main_event(payload) for _, payload in chains[delivery].values())
        for event in (Event.AVAILABLE, Event.CONSIGNMENT_ACCEPTANCE, Event.CONTENT_HANDOVER):
            assert stated[event] == 1, f"{delivery}: {stated}"
        assert not stated[Event.CONSIGNMENT_REJECTION]
        assert decided.by_us
        assert decided.statement.jws in {jws for jws, _ in chains[delivery].values()}


def _check_sending_again(post: Post, letter: Travelled) -> None:
    """The same bytes get the same number and the same statement."""
    assert letter.sent is not None
    answer = post.submit_again(letter.sender, letter.entry)
    assert answer.letter.registry_number == letter.sent.letter.registry_number
    assert answer.submission_acceptance.jws == letter.sent.submission_acceptance.jws


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
