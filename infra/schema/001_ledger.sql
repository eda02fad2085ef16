-- The ledger: everything that happens to a letter is one signed row here, written in the transaction of the fact.
--
-- Books, feeds, webhooks, workflow signals and timelines are readings of it. It is append only. Services reach it
-- through the functions below and no other way; `evidence` reads it and gives positions.

CREATE SCHEMA ledger AUTHORIZATION ledger;
GRANT USAGE ON SCHEMA ledger TO directory, documents, evidence, intake, notifications;

-- The functions run with the rights of their owner, which can do nothing outside this schema and cannot log in.
SET LOCAL ROLE ledger;

CREATE TABLE ledger.event (
    uri text NOT NULL,
    service text NOT NULL,
    takes_number boolean NOT NULL DEFAULT false,
    PRIMARY KEY (uri, service)
);
COMMENT ON TABLE ledger.event IS
    'Which service may state which event (docs/formats.md). Made: by schema files. Changed, deleted: never at run time.';
COMMENT ON COLUMN ledger.event.takes_number IS 'A statement of this event takes the next number of a book.';

INSERT INTO ledger.event (uri, service, takes_number) VALUES
    ('http://uri.etsi.org/19522/Event/SubmissionAcceptance', 'intake', true),
    ('urn:dabir:event:recall', 'intake', false),
    ('urn:dabir:event:void', 'intake', false),
    ('urn:dabir:event:book-closed', 'intake', false),
    ('urn:dabir:event:available', 'intake', true),
    ('http://uri.etsi.org/19522/Event/ConsignmentAcceptance', 'intake', false),
    ('http://uri.etsi.org/19522/Event/ContentConsignment', 'intake', false),
    ('http://uri.etsi.org/19522/Event/ConsignmentRejection', 'intake', false),
    ('http://uri.etsi.org/19522/Event/AcceptanceRejectionExpiry', 'intake', false),
    ('http://uri.etsi.org/19522/Event/ContentAccessTracking', 'intake', false),
    ('urn:dabir:event:returned', 'intake', false),
    ('urn:dabir:event:answered', 'intake', false),
    ('urn:dabir:event:answer-overdue', 'intake', false),
    ('urn:dabir:event:withdrawn', 'intake', false),
    ('urn:dabir:event:recall-answered', 'intake', false),
    ('urn:dabir:event:closed', 'intake', false),
    ('http://uri.etsi.org/19522/Event/ContentHandover', 'documents', false),
    ('http://uri.etsi.org/19522/Event/NotificationForAcceptance', 'notifications', false),
    ('http://uri.etsi.org/19522/Event/NotificationForAcceptanceFailure', 'notifications', false),
    ('urn:dabir:event:certificate-added', 'directory', false),
    ('urn:dabir:event:certificate-revoked', 'directory', false),
    ('urn:dabir:event:operator-action', 'intake', false);

CREATE TABLE ledger.chain (
    name text COLLATE "C" PRIMARY KEY
        CHECK (name ~ '^(letters/[0-9a-f-]{36}(/deliveries/[1-9][0-9]{0,2})?|bodies/[a-z][a-z0-9-]{1,62}|books/[a-z][a-z0-9-]{1,62}/[a-z][a-z0-9-]{1,62}/(out|in|out-confidential))$'),
    year integer CHECK (year IS NULL OR name LIKE 'books/%'),
    count bigint NOT NULL DEFAULT 0 CHECK (count >= 0),
    head bytea CHECK (octet_length(head) = 32),
    last_at timestamptz,
    CHECK ((count = 0) = (head IS NULL) AND (count = 0) = (last_at IS NULL)),
    CHECK (count = 0 OR (year IS NOT NULL) = (name LIKE 'books/%'))
) WITH (fillfactor = 70);
COMMENT ON TABLE ledger.chain IS
    'The end of each chain of statements; of a book, the end of its series over all years. Made: when first locked. '
    'Changed: by ledger.append, with each statement that joins it. Deleted: never.';
COMMENT ON COLUMN ledger.chain.year IS 'Of a book: the year that count counts in. At its turn the count begins again and the head stays.';
COMMENT ON COLUMN ledger.chain.head IS 'SHA-256 of the last statement''s compact JWS.';
COMMENT ON COLUMN ledger.chain.last_at IS 'The clock reading of the last statement: no later one is earlier.';

