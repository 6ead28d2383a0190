-- Links with their latest state, runs, jobs (the outbox), and checks (the history).
-- Ids are text; times are ISO 8601 text in UTC, always with six digits of a second, so that they sort.

CREATE TABLE links (
    id               TEXT NOT NULL PRIMARY KEY,
    name             TEXT NOT NULL,
    url              TEXT NOT NULL,                   -- whole, userinfo included
    url_key          TEXT NOT NULL UNIQUE,            -- the URL without userinfo: what makes two links the same
    host             TEXT NOT NULL,                   -- of the page that is fetched; orders the links of a run
    page_url         TEXT,
    active           INTEGER NOT NULL DEFAULT 1,
    backlink         INTEGER NOT NULL DEFAULT 1,
    shown            INTEGER NOT NULL DEFAULT 1,
    hidden_reason    TEXT,                            -- JSON
    verdict          TEXT CHECK (verdict IN ('up', 'down', 'no_backlink', 'blocked', 'refused')),
    reason           TEXT,                            -- JSON
    status           INTEGER,
    elapsed_ms       INTEGER,
    details          TEXT,                            -- JSON: redirects, certificate, notes; NULL: nothing to tell
    last_checked_at  TEXT,
    last_run_id      TEXT,
    last_run_seq     INTEGER NOT NULL DEFAULT 0,      -- runs.seq of last_run_id; 0 before the first check
    passed_in_a_row  INTEGER NOT NULL DEFAULT 0,
    failed_in_a_row  INTEGER NOT NULL DEFAULT 0,
    created_at       TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    updated_at       TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
                                                      -- by an import or a person, not by checks
) STRICT;
CREATE INDEX links_by_host ON links (host, id) WHERE active;
CREATE INDEX links_by_name ON links (name);

-- What removed links were called: results may still be on their way, and history keeps names.
CREATE TABLE removed_links (
    id          TEXT NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL,
    url         TEXT NOT NULL,                        -- without userinfo
    removed_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
) STRICT;

CREATE TRIGGER remember_removed_link AFTER DELETE ON links BEGIN
    INSERT OR IGNORE INTO removed_links (id, name, url) VALUES (OLD.id, OLD.name, OLD.url_key);
END;

CREATE TABLE runs (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,                -- orders runs; no clock is trusted with it
    id              TEXT NOT NULL UNIQUE,
    request_id      TEXT NOT NULL UNIQUE,
    state           TEXT NOT NULL DEFAULT 'running'
                    CHECK (state IN ('running', 'finished', 'incomplete', 'cancelled')),
    check_spec      TEXT NOT NULL,                    -- JSON
    show_rules      TEXT NOT NULL,                    -- JSON
    links           INTEGER NOT NULL DEFAULT 0,
    done            INTEGER NOT NULL DEFAULT 0,
    parked          INTEGER NOT NULL DEFAULT 0,                      -- links without a result whose job is parked
    reply_queue     TEXT,
    correlation_id  TEXT,
    created_at      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    last_result_at  TEXT,
    finished_at     TEXT,
    announced_at    TEXT,
    claimed_until   TEXT                                      -- until then whoever claimed the run tells its end
) STRICT;
CREATE INDEX runs_unfinished ON runs (id) WHERE state IN ('running', 'incomplete');
CREATE INDEX runs_unannounced ON runs (seq) WHERE state <> 'running' AND announced_at IS NULL;

CREATE TABLE jobs (
    id            TEXT NOT NULL PRIMARY KEY,
    run_id        TEXT NOT NULL REFERENCES runs (id),
    kind          TEXT NOT NULL CHECK (kind IN ('check', 'white_listed', 'recheck')),
    state         TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'parked')),
    links         TEXT NOT NULL,                      -- JSON array of ids
    links_count   INTEGER NOT NULL,
    links_done    INTEGER NOT NULL DEFAULT 0,                 -- with a result, or left to a recheck
    body          BLOB,                               -- the message; dropped when the job is done
    created_at    TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    published_at  TEXT,
    due_at        TEXT                                       -- of a recheck: when its link is looked at again
) STRICT;
CREATE INDEX jobs_by_run ON jobs (run_id, id);
CREATE INDEX jobs_open ON jobs (id) WHERE state = 'open';
CREATE INDEX jobs_rechecks ON jobs (id) WHERE kind = 'recheck' AND state = 'open' AND published_at IS NULL;

