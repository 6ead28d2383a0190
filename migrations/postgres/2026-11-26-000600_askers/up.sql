-- Who is told how a run ended, besides whoever `runs.reply_queue` names: those who asked for the same request later, and
-- those who read another language than English.
CREATE TABLE askers (
    run_id          uuid NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    reply_queue     text NOT NULL,
    correlation_id  text NOT NULL,                      -- empty: none
    lang            text NOT NULL,
    PRIMARY KEY (run_id, reply_queue, correlation_id)
);

-- Runs that go on, and of which somebody wants to hear how far they have come.
CREATE TABLE progress (
    run_id   uuid PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    done     bigint NOT NULL,                          -- `runs.done` when that was told
    told_at  timestamptz NOT NULL
);
