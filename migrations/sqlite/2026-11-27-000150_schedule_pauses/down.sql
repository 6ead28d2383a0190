DROP VIEW linkbeat_schedules;
DROP INDEX schedules_pauses_end;
ALTER TABLE schedules DROP COLUMN paused_until;

CREATE VIEW linkbeat_schedules AS
SELECT lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4) || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) AS id,
       name, state,
       definition ->> 'cron' AS cron,
       definition -> 'every' ->> 'interval_ms' AS interval_ms,
       definition ->> 'at' AS at,
       definition ->> 'time_zone' AS time_zone, definition ->> 'overlap' AS overlap, definition ->> 'missed' AS missed,
       CASE state WHEN 'active' THEN due_at END AS next_due_at, last_due_at,
       fired, by_hand, skipped_overlap, skipped_missed, skipped_paused, failed, created_at, changed_at
FROM schedules;
