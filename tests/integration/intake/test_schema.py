"""What was answered in a database of the release before finds the statement that ended it."""

import shutil
import uuid
from pathlib import Path

import psycopg
from psycopg import conninfo

from infra.local.postgres import SCHEMA_DIRECTORY, apply_schema
from tests.conftest import Postgres

_LETTER = f"letters/{uuid.uuid4()}"
_ANSWERED = uuid.uuid4()
_BEFORE = """
INSERT INTO intake.definition (name, sha256, file) VALUES ('definitions/letter/1', sha256(''), '');
INSERT INTO intake.letter (name, request_sha256, sender_body, sender_office, sender_certificate_sha256, definition,
    definition_sha256, priority, classification, subject, recipient_count, manifest, manifest_sha256, signatures,
    documents, documents_sha256, book, sequence, number_text, registered_at, retain_until, close_at,
    submission_acceptance, submission_acceptance_sha256)
SELECT '{letter}', sha256(''), 'bodies/a', 'bodies/a/offices/o', sha256(''), 'definitions/letter/1', sha256(''), 1, 1,
    's', 2, '', sha256(''), '{{}}', '{{}}', '{{}}', 'books/a/o/out/1405', 1, '1', now(), now(), now(),
    gen_random_uuid(), sha256('');
INSERT INTO intake.delivery (name, letter, number, sender_body, sender_office, recipient_body, recipient_office,
    classification, kind, position, documents, acceptance_needed, answer_needed, state, book, sequence, number_text,
    available_at, decided_at, decision, return_until, answered_at, answer)
SELECT '{letter}/deliveries/' || n, '{letter}', n, 'bodies/a', 'bodies/a/offices/o', 'bodies/b', 'bodies/b/offices/o',
    1, 'TO', '', '{{}}', false, false, state, 'books/b/o/in/1405', n, n::text, now(), now(), gen_random_uuid(), now(),
    answered_at, answer
FROM (VALUES (1, 'ANSWERED', now(), 'letters/x'), (2, 'ACCEPTED', NULL, NULL)) AS d (n, state, answered_at, answer);
INSERT INTO ledger.statement (id, event, subject, sequence, txn, source, stated_at, salt, digest, jws)
SELECT CASE WHEN event LIKE '%answered' THEN '{answered}' ELSE gen_random_uuid() END::uuid, event,
    '{letter}/deliveries/1', n, '{letter}', 'intake', now(), sha256(''), sha256(n::text::bytea), 'jws'
FROM (VALUES (1, 'urn:dabir:event:available'), (2, 'urn:dabir:event:answered')) AS stated (n, event);
INSERT INTO ledger.link (chain, sequence, statement) SELECT subject, sequence, id FROM ledger.statement;
"""


def test_what_was_answered_before_finds_its_statement(postgres: Postgres, tmp_path: Path) -> None:
    before = tmp_path / "before"
    shutil.copytree(SCHEMA_DIRECTORY, before, ignore=lambda _, names: [name for name in names if name[:3] >= "009"])
    with psycopg.connect(postgres.owner_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE dabir_before_recalls")
    url = conninfo.make_conninfo(postgres.owner_url, dbname="dabir_before_recalls")
    apply_schema(url, before)
    with psycopg.connect(url) as connection:
        connection.execute(_BEFORE.format(letter=_LETTER, answered=_ANSWERED).encode())
    apply_schema(url)
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT state, ended_by, ended_at = answered_at FROM intake.delivery ORDER BY number")
        assert rows.fetchall() == [("ANSWERED", _ANSWERED, True), ("ACCEPTED", None, None)]
