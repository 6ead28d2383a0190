-- Links with their latest state, runs, jobs (the outbox), checks (the history), and changes (kept for ever).

CREATE TABLE links (
    id               uuid PRIMARY KEY,
    name             text NOT NULL,
    url              text NOT NULL,                   -- whole, userinfo included
    url_key          text NOT NULL,                   -- the URL without userinfo: what makes two links the same
    host             text COLLATE "C" NOT NULL,       -- of the page that is fetched; orders the links of a run
    page_url         text,
    group_name       text,                            -- the section of the list it came from
    attributes       jsonb,                           -- avatar, description, screenshot, feed, tags; NULL: none
    active           boolean NOT NULL DEFAULT true,
    backlink         boolean NOT NULL DEFAULT true,
    shown            boolean NOT NULL DEFAULT true,
    shown_since      timestamptz NOT NULL DEFAULT clock_timestamp(),  -- when `shown` last changed
    hidden_reason    jsonb,
    verdict          text CHECK (verdict IN ('up', 'down', 'no_backlink', 'blocked', 'refused')),
    verdict_since    timestamptz,                     -- when `verdict` last changed
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
                    CHECK (state IN ('running', 'finished', 'incomplete', 'held_back', 'discarded', 'cancelled')),
    check_spec      text NOT NULL,                    -- JSON
    show_rules      text NOT NULL,                    -- JSON
    links           bigint NOT NULL DEFAULT 0,
    to_check        bigint NOT NULL DEFAULT 0,        -- links that are not on the white list
    done            bigint NOT NULL DEFAULT 0,
    parked          bigint NOT NULL DEFAULT 0,        -- links without a result whose job is parked
    -- How many checks of the run say so. Written in the transaction that stores the checks.
    up              bigint NOT NULL DEFAULT 0,
    down            bigint NOT NULL DEFAULT 0,
    no_backlink     bigint NOT NULL DEFAULT 0,
    blocked         bigint NOT NULL DEFAULT 0,
    refused         bigint NOT NULL DEFAULT 0,
    white_listed    bigint NOT NULL DEFAULT 0,
    to_not_show     bigint NOT NULL DEFAULT 0,
    to_show         bigint NOT NULL DEFAULT 0,
    would_hide      bigint NOT NULL DEFAULT 0,        -- checks that propose to hide their link
    would_show      bigint NOT NULL DEFAULT 0,        -- checks that propose to show it
    untold          bigint NOT NULL DEFAULT 0,        -- proposals that were applied, and whose event is to be published
    -- Whether results are only proposed. open: they are, until it is clear whether most of them change alike. free: they
    -- are applied. held: most of them do, and a person is to decide. Then applied or discarded.
    hold            text NOT NULL DEFAULT 'free' CHECK (hold IN ('open', 'free', 'held', 'applied', 'discarded')),
    known           bigint NOT NULL DEFAULT 0,        -- of to_check, those that had been checked before
    needed          bigint NOT NULL DEFAULT 0,        -- so many that change alike hold the run back; 0: it is never held
    reply_queue     text,
    correlation_id  text,
    traceparent     text,                             -- of the request; every message of the run carries it
    tracestate      text,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_result_at  timestamptz,
    finished_at     timestamptz,
    announced_at    timestamptz,
    claimed_until   timestamptz                       -- until then its end is announced by whoever claimed the run
);
CREATE INDEX runs_unfinished ON runs (id) WHERE state IN ('running', 'incomplete');
CREATE INDEX runs_unannounced ON runs (seq) WHERE state <> 'running' AND announced_at IS NULL;

CREATE INDEX runs_unsettled ON runs (id) WHERE would_hide + would_show + untold > 0;

-- How many links of a run change in the same way for the same reason, of those that were checked before.
CREATE TABLE alike (
    run_id       uuid NOT NULL REFERENCES runs (id),
    change       text NOT NULL CHECK (change IN ('hidden', 'shown')),
    reason_type  text NOT NULL,                       -- empty: the links passed
    links        bigint NOT NULL,
    PRIMARY KEY (run_id, change, reason_type)
);

CREATE TABLE jobs (
    id            uuid PRIMARY KEY,
    run_id        uuid NOT NULL REFERENCES runs (id),
    kind          text NOT NULL CHECK (kind IN ('check', 'white_listed', 'recheck')),
    state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'parked')),
    links         uuid[] NOT NULL,
    links_count   bigint NOT NULL,
    links_done    bigint NOT NULL DEFAULT 0,          -- with a result, or left to a recheck
    body          bytea,                              -- the message; dropped when the job is done
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at  timestamptz,
    due_at        timestamptz                         -- of a recheck: when its link is checked again
);
CREATE INDEX jobs_by_run ON jobs (run_id, id);
CREATE INDEX jobs_open ON jobs (id) WHERE state = 'open';
-- What the outbox asks for every few seconds, run by run. It passes by no job that is being worked on.
CREATE INDEX jobs_unpublished ON jobs (run_id, id) WHERE state = 'open' AND published_at IS NULL;
CREATE INDEX jobs_rechecks ON jobs (id) WHERE kind = 'recheck' AND state = 'open' AND published_at IS NULL;

