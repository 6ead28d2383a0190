-- What a run was asked, so that it can be asked again. The links of a list are those of the run's jobs.
CREATE TABLE run_requests (
    run_id   uuid PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    request  text NOT NULL,                            -- as it would travel, without a list
    listed   boolean NOT NULL                          -- it named its links
);
