-- What `evidence` keeps of its own: how far each follower of the ledger has read. Positions stand in the ledger.

CREATE SCHEMA evidence;
GRANT USAGE ON SCHEMA evidence TO evidence;

CREATE TABLE evidence.cursor (
    follower text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0 CHECK (position >= 0),
    lease uuid,
    holder text,
    lease_until timestamptz,
    CHECK ((lease IS NULL) = (holder IS NULL) AND (lease IS NULL) = (lease_until IS NULL))
);
COMMENT ON TABLE evidence.cursor IS
    'The last ledger position each follower has dealt with, and who may deal with the next. Made: at a follower''s first '
    'Follow. Changed: lease, holder and lease_until by Follow, position by Advance. Deleted: never.';

CREATE TABLE evidence.refusal (
    follower text COLLATE "C" NOT NULL REFERENCES evidence.cursor (follower),
    position bigint NOT NULL,
    reason text NOT NULL,
    refused_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (follower, position)
);
COMMENT ON TABLE evidence.refusal IS
    'Statements a follower could not pass on: they need attention. Made: by Advance. Changed, deleted: never.';

GRANT SELECT, INSERT, UPDATE ON evidence.cursor TO evidence;
GRANT SELECT, INSERT ON evidence.refusal TO evidence;
