-- Links with their latest state, runs, jobs (the outbox), and checks (the history).

CREATE TABLE links (
    id               uuid PRIMARY KEY,
    name             text NOT NULL,
    url              text NOT NULL,                   -- whole, userinfo included
    url_key          text NOT NULL,                   -- the URL without userinfo: what makes two links the same
    host             text COLLATE "C" NOT NULL,       -- of the page that is fetched; orders the links of a run
    page_url         text,
    active           boolean NOT NULL DEFAULT true,
    backlink         boolean NOT NULL DEFAULT true,
    shown            boolean NOT NULL DEFAULT true,
    hidden_reason    jsonb,
    verdict          text CHECK (verdict IN ('up', 'down', 'no_backlink', 'blocked', 'refused')),
    reason           jsonb,
    status           integer,
    elapsed_ms       bigint,
    details          jsonb,                           -- redirects, certificate, notes; NULL: nothing to tell
    last_checked_at  timestamptz,
    last_run_id      uuid,
    last_run_seq     bigint NOT NULL DEFAULT 0,       -- runs.seq of last_run_id; 0 before the first check
    passed_in_a_row  bigint NOT NULL DEFAULT 0,
    failed_in_a_row  bigint NOT NULL DEFAULT 0,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at       timestamptz NOT NULL DEFAULT clock_timestamp(),  -- by an import or a person, not by checks
    -- Unique by hash: a URL may be longer than a b-tree entry.
    CONSTRAINT links_url_key EXCLUDE USING hash (url_key WITH =)
);
CREATE INDEX links_by_host ON links (host, id) WHERE active;
CREATE INDEX links_by_name ON links (name);

-- What removed links were called: results may still be on their way, and history keeps names.
CREATE TABLE removed_links (
    id          uuid PRIMARY KEY,
    name        text NOT NULL,
    url         text NOT NULL,                        -- without userinfo
    removed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION remember_removed_link() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO removed_links (id, name, url) VALUES (OLD.id, OLD.name, OLD.url_key) ON CONFLICT DO NOTHING;
    RETURN OLD;
END $$;
CREATE TRIGGER remember_removed_link AFTER DELETE ON links
    FOR EACH ROW EXECUTE FUNCTION remember_removed_link();

CREATE TABLE runs (
    id              uuid PRIMARY KEY,
    seq             bigint GENERATED ALWAYS AS IDENTITY UNIQUE,       -- orders runs; no clock is trusted with it
    request_id      uuid NOT NULL UNIQUE,
    state           text NOT NULL DEFAULT 'running'
                    CHECK (state IN ('running', 'finished', 'incomplete', 'cancelled')),
    check_spec      text NOT NULL,                    -- JSON
    show_rules      text NOT NULL,                    -- JSON
    links           bigint NOT NULL DEFAULT 0,
    done            bigint NOT NULL DEFAULT 0,
    parked          bigint NOT NULL DEFAULT 0,                       -- links without a result whose job is parked
    reply_queue     text,
    correlation_id  text,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_result_at  timestamptz,
    finished_at     timestamptz,
    announced_at    timestamptz,
    claimed_until   timestamptz                           -- until then whoever claimed the run tells its end
);
CREATE INDEX runs_unfinished ON runs (id) WHERE state IN ('running', 'incomplete');
CREATE INDEX runs_unannounced ON runs (seq) WHERE state <> 'running' AND announced_at IS NULL;

CREATE TABLE jobs (
    id            uuid PRIMARY KEY,
    run_id        uuid NOT NULL REFERENCES runs (id),
    kind          text NOT NULL CHECK (kind IN ('check', 'white_listed', 'recheck')),
    state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'parked')),
    links         uuid[] NOT NULL,
    links_count   bigint NOT NULL,
    links_done    bigint NOT NULL DEFAULT 0,                  -- with a result, or left to a recheck
    body          bytea,                              -- the message; dropped when the job is done
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at  timestamptz,
    due_at        timestamptz                                -- of a recheck: when its link is looked at again
);
CREATE INDEX jobs_by_run ON jobs (run_id, id);
CREATE INDEX jobs_open ON jobs (id) WHERE state = 'open';
CREATE INDEX jobs_rechecks ON jobs (id) WHERE kind = 'recheck' AND state = 'open' AND published_at IS NULL;

