-- Documents: what was uploaded, where its segments lie in S3, which letter claims it, who got it.
--
-- The bytes are in S3 under keys that are used once; a row stands here before anything is written there, so what a crash
-- leaves in S3 is always known and swept.

CREATE SCHEMA documents;
GRANT USAGE ON SCHEMA documents TO documents;

CREATE TABLE documents.document (
    name text COLLATE "C" PRIMARY KEY CHECK (name ~ '^documents/[0-9a-f-]{36}$'),
    owner_body text COLLATE "C" NOT NULL,
    media_type text NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    format smallint NOT NULL CHECK (format = 1),
    state text NOT NULL DEFAULT 'UPLOADING'
        CHECK (state IN ('UPLOADING', 'INSPECTING', 'READY', 'REJECTED', 'SWEEPING')),
    rejection_reason text NOT NULL DEFAULT '',
    rejection_message text NOT NULL DEFAULT '',
    pages integer NOT NULL DEFAULT 0 CHECK (pages >= 0),
    retain_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (state = 'SWEEPING' OR (state = 'REJECTED') = (rejection_reason <> ''))
);
COMMENT ON TABLE documents.document IS
    'A document (سند) and where it stands. Made: at its upload''s first header. Changed: state as it goes, pages and '
    'rejection by the inspection, retain_until when retention was read back, changed_at with all of these and with each '
    'segment. Deleted: by the sweep, when no letter claimed it in time; never while claimed.';
COMMENT ON COLUMN documents.document.format IS
    'How the bytes lie in S3. 1: as uploaded, in segments of exactly 8 MiB but the last. Locked objects can never be '
    're-encoded, so a new encoding is a new number.';
COMMENT ON COLUMN documents.document.sha256 IS 'As declared; found equal when the state is READY.';
COMMENT ON COLUMN documents.document.changed_at IS 'What the sweep''s periods count from.';

CREATE INDEX document_to_sweep ON documents.document (changed_at) WHERE state <> 'READY';
CREATE INDEX document_ready ON documents.document (changed_at) WHERE state = 'READY' AND retain_until IS NULL;

CREATE TABLE documents.segment (
    document text COLLATE "C" NOT NULL REFERENCES documents.document (name) ON DELETE CASCADE,
    number integer NOT NULL CHECK (number > 0),
    attempt bigint GENERATED ALWAYS AS IDENTITY,
    size_bytes integer NOT NULL CHECK (size_bytes BETWEEN 1 AND 8388608),
    began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sha256 bytea CHECK (octet_length(sha256) = 32),
    version text,
    PRIMARY KEY (document, number, attempt),
    CHECK ((sha256 IS NULL) = (version IS NULL))
);
COMMENT ON TABLE documents.segment IS
    'Attempts to store a segment in S3, under the key {document}/{number}/{attempt}. Made: before the PUT. Changed: '
    'sha256 and version, once, when the PUT was acknowledged: from then on the segment is safe. Deleted: by the sweep, '
    'an abandoned attempt after its objects, the others with their document.';
COMMENT ON COLUMN documents.segment.attempt IS
    'Counts over all documents, so that a key is used once even when a swept document''s id comes again.';
COMMENT ON COLUMN documents.segment.version IS 'The version id S3 gave: reads name it, so a later PUT to the key changes nothing.';

-- Of several streams of one upload, one stores each segment.
CREATE UNIQUE INDEX segment_stored ON documents.segment (document, number) WHERE version IS NOT NULL;
CREATE INDEX segment_unstored ON documents.segment (began_at) WHERE version IS NULL;

CREATE TABLE documents.claim (
    document text COLLATE "C" PRIMARY KEY REFERENCES documents.document (name),
    letter text COLLATE "C" NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    registered boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE documents.claim IS
    'Which letter a document belongs to. Made: by ClaimDocuments, before the letter is registered. Changed: claimed_at by '
    'each repetition, registered when the letter''s chain was seen in the ledger. Deleted: when a day after claimed_at '
    'the letter has no chain.';
CREATE INDEX claim_of_letter ON documents.claim (letter);
CREATE INDEX claim_unsettled ON documents.claim (claimed_at) WHERE NOT registered;

CREATE TABLE documents.handover (
    delivery text COLLATE "C" PRIMARY KEY,
    acceptance_sha256 bytea NOT NULL CHECK (octet_length(acceptance_sha256) = 32),
    recipient_body text COLLATE "C" NOT NULL,
    statement uuid
);
COMMENT ON TABLE documents.handover IS
    'A delivery whose recipient confirms what it downloaded. Made: at the first ConfirmDownload. Changed: statement, once, '
    'in the transaction that states ContentHandover. Deleted: never.';

CREATE TABLE documents.confirmation (
    delivery text COLLATE "C" NOT NULL REFERENCES documents.handover (delivery),
    document text COLLATE "C" NOT NULL,
    confirmed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (delivery, document)
);
COMMENT ON TABLE documents.confirmation IS
    'A document that the recipient says came whole, by its digest. Made: by ConfirmDownload. Changed, deleted: never.';

GRANT SELECT, INSERT, UPDATE, DELETE ON documents.document, documents.segment, documents.claim TO documents;
GRANT SELECT, INSERT, UPDATE ON documents.handover TO documents;
GRANT SELECT, INSERT ON documents.confirmation TO documents;
