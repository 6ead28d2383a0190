-- Rollups: what is kept of checks for ever (days) and for a while (hours), and the removal of what is old.

-- How far the checks of a run have come. raw: they are in no rollup. rolling: they are being added. rolled: they are.
-- dropping: its checks and jobs are being removed. dropped: these are gone, and its counts are left.
ALTER TABLE runs ADD COLUMN history TEXT NOT NULL DEFAULT 'raw'
    CHECK (history IN ('raw', 'rolling', 'rolled', 'dropping', 'dropped'));
CREATE INDEX runs_by_history ON runs (history, id);

-- Checks that were stored after the rolling up of their run had begun. They are added one by one.
CREATE TABLE late_checks (
    link_id  BLOB NOT NULL,
    run_id   BLOB NOT NULL,
    PRIMARY KEY (link_id, run_id)
) STRICT, WITHOUT ROWID;

-- The time zones in which days were cut.
CREATE TABLE history_zones (
    id    INTEGER PRIMARY KEY,
    name  TEXT NOT NULL UNIQUE
) STRICT;

-- One row: how far rolling up and cleaning up have come.
CREATE TABLE history_progress (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    after       BLOB NOT NULL,                        -- of the runs that are `rolling`, links up to this one are done
    rolled_at   TEXT,                                 -- when nothing was left to roll up
    cleaned_at  TEXT                                  -- when nothing was left to remove
) STRICT;
INSERT INTO history_progress (id, after) VALUES (1, x'00000000000000000000000000000000');

-- A link's checks of one day. A count that is 0 is NULL, which takes no room.
--
-- `latency` is the histogram (shared/src/history). It is NULL if it holds one value, which is p50_ms then, or none.
CREATE TABLE link_days (
    link_id       BLOB NOT NULL,
    day           TEXT NOT NULL,
    up            INTEGER,
    down          INTEGER,
    no_backlink   INTEGER,
    blocked       INTEGER,
    refused       INTEGER,
    white_listed  INTEGER,
    held_back     INTEGER,
    timeouts      INTEGER,                            -- of the checks in `latency`; they count with their deadline
    p50_ms        INTEGER,
    p95_ms        INTEGER,                            -- NULL: as p50_ms
    zone          INTEGER NOT NULL,                   -- of history_zones: where the day began and ended
    latency       BLOB,
    PRIMARY KEY (link_id, day, zone)
) STRICT, WITHOUT ROWID;

-- The same of one hour, which is counted from 1970.
CREATE TABLE link_hours (
    link_id       BLOB NOT NULL,
    hour          INTEGER NOT NULL,
    up            INTEGER,
    down          INTEGER,
    no_backlink   INTEGER,
    blocked       INTEGER,
    refused       INTEGER,
    white_listed  INTEGER,
    held_back     INTEGER,
    timeouts      INTEGER,
    p50_ms        INTEGER,
    p95_ms        INTEGER,
    latency       BLOB,
    PRIMARY KEY (link_id, hour)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_hours_by_time ON link_hours (hour);

-- The contract for dashboards: docs/sql-views.md. Ids are shown as text.

CREATE VIEW linkbeat_days AS
SELECT lower(substr(hex(d.link_id), 1, 8) || '-' || substr(hex(d.link_id), 9, 4) || '-' || substr(hex(d.link_id), 13, 4) || '-' || substr(hex(d.link_id), 17, 4) || '-' || substr(hex(d.link_id), 21)) AS link_id,
       coalesce(l.name, removed.name) AS name, coalesce(l.url_key, removed.url) AS url, d.day, z.name AS zone,
       coalesce(d.up, 0) AS up, coalesce(d.down, 0) AS down, coalesce(d.no_backlink, 0) AS no_backlink,
       coalesce(d.blocked, 0) AS blocked, coalesce(d.refused, 0) AS refused,
       coalesce(d.white_listed, 0) AS white_listed, coalesce(d.held_back, 0) AS held_back,
       (10000 * (coalesce(d.up, 0) + coalesce(d.no_backlink, 0))
           / nullif(coalesce(d.up, 0) + coalesce(d.down, 0) + coalesce(d.no_backlink, 0), 0)) / 100.0 AS reachable,
       d.p50_ms, coalesce(d.p95_ms, d.p50_ms) AS p95_ms, coalesce(d.timeouts, 0) AS timeouts
FROM link_days d
JOIN history_zones z ON z.id = d.zone
LEFT JOIN links l ON l.id = d.link_id
LEFT JOIN removed_links removed ON removed.id = d.link_id;

CREATE VIEW linkbeat_hours AS
SELECT lower(substr(hex(h.link_id), 1, 8) || '-' || substr(hex(h.link_id), 9, 4) || '-' || substr(hex(h.link_id), 13, 4) || '-' || substr(hex(h.link_id), 17, 4) || '-' || substr(hex(h.link_id), 21)) AS link_id,
       coalesce(l.name, removed.name) AS name, coalesce(l.url_key, removed.url) AS url,
       strftime('%Y-%m-%dT%H:%M:%f', h.hour * 3600, 'unixepoch') || '000Z' AS hour,
       coalesce(h.up, 0) AS up, coalesce(h.down, 0) AS down, coalesce(h.no_backlink, 0) AS no_backlink,
       coalesce(h.blocked, 0) AS blocked, coalesce(h.refused, 0) AS refused,
       coalesce(h.white_listed, 0) AS white_listed, coalesce(h.held_back, 0) AS held_back,
       (10000 * (coalesce(h.up, 0) + coalesce(h.no_backlink, 0))
           / nullif(coalesce(h.up, 0) + coalesce(h.down, 0) + coalesce(h.no_backlink, 0), 0)) / 100.0 AS reachable,
       h.p50_ms, coalesce(h.p95_ms, h.p50_ms) AS p95_ms, coalesce(h.timeouts, 0) AS timeouts
FROM link_hours h
LEFT JOIN links l ON l.id = h.link_id
LEFT JOIN removed_links removed ON removed.id = h.link_id;
