DROP VIEW linkbeat_schedules;
DROP INDEX schedules_pauses_end;
ALTER TABLE schedules DROP COLUMN paused_until;

CREATE VIEW linkbeat_schedules AS
SELECT id, name, state,
       definition ->> 'cron' AS cron,
       (definition -> 'every' ->> 'interval_ms')::bigint AS interval_ms,
       (definition ->> 'at')::timestamptz AS at,
       definition ->> 'time_zone' AS time_zone, definition ->> 'overlap' AS overlap, definition ->> 'missed' AS missed,
       CASE state WHEN 'active' THEN due_at END AS next_due_at, last_due_at,
       fired, by_hand, skipped_overlap, skipped_missed, skipped_paused, failed, created_at, changed_at
FROM schedules;
