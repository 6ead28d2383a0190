-- Links with their latest state, runs, jobs (the outbox), checks (the history), and changes (kept for ever).
-- Ids are blobs of 16 bytes; times are ISO 8601 text in UTC, always with six digits of a second, so that they sort.

CREATE TABLE links (
    id               BLOB NOT NULL PRIMARY KEY,
    name             TEXT NOT NULL,
    url              TEXT NOT NULL,                   -- whole, userinfo included
    url_key          TEXT NOT NULL UNIQUE,            -- the URL without userinfo: what makes two links the same
    host             TEXT NOT NULL,                   -- of the page that is fetched; orders the links of a run
    page_url         TEXT,
    group_name       TEXT,                            -- the section of the list it came from
    attributes       TEXT,                            -- JSON: avatar, description, screenshot, feed, tags; NULL: none
    active           INTEGER NOT NULL DEFAULT 1,
    backlink         INTEGER NOT NULL DEFAULT 1,
    shown            INTEGER NOT NULL DEFAULT 1,
    shown_since      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),      -- when `shown` last changed
    hidden_reason    TEXT,                            -- JSON
    verdict          TEXT CHECK (verdict IN ('up', 'down', 'no_backlink', 'blocked', 'refused')),
    verdict_since    TEXT,                            -- when `verdict` last changed
    reason           TEXT,                            -- JSON
    status           INTEGER,
    elapsed_ms       INTEGER,
    details          TEXT,                            -- JSON: redirects, certificate, notes, title, what is known of the page; NULL: nothing to tell
    last_checked_at  TEXT,
    last_run_id      BLOB,
    last_run_seq     INTEGER NOT NULL DEFAULT 0,      -- runs.seq of last_run_id; 0 before the first check
    passed_in_a_row  INTEGER NOT NULL DEFAULT 0,
    failed_in_a_row  INTEGER NOT NULL DEFAULT 0,
    created_at       TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    updated_at       TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')       -- by an import or a person, not by checks
) STRICT;
CREATE INDEX links_by_host ON links (host, id) WHERE active;
CREATE INDEX links_by_name ON links (name);

-- What removed links were called: results may still be on their way, and history keeps names.
CREATE TABLE removed_links (
    id          BLOB NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL,
    url         TEXT NOT NULL,                        -- without userinfo
    removed_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
) STRICT;

CREATE TRIGGER remember_removed_link AFTER DELETE ON links BEGIN
    INSERT OR IGNORE INTO removed_links (id, name, url) VALUES (OLD.id, OLD.name, OLD.url_key);
END;

CREATE TABLE runs (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,                -- orders runs; no clock is trusted with it
    id              BLOB NOT NULL UNIQUE,
    request_id      BLOB NOT NULL UNIQUE,
    state           TEXT NOT NULL DEFAULT 'running'
                    CHECK (state IN ('running', 'finished', 'incomplete', 'held_back', 'discarded', 'cancelled')),
    check_spec      TEXT NOT NULL,                    -- JSON
    show_rules      TEXT NOT NULL,                    -- JSON
    links           INTEGER NOT NULL DEFAULT 0,
    to_check        INTEGER NOT NULL DEFAULT 0,       -- links that are not on the white list
    done            INTEGER NOT NULL DEFAULT 0,
    parked          INTEGER NOT NULL DEFAULT 0,       -- links without a result whose job is parked
    -- How many checks of the run say so. Written in the transaction that stores the checks.
    up              INTEGER NOT NULL DEFAULT 0,
    down            INTEGER NOT NULL DEFAULT 0,
    no_backlink     INTEGER NOT NULL DEFAULT 0,
    blocked         INTEGER NOT NULL DEFAULT 0,
    refused         INTEGER NOT NULL DEFAULT 0,
    white_listed    INTEGER NOT NULL DEFAULT 0,
    to_not_show     INTEGER NOT NULL DEFAULT 0,
    to_show         INTEGER NOT NULL DEFAULT 0,
    would_hide      INTEGER NOT NULL DEFAULT 0,       -- checks that propose to hide their link
    would_show      INTEGER NOT NULL DEFAULT 0,       -- checks that propose to show it
    untold          INTEGER NOT NULL DEFAULT 0,       -- proposals that were applied, and whose event is to be published
    -- Whether results are only proposed. open: they are, until it is clear whether most of them change alike. free: they
    -- are applied. held: most of them do, and a person is to decide. Then applied or discarded.
    hold            TEXT NOT NULL DEFAULT 'free' CHECK (hold IN ('open', 'free', 'held', 'applied', 'discarded')),
    known           INTEGER NOT NULL DEFAULT 0,       -- of to_check, those that had been checked before
    needed          INTEGER NOT NULL DEFAULT 0,       -- so many that change alike hold the run back; 0: it is never held
    reply_queue     TEXT,
    correlation_id  TEXT,
    traceparent     TEXT,                             -- of the request; every message of the run carries it
    tracestate      TEXT,
    created_at      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    last_result_at  TEXT,
    finished_at     TEXT,
    announced_at    TEXT,
    claimed_until   TEXT                              -- until then its end is announced by whoever claimed the run
) STRICT;
CREATE INDEX runs_unfinished ON runs (id) WHERE state IN ('running', 'incomplete');
CREATE INDEX runs_unannounced ON runs (seq) WHERE state <> 'running' AND announced_at IS NULL;