CREATE TABLE ledger.statement (
    id uuid PRIMARY KEY,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    position bigint CHECK (position > 0),
    event text NOT NULL,
    subject text NOT NULL COLLATE "C",
    sequence bigint NOT NULL CHECK (sequence > 0),
    txn text NOT NULL COLLATE "C",
    source text NOT NULL,
    sender_body text COLLATE "C",
    recipient_body text COLLATE "C",
    stated_at timestamptz NOT NULL,
    salt bytea NOT NULL CHECK (octet_length(salt) = 32),
    digest bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    jws text NOT NULL CHECK (length(jws) BETWEEN 1 AND 1048576)
);
COMMENT ON TABLE ledger.statement IS
    'Signed statements. Made: by ledger.append, in the transaction of what they state. Changed: position, once, from '
    'NULL, by the sequencer of evidence. Deleted: never.';
COMMENT ON COLUMN ledger.statement.ordinal IS
    'Drawn while the statement''s chains are locked, so within a chain ordinals follow the facts; with gaps.';
COMMENT ON COLUMN ledger.statement.position IS 'Gap-free place in the ledger: the cursor of every feed.';
COMMENT ON COLUMN ledger.statement.sequence IS 'Place in the subject''s chain.';
COMMENT ON COLUMN ledger.statement.digest IS 'SHA-256 of jws.';

-- Partial, so that giving a position does not write every index twice.
CREATE UNIQUE INDEX statement_position ON ledger.statement (position) WHERE position IS NOT NULL;
CREATE INDEX statement_unnumbered ON ledger.statement (ordinal) WHERE position IS NULL;
CREATE INDEX statement_of_sender ON ledger.statement (sender_body, position) WHERE position IS NOT NULL;
CREATE INDEX statement_of_recipient ON ledger.statement (recipient_body, position) WHERE position IS NOT NULL;
CREATE INDEX statement_of_txn ON ledger.statement (txn, position) WHERE position IS NOT NULL;

CREATE TABLE ledger.link (
    chain text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0),
    statement uuid NOT NULL REFERENCES ledger.statement (id),
    PRIMARY KEY (chain, sequence)
);
COMMENT ON TABLE ledger.link IS
    'The place a statement takes in each of its chains; a book stands with its year. No place is taken twice. '
    'Made: with the statement. Changed, deleted: never.';

CREATE TABLE ledger.numbering (
    position bigint NOT NULL CHECK (position >= 0)
);
COMMENT ON TABLE ledger.numbering IS
    'One row: the last position given. Made: here. Changed: by the sequencer, with the positions. Deleted: never.';
INSERT INTO ledger.numbering VALUES (0);
CREATE UNIQUE INDEX numbering_is_one_row ON ledger.numbering ((true));

CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append only: % of % refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;

-- Whoever comes with the owner's rights is stopped too: an operator's slip must not rewrite what was stated.
CREATE TRIGGER position_once BEFORE UPDATE ON ledger.statement FOR EACH ROW
    WHEN (OLD.position IS NOT NULL OR NEW.position IS NULL OR NEW.jws <> OLD.jws OR NEW.salt <> OLD.salt)
    EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON ledger.statement EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER kept BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.link EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON ledger.chain EXECUTE FUNCTION ledger.refuse_change();

CREATE FUNCTION ledger.clock() RETURNS timestamptz LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp AS 'SELECT clock_timestamp()';
COMMENT ON FUNCTION ledger.clock() IS
    'The hub''s clock. Read in a further statement after ledger.lock: in the locking statement it would be read before '
    'the wait. Tests replace it.';