-- Notices that a job was parked, or put back: it is parked while there are more of the former. Kept, so that a
-- repeat is known as one.
CREATE TABLE parkings (
    notice_id  TEXT NOT NULL PRIMARY KEY,
    job_id     TEXT NOT NULL REFERENCES jobs (id),
    parked     INTEGER NOT NULL,
    cause      TEXT NOT NULL,
    noted_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
) STRICT;
CREATE INDEX parkings_by_job ON parkings (job_id);

-- What one process does at a time.
CREATE TABLE leases (
    name    TEXT NOT NULL PRIMARY KEY,
    holder  TEXT NOT NULL,
    until   TEXT NOT NULL
) STRICT;

-- No foreign keys: history survives the removal of links.
CREATE TABLE checks (
    run_id      TEXT NOT NULL,
    link_id     TEXT NOT NULL,
    job_id      TEXT NOT NULL,
    name        TEXT NOT NULL,
    url         TEXT NOT NULL,                        -- without userinfo
    verdict     TEXT CHECK (verdict IN ('up', 'down', 'no_backlink', 'blocked', 'refused')),  -- NULL: white list
    reason      TEXT,                                 -- JSON
    status      INTEGER,
    elapsed_ms  INTEGER,
    details     TEXT,                                 -- JSON, as in links
    checked_at  TEXT NOT NULL,
    change      TEXT CHECK (change IN ('hidden', 'shown')),
    shown       INTEGER NOT NULL,
    PRIMARY KEY (run_id, link_id)
) STRICT;
CREATE INDEX checks_by_link ON checks (link_id, checked_at);
CREATE INDEX checks_by_time ON checks (checked_at);

-- The contract for dashboards: docs/sql-views.md.

CREATE VIEW linkbeat_links AS
SELECT id, name, url_key AS url, host, active, backlink, shown,
       hidden_reason ->> 'type' AS hidden_reason_type, hidden_reason,
       verdict, reason ->> 'type' AS reason_type, reason, status, elapsed_ms,
       last_checked_at, last_run_id, passed_in_a_row, failed_in_a_row, created_at, updated_at,
       details -> 'redirects' AS redirects, details -> 'notes' AS notes,
       strftime('%Y-%m-%dT%H:%M:%f', details ->> '$.certificate.expires_at') || '000Z' AS tls_expires_at,
       details ->> '$.certificate.issuer' AS tls_issuer
FROM links;

CREATE VIEW linkbeat_runs AS
SELECT r.id, r.seq, r.request_id, r.state, r.links, r.done, r.created_at, r.finished_at,
       round((julianday(r.finished_at) - julianday(r.created_at)) * 86400.0, 3) AS seconds,
       count(c.verdict) AS checked,
       count(*) FILTER (WHERE c.verdict = 'up') AS up,
       count(*) FILTER (WHERE c.verdict = 'down') AS down,
       count(*) FILTER (WHERE c.verdict = 'no_backlink') AS no_backlink,
       count(*) FILTER (WHERE c.verdict = 'blocked') AS blocked,
       count(*) FILTER (WHERE c.verdict = 'refused') AS refused,
       count(*) FILTER (WHERE c.verdict IS NULL AND c.link_id IS NOT NULL) AS white_listed,
       count(*) FILTER (WHERE c.change = 'hidden') AS to_not_show,
       count(*) FILTER (WHERE c.change = 'shown') AS to_show,
       CASE r.state WHEN 'cancelled' THEN 0 ELSE r.parked END AS missing,
       (SELECT count(*) FROM jobs j WHERE j.run_id = r.id AND j.kind = 'recheck' AND j.state = 'open') AS to_recheck
FROM runs r
LEFT JOIN checks c ON c.run_id = r.id
GROUP BY r.seq;

CREATE VIEW linkbeat_checks AS
SELECT run_id, link_id, name, url, verdict, reason ->> 'type' AS reason_type, reason,
       status, elapsed_ms, checked_at, change, shown,
       details -> 'redirects' AS redirects, details -> 'notes' AS notes,
       strftime('%Y-%m-%dT%H:%M:%f', details ->> '$.certificate.expires_at') || '000Z' AS tls_expires_at,
       details ->> '$.certificate.issuer' AS tls_issuer
FROM checks;