CREATE INDEX runs_unsettled ON runs (id) WHERE would_hide + would_show + untold > 0;

-- How many links of a run change in the same way for the same reason, of those that were checked before.
CREATE TABLE alike (
    run_id       BLOB NOT NULL REFERENCES runs (id),
    change       TEXT NOT NULL CHECK (change IN ('hidden', 'shown')),
    reason_type  TEXT NOT NULL,                       -- empty: the links passed
    links        INTEGER NOT NULL,
    PRIMARY KEY (run_id, change, reason_type)
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    id            BLOB NOT NULL PRIMARY KEY,
    run_id        BLOB NOT NULL REFERENCES runs (id),
    kind          TEXT NOT NULL CHECK (kind IN ('check', 'white_listed', 'recheck')),
    state         TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'parked')),
    links         BLOB NOT NULL,                      -- the ids, one after the other
    links_count   INTEGER NOT NULL,
    links_done    INTEGER NOT NULL DEFAULT 0,         -- with a result, or left to a recheck
    body          BLOB,                               -- the message; dropped when the job is done
    created_at    TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    published_at  TEXT,
    due_at        TEXT                                -- of a recheck: when its link is checked again
) STRICT;
CREATE INDEX jobs_by_run ON jobs (run_id, id);
CREATE INDEX jobs_open ON jobs (id) WHERE state = 'open';
-- What the outbox asks for every few seconds, run by run. It passes by no job that is being worked on.
CREATE INDEX jobs_unpublished ON jobs (run_id, id) WHERE state = 'open' AND published_at IS NULL;
CREATE INDEX jobs_rechecks ON jobs (id) WHERE kind = 'recheck' AND state = 'open' AND published_at IS NULL;

-- Notices that a job was parked or put back. A job is parked if it has more parked than requeued notices. They are
-- kept, so that a repeat is known as one.
CREATE TABLE parkings (
    notice_id  BLOB NOT NULL PRIMARY KEY,
    job_id     BLOB NOT NULL REFERENCES jobs (id),
    parked     INTEGER NOT NULL,
    cause      TEXT NOT NULL,
    noted_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
) STRICT;
CREATE INDEX parkings_by_job ON parkings (job_id);

-- What one process does at a time.
CREATE TABLE leases (
    name    TEXT NOT NULL PRIMARY KEY,
    holder  BLOB NOT NULL,
    until   TEXT NOT NULL
) STRICT;

