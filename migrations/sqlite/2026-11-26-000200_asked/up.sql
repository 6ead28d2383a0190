-- Who asked for which run, where a producer limits what an app may ask for.
CREATE TABLE asked (
    run_id    BLOB NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    asker     TEXT NOT NULL,                       -- the AMQP user; empty: all that do not say
    links     INTEGER NOT NULL,
    asked_at  TEXT NOT NULL
) STRICT;
CREATE INDEX asked_by_asker ON asked (asker, asked_at);
