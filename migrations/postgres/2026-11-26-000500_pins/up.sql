-- What a person hid or showed for good: checks leave such a link as it is.
ALTER TABLE links
    ADD COLUMN pin text CHECK (pin IN ('hidden', 'shown')),
    ADD COLUMN pin_note text;               -- why, in the person's words

-- Grants on the view stay.
CREATE OR REPLACE VIEW linkbeat_links AS
SELECT id, name, url_key AS url, host, active, backlink, shown,
       hidden_reason ->> 'type' AS hidden_reason_type, hidden_reason,
       verdict, reason ->> 'type' AS reason_type, reason, status, elapsed_ms,
       last_checked_at, last_run_id, passed_in_a_row, failed_in_a_row, created_at, updated_at,
       details -> 'redirects' AS redirects, details -> 'notes' AS notes,
       (details #>> '{certificate,expires_at}')::timestamptz AS tls_expires_at,
       details #>> '{certificate,issuer}' AS tls_issuer,
       shown_since, verdict_since, group_name,
       attributes ->> 'avatar' AS avatar, attributes ->> 'description' AS description,
       attributes ->> 'screenshot' AS screenshot, attributes ->> 'feed' AS feed, attributes -> 'tags' AS tags,
       details ->> 'failed' AS failed_page, details ->> 'title' AS title,
       pin, pin_note
FROM links;
