-- What pages and the API filter and sort by.
DROP INDEX links_by_host;
CREATE INDEX links_by_host ON links (host, id);
DROP INDEX links_by_name;
CREATE INDEX links_by_name ON links (name, id);
-- `~` comes after all words, so that links without one come last.
CREATE INDEX links_by_verdict ON links (coalesce(verdict, '~'), id);
CREATE INDEX links_by_reason ON links (coalesce(reason ->> 'type', '~'), id);
CREATE INDEX links_by_since ON links (coalesce(verdict_since, '1970-01-01T00:00:00.000000Z'), id);
CREATE INDEX links_by_group ON links (group_name, id) WHERE group_name IS NOT NULL;
CREATE INDEX links_hidden ON links (id) WHERE NOT shown;
CREATE INDEX links_inactive ON links (id) WHERE NOT active;
-- Times of one form, so that they sort as text.
CREATE INDEX links_by_certificate ON links (details ->> '$.certificate.expires_at', id)
    WHERE details ->> '$.certificate.expires_at' IS NOT NULL;

DROP INDEX changes_by_time;
CREATE INDEX changes_by_time ON changes (at, id);
CREATE INDEX changes_by_verdict ON changes (verdict, at, id);
CREATE INDEX changes_hidden ON changes (at, id) WHERE was_shown AND NOT shown;
CREATE INDEX changes_shown ON changes (at, id) WHERE shown AND NOT was_shown;

CREATE INDEX runs_by_state ON runs (state, seq);
CREATE INDEX jobs_parked ON jobs (id) WHERE state = 'parked';
