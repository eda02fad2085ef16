-- The registry office: letters, deliveries, receipts, and what their signatures were checked with.
--
-- What was stated of a letter stands in the ledger; these rows hold what the next decision needs and what readers ask
-- for, and change only in the transaction of a statement. Nothing registered is ever changed: only states, instants and
-- the references to statements move.

CREATE SCHEMA intake;
GRANT USAGE ON SCHEMA intake TO intake;

CREATE TABLE intake.definition (
    name text COLLATE "C" PRIMARY KEY CHECK (name ~ '^definitions/[a-z][a-z0-9-]{1,62}/[1-9][0-9]{0,5}$'),
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    file bytea NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (name, sha256)
);
COMMENT ON TABLE intake.definition IS
    'Every definition this hub ever offered, with its file, so that a letter keeps the version it began with even when '
    'the file is gone. Made: when a process first loads it. Changed, deleted: never; a change is a new version.';

CREATE TABLE intake.trust_material (
    sha256 bytea PRIMARY KEY CHECK (octet_length(sha256) = 32),
    der bytea NOT NULL CHECK (sha256(der) = sha256)
);
COMMENT ON TABLE intake.trust_material IS
    'Certificates and CRLs, DER, that signatures were checked with; statements name them by digest. Made: before the first '
    'transaction that names it. Changed, deleted: never.';

CREATE TABLE intake.letter (
    name text COLLATE "C" PRIMARY KEY CHECK (name ~ '^letters/[0-9a-f-]{36}$'),
    request_sha256 bytea NOT NULL CHECK (octet_length(request_sha256) = 32),
    sender_body text COLLATE "C" NOT NULL,
    sender_office text COLLATE "C" NOT NULL,
    sender_certificate_sha256 bytea NOT NULL CHECK (octet_length(sender_certificate_sha256) = 32),
    definition text COLLATE "C" NOT NULL,
    definition_sha256 bytea NOT NULL,
    priority smallint NOT NULL CHECK (priority BETWEEN 1 AND 3),
    classification smallint NOT NULL CHECK (classification BETWEEN 1 AND 5),
    subject text NOT NULL,
    recipient_count integer NOT NULL CHECK (recipient_count BETWEEN 1 AND 500),
    manifest bytea NOT NULL,
    manifest_sha256 bytea NOT NULL CHECK (sha256(manifest) = manifest_sha256),
    signatures bytea[] NOT NULL,
    documents text[] NOT NULL,
    documents_sha256 bytea[] NOT NULL,
    book text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0),
    number_text text NOT NULL,
    registered_at timestamptz NOT NULL,
    acceptance_due timestamptz,
    answer_due timestamptz,
    retain_until timestamptz NOT NULL,
    close_at timestamptz NOT NULL,
    urgent_unacked_at timestamptz,
    submission_acceptance uuid NOT NULL,
    submission_acceptance_sha256 bytea NOT NULL CHECK (octet_length(submission_acceptance_sha256) = 32),
    state text NOT NULL DEFAULT 'OPEN' CHECK (state IN ('OPEN', 'CLOSED')),
    unclaimed boolean NOT NULL DEFAULT false,
    closed_at timestamptz,
    FOREIGN KEY (definition, definition_sha256) REFERENCES intake.definition (name, sha256),
    UNIQUE (sender_body, manifest_sha256),
    UNIQUE (book, sequence),
    CHECK ((state = 'CLOSED') = (closed_at IS NOT NULL)),
    CHECK (state = 'CLOSED' OR NOT unclaimed)
);
COMMENT ON TABLE intake.letter IS
    'Registered letters. Made: with the SubmissionAcceptance. Changed: state, unclaimed and closed_at, once, with '
    'the closing statement. Deleted: never.';
COMMENT ON COLUMN intake.letter.request_sha256 IS 'Over manifest, signatures and documents: the same request again is known by it.';
COMMENT ON COLUMN intake.letter.sender_certificate_sha256 IS 'Of the TLS certificate that submitted it.';
COMMENT ON COLUMN intake.letter.classification IS 'The number of dabir.common.v1.Classification: more is more secret.';
COMMENT ON COLUMN intake.letter.documents_sha256 IS 'Of the documents, in their order, as the manifest has them.';
COMMENT ON COLUMN intake.letter.submission_acceptance IS 'The jti of the statement, in the ledger.';

CREATE INDEX letter_of_sender ON intake.letter (sender_body, registered_at DESC, name DESC);
CREATE INDEX letter_open ON intake.letter (registered_at, name) WHERE state = 'OPEN';

