-- Tokens of programs that use the dashboard's API. Only their hashes are kept.
CREATE TABLE tokens (
    name     TEXT PRIMARY KEY,
    hash     BLOB NOT NULL UNIQUE,                      -- SHA-256 of the token
    scope    TEXT NOT NULL CHECK (scope IN ('read', 'write')),
    made_at  TEXT NOT NULL
) STRICT;

-- People who have logged in to the dashboard. Only the hashes of their cookies are kept.
CREATE TABLE sessions (
    hash      BLOB PRIMARY KEY,                         -- SHA-256 of the cookie
    proof     BLOB NOT NULL,                            -- SHA-256 of the password's hash, or of the token
    began_at  TEXT NOT NULL,
    ends_at   TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_end ON sessions (ends_at);
