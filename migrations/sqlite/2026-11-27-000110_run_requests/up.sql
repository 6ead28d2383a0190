-- What a run was asked, so that it can be asked again. The links of a list are those of the run's jobs.
CREATE TABLE run_requests (
    run_id   BLOB NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    request  TEXT NOT NULL,                            -- as it would travel, without a list
    listed   INTEGER NOT NULL                          -- it named its links
) STRICT;
