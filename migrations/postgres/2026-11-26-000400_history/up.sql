-- Rollups: what is kept of checks for ever (days) and for a while (hours), and the removal of what is old.

-- How far the checks of a run have come. raw: they are in no rollup. rolling: they are being added. rolled: they are.
-- dropping: its checks are gone, its jobs are being removed. dropped: these are gone too, and its counts are left.
ALTER TABLE runs ADD COLUMN history text NOT NULL DEFAULT 'raw'
    CHECK (history IN ('raw', 'rolling', 'rolled', 'dropping', 'dropped'));
CREATE INDEX runs_by_history ON runs (history, id);

-- Checks that were stored after the rolling up of their run had begun. They are added one by one.
CREATE TABLE late_checks (
    link_id  uuid NOT NULL,
    run_id   uuid NOT NULL,
    PRIMARY KEY (link_id, run_id)
);

-- The time zones in which days were cut.
CREATE TABLE history_zones (
    id    smallint PRIMARY KEY,
    name  text NOT NULL UNIQUE
);

-- One row: how far rolling up and cleaning up have come.
CREATE TABLE history_progress (
    id          smallint PRIMARY KEY CHECK (id = 1),
    after       uuid NOT NULL,                        -- of the runs that are `rolling`, links up to this one are done
    rolled_at   timestamptz,                          -- when nothing was left to roll up
    cleaned_at  timestamptz                           -- when nothing was left to remove
);
INSERT INTO history_progress (id, after) VALUES (1, '00000000-0000-0000-0000-000000000000');

-- A link's checks of one day. A count that is 0 is NULL, which takes no room.
--
-- `latency` is the histogram (shared/src/history). It is NULL if it holds one value, which is p50_ms then, or none.
CREATE TABLE link_days (
    link_id       uuid NOT NULL,
    day           date NOT NULL,
    up            integer,
    down          integer,
    no_backlink   integer,
    blocked       integer,
    refused       integer,
    white_listed  integer,
    held_back     integer,
    timeouts      integer,                            -- of the checks in `latency`; they count with their deadline
    p50_ms        integer,
    p95_ms        integer,                            -- NULL: as p50_ms
    zone          smallint NOT NULL,                  -- of history_zones: where the day began and ended
    latency       bytea,
    PRIMARY KEY (link_id, day, zone)
);
-- For one time and all links: rows come in the order of their days.
CREATE INDEX link_days_by_day ON link_days USING brin (day) WITH (pages_per_range = 32, autosummarize = on);

-- The same of one hour, which is counted from 1970.
CREATE TABLE link_hours (
    link_id       uuid NOT NULL,
    hour          integer NOT NULL,
    up            integer,
    down          integer,
    no_backlink   integer,
    blocked       integer,
    refused       integer,
    white_listed  integer,
    held_back     integer,
    timeouts      integer,
    p50_ms        integer,
    p95_ms        integer,
    latency       bytea,
    PRIMARY KEY (link_id, hour)
);
CREATE INDEX link_hours_by_time ON link_hours
    USING brin (to_timestamp(hour::double precision * 3600)) WITH (pages_per_range = 32, autosummarize = on);

-- No role but the owner may delete. So it is done by functions that have the owner's rights and can do nothing else.
-- Whatever their arguments are, nothing goes that is younger than a day.

