-- The share of checks of the last 30 days that reached a link, in hundredths of a percent. NULL: none can tell. It is made of
-- link_days by whoever rolls up, link by link, when days were written.
ALTER TABLE links ADD COLUMN reachable integer;
-- Links without it come last.
CREATE INDEX links_by_reachable ON links ((coalesce(reachable, 10001)), id);

-- The links up to this one are done; NULL: nobody is at it. Whether days were written since the last pass began.
ALTER TABLE history_progress ADD COLUMN reach_after uuid;
ALTER TABLE history_progress ADD COLUMN reach_began timestamptz;
ALTER TABLE history_progress ADD COLUMN reach_due boolean NOT NULL DEFAULT false;
UPDATE history_progress SET reach_due = EXISTS (SELECT FROM link_days);