-- Notices that a job was parked or put back. A job is parked if it has more parked than requeued notices. They are
-- kept, so that a repeat is known as one.
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

-- What each check found, and nothing that stands elsewhere: names and URLs are in links and removed_links.
-- No foreign keys: history survives the removal of links.
--
-- The columns stand in the order in which they need no padding, and are eight: a ninth would cost each row 8 bytes more.
-- `outcome` is a sum: the verdict (0 white list, 1 up, 2 down, 3 no_backlink, 4 blocked, 5 refused), 16 if the link
-- was shown after the check, 32 if the check hid or showed it, and 64 if it only proposed to. What became of that stands
-- in proposals: a check is written once and never changed.
CREATE TABLE checks (
    checked_at  timestamptz NOT NULL,
    run_id      uuid NOT NULL,
    link_id     uuid NOT NULL,
    elapsed_ms  integer,                              -- NULL: not fetched
    status      smallint,
    outcome     smallint NOT NULL,
    reason      jsonb,
    details     jsonb,                                -- as in links
    -- The run first: a run's checks lie together in the index, so that recording and reading them touches few pages.
    PRIMARY KEY (run_id, link_id)
) PARTITION BY RANGE (run_id);

-- For the history of one link, and of one time. 16 pages hold about 1,700 checks. It costs 1.6 bytes a check, where a
-- b-tree on link_id costs 8 to 14.
CREATE INDEX checks_by_link ON checks
    USING brin (link_id uuid_bloom_ops (n_distinct_per_range = 1700, false_positive_rate = 0.01), checked_at)
    WITH (pages_per_range = 16, autosummarize = on);

-- Run ids begin with their time (UUIDv7), so a partition holds the checks of the runs of one week. Runs whose ids
-- have another time than now, such as those of a machine with a wrong clock, have their checks in checks_other.
CREATE TABLE checks_other PARTITION OF checks DEFAULT;

-- Which partitions were made. A run whose partition is no longer attached has lost its checks: late results for it are
-- refused.
CREATE TABLE checks_partitions (
    name      text PRIMARY KEY,
    from_run  uuid NOT NULL UNIQUE,
    to_run    uuid NOT NULL
);

