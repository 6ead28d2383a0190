ALTER TABLE history_progress DROP COLUMN removing;
ALTER TABLE history_progress DROP COLUMN removed;
ALTER TABLE history_progress DROP COLUMN removed_at;