CREATE FUNCTION ledger.lock(p_chains text[])
RETURNS TABLE (name text, year integer, count bigint, head bytea, last_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'ledger.lock needs READ COMMITTED: an older snapshot would show heads that have moved';
    END IF;
    -- First the missing ones, in order: a row that another transaction is making is waited for here.
    INSERT INTO ledger.chain (name)
        SELECT wanted FROM unnest(p_chains) AS wanted ORDER BY wanted COLLATE "C" ON CONFLICT DO NOTHING;
    -- A statement of its own, so that it sees what was committed during the wait.
    RETURN QUERY SELECT c.name, c.year, c.count, c.head, c.last_at FROM ledger.chain AS c
        WHERE c.name = ANY (p_chains) ORDER BY c.name COLLATE "C" FOR UPDATE;
END $$;
COMMENT ON FUNCTION ledger.lock(text[]) IS
    'Locks every chain of a transaction, in one call, in order of name, making those that are missing; a book by its series.';

CREATE FUNCTION ledger.append(
    p_id uuid, p_events text[], p_subject text, p_txn text, p_sender_body text, p_recipient_body text,
    p_stated_at timestamptz, p_salt bytea, p_jws text,
    p_chains text[], p_years integer[], p_counts bigint[], p_heads bytea[]
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- Inside SECURITY DEFINER current_user is the owner: the caller is session_user.
    caller constant text := session_user;
    -- As ASCII, so the bytes that were signed.
    digest_now constant bytea := sha256(convert_to(p_jws, 'UTF8'));
    sequences bigint[] := '{}';
    taken bigint;
    latest timestamptz;
    numbered boolean;
BEGIN
    SELECT bool_or(e.takes_number) INTO numbered FROM ledger.event e WHERE e.service = caller AND e.uri = ANY (p_events);
    IF cardinality(p_events) = 0 OR EXISTS (
        SELECT FROM unnest(p_events) AS u WHERE NOT EXISTS (SELECT FROM ledger.event e WHERE e.uri = u AND e.service = caller)
    ) THEN
        RAISE EXCEPTION '% may not state %', caller, p_events USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF array_position(p_chains, p_subject) IS NULL
        OR cardinality(p_chains) <> cardinality(p_years) OR cardinality(p_chains) <> cardinality(p_counts)
        OR cardinality(p_chains) <> cardinality(p_heads)
        OR numbered <> EXISTS (SELECT FROM unnest(p_chains) AS c WHERE c LIKE 'books/%')
    THEN
        RAISE EXCEPTION 'a statement of % joins its subject''s chain, and a book if and only if it takes a number', p_events
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT max(c.last_at) INTO latest FROM ledger.chain c WHERE c.name = ANY (p_chains);
    IF p_stated_at > greatest(ledger.clock(), latest) THEN
        RAISE EXCEPTION 'stated at %, which is after the ledger''s clock', p_stated_at USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR i IN 1..cardinality(p_chains) LOOP
        UPDATE ledger.chain AS c
            SET count = CASE WHEN c.year IS DISTINCT FROM p_years[i] THEN 1 ELSE c.count + 1 END,
                year = p_years[i], head = digest_now, last_at = p_stated_at
            WHERE c.name = p_chains[i] AND c.count = p_counts[i] AND c.head IS NOT DISTINCT FROM p_heads[i]
                AND (c.year IS NULL OR c.year <= p_years[i]) AND (c.last_at IS NULL OR c.last_at <= p_stated_at)
            RETURNING c.count INTO taken;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'chain % does not end as stated: lock it, read its end, and state again', p_chains[i]
                USING ERRCODE = 'serialization_failure';
        END IF;
        sequences := sequences || taken;
    END LOOP;
    INSERT INTO ledger.statement
        (id, event, subject, sequence, txn, source, sender_body, recipient_body, stated_at, salt, digest, jws)
        VALUES (p_id, p_events[1], p_subject, sequences[array_position(p_chains, p_subject)], p_txn, caller,
            p_sender_body, p_recipient_body, p_stated_at, p_salt, digest_now, p_jws);
    INSERT INTO ledger.link (chain, sequence, statement)
        SELECT l.chain || coalesce('/' || l.year, ''), l.sequence, p_id
        FROM unnest(p_chains, p_years, sequences) AS l (chain, year, sequence);
    RETURN sequences[array_position(p_chains, p_subject)];
END $$;
COMMENT ON FUNCTION ledger.append(uuid, text[], text, text, text, text, timestamptz, bytea, text, text[], integer[], bigint[], bytea[]) IS
    'Appends a signed statement and moves the end of each of its chains, which must end as given: p_counts and p_heads '
    'as ledger.lock returned them (or as an append of this transaction left them), p_years the year of a book, else NULL. '
    'Returns the place in the subject''s chain. Errors: 42501 the caller may not state the event; 40001 a chain ends '
    'otherwise; 22023 chains and event do not go together, or the time is ahead of the clock.';

CREATE FUNCTION ledger.head(p_chain text) RETURNS TABLE (year integer, count bigint, head bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.year, c.count, c.head FROM ledger.chain c WHERE c.name = p_chain AND c.count > 0
$$;
COMMENT ON FUNCTION ledger.head(text) IS 'The end of a chain as committed; no row when nothing was stated. A book by its series.';

CREATE FUNCTION ledger.read(p_id uuid)
RETURNS TABLE (id uuid, "position" bigint, event text, subject text, txn text, sender_body text, recipient_body text, salt bytea, jws text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.id, s.position, s.event, s.subject, s.txn, s.sender_body, s.recipient_body, s.salt, s.jws
    FROM ledger.statement s WHERE s.id = p_id
$$;
COMMENT ON FUNCTION ledger.read(uuid) IS 'A statement by its jti; no row when it was never committed.';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    ledger.clock(), ledger.lock(text[]), ledger.head(text), ledger.read(uuid),
    ledger.append(uuid, text[], text, text, text, text, timestamptz, bytea, text, text[], integer[], bigint[], bytea[])
    TO directory, documents, intake, notifications;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO evidence;
GRANT UPDATE (position) ON ledger.statement, ledger.numbering TO evidence;

RESET ROLE;