-- What each check found, and nothing that stands elsewhere: names and URLs are in links and removed_links.
-- No foreign keys: history survives the removal of links.
--
-- `outcome` is a sum: the verdict (0 white list, 1 up, 2 down, 3 no_backlink, 4 blocked, 5 refused), 16 if the link
-- was shown after the check, 32 if the check hid or showed it, and 64 if it only proposed to. What became of that stands
-- in proposals: a check is written once and never changed.
CREATE TABLE checks (
    run_id      BLOB NOT NULL,
    link_id     BLOB NOT NULL,
    checked_at  TEXT NOT NULL,
    elapsed_ms  INTEGER,                              -- NULL: not fetched
    status      INTEGER,
    outcome     INTEGER NOT NULL,
    reason      TEXT,                                 -- JSON
    details     TEXT,                                 -- JSON, as in links
    PRIMARY KEY (run_id, link_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX checks_by_link ON checks (link_id);

-- Checks that only proposed to hide or show their link, because most links of their run might change alike.
CREATE TABLE proposals (
    run_id   BLOB NOT NULL,
    link_id  BLOB NOT NULL,
    outcome  INTEGER NOT NULL,                        -- as in checks, by now; 128 more while the change is to be told
    details  TEXT,                                    -- JSON: what the check saw, to judge it again; dropped when it was
    PRIMARY KEY (run_id, link_id)
) STRICT, WITHOUT ROWID;
-- What is left to be decided or told.
CREATE INDEX proposals_unsettled ON proposals (run_id, link_id) WHERE outcome >= 64;

-- Each hiding and showing of a link, and each change of its verdict. Kept for ever.
CREATE TABLE changes (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    link_id         BLOB NOT NULL,
    run_id          BLOB,                             -- NULL: a person
    at              TEXT NOT NULL,
    was_shown       INTEGER NOT NULL,
    shown           INTEGER NOT NULL,
    former_verdict  TEXT,                             -- NULL: not checked before
    verdict         TEXT,
    reason          TEXT                              -- JSON: of the verdict
) STRICT;
CREATE UNIQUE INDEX changes_by_run ON changes (run_id, link_id);
CREATE INDEX changes_by_link ON changes (link_id, id);
CREATE INDEX changes_by_time ON changes (at);

-- The contract for dashboards: docs/sql-views.md. Ids are shown as text.

CREATE VIEW linkbeat_links AS
SELECT lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4) || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) AS id,
       name, url_key AS url, host, active, backlink, shown,
       hidden_reason ->> 'type' AS hidden_reason_type, hidden_reason,
       verdict, reason ->> 'type' AS reason_type, reason, status, elapsed_ms, last_checked_at,
       iif(last_run_id IS NULL, NULL, lower(substr(hex(last_run_id), 1, 8) || '-' || substr(hex(last_run_id), 9, 4) || '-' || substr(hex(last_run_id), 13, 4) || '-' || substr(hex(last_run_id), 17, 4) || '-' || substr(hex(last_run_id), 21))) AS last_run_id,
       passed_in_a_row, failed_in_a_row, created_at, updated_at,
       details -> 'redirects' AS redirects, details -> 'notes' AS notes,
       strftime('%Y-%m-%dT%H:%M:%f', details ->> '$.certificate.expires_at') || '000Z' AS tls_expires_at,
       details ->> '$.certificate.issuer' AS tls_issuer,
       shown_since, verdict_since, group_name,
       attributes ->> 'avatar' AS avatar, attributes ->> 'description' AS description,
       attributes ->> 'screenshot' AS screenshot, attributes ->> 'feed' AS feed, attributes -> 'tags' AS tags,
       details ->> '$.failed' AS failed_page, details ->> '$.title' AS title
FROM links;

CREATE VIEW linkbeat_runs AS
SELECT lower(substr(hex(r.id), 1, 8) || '-' || substr(hex(r.id), 9, 4) || '-' || substr(hex(r.id), 13, 4) || '-' || substr(hex(r.id), 17, 4) || '-' || substr(hex(r.id), 21)) AS id,
       r.seq,
       lower(substr(hex(r.request_id), 1, 8) || '-' || substr(hex(r.request_id), 9, 4) || '-' || substr(hex(r.request_id), 13, 4) || '-' || substr(hex(r.request_id), 17, 4) || '-' || substr(hex(r.request_id), 21)) AS request_id,
       r.state, r.links, r.done, r.created_at, r.finished_at,
       round((julianday(r.finished_at) - julianday(r.created_at)) * 86400.0, 3) AS seconds,
       r.up + r.down + r.no_backlink + r.blocked + r.refused AS checked,
       r.up, r.down, r.no_backlink, r.blocked, r.refused, r.white_listed, r.to_not_show, r.to_show,
       CASE r.state WHEN 'cancelled' THEN 0 ELSE r.parked END AS missing,
       CASE r.state WHEN 'cancelled' THEN 0
       ELSE (SELECT count(*) FROM jobs j WHERE j.run_id = r.id AND j.kind = 'recheck' AND j.state = 'open')
       END AS to_recheck,
       r.would_hide, r.would_show, r.hold, r.known
