-- Telling bodies that something waits for them: where they want to be told, and how far each telling got.
--
-- A notification holds ids, never content. What became of `delivery.available` is also stated, in the ledger.

CREATE SCHEMA notifications;
GRANT USAGE ON SCHEMA notifications TO notifications;

CREATE TABLE notifications.endpoint (
    id uuid PRIMARY KEY,
    body text COLLATE "C" NOT NULL CHECK (body ~ '^bodies/[a-z][a-z0-9-]{1,62}$'),
    url text NOT NULL CHECK (length(url) BETWEEN 8 AND 2000),
    event_types text[] NOT NULL,
    secret bytea NOT NULL CHECK (octet_length(secret) BETWEEN 24 AND 64),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    failing_since timestamptz,
    ended_at timestamptz
);
COMMENT ON TABLE notifications.endpoint IS
    'Where a body wants to be told. Made: by CreateEndpoint. Changed: failing_since by the first failure after a success '
    'and by the next success; ended_at, once, by DeleteEndpoint or by an answer 410 Gone. Deleted: never, so that its id '
    'is not used again.';
COMMENT ON COLUMN notifications.endpoint.event_types IS 'What it wants to be told of; empty: everything.';
COMMENT ON COLUMN notifications.endpoint.secret IS 'The HMAC key that its webhooks are signed with (Standard Webhooks 1.0.0).';

CREATE INDEX endpoint_of_body ON notifications.endpoint (body, id) WHERE ended_at IS NULL;

CREATE TABLE notifications.notification (
    id uuid PRIMARY KEY,
    body text COLLATE "C" NOT NULL,
    event_type text NOT NULL,
    letter text COLLATE "C" NOT NULL,
    delivery text COLLATE "C" NOT NULL,
    sender_body text COLLATE "C" NOT NULL,
    occurred_at timestamptz NOT NULL,
    endpoint_count integer NOT NULL CHECK (endpoint_count >= 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    outcome text CHECK (outcome IN ('DELIVERED', 'FAILED')),
    statement uuid
);
COMMENT ON TABLE notifications.notification IS
    'What a body is told. Made: by Notify. Changed: outcome, once, with the first webhook that arrived or the last that '
    'did not, and with it statement. Deleted: never.';
COMMENT ON COLUMN notifications.notification.endpoint_count IS 'How many endpoints it went to; with none there is no outcome.';
COMMENT ON COLUMN notifications.notification.statement IS
    'NotificationForAcceptance or …Failure; only of `delivery.available`.';

CREATE TABLE notifications.attempt (
    notification uuid NOT NULL REFERENCES notifications.notification (id),
    endpoint uuid NOT NULL REFERENCES notifications.endpoint (id),
    tries integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    next_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    outcome text CHECK (outcome IN ('DELIVERED', 'FAILED')),
    last_result text,
    ended_at timestamptz,
    PRIMARY KEY (notification, endpoint),
    CHECK ((outcome IS NULL) = (ended_at IS NULL))
) WITH (fillfactor = 70);
COMMENT ON TABLE notifications.attempt IS
    'One notification to one endpoint. Made: with the notification. Changed: tries and next_at when it is claimed (next_at '
    'is then when the claim is over) and after each failure; outcome and ended_at, once, at the end. Deleted: never.';
COMMENT ON COLUMN notifications.attempt.last_result IS 'What came of the last try: `HTTP_200`, `TIMEOUT`, `CONNECTION_FAILED`, …';

CREATE INDEX attempt_waiting ON notifications.attempt (endpoint, next_at) WHERE outcome IS NULL;

GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA notifications TO notifications;
GRANT UPDATE (failing_since, ended_at) ON notifications.endpoint TO notifications;
GRANT UPDATE (outcome, statement) ON notifications.notification TO notifications;
GRANT UPDATE (tries, next_at, outcome, last_result, ended_at) ON notifications.attempt TO notifications;