CREATE TABLE intake.delivery (
    name text COLLATE "C" PRIMARY KEY,
    letter text COLLATE "C" NOT NULL REFERENCES intake.letter (name),
    number integer NOT NULL CHECK (number BETWEEN 1 AND 500),
    sender_body text COLLATE "C" NOT NULL,
    sender_office text COLLATE "C" NOT NULL,
    recipient_body text COLLATE "C" NOT NULL,
    recipient_office text COLLATE "C" NOT NULL,
    classification smallint NOT NULL CHECK (classification BETWEEN 1 AND 5),
    kind text NOT NULL CHECK (kind IN ('TO', 'COPY')),
    position text NOT NULL,
    documents integer[] NOT NULL,
    acceptance_needed boolean NOT NULL,
    answer_needed boolean NOT NULL,
    acceptance_due timestamptz,
    answer_due timestamptz,
    state text NOT NULL DEFAULT 'CREATED'
        CHECK (state IN ('CREATED', 'AVAILABLE', 'ACCEPTED', 'REFUSED', 'RETURNED', 'ANSWERED', 'WITHDRAWN')),
    book text COLLATE "C",
    sequence bigint CHECK (sequence > 0),
    number_text text,
    available_at timestamptz,
    decided_at timestamptz,
    decision uuid,
    reason smallint,
    return_until timestamptz,
    answered_at timestamptz,
    answer text COLLATE "C",
    late_acceptance boolean NOT NULL DEFAULT false,
    late_answer boolean NOT NULL DEFAULT false,
    UNIQUE (letter, number),
    UNIQUE (book, sequence),
    CHECK (name = letter || '/deliveries/' || number),
    CHECK ((book IS NULL) = (available_at IS NULL)),
    CHECK ((decision IS NULL) = (decided_at IS NULL)),
    CHECK (state IN ('CREATED', 'WITHDRAWN') OR available_at IS NOT NULL),
    CHECK (state IN ('CREATED', 'AVAILABLE', 'WITHDRAWN') OR decision IS NOT NULL),
    CHECK (state <> 'ANSWERED' OR (answer IS NOT NULL AND answered_at IS NOT NULL))
) WITH (fillfactor = 80);
COMMENT ON TABLE intake.delivery IS
    'One letter to one recipient. Made: with its letter. Changed: state, IN number, instants, lateness and references, '
    'under the row''s lock, with the statement of each. Deleted: never.';
COMMENT ON COLUMN intake.delivery.documents IS 'As in the manifest: indexes of the documents it gets; empty means all.';
COMMENT ON COLUMN intake.delivery.book IS 'The recipient office''s incoming book, with its year.';
COMMENT ON COLUMN intake.delivery.decision IS 'The jti of the statement that accepted or refused it.';
COMMENT ON COLUMN intake.delivery.reason IS 'The number of dabir.common.v1.ReturnReason.';
COMMENT ON COLUMN intake.delivery.return_until IS 'Until when it may be returned; set by its acceptance.';
COMMENT ON COLUMN intake.delivery.answer IS 'The letter that answered it.';

CREATE INDEX delivery_of_recipient ON intake.delivery (recipient_body, available_at DESC, name DESC)
    WHERE available_at IS NOT NULL;

CREATE TABLE intake.receipt (
    delivery text COLLATE "C" NOT NULL REFERENCES intake.delivery (name),
    sha256 bytea NOT NULL,
    receipt bytea NOT NULL CHECK (sha256(receipt) = sha256),
    signature bytea NOT NULL,
    statement uuid NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (delivery, sha256)
);
COMMENT ON TABLE intake.receipt IS
    'Receipts as signed, each of which decided something. Made: with the statement of it. Changed, deleted: never.';

CREATE TABLE intake.operator_action (
    request_id uuid PRIMARY KEY,
    request_sha256 bytea NOT NULL CHECK (octet_length(request_sha256) = 32),
    statement uuid NOT NULL
);
COMMENT ON TABLE intake.operator_action IS
    'What operators did, so that a repeated request finds its statement. Made: with the statement. Changed, deleted: never.';

GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA intake TO intake;
GRANT UPDATE (state, unclaimed, closed_at) ON intake.letter TO intake;
GRANT UPDATE (state, book, sequence, number_text, available_at, decided_at, decision, reason, return_until,
    answered_at, answer, late_acceptance, late_answer) ON intake.delivery TO intake;
