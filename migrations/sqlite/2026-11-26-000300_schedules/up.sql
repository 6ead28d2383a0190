-- Requests that are made again and again. A producer files a run for each tick.
CREATE TABLE schedules (
    id               BLOB NOT NULL PRIMARY KEY,
    name             TEXT NOT NULL UNIQUE,
    definition       TEXT NOT NULL,                   -- JSON: when it ticks, and what becomes of late ticks
    request          TEXT NOT NULL,                   -- JSON: a linkbeat.request/1
    state            TEXT NOT NULL CHECK (state IN ('active', 'paused', 'ended')),
    due_at           TEXT,                            -- the next tick; NULL: none ever
    begins_at        TEXT,                            -- when it begins: due_at and the jitter
    last_due_at      TEXT,                            -- the last tick that fired or was skipped
    -- Ticks, by what became of them.
    fired            INTEGER NOT NULL DEFAULT 0,
    by_hand          INTEGER NOT NULL DEFAULT 0,      -- runs that a person began: no ticks
    skipped_overlap  INTEGER NOT NULL DEFAULT 0,      -- an earlier run still went on
    skipped_missed   INTEGER NOT NULL DEFAULT 0,      -- nobody could begin them in time
    skipped_paused   INTEGER NOT NULL DEFAULT 0,
    failed           INTEGER NOT NULL DEFAULT 0,      -- the run could not be filed
    revision         INTEGER NOT NULL DEFAULT 0,      -- grows with each change
    created_at       TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    changed_at       TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
) STRICT;
CREATE INDEX schedules_due ON schedules (begins_at) WHERE state = 'active';

-- The latest ticks of each schedule. The key makes each due time fire once.
CREATE TABLE ticks (
    schedule_id  BLOB NOT NULL REFERENCES schedules (id) ON DELETE CASCADE,
    due_at       TEXT NOT NULL,
    outcome      TEXT NOT NULL CHECK (outcome IN ('fired', 'by_hand', 'overlap', 'missed', 'failed')),
    covers       INTEGER NOT NULL DEFAULT 1,          -- so many ticks up to this one had this outcome
    run_id       BLOB,                                -- of a run that was filed
    settled_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    PRIMARY KEY (schedule_id, due_at)
) STRICT, WITHOUT ROWID;

CREATE VIEW linkbeat_schedules AS
SELECT lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4) || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) AS id,
       name, state,
       definition ->> 'cron' AS cron,
       definition -> 'every' ->> 'interval_ms' AS interval_ms,
       definition ->> 'at' AS at,
       definition ->> 'time_zone' AS time_zone, definition ->> 'overlap' AS overlap, definition ->> 'missed' AS missed,
       CASE state WHEN 'active' THEN due_at END AS next_due_at, last_due_at,
       fired, by_hand, skipped_overlap, skipped_missed, skipped_paused, failed, created_at, changed_at
FROM schedules;

CREATE VIEW linkbeat_ticks AS
SELECT lower(substr(hex(t.schedule_id), 1, 8) || '-' || substr(hex(t.schedule_id), 9, 4) || '-' || substr(hex(t.schedule_id), 13, 4) || '-' || substr(hex(t.schedule_id), 17, 4) || '-' || substr(hex(t.schedule_id), 21)) AS schedule_id,
       s.name AS schedule, t.due_at, t.outcome, t.covers AS ticks,
       iif(t.run_id IS NULL, NULL, lower(substr(hex(t.run_id), 1, 8) || '-' || substr(hex(t.run_id), 9, 4) || '-' || substr(hex(t.run_id), 13, 4) || '-' || substr(hex(t.run_id), 17, 4) || '-' || substr(hex(t.run_id), 21))) AS run_id, t.settled_at
FROM ticks t JOIN schedules s ON s.id = t.schedule_id;
