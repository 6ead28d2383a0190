-- Requests that are made again and again. A producer files a run for each tick.
CREATE TABLE schedules (
    id               uuid PRIMARY KEY,
    name             text NOT NULL UNIQUE,
    definition       jsonb NOT NULL,                  -- when it ticks, and what becomes of late ticks
    request          text NOT NULL,                   -- JSON: a linkbeat.request/1
    state            text NOT NULL CHECK (state IN ('active', 'paused', 'ended')),
    due_at           timestamptz,                     -- the next tick; NULL: none ever
    begins_at        timestamptz,                     -- when it begins: due_at and the jitter
    last_due_at      timestamptz,                     -- the last tick that fired or was skipped
    -- Ticks, by what became of them.
    fired            bigint NOT NULL DEFAULT 0,
    by_hand          bigint NOT NULL DEFAULT 0,       -- runs that a person began: no ticks
    skipped_overlap  bigint NOT NULL DEFAULT 0,       -- an earlier run still went on
    skipped_missed   bigint NOT NULL DEFAULT 0,       -- nobody could begin them in time
    skipped_paused   bigint NOT NULL DEFAULT 0,
    failed           bigint NOT NULL DEFAULT 0,       -- the run could not be filed
    revision         bigint NOT NULL DEFAULT 0,       -- grows with each change
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX schedules_due ON schedules (begins_at) WHERE state = 'active';

-- The latest ticks of each schedule. The key makes each due time fire once.
CREATE TABLE ticks (
    schedule_id  uuid NOT NULL REFERENCES schedules (id) ON DELETE CASCADE,
    due_at       timestamptz NOT NULL,
    outcome      text NOT NULL CHECK (outcome IN ('fired', 'by_hand', 'overlap', 'missed', 'failed')),
    covers       bigint NOT NULL DEFAULT 1,           -- so many ticks up to this one had this outcome
    run_id       uuid,                                -- of a run that was filed
    settled_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (schedule_id, due_at)
);

CREATE VIEW linkbeat_schedules AS
SELECT id, name, state,
       definition ->> 'cron' AS cron,
       (definition -> 'every' ->> 'interval_ms')::bigint AS interval_ms,
       (definition ->> 'at')::timestamptz AS at,
       definition ->> 'time_zone' AS time_zone, definition ->> 'overlap' AS overlap, definition ->> 'missed' AS missed,
       CASE state WHEN 'active' THEN due_at END AS next_due_at, last_due_at,
       fired, by_hand, skipped_overlap, skipped_missed, skipped_paused, failed, created_at, changed_at
FROM schedules;

CREATE VIEW linkbeat_ticks AS
SELECT t.schedule_id, s.name AS schedule, t.due_at, t.outcome, t.covers AS ticks, t.run_id, t.settled_at
FROM ticks t JOIN schedules s ON s.id = t.schedule_id;