FROM runs r;

CREATE VIEW linkbeat_checks AS
SELECT run_id, link_id, name, url, verdict, reason ->> 'type' AS reason_type, reason, status, elapsed_ms, checked_at,
       change, shown,
       details -> 'redirects' AS redirects, details -> 'notes' AS notes,
       strftime('%Y-%m-%dT%H:%M:%f', details ->> '$.certificate.expires_at') || '000Z' AS tls_expires_at,
       details ->> '$.certificate.issuer' AS tls_issuer,
       run_id || '/' || link_id AS id, details ->> '$.failed' AS failed_page,
       proposed
FROM (
    SELECT lower(substr(hex(c.run_id), 1, 8) || '-' || substr(hex(c.run_id), 9, 4) || '-' || substr(hex(c.run_id), 13, 4) || '-' || substr(hex(c.run_id), 17, 4) || '-' || substr(hex(c.run_id), 21)) AS run_id,
           lower(substr(hex(c.link_id), 1, 8) || '-' || substr(hex(c.link_id), 9, 4) || '-' || substr(hex(c.link_id), 13, 4) || '-' || substr(hex(c.link_id), 17, 4) || '-' || substr(hex(c.link_id), 21)) AS link_id,
           coalesce(l.name, removed.name) AS name, coalesce(l.url_key, removed.url) AS url,
           CASE c.outcome & 15 WHEN 1 THEN 'up' WHEN 2 THEN 'down' WHEN 3 THEN 'no_backlink' WHEN 4 THEN 'blocked'
                               WHEN 5 THEN 'refused' END AS verdict,
           c.reason, c.status, c.elapsed_ms, c.checked_at,
           CASE coalesce(p.outcome, c.outcome) & 48 WHEN 32 THEN 'hidden' WHEN 48 THEN 'shown' END AS change,
           coalesce(p.outcome, c.outcome) & 16 <> 0 AS shown, c.details,
           CASE coalesce(p.outcome, c.outcome) & 80 WHEN 80 THEN 'hidden' WHEN 64 THEN 'shown' END AS proposed
    FROM checks c
    LEFT JOIN links l ON l.id = c.link_id
    LEFT JOIN removed_links removed ON removed.id = c.link_id
    LEFT JOIN proposals p ON p.run_id = c.run_id AND p.link_id = c.link_id
);

CREATE VIEW linkbeat_changes AS
SELECT c.id,
       lower(substr(hex(c.link_id), 1, 8) || '-' || substr(hex(c.link_id), 9, 4) || '-' || substr(hex(c.link_id), 13, 4) || '-' || substr(hex(c.link_id), 17, 4) || '-' || substr(hex(c.link_id), 21)) AS link_id,
       iif(c.run_id IS NULL, NULL, lower(substr(hex(c.run_id), 1, 8) || '-' || substr(hex(c.run_id), 9, 4) || '-' || substr(hex(c.run_id), 13, 4) || '-' || substr(hex(c.run_id), 17, 4) || '-' || substr(hex(c.run_id), 21))) AS run_id,
       coalesce(l.name, removed.name) AS name, coalesce(l.url_key, removed.url) AS url,
       c.at, CASE WHEN c.shown AND NOT c.was_shown THEN 'shown' WHEN c.was_shown AND NOT c.shown THEN 'hidden' END AS change,
       c.was_shown, c.shown, c.former_verdict, c.verdict, c.reason ->> 'type' AS reason_type, c.reason
FROM changes c
LEFT JOIN links l ON l.id = c.link_id
LEFT JOIN removed_links removed ON removed.id = c.link_id;
