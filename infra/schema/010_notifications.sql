-- Telling by webhook or e-mail, at the hours a body wants, under a secret that can be changed, again on request, and
-- with links that an operator can pause.

ALTER TABLE notifications.endpoint
    ALTER COLUMN url DROP NOT NULL,
    ADD COLUMN email_address text CHECK (length(email_address) BETWEEN 3 AND 254),
    ADD COLUMN email_language text CHECK (email_language IN ('fa', 'en')),
    ADD COLUMN quiet_start time,
    ADD COLUMN quiet_end time,
    ADD COLUMN quiet_zone text CHECK (length(quiet_zone) BETWEEN 1 AND 64),
    ADD COLUMN not_before timestamptz,
    ADD COLUMN disabled_at timestamptz,
    ADD COLUMN disabled_reason text,
    ADD CHECK ((url IS NULL) <> (email_address IS NULL)),
    ADD CHECK ((email_address IS NULL) = (email_language IS NULL)),
    ADD CHECK (num_nulls(quiet_start, quiet_end, quiet_zone) IN (0, 3)),
    ADD CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL));
COMMENT ON TABLE notifications.endpoint IS
    'Where a body wants to be told: a url for webhooks or an address for e-mail. Made: by CreateEndpoint. Changed: secret '
    'by RotateEndpointSecret; quiet_… by SetQuietHours; failing_since by the first failure after a success and by the '
    'next success; not_before by an answer that asks for a pause; disabled_… by an answer 410 Gone and by EnableEndpoint; '
    'ended_at, once, by DeleteEndpoint. Deleted: never, so that its id is not used again.';
COMMENT ON COLUMN notifications.endpoint.quiet_start IS
    'From here to quiet_end, in quiet_zone, nothing is sent that is not of an immediate letter; over midnight if it is later.';
COMMENT ON COLUMN notifications.endpoint.not_before IS 'Nothing is sent earlier: the endpoint asked for it with Retry-After.';

CREATE TABLE notifications.secret_rotation (
    id uuid PRIMARY KEY,
    endpoint uuid NOT NULL REFERENCES notifications.endpoint (id),
    secret bytea NOT NULL CHECK (octet_length(secret) BETWEEN 24 AND 64),
    replaced bytea NOT NULL CHECK (octet_length(replaced) BETWEEN 24 AND 64),
    replaced_until timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE notifications.secret_rotation IS
    'A secret issued in another''s place. Made: by RotateEndpointSecret, under its request id. Changed and deleted: never.';
COMMENT ON COLUMN notifications.secret_rotation.replaced_until IS 'Webhooks are signed with the replaced one too, until then.';

CREATE INDEX secret_rotation_of_endpoint ON notifications.secret_rotation (endpoint, replaced_until);

ALTER TABLE notifications.notification
    ADD COLUMN priority smallint NOT NULL DEFAULT 0 CHECK (priority BETWEEN 0 AND 3),
    ADD COLUMN unstated_reason text;
COMMENT ON TABLE notifications.notification IS
    'What a body is told. Made: by Notify. Changed: outcome with the first arrival or, once, with the last failure before '
    'any (an arrival after a replay turns FAILED into DELIVERED), and with it statement or unstated_reason. Deleted: never.';
COMMENT ON COLUMN notifications.notification.priority IS
    'Of the letter, as dabir.common.v1.Priority numbers it; 0: not said, which no quiet hours hold.';
COMMENT ON COLUMN notifications.notification.unstated_reason IS
    'Why the outcome could not be stated: the class of a permanent error, for an operator.';

CREATE INDEX notification_of_body ON notifications.notification (body, created_at DESC, id DESC);

CREATE TABLE notifications.replay (
    id uuid PRIMARY KEY,
    notification uuid NOT NULL REFERENCES notifications.notification (id),
    endpoint_count integer NOT NULL CHECK (endpoint_count >= 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE notifications.replay IS
    'A notification told again on its body''s request. Made: by ReplayNotification, under its request id. Changed and '
    'deleted: never.';

COMMENT ON TABLE notifications.attempt IS
    'One notification to one endpoint. Made: with the notification, or by its replay. Changed: tries and next_at when it is '
    'claimed (next_at is then when the claim is over), after each failure and when quiet hours hold it; outcome and '
    'ended_at at the end, and back by a replay. Deleted: never.';

CREATE TABLE notifications.link (
    body text COLLATE "C" PRIMARY KEY,
    paused_at timestamptz,
    rate_per_minute integer CHECK (rate_per_minute > 0),
    counted_to timestamptz,
    CHECK (paused_at IS NULL OR rate_per_minute IS NULL),
    CHECK ((rate_per_minute IS NULL) = (counted_to IS NULL))
);
COMMENT ON TABLE notifications.link IS
    'A body whose telling an operator paused, or resumed at a rate. Made: by its first PauseLink. Changed: by PauseLink and '
    'ResumeLink; counted_to with every claim while there is a rate; the rate ends with what waited. Deleted: never.';
COMMENT ON COLUMN notifications.link.counted_to IS 'The instant up to which the rate is used up.';

CREATE TABLE notifications.link_order (
    id uuid PRIMARY KEY,
    body text COLLATE "C" NOT NULL REFERENCES notifications.link (body),
    rate_per_minute integer CHECK (rate_per_minute >= 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE notifications.link_order IS
    'What an operator ordered of a link. Made: by PauseLink and ResumeLink, under their request ids. Changed and deleted: never.';
COMMENT ON COLUMN notifications.link_order.rate_per_minute IS 'Of ResumeLink, 0 for no limit; null: PauseLink.';

GRANT SELECT, INSERT ON notifications.secret_rotation, notifications.replay, notifications.link, notifications.link_order
    TO notifications;
GRANT UPDATE (secret, quiet_start, quiet_end, quiet_zone, not_before, disabled_at, disabled_reason)
    ON notifications.endpoint TO notifications;
GRANT UPDATE (unstated_reason) ON notifications.notification TO notifications;
GRANT UPDATE (paused_at, rate_per_minute, counted_to) ON notifications.link TO notifications;
