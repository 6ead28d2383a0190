-- Until when a schedule is paused. A producer lets it go on then. NULL: without end.
ALTER TABLE schedules ADD COLUMN paused_until timestamptz;
CREATE INDEX schedules_pauses_end ON schedules (paused_until) WHERE state = 'paused' AND paused_until IS NOT NULL;

CREATE OR REPLACE VIEW linkbeat_schedules AS
SELECT id, name, state,
       definition ->> 'cron' AS cron,
       (definition -> 'every' ->> 'interval_ms')::bigint AS interval_ms,
       (definition ->> 'at')::timestamptz AS at,
       definition ->> 'time_zone' AS time_zone, definition ->> 'overlap' AS overlap, definition ->> 'missed' AS missed,
       CASE state WHEN 'active' THEN due_at END AS next_due_at, last_due_at,
       fired, by_hand, skipped_overlap, skipped_missed, skipped_paused, failed, created_at, changed_at,
       CASE state WHEN 'paused' THEN paused_until END AS paused_until
FROM schedules;