-- Notices that a job was parked, or put back: it is parked while there are more of the former. Kept, so that a
-- repeat is known as one.
CREATE TABLE parkings (
    notice_id  uuid PRIMARY KEY,
    job_id     uuid NOT NULL REFERENCES jobs (id),
    parked     boolean NOT NULL,
    cause      text NOT NULL,
    noted_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX parkings_by_job ON parkings (job_id);

-- What one process does at a time.
CREATE TABLE leases (
    name    text PRIMARY KEY,
    holder  uuid NOT NULL,
    until   timestamptz NOT NULL
);

-- No foreign keys: history survives the removal of links.
CREATE TABLE checks (
    run_id      uuid NOT NULL,
    link_id     uuid NOT NULL,
    job_id      uuid NOT NULL,
    name        text NOT NULL,
    url         text NOT NULL,                        -- without userinfo
    verdict     text CHECK (verdict IN ('up', 'down', 'no_backlink', 'blocked', 'refused')),  -- NULL: white list
    reason      jsonb,
    status      integer,
    elapsed_ms  bigint,
    details     jsonb,                                -- as in links
    checked_at  timestamptz NOT NULL,
    change      text CHECK (change IN ('hidden', 'shown')),
    shown       boolean NOT NULL,
    PRIMARY KEY (run_id, link_id)
);
CREATE INDEX checks_by_link ON checks (link_id, checked_at);
CREATE INDEX checks_by_time ON checks (checked_at);

-- The contract for dashboards: docs/sql-views.md.

CREATE VIEW linkbeat_links AS
SELECT id, name, url_key AS url, host, active, backlink, shown,
       hidden_reason ->> 'type' AS hidden_reason_type, hidden_reason,
       verdict, reason ->> 'type' AS reason_type, reason, status, elapsed_ms,
       last_checked_at, last_run_id, passed_in_a_row, failed_in_a_row, created_at, updated_at,
       details -> 'redirects' AS redirects, details -> 'notes' AS notes,
       (details #>> '{certificate,expires_at}')::timestamptz AS tls_expires_at,
       details #>> '{certificate,issuer}' AS tls_issuer
FROM links;

CREATE VIEW linkbeat_runs AS
SELECT r.id, r.seq, r.request_id, r.state, r.links, r.done, r.created_at, r.finished_at,
       round(extract(epoch FROM r.finished_at - r.created_at), 3)::double precision AS seconds,
       c.checked, c.up, c.down, c.no_backlink, c.blocked, c.refused, c.white_listed, c.to_not_show, c.to_show,
       CASE r.state WHEN 'cancelled' THEN 0 ELSE r.parked END AS missing,
       (SELECT count(*) FROM jobs j WHERE j.run_id = r.id AND j.kind = 'recheck' AND j.state = 'open') AS to_recheck
FROM runs r
LEFT JOIN LATERAL (
    SELECT count(verdict) AS checked,
           count(*) FILTER (WHERE verdict = 'up') AS up,
           count(*) FILTER (WHERE verdict = 'down') AS down,
           count(*) FILTER (WHERE verdict = 'no_backlink') AS no_backlink,
           count(*) FILTER (WHERE verdict = 'blocked') AS blocked,
           count(*) FILTER (WHERE verdict = 'refused') AS refused,
           count(*) FILTER (WHERE verdict IS NULL) AS white_listed,
           count(*) FILTER (WHERE change = 'hidden') AS to_not_show,
           count(*) FILTER (WHERE change = 'shown') AS to_show
    FROM checks WHERE checks.run_id = r.id
) c ON true;

CREATE VIEW linkbeat_checks AS
SELECT run_id, link_id, name, url, verdict, reason ->> 'type' AS reason_type, reason,
       status, elapsed_ms, checked_at, change, shown,
       details -> 'redirects' AS redirects, details -> 'notes' AS notes,
       (details #>> '{certificate,expires_at}')::timestamptz AS tls_expires_at,
       details #>> '{certificate,issuer}' AS tls_issuer
FROM checks;
