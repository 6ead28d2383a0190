-- Calls of the API that whoever made them gave a name: what they said, so that no other call takes the same name.
CREATE TABLE api_calls (
    request_id  BLOB NOT NULL PRIMARY KEY,
    said        INTEGER NOT NULL,                       -- a hash
    made_at     TEXT NOT NULL
) STRICT;
CREATE INDEX api_calls_by_time ON api_calls (made_at);
