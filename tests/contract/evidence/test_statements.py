"""EvidenceService through its real stubs."""

import psycopg
import pytest

from dabir.common.v1.manifest_pb2 import CLASSIFICATION_CONFIDENTIAL, CLASSIFICATION_HIGHLY_CONFIDENTIAL
from dabir.formats.statement import leaf_entry, verify_statement
from services.evidence import store
from tests.conftest import Postgres
from tests.contract.evidence.harness import Evidence, Follower, listing, refusal


async def test_each_party_sees_its_own_statements_and_nobody_elses(evidence: Evidence) -> None:
    letter = await evidence.letter()
    sent, received = await listing(evidence, "interior"), await listing(evidence, "bank")
    assert [one.subject for one in sent.statements] == [letter]
    assert [one.subject for one in received.statements] == [f"{letter}/deliveries/1", f"{letter}/deliveries/2"]
    assert [one.position for one in [*sent.statements, *received.statements]] == [1, 2, 3]
    for one in [*sent.statements, *received.statements]:
        payload = verify_statement(one.jws, evidence.seal)
        assert one.name == f"statements/{payload.jti}"
        assert one.event in payload.events
        assert len(leaf_entry(one.jws, one.salt)) == 32
    assert not (await listing(evidence, "other")).statements


async def test_a_parent_narrows_the_list_and_opens_nothing(evidence: Evidence) -> None:
    first, second = await evidence.letter(), await evidence.letter()
    for who, parent, subjects in (
        ("bank", first, [f"{first}/deliveries/1", f"{first}/deliveries/2"]),
        ("bank", f"{second}/deliveries/2", [f"{second}/deliveries/2"]),
        ("interior", second, [second]),
        ("interior", f"{second}/deliveries/2", []),
        ("other", first, []),
        ("other", f"{first}/deliveries/1", []),
        ("other", "bodies/bank", []),
    ):
        found = await listing(evidence, who, parent=parent)
        assert [one.subject for one in found.statements] == subjects, (who, parent)


async def test_what_is_not_numbered_is_not_listed(evidence: Evidence) -> None:
    await evidence.letter(numbered=False)
    assert not (await listing(evidence, "interior")).statements
    await evidence.number()
    assert len((await listing(evidence, "interior")).statements) == 1


async def test_pages_follow_one_another_without_gap_or_repeat(evidence: Evidence) -> None:
    for _ in range(4):
        await evidence.letter()
    seen, token = [], ""
    while True:
        page = await listing(evidence, "bank", page_size=3, page_token=token)
        seen += [one.position for one in page.statements]
        token = page.next_page_token
        if not token:
            break
        assert len(page.statements) == 3
        await evidence.letter()  # what is stated meanwhile comes later, and moves nothing
        if len(seen) > 20:
            break
    everything = await listing(evidence, "bank", page_size=10_000)
    assert seen == [one.position for one in everything.statements][: len(seen)]
    assert len(seen) > 8


async def test_a_page_of_long_statements_fits_into_a_message(evidence: Evidence) -> None:
    evidence.put_long_statements(9)
    seen, token = [], ""
    while True:
        page = await listing(evidence, "bank", page_size=500, page_token=token)
        seen += [one.position for one in page.statements]
        token = page.next_page_token
        if not token:
            break
    assert seen == list(range(1, 10))


async def test_no_more_is_read_than_one_answer_holds(evidence: Evidence) -> None:
    """However many statements are asked for: long ones are bounded in the database, not in this process."""
    evidence.put_long_statements(9)
    for parent in ("", "bodies/bank"):
        async with evidence.pool.connection() as connection:
            found = await store.list_statements(
                connection, "bodies/bank", 3, parent=parent, txn=parent, after=0, limit=500, room_bytes=2 * 1024 * 1024
            )
        assert [one.position for one in found] == [1, 2, 3], "the third goes beyond it, and is the last"


async def test_a_list_reads_no_more_than_it_shows(fresh_postgres: Postgres) -> None:
    """However much is other bodies', or of a classification that the caller may not see."""
    with psycopg.connect(fresh_postgres.owner_url) as connection:
        connection.execute(
            """
            INSERT INTO ledger.statement (id, position, event, subject, sequence, txn, source, sender_body,
                recipient_body, stated_at, salt, digest, jws, classification)
            SELECT gen_random_uuid(), n, 'e', 's', n, 't' || n, 'intake', 'bodies/a', 'bodies/b', now(), sha256(''),
                sha256(n::text::bytea), 'jws', CASE WHEN n % 5000 = 0 THEN 1 ELSE 3 END
            FROM generate_series(1, 20000) AS n
            """
        )
        connection.execute("ANALYZE ledger.statement")
        for body in ("bodies/a", "bodies/b", "bodies/none"):
            asked = {"caller_body": body, "clearance": 2, "after": 0, "last": 2**63 - 1, "limit": 100, "bytes": 2**21}
            plan = connection.execute(f"EXPLAIN (ANALYZE, TIMING OFF) {store.LIST_OF_BODY}".encode(), asked).fetchall()
            removed = [line for (line,) in plan if "Rows Removed" in line or "Seq Scan" in line]
            assert removed == [], "\n".join(line for (line,) in plan)


