-- Who asked for which run, where a producer limits what an app may ask for.
CREATE TABLE asked (
    run_id    uuid PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    asker     text NOT NULL,                       -- the AMQP user; empty: all that do not say
    links     bigint NOT NULL,
    asked_at  timestamptz NOT NULL
);
CREATE INDEX asked_by_asker ON asked (asker, asked_at);
