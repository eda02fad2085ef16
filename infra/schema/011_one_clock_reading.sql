-- All statements of a transaction bear one clock reading, which is never before the last statement of any chain that the
-- transaction locked. So the bound of a statement's time is over all of these chains too, and not over its own alone:
-- else, where the machine's clock was set back, a reply to what was stated a moment ago would be refused until the clock
-- had caught up.

SET LOCAL ROLE ledger;

-- As before, and with the chains locked. Callers that do not give them are bounded by the statement's own.
DROP FUNCTION ledger.append(uuid, text[], text, text, text, text, timestamptz, bytea, text, text[], integer[], bigint[], bytea[], smallint);
CREATE FUNCTION ledger.append(
    p_id uuid, p_events text[], p_subject text, p_txn text, p_sender_body text, p_recipient_body text,
    p_stated_at timestamptz, p_salt bytea, p_jws text,
    p_chains text[], p_years integer[], p_counts bigint[], p_heads bytea[], p_classification smallint DEFAULT NULL,
    p_locked text[] DEFAULT NULL
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
    classified smallint;
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
    SELECT max(c.last_at) INTO latest FROM ledger.chain c WHERE c.name = ANY (p_chains || p_locked);
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
    -- As the letter began. One that begins without a word of it (a release before this file) is judged by its book.
    SELECT s.classification INTO classified FROM ledger.link l JOIN ledger.statement s ON s.id = l.statement
        WHERE l.chain = p_txn AND l.sequence = 1;
    classified := coalesce(classified, p_classification,
        CASE WHEN EXISTS (SELECT FROM unnest(p_chains) AS c WHERE c LIKE 'books/%/out-confidential') THEN 3 ELSE 1 END);
    INSERT INTO ledger.statement (id, event, subject, sequence, txn, source, sender_body, recipient_body, stated_at, salt,
        digest, jws, classification)
        VALUES (p_id, p_events[1], p_subject, sequences[array_position(p_chains, p_subject)], p_txn, caller,
            p_sender_body, p_recipient_body, p_stated_at, p_salt, digest_now, p_jws,
            classified);
    INSERT INTO ledger.link (chain, sequence, statement)
        SELECT l.chain || coalesce('/' || l.year, ''), l.sequence, p_id
        FROM unnest(p_chains, p_years, sequences) AS l (chain, year, sequence);
    RETURN sequences[array_position(p_chains, p_subject)];
END $$;
COMMENT ON FUNCTION ledger.append(uuid, text[], text, text, text, text, timestamptz, bytea, text, text[], integer[], bigint[], bytea[], smallint, text[]) IS
    'Appends a signed statement and moves the end of each of its chains, which must end as given: p_counts and p_heads '
    'as ledger.lock returned them (or as an append of this transaction left them), p_years the year of a book, else NULL. '
    'p_classification: of a letter, with its first statement; later ones take it over. p_locked: further chains of the '
    'transaction, before whose last statement its one clock reading never is. '
    'Returns the place in the subject''s chain. Errors: 42501 the caller may not state the event; 40001 a chain ends '
    'otherwise; 22023 chains and event do not go together, or the time is ahead of the clock.';

REVOKE ALL ON FUNCTION ledger.append(uuid, text[], text, text, text, text, timestamptz, bytea, text, text[], integer[], bigint[], bytea[], smallint, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.append(uuid, text[], text, text, text, text, timestamptz, bytea, text, text[], integer[], bigint[], bytea[], smallint, text[])
    TO directory, documents, intake, notifications;

RESET ROLE;
