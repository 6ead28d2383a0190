-- Who is told how a run ended, besides whoever `runs.reply_queue` names: those who asked for the same request later, and
-- those who read another language than English.
CREATE TABLE askers (
    run_id          BLOB NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    reply_queue     TEXT NOT NULL,
    correlation_id  TEXT NOT NULL,                      -- empty: none
    lang            TEXT NOT NULL,
    PRIMARY KEY (run_id, reply_queue, correlation_id)
) STRICT;

-- Runs that go on, and of which somebody wants to hear how far they have come.
CREATE TABLE progress (
    run_id   BLOB PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    done     INTEGER NOT NULL,                          -- `runs.done` when that was told
    told_at  TEXT NOT NULL
) STRICT;
