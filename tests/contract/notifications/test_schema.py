"""What stands in a database of the release before gets its classification and its clearance."""

import shutil
import uuid
from pathlib import Path

import psycopg
from psycopg import conninfo

from infra.local.postgres import SCHEMA_DIRECTORY, apply_schema
from tests.conftest import Postgres

_NORMAL, _CONFIDENTIAL, _UNKNOWN = (f"letters/{uuid.uuid4()}" for _ in range(3))
_BEFORE = """
INSERT INTO ledger.statement
    (id, event, subject, sequence, txn, source, stated_at, salt, digest, jws, classification)
SELECT gen_random_uuid(), 'e', letter, 1, letter, 'intake', now(), sha256(''), sha256(letter::bytea), 'jws', n
FROM (VALUES (1, '{normal}'), (2, '{confidential}')) AS stated (n, letter);
INSERT INTO ledger.link (chain, sequence, statement) SELECT subject, sequence, id FROM ledger.statement;
INSERT INTO notifications.notification
    (id, body, event_type, letter, delivery, sender_body, occurred_at, endpoint_count)
SELECT gen_random_uuid(), 'bodies/cleared', 'delivery.late', letter, '', '', now(), 0
FROM unnest(ARRAY['{normal}', '{confidential}', '{unknown}']) AS letter;
INSERT INTO directory.body (name, display_name_fa, display_name_en, time_zone, calendar)
SELECT 'bodies/' || name, '', '', 'Asia/Tehran', 'JALALI' FROM unnest('{{cleared,mixed,half}}'::text[]) AS name;
INSERT INTO directory.certificate
    (sha256, owner, purpose, position, roles, der, issuers, root, not_before, not_after, added_at)
SELECT sha256((owner || n)::bytea), 'bodies/' || owner, purpose, CASE purpose WHEN 'sign' THEN 'p' ELSE '' END,
    roles::text[], '', '{{}}', '', now(), now(), now()
FROM (VALUES
    (1, 'cleared', 'tls', '{{clearance_confidential,clearance_highly_confidential,sender}}'),
    (2, 'cleared', 'tls', '{{clearance_highly_confidential,recipient}}'),
    (3, 'cleared', 'tls', '{{reader}}'),
    (4, 'cleared', 'sign', '{{}}'),
    (1, 'half', 'tls', '{{clearance_confidential,recipient}}'),
    (2, 'half', 'tls', '{{clearance_highly_confidential,sender}}'),
    (1, 'mixed', 'tls', '{{clearance_highly_confidential,sender}}'),
    (2, 'mixed', 'tls', '{{recipient}}')
) AS listed (n, owner, purpose, roles);
INSERT INTO notifications.endpoint (id, body, url, event_types, secret)
SELECT gen_random_uuid(), 'bodies/' || name, 'https://x.example', '{{}}', sha256('')
FROM unnest('{{cleared,mixed,half,unlisted}}'::text[]) AS name;
"""


def test_what_stands_is_classified_and_cleared_as_far_as_is_known(postgres: Postgres, tmp_path: Path) -> None:
    before = tmp_path / "before"
    shutil.copytree(SCHEMA_DIRECTORY, before, ignore=lambda _, names: [name for name in names if name[:3] >= "013"])
    with psycopg.connect(postgres.owner_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE dabir_before_clearance")
    url = conninfo.make_conninfo(postgres.owner_url, dbname="dabir_before_clearance")
    apply_schema(url, before)
    letters = {"normal": _NORMAL, "confidential": _CONFIDENTIAL, "unknown": _UNKNOWN}
    with psycopg.connect(url) as connection:
        connection.execute(_BEFORE.format(**letters).encode())
    apply_schema(url)
    with psycopg.connect(url) as connection:
        told = connection.execute("SELECT letter, classification FROM notifications.notification").fetchall()
        assert dict(told) == {_NORMAL: 1, _CONFIDENTIAL: 2, _UNKNOWN: 5}
        endpoints = connection.execute("SELECT body, clearance FROM notifications.endpoint").fetchall()
        assert dict(endpoints) == {"bodies/cleared": 3, "bodies/half": 2, "bodies/mixed": 1, "bodies/unlisted": 1}
