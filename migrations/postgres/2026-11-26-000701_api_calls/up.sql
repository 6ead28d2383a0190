-- Calls of the API that whoever made them gave a name: what they said, so that no other call takes the same name.
CREATE TABLE api_calls (
    request_id  uuid PRIMARY KEY,
    said        bigint NOT NULL,                       -- a hash
    made_at     timestamptz NOT NULL
);
CREATE INDEX api_calls_by_time ON api_calls (made_at);
