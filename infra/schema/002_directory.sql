-- Directory: who takes part, with which offices, and what each certificate may be used for.

CREATE SCHEMA directory;
GRANT USAGE ON SCHEMA directory TO directory;

CREATE TABLE directory.body (
    name text COLLATE "C" PRIMARY KEY CHECK (name ~ '^bodies/[a-z][a-z0-9-]{1,62}$'),
    display_name_fa text NOT NULL,
    display_name_en text NOT NULL,
    time_zone text NOT NULL,
    calendar text NOT NULL CHECK (calendar IN ('JALALI', 'GREGORIAN')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE directory.body IS
    'A body (دستگاه). Made: by CreateBody, and from the seed file at the first start. Changed, deleted: never; a name is '
    'never used again.';
COMMENT ON COLUMN directory.body.time_zone IS 'IANA name of the zone in which the year of its books turns.';

CREATE TABLE directory.office (
    name text COLLATE "C" PRIMARY KEY CHECK (name ~ '^bodies/[a-z][a-z0-9-]{1,62}/offices/[a-z][a-z0-9-]{1,62}$'),
    body text COLLATE "C" NOT NULL REFERENCES directory.body (name),
    display_name_fa text NOT NULL,
    display_name_en text NOT NULL,
    number_pattern text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (starts_with(name, body || '/offices/'))
);
COMMENT ON TABLE directory.office IS
    'An office (دبیرخانه) of a body. Made: by CreateOffice, and from the seed file at the first start. Changed, deleted: '
    'never.';

CREATE INDEX office_by_body ON directory.office (body, name);

CREATE TABLE directory.certificate (
    sha256 bytea PRIMARY KEY CHECK (octet_length(sha256) = 32),
    ordinal bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    owner text COLLATE "C" NOT NULL CHECK (owner ~ '^(bodies|services)/[a-z][a-z0-9-]{1,62}$'),
    body text COLLATE "C" GENERATED ALWAYS AS (CASE WHEN starts_with(owner, 'bodies/') THEN owner END) STORED
        REFERENCES directory.body (name),
    purpose text NOT NULL CHECK (purpose IN ('tls', 'sign', 'seal')),
    position text NOT NULL,
    roles text[] NOT NULL,
    der bytea NOT NULL,
    issuers bytea[] NOT NULL,
    root bytea NOT NULL,
    not_before timestamptz NOT NULL,
    not_after timestamptz NOT NULL,
    added_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revocation_reason text NOT NULL DEFAULT '',
    CHECK ((position <> '') = (purpose = 'sign')),
    CHECK (purpose = 'tls' OR roles = '{}'),
    CHECK ((revoked_at IS NULL) = (revocation_reason = ''))
);
COMMENT ON TABLE directory.certificate IS
    'A certificate and what it may be used for. Made: by AddCertificate, and from the seed file at the first start, with '
    'the statement certificate-added of its body. Changed: revoked_at and revocation_reason, once, by RevokeCertificate, '
    'with the statement certificate-revoked. Deleted: never.';
COMMENT ON COLUMN directory.certificate.ordinal IS 'The order in which they were added.';
COMMENT ON COLUMN directory.certificate.owner IS 'A body, or one of the hub''s services (its seal).';
COMMENT ON COLUMN directory.certificate.issuers IS 'DER, nearest first, without the root.';
COMMENT ON COLUMN directory.certificate.root IS 'DER: the configured root that the chain ended in when it was added.';
COMMENT ON COLUMN directory.certificate.added_at IS 'For a body: by ledger.clock(), as its statement says.';

CREATE INDEX certificate_by_owner ON directory.certificate (owner, ordinal);

GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA directory TO directory;
GRANT UPDATE (revoked_at, revocation_reason) ON directory.certificate TO directory;
