DROP INDEX links_by_reachable;
ALTER TABLE links DROP COLUMN reachable;
ALTER TABLE history_progress DROP COLUMN reach_after;
ALTER TABLE history_progress DROP COLUMN reach_began;
ALTER TABLE history_progress DROP COLUMN reach_due;
