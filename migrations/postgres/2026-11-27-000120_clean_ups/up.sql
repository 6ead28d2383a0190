-- What the clean-up that goes on has removed so far, and what the last one that removed anything did. JSON.
ALTER TABLE history_progress ADD COLUMN removing text;
ALTER TABLE history_progress ADD COLUMN removed text;
ALTER TABLE history_progress ADD COLUMN removed_at timestamptz;
