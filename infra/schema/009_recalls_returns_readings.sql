-- Recalls, returns and readings: what comes of a delivery after it was decided, and what withdraws it before.

CREATE TABLE intake.recall (
    letter text COLLATE "C" NOT NULL REFERENCES intake.letter (name),
    sha256 bytea NOT NULL,
    recall bytea NOT NULL CHECK (sha256(recall) = sha256),
    signature bytea NOT NULL,
    numbers integer[] NOT NULL CHECK (cardinality(numbers) BETWEEN 1 AND 500),
    statement uuid NOT NULL,
    asked_at timestamptz NOT NULL,
    PRIMARY KEY (letter, sha256)
);
COMMENT ON TABLE intake.recall IS
    'Recalls as signed. A delivery stands in at most one. Made: with the statement of it, under the lock of the letter''s '
    'chain. Changed, deleted: never.';
COMMENT ON COLUMN intake.recall.numbers IS 'Of the deliveries recalled, ascending; all of them written out.';

CREATE TABLE intake.reading (
    request_id uuid PRIMARY KEY,
    request_sha256 bytea NOT NULL CHECK (octet_length(request_sha256) = 32),
    statement uuid NOT NULL
);
COMMENT ON TABLE intake.reading IS
    'That persons read deliveries, so that a repeated request finds its statement. Made: with the statement. Changed, '
    'deleted: never.';

ALTER TABLE intake.delivery
    ADD COLUMN ended_at timestamptz,
    ADD COLUMN ended_by uuid,
    ADD COLUMN first_read_at timestamptz,
    ADD COLUMN first_read_by text,
    ADD COLUMN recall_answer smallint CHECK (recall_answer IN (4, 5)),
    ADD COLUMN recall_answered_at timestamptz,
    ADD COLUMN recall_answered_by uuid;
COMMENT ON COLUMN intake.delivery.ended_by IS
    'The jti of the statement that ended it: returned, answered, withdrawn or, of a granted recall, recall-answered.';
COMMENT ON COLUMN intake.delivery.first_read_by IS 'The position of the person who read it first; each has a statement.';
COMMENT ON COLUMN intake.delivery.recall_answer IS 'The number of dabir.common.v1.Verdict: granted or refused.';
COMMENT ON COLUMN intake.delivery.recall_answered_by IS 'The jti of the statement of the recall''s answer.';

-- What was answered before this file.
UPDATE intake.delivery AS d SET ended_at = d.answered_at, ended_by = s.id
    FROM ledger.link AS l JOIN ledger.statement AS s ON s.id = l.statement AND s.event = 'urn:dabir:event:answered'
    WHERE l.chain = d.name AND d.state = 'ANSWERED';

-- The release before answers without ended_by, and knows no other end.
ALTER TABLE intake.delivery
    ADD CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    ADD CHECK (state NOT IN ('RETURNED', 'WITHDRAWN') OR ended_by IS NOT NULL),
    ADD CHECK (state <> 'RETURNED' OR reason IS NOT NULL),
    ADD CHECK ((first_read_at IS NULL) = (first_read_by IS NULL)),
    ADD CHECK ((recall_answer IS NULL) = (recall_answered_at IS NULL)),
    ADD CHECK ((recall_answer IS NULL) = (recall_answered_by IS NULL));

GRANT SELECT, INSERT ON intake.recall, intake.reading TO intake;
GRANT UPDATE (ended_at, ended_by, first_read_at, first_read_by, recall_answer, recall_answered_at, recall_answered_by)
    ON intake.delivery TO intake;
