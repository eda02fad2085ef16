"""What stands in a database of the release before gets its classification."""

import shutil
import uuid
from pathlib import Path

import psycopg
from psycopg import conninfo

from infra.local.postgres import SCHEMA_DIRECTORY, apply_schema
from tests.conftest import Postgres

_LETTER = f"letters/{uuid.uuid4()}"
_BEFORE = """
INSERT INTO intake.definition (name, sha256, file) VALUES ('definitions/letter/1', sha256(''), '');
INSERT INTO intake.letter (name, request_sha256, sender_body, sender_office, sender_certificate_sha256, definition,
    definition_sha256, priority, classification, subject, recipient_count, manifest, manifest_sha256, signatures,
    documents, documents_sha256, book, sequence, number_text, registered_at, retain_until, close_at,
    submission_acceptance, submission_acceptance_sha256)
SELECT '{letter}', sha256(''), 'bodies/a', 'bodies/a/offices/o', sha256(''), 'definitions/letter/1', sha256(''), 1, 3,
    's', 1, '', sha256(''), '{{}}', '{{}}', '{{}}', 'books/a/o/out-confidential/1405', 1, '1', now(), now(), now(),
    gen_random_uuid(), sha256('');
INSERT INTO ledger.statement (id, position, event, subject, sequence, txn, source, stated_at, salt, digest, jws)
SELECT gen_random_uuid(), n, 'e', txn, n, txn, 'intake', now(), sha256(''), sha256(n::text::bytea), 'jws'
FROM (VALUES (1, '{letter}'), (2, 'bodies/a')) AS stated (n, txn);
"""


def test_statements_of_before_are_classified_as_their_letters(postgres: Postgres, tmp_path: Path) -> None:
    before = tmp_path / "before"
    shutil.copytree(SCHEMA_DIRECTORY, before, ignore=lambda _, names: [name for name in names if name[:3] >= "008"])
    with psycopg.connect(postgres.owner_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE dabir_of_before")
    url = conninfo.make_conninfo(postgres.owner_url, dbname="dabir_of_before")
    apply_schema(url, before)
    with psycopg.connect(url) as connection:
        connection.execute(_BEFORE.format(letter=_LETTER).encode())
    apply_schema(url)
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT txn, classification FROM ledger.statement ORDER BY position").fetchall()
        assert found == [(_LETTER, 3), ("bodies/a", 1)]