-- The oldest partition that lies before `before` and whose checks are all in the rollups.
CREATE FUNCTION droppable_checks_partition(before uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT p.name FROM checks_partitions p
    JOIN pg_inherits i ON i.inhparent = 'checks'::regclass AND i.inhrelid = to_regclass(quote_ident(p.name))
    WHERE p.to_run <= least(before, first_run_id(clock_timestamp() - interval '1 day'))
      AND NOT EXISTS (SELECT FROM runs r WHERE r.history IN ('raw', 'rolling') AND r.id >= p.from_run AND r.id < p.to_run)
      AND NOT EXISTS (SELECT FROM late_checks c WHERE c.run_id >= p.from_run AND c.run_id < p.to_run)
    ORDER BY p.from_run LIMIT 1
$$;

-- Drops that partition and returns its name. NULL: there is none.
--
-- Nobody can detach a partition beside others who use the table while there is a default partition. So it waits for
-- them, but so briefly (lock_timeout) that recorders do not notice. Then it gives up, and the caller tries again later.
CREATE FUNCTION drop_checks_partition(before uuid) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    named text := droppable_checks_partition(before);
BEGIN
    IF named IS NULL THEN
        RETURN NULL;
    END IF;
    LOCK TABLE checks IN ACCESS EXCLUSIVE MODE;
    -- Looked at again: a late result may have come before the lock.
    named := droppable_checks_partition(before);
    IF named IS NOT NULL THEN
        EXECUTE format('ALTER TABLE checks DETACH PARTITION %I', named);
        EXECUTE format('DROP TABLE %I', named);
    END IF;
    RETURN named;
END $$;

-- Removes what is left of runs that are `dropping`, at most so many rows of each table. Returns how many rows went, with
-- the runs that are `dropped` now.
CREATE FUNCTION clean_dropped_runs(most integer) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    ids uuid[];
    gone bigint := 0;
    touched bigint;
BEGIN
    SELECT array_agg(r.id) INTO ids FROM (
        SELECT id FROM runs WHERE history = 'dropping' AND state NOT IN ('running', 'held_back')
                              AND id < first_run_id(clock_timestamp() - interval '1 day')
        ORDER BY id LIMIT 100
    ) r;
    DELETE FROM checks_other WHERE (run_id, link_id) IN
        (SELECT run_id, link_id FROM checks_other WHERE run_id = ANY (ids) LIMIT most);
    GET DIAGNOSTICS touched = ROW_COUNT;
    gone := gone + touched;
    DELETE FROM proposals WHERE (run_id, link_id) IN
        (SELECT run_id, link_id FROM proposals WHERE run_id = ANY (ids) LIMIT most);
    GET DIAGNOSTICS touched = ROW_COUNT;
    gone := gone + touched;
    DELETE FROM parkings WHERE notice_id IN
        (SELECT p.notice_id FROM jobs j JOIN parkings p ON p.job_id = j.id WHERE j.run_id = ANY (ids) LIMIT most);
    GET DIAGNOSTICS touched = ROW_COUNT;
    gone := gone + touched;
    DELETE FROM jobs WHERE id IN
        (SELECT j.id FROM jobs j WHERE j.run_id = ANY (ids)
            AND NOT EXISTS (SELECT FROM parkings p WHERE p.job_id = j.id) LIMIT most);
    GET DIAGNOSTICS touched = ROW_COUNT;
    gone := gone + touched;
    DELETE FROM alike WHERE run_id = ANY (ids);
    UPDATE runs SET history = 'dropped' WHERE id = ANY (ids)
        AND NOT EXISTS (SELECT FROM jobs j WHERE j.run_id = runs.id)
        AND NOT EXISTS (SELECT FROM proposals p WHERE p.run_id = runs.id)
        AND NOT EXISTS (SELECT FROM checks_other c WHERE c.run_id = runs.id);
    GET DIAGNOSTICS touched = ROW_COUNT;
    RETURN gone + touched;
END $$;

-- Removes runs of which only the counts are left and that were filed before `before`, at most so many.
CREATE FUNCTION delete_old_runs(before uuid, most integer) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    gone bigint;
BEGIN
    DELETE FROM runs WHERE id IN (
        SELECT id FROM runs WHERE history = 'dropped' AND state NOT IN ('running', 'held_back')
                              AND id < least(before, first_run_id(clock_timestamp() - interval '1 day'))
        ORDER BY id LIMIT most
    );
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;

-- Removes hours before this one, at most so many rows.
CREATE FUNCTION delete_old_hours(before integer, most integer) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    gone bigint;
BEGIN
    DELETE FROM link_hours WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM link_hours
        WHERE to_timestamp(hour::double precision * 3600)
              < least(to_timestamp(before::double precision * 3600), clock_timestamp() - interval '1 day')
        LIMIT most
    ));
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;

REVOKE ALL ON FUNCTION droppable_checks_partition(uuid), drop_checks_partition(uuid), clean_dropped_runs(integer),
                       delete_old_runs(uuid, integer), delete_old_hours(integer, integer) FROM PUBLIC;
-- A function with its owner's rights must not find somebody else's tables first.
DO $$
DECLARE
    each regprocedure;
BEGIN
    FOREACH each IN ARRAY ARRAY['droppable_checks_partition(uuid)', 'drop_checks_partition(uuid)',
                                'clean_dropped_runs(integer)', 'delete_old_runs(uuid, integer)',
                                'delete_old_hours(integer, integer)']::regprocedure[]
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', each, current_schema());
    END LOOP;
END $$;
-- Whoever waits for a lock holds up all who come after.
ALTER FUNCTION drop_checks_partition(uuid) SET lock_timeout = '50ms';

-- The contract for dashboards: docs/sql-views.md.

CREATE VIEW linkbeat_days AS
SELECT d.link_id, coalesce(l.name, removed.name) AS name, coalesce(l.url_key, removed.url) AS url, d.day, z.name AS zone,
       coalesce(d.up, 0) AS up, coalesce(d.down, 0) AS down, coalesce(d.no_backlink, 0) AS no_backlink,
       coalesce(d.blocked, 0) AS blocked, coalesce(d.refused, 0) AS refused,
       coalesce(d.white_listed, 0) AS white_listed, coalesce(d.held_back, 0) AS held_back,
       trunc(100.0 * (coalesce(d.up, 0) + coalesce(d.no_backlink, 0))
             / nullif(coalesce(d.up, 0) + coalesce(d.down, 0) + coalesce(d.no_backlink, 0), 0), 2)::double precision
           AS reachable,
       d.p50_ms, coalesce(d.p95_ms, d.p50_ms) AS p95_ms, coalesce(d.timeouts, 0) AS timeouts
FROM link_days d
JOIN history_zones z ON z.id = d.zone
LEFT JOIN links l ON l.id = d.link_id
LEFT JOIN removed_links removed ON removed.id = d.link_id;

CREATE VIEW linkbeat_hours AS
SELECT h.link_id, coalesce(l.name, removed.name) AS name, coalesce(l.url_key, removed.url) AS url,
       to_timestamp(h.hour::double precision * 3600) AS hour,
       coalesce(h.up, 0) AS up, coalesce(h.down, 0) AS down, coalesce(h.no_backlink, 0) AS no_backlink,
       coalesce(h.blocked, 0) AS blocked, coalesce(h.refused, 0) AS refused,
       coalesce(h.white_listed, 0) AS white_listed, coalesce(h.held_back, 0) AS held_back,
       trunc(100.0 * (coalesce(h.up, 0) + coalesce(h.no_backlink, 0))
             / nullif(coalesce(h.up, 0) + coalesce(h.down, 0) + coalesce(h.no_backlink, 0), 0), 2)::double precision
           AS reachable,
       h.p50_ms, coalesce(h.p95_ms, h.p50_ms) AS p95_ms, coalesce(h.timeouts, 0) AS timeouts
FROM link_hours h
LEFT JOIN links l ON l.id = h.link_id
LEFT JOIN removed_links removed ON removed.id = h.link_id;
