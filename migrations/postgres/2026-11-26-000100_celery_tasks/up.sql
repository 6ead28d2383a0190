-- Tasks that Celery clients have sent. A task's id is the client's; its run is the one of `request_id`.
CREATE TABLE celery_tasks (
    id         text PRIMARY KEY,
    request_id uuid NOT NULL,
    -- waiting: for its time. running: it has a run, or will have one at once. ended: its result is to be told.
    -- answered: it was told. revoked: nobody has seen the task yet, but it was called off.
    state      text NOT NULL CHECK (state IN ('waiting', 'running', 'ended', 'answered', 'revoked')),
    card       text NOT NULL,               -- JSON: what must be known of the task to carry it out and to answer it
    outcome    text,                        -- JSON: how it ended, if not as its run did
    due_at     timestamptz NOT NULL,        -- nothing is done about it before then
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX celery_tasks_by_state ON celery_tasks (state, due_at);
