DROP VIEW linkbeat_hours, linkbeat_days;
DROP FUNCTION delete_old_hours(integer, integer), delete_old_runs(uuid, integer), clean_dropped_runs(integer),
              drop_checks_partition(uuid), droppable_checks_partition(uuid);
DROP TABLE link_hours, link_days, history_progress, history_zones, late_checks;
DROP INDEX runs_by_history;
ALTER TABLE runs DROP COLUMN history;