async def test_a_page_token_is_of_one_caller_and_one_query(evidence: Evidence) -> None:
    letter = await evidence.letter()
    token = (await listing(evidence, "bank", page_size=1)).next_page_token
    assert token
    for who, query in (
        ("interior", {"page_token": token}),
        ("bank", {"page_token": token, "parent": letter}),
        ("bank", {"page_token": token[:-4]}),
        ("bank", {"page_token": "a"}),
    ):
        wanted = ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")
        assert await refusal(listing(evidence, who, **query)) == wanted, query


@pytest.mark.parametrize(
    "parent", ["letters/x", "letters/x/deliveries/1", "bodies/", "books/bank/main/in/1405", "x'--"]
)
async def test_a_parent_of_no_kind_is_refused(evidence: Evidence, parent: str) -> None:
    assert await refusal(listing(evidence, "bank", parent=parent)) == ("INVALID_ARGUMENT", "PARENT_INVALID")


async def test_fields_beyond_their_limits_are_refused(evidence: Evidence) -> None:
    for query in ({"page_size": -1}, {"parent": "l" * 121}, {"page_token": "t" * 1025}):
        assert await refusal(listing(evidence, "bank", **query)) == ("INVALID_ARGUMENT", "REQUEST_INVALID"), query


async def test_who_may_call_what(evidence: Evidence) -> None:
    assert (await refusal(listing(evidence, "worker")))[0] == "PERMISSION_DENIED"
    assert (await refusal(listing(evidence, "nobody")))[0] == "PERMISSION_DENIED"
    assert (await refusal(listing(evidence, "unlisted")))[0] == "UNAUTHENTICATED"
    for who in ("bank", "intake"):
        async with Follower(evidence, "one", who=who) as stranger:
            assert (await refusal(stranger.follow()))[0] == "PERMISSION_DENIED", who
            assert (await refusal(stranger.advance(0, 0, lease="x")))[0] == "PERMISSION_DENIED", who


@pytest.mark.parametrize(
    ("classification", "shown_to", "hidden_from"),
    [
        (CLASSIFICATION_CONFIDENTIAL, ["interior-cleared", "bank-cleared", "bank-half-cleared"], ["interior", "bank"]),
        (
            CLASSIFICATION_HIGHLY_CONFIDENTIAL,
            ["interior-cleared", "bank-cleared"],
            ["interior", "bank", "bank-half-cleared"],
        ),
    ],
)
async def test_a_classified_letter_does_not_exist_without_the_clearance(
    evidence: Evidence, classification: int, shown_to: list[str], hidden_from: list[str]
) -> None:
    normal, classified = await evidence.letter(), await evidence.letter(classification=classification)
    for who in (*shown_to, *hidden_from, "other-cleared"):
        whole = await listing(evidence, who)
        seen = {one.subject.partition("/deliveries")[0] for one in whole.statements}
        assert seen == ({normal, classified} if who in shown_to else {normal} if who in hidden_from else set()), who
        for letter in (normal, classified):
            found = (await listing(evidence, who, parent=letter)).statements
            assert bool(found) == (letter in seen), (who, letter)
        found = (await listing(evidence, who, parent=f"{classified}/deliveries/1")).statements
        assert bool(found) == (who in shown_to and who.startswith("bank"))


async def test_pages_have_no_gap_where_something_is_hidden(evidence: Evidence) -> None:
    kinds = (None, CLASSIFICATION_HIGHLY_CONFIDENTIAL, CLASSIFICATION_CONFIDENTIAL, CLASSIFICATION_HIGHLY_CONFIDENTIAL)
    letters = [await evidence.letter(classification=kind) for kind in (*kinds, None, None)]
    for who, visible in (("bank", {0, 4, 5}), ("bank-half-cleared", {0, 2, 4, 5}), ("bank-cleared", set(range(6)))):
        wanted = [f"{letters[place]}/deliveries/{n}" for place in sorted(visible) for n in (1, 2)]
        for size in (1, 2, 5):
            seen, token = [], ""
            while page := await listing(evidence, who, page_size=size, page_token=token):
                seen += [one.subject for one in page.statements]
                token = page.next_page_token
                if not token:
                    break
            assert seen == wanted, (who, size)


async def test_whatever_a_service_states_of_a_letter_is_classified_as_it_began(evidence: Evidence) -> None:
    await evidence.letter(classification=CLASSIFICATION_CONFIDENTIAL)
    await evidence.letter()
    rows = evidence.rows(b"SELECT subject ~ 'deliveries', classification FROM ledger.statement ORDER BY ordinal")
    assert rows == [(False, 2), (True, 2), (True, 2), (False, 1), (True, 1), (True, 1)]
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        evidence.rows(b"UPDATE ledger.statement SET classification = 1 WHERE classification = 2")
