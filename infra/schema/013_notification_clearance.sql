-- Who is told of a letter, and shown what was told: endpoints and certificates with the clearance for it. That a
-- confidential letter exists is not for the others. While this file runs nobody is told of anything; letters go on.

-- Both at once, before anything is done: who notifies meanwhile holds one and waits for the other, and a deadlock then costs
-- nothing but another try (infra/local/postgres.py).
LOCK TABLE notifications.endpoint, notifications.notification IN ACCESS EXCLUSIVE MODE;

SET LOCAL ROLE ledger;

CREATE FUNCTION ledger.classification_of(p_letter text) RETURNS smallint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((
        SELECT s.classification FROM ledger.link l JOIN ledger.statement s ON s.id = l.statement
        WHERE l.chain = p_letter AND l.sequence = 1
    ), 5::smallint)
$$;
COMMENT ON FUNCTION ledger.classification_of(text) IS
    'Which clearance a letter needs, as dabir.common.v1.Classification numbers it: that of its first statement, which never '
    'changes. A letter that the ledger does not know needs the highest.';

REVOKE ALL ON FUNCTION ledger.classification_of(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.classification_of(text) TO notifications;

RESET ROLE;

ALTER TABLE notifications.notification ADD COLUMN classification smallint CHECK (classification BETWEEN 1 AND 5);
COMMENT ON COLUMN notifications.notification.classification IS
    'Of the letter, as the ledger has it, whatever the inserter says: who is shown the notification needs that clearance.';
UPDATE notifications.notification SET classification = ledger.classification_of(letter);
ALTER TABLE notifications.notification ALTER COLUMN classification SET NOT NULL;

-- By the database, so that no caller is trusted with it and the release before writes it right too.
CREATE FUNCTION notifications.classify() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.classification := ledger.classification_of(NEW.letter);
    RETURN NEW;
END $$;
CREATE TRIGGER classified BEFORE INSERT ON notifications.notification FOR EACH ROW EXECUTE FUNCTION notifications.classify();

ALTER TABLE notifications.endpoint
    ADD COLUMN clearance smallint NOT NULL DEFAULT 1 CHECK (clearance BETWEEN 1 AND 5);
COMMENT ON COLUMN notifications.endpoint.clearance IS
    'Of the certificate that made it: it is told of letters up to that classification. Never changed: whoever lacks a '
    'clearance must not get one by an endpoint of its own that somebody else enables. Where it was not noted (endpoints of '
    'releases before), the lowest of any certificate with which the body could make one: none is told more than its maker '
    'may know, and where all are cleared nothing changes. What was on its way to one then still goes. One that a process of '
    'the release before makes after this file has 1, and is to be made anew.';
UPDATE notifications.endpoint AS e SET clearance = maker.lowest
    FROM (
        SELECT c.body, min(CASE WHEN 'clearance_highly_confidential' = ANY (c.roles) THEN 3
                WHEN 'clearance_confidential' = ANY (c.roles) THEN 2 ELSE 1 END) AS lowest
        FROM directory.certificate AS c WHERE c.purpose = 'tls' AND c.roles && '{sender,recipient}' GROUP BY c.body
    ) AS maker
    WHERE maker.body = e.body;

-- The release before tells every endpoint; what it may not tell is not kept.
CREATE FUNCTION notifications.withhold() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM notifications.endpoint e JOIN notifications.notification n ON n.id = NEW.notification
        WHERE e.id = NEW.endpoint AND e.clearance < n.classification
    ) THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER withheld BEFORE INSERT ON notifications.attempt FOR EACH ROW EXECUTE FUNCTION notifications.withhold();
