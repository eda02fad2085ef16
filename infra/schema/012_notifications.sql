-- What bounds a body's orders is counted by index: endpoints it made within a day, and a notification's last replay.

CREATE INDEX endpoint_made_by_body ON notifications.endpoint (body, created_at);
CREATE INDEX replay_of_notification ON notifications.replay (notification, created_at);
