DROP VIEW linkbeat_hours;
DROP VIEW linkbeat_days;
DROP TABLE link_hours;
DROP TABLE link_days;
DROP TABLE history_progress;
DROP TABLE history_zones;
DROP TABLE late_checks;
DROP INDEX runs_by_history;
ALTER TABLE runs DROP COLUMN history;
