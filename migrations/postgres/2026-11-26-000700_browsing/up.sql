-- What pages and the API filter and sort by. No index holds what every check writes: such an update would have to write
-- all indexes of the table.
DROP INDEX links_by_host;
CREATE INDEX links_by_host ON links (host, id);
DROP INDEX links_by_name;
CREATE INDEX links_by_name ON links (name, id);
-- `~` comes after all words, so that links without one come last.
CREATE INDEX links_by_verdict ON links ((coalesce(verdict, '~') COLLATE "C"), id);
CREATE INDEX links_by_reason ON links ((coalesce(reason ->> 'type', '~') COLLATE "C"), id);
CREATE INDEX links_by_since ON links (coalesce(verdict_since, '1970-01-01T00:00:00.000000Z'), id);
CREATE INDEX links_by_group ON links (group_name, id) WHERE group_name IS NOT NULL;
CREATE INDEX links_by_tag ON links USING gin ((attributes -> 'tags') jsonb_path_ops) WHERE attributes IS NOT NULL;
CREATE INDEX links_hidden ON links (id) WHERE NOT shown;
CREATE INDEX links_inactive ON links (id) WHERE NOT active;
-- Times of one form, so that they sort as text.
CREATE INDEX links_by_certificate ON links (((details #>> '{certificate,expires_at}') COLLATE "C"), id)
    WHERE details #>> '{certificate,expires_at}' IS NOT NULL;

DROP INDEX changes_by_time;
CREATE INDEX changes_by_time ON changes (at, id);
CREATE INDEX changes_by_verdict ON changes (verdict, at, id);
CREATE INDEX changes_hidden ON changes (at, id) WHERE was_shown AND NOT shown;
CREATE INDEX changes_shown ON changes (at, id) WHERE shown AND NOT was_shown;

CREATE INDEX runs_by_state ON runs (state, seq);
CREATE INDEX jobs_parked ON jobs (id) WHERE state = 'parked';

-- Parts of names and URLs are found by their groups of three letters. Where this extension is not to be had, all links
-- are read for that.
DO $$ BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX links_by_text ON links USING gin (name gin_trgm_ops, url_key gin_trgm_ops);
EXCEPTION WHEN insufficient_privilege OR undefined_file OR undefined_object OR feature_not_supported THEN
    RAISE NOTICE 'without pg_trgm, a search in names and URLs reads all links';
END $$;
