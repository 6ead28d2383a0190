-- Tokens of programs that use the dashboard's API. Only their hashes are kept.
CREATE TABLE tokens (
    name     text PRIMARY KEY,
    hash     bytea NOT NULL UNIQUE,                     -- SHA-256 of the token
    scope    text NOT NULL CHECK (scope IN ('read', 'write')),
    made_at  timestamptz NOT NULL
);

-- People who have logged in to the dashboard. Only the hashes of their cookies are kept.
CREATE TABLE sessions (
    hash      bytea PRIMARY KEY,                        -- SHA-256 of the cookie
    proof     bytea NOT NULL,                           -- SHA-256 of the password's hash, or of the token
    began_at  timestamptz NOT NULL,
    ends_at   timestamptz NOT NULL
);
CREATE INDEX sessions_end ON sessions (ends_at);