-- The least id of a run of this moment.
CREATE FUNCTION first_run_id(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT rpad(lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0'), 32, '0')::uuid
$$;

-- Makes the partitions of this week and the four that follow, and returns how many it made. It has the rights of the
-- owner: whoever may call it need not be able to make tables.
CREATE FUNCTION make_checks_partitions() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    week timestamptz;
    named text;
    least uuid;
    beyond uuid;
    made integer := 0;
BEGIN
    FOR ahead IN 0..4 LOOP
        week := (date_trunc('week', clock_timestamp() AT TIME ZONE 'UTC') + ahead * interval '7 days') AT TIME ZONE 'UTC';
        named := 'checks_' || to_char(week AT TIME ZONE 'UTC', 'YYYYMMDD');
        least := first_run_id(week);
        beyond := first_run_id(week + interval '7 days');
        CONTINUE WHEN EXISTS (SELECT FROM checks_partitions p WHERE p.from_run = least);
        -- Where checks of that week came before their partition, they stay where they are, with the rest of the week.
        CONTINUE WHEN EXISTS (SELECT FROM checks_other o WHERE o.run_id >= least AND o.run_id < beyond);
        -- Attached once it is there: so whoever reads or writes checks meanwhile is not held up.
        EXECUTE format('CREATE TABLE %I (LIKE checks)', named);
        EXECUTE format('ALTER TABLE checks ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', named, least, beyond);
        INSERT INTO checks_partitions (name, from_run, to_run) VALUES (named, least, beyond);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;
REVOKE ALL ON FUNCTION make_checks_partitions() FROM PUBLIC;
-- A function with its owner's rights must not find somebody else's tables first.
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION make_checks_partitions() SET search_path = %I, pg_temp', current_schema());
END $$;
-- Whoever waits for a lock holds up all who come after.
ALTER FUNCTION make_checks_partitions() SET lock_timeout = '5s';
SELECT make_checks_partitions();

-- Checks that only proposed to hide or show their link, because most links of their run might change alike.
CREATE TABLE proposals (
    run_id   uuid NOT NULL,
    link_id  uuid NOT NULL,
    outcome  smallint NOT NULL,                       -- as in checks, by now; 128 more while the change is to be told
    details  jsonb,                                   -- what the check saw, to judge it again; dropped when it was
    PRIMARY KEY (run_id, link_id)
);
-- What is left to be decided or told.
CREATE INDEX proposals_unsettled ON proposals (run_id, link_id) WHERE outcome >= 64;

-- Each hiding and showing of a link, and each change of its verdict. Kept for ever.
CREATE TABLE changes (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    link_id         uuid NOT NULL,
    run_id          uuid,                             -- NULL: a person
    at              timestamptz NOT NULL,
    was_shown       boolean NOT NULL,
    shown           boolean NOT NULL,
    former_verdict  text,                             -- NULL: not checked before
    verdict         text,
    reason          jsonb                             -- of the verdict
);
CREATE UNIQUE INDEX changes_by_run ON changes (run_id, link_id);
CREATE INDEX changes_by_link ON changes (link_id, id);
CREATE INDEX changes_by_time ON changes (at);

-- The contract for dashboards: docs/sql-views.md.

CREATE VIEW linkbeat_links AS
SELECT id, name, url_key AS url, host, active, backlink, shown,
       hidden_reason ->> 'type' AS hidden_reason_type, hidden_reason,
       verdict, reason ->> 'type' AS reason_type, reason, status, elapsed_ms,
       last_checked_at, last_run_id, passed_in_a_row, failed_in_a_row, created_at, updated_at,
       details -> 'redirects' AS redirects, details -> 'notes' AS notes,
       (details #>> '{certificate,expires_at}')::timestamptz AS tls_expires_at,
       details #>> '{certificate,issuer}' AS tls_issuer,
       shown_since, verdict_since, group_name,
       attributes ->> 'avatar' AS avatar, attributes ->> 'description' AS description,
       attributes ->> 'screenshot' AS screenshot, attributes ->> 'feed' AS feed, attributes -> 'tags' AS tags,
       details ->> 'failed' AS failed_page, details ->> 'title' AS title
FROM links;

CREATE VIEW linkbeat_runs AS
SELECT r.id, r.seq, r.request_id, r.state, r.links, r.done, r.created_at, r.finished_at,
       round(extract(epoch FROM r.finished_at - r.created_at), 3)::double precision AS seconds,
       r.up + r.down + r.no_backlink + r.blocked + r.refused AS checked,
       r.up, r.down, r.no_backlink, r.blocked, r.refused, r.white_listed, r.to_not_show, r.to_show,
       CASE r.state WHEN 'cancelled' THEN 0 ELSE r.parked END AS missing,
       CASE r.state WHEN 'cancelled' THEN 0
       ELSE (SELECT count(*) FROM jobs j WHERE j.run_id = r.id AND j.kind = 'recheck' AND j.state = 'open')
       END AS to_recheck,
       r.would_hide, r.would_show, r.hold, r.known
FROM runs r;

CREATE VIEW linkbeat_checks AS
SELECT c.run_id, c.link_id, coalesce(l.name, removed.name) AS name, coalesce(l.url_key, removed.url) AS url,
       CASE c.outcome & 15 WHEN 1 THEN 'up' WHEN 2 THEN 'down' WHEN 3 THEN 'no_backlink' WHEN 4 THEN 'blocked'
                           WHEN 5 THEN 'refused' END AS verdict,
       c.reason ->> 'type' AS reason_type, c.reason, c.status::integer AS status, c.elapsed_ms::bigint AS elapsed_ms,
       c.checked_at,
       CASE coalesce(p.outcome, c.outcome) & 48 WHEN 32 THEN 'hidden' WHEN 48 THEN 'shown' END AS change,
       coalesce(p.outcome, c.outcome) & 16 <> 0 AS shown,
       c.details -> 'redirects' AS redirects, c.details -> 'notes' AS notes,
       (c.details #>> '{certificate,expires_at}')::timestamptz AS tls_expires_at,
       c.details #>> '{certificate,issuer}' AS tls_issuer,
       c.run_id || '/' || c.link_id AS id, c.details ->> 'failed' AS failed_page,
       CASE coalesce(p.outcome, c.outcome) & 80 WHEN 80 THEN 'hidden' WHEN 64 THEN 'shown' END AS proposed
FROM checks c
LEFT JOIN links l ON l.id = c.link_id
LEFT JOIN removed_links removed ON removed.id = c.link_id
LEFT JOIN proposals p ON p.run_id = c.run_id AND p.link_id = c.link_id;

CREATE VIEW linkbeat_changes AS
SELECT c.id, c.link_id, c.run_id, coalesce(l.name, removed.name) AS name, coalesce(l.url_key, removed.url) AS url,
       c.at, CASE WHEN c.shown AND NOT c.was_shown THEN 'shown' WHEN c.was_shown AND NOT c.shown THEN 'hidden' END AS change,
       c.was_shown, c.shown, c.former_verdict, c.verdict, c.reason ->> 'type' AS reason_type, c.reason
FROM changes c
LEFT JOIN links l ON l.id = c.link_id
LEFT JOIN removed_links removed ON removed.id = c.link_id;
