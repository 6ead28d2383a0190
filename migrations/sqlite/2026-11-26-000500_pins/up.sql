-- What a person hid or showed for good: checks leave such a link as it is.
ALTER TABLE links ADD COLUMN pin TEXT CHECK (pin IN ('hidden', 'shown'));
ALTER TABLE links ADD COLUMN pin_note TEXT;   -- why, in the person's words

DROP VIEW linkbeat_links;
CREATE VIEW linkbeat_links AS
SELECT lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4) || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) AS id,
       name, url_key AS url, host, active, backlink, shown,
       hidden_reason ->> 'type' AS hidden_reason_type, hidden_reason,
       verdict, reason ->> 'type' AS reason_type, reason, status, elapsed_ms, last_checked_at,
       iif(last_run_id IS NULL, NULL, lower(substr(hex(last_run_id), 1, 8) || '-' || substr(hex(last_run_id), 9, 4) || '-' || substr(hex(last_run_id), 13, 4) || '-' || substr(hex(last_run_id), 17, 4) || '-' || substr(hex(last_run_id), 21))) AS last_run_id,
       passed_in_a_row, failed_in_a_row, created_at, updated_at,
       details -> 'redirects' AS redirects, details -> 'notes' AS notes,
       strftime('%Y-%m-%dT%H:%M:%f', details ->> '$.certificate.expires_at') || '000Z' AS tls_expires_at,
       details ->> '$.certificate.issuer' AS tls_issuer,
       shown_since, verdict_since, group_name,
       attributes ->> 'avatar' AS avatar, attributes ->> 'description' AS description,
       attributes ->> 'screenshot' AS screenshot, attributes ->> 'feed' AS feed, attributes -> 'tags' AS tags,
       details ->> '$.failed' AS failed_page, details ->> '$.title' AS title,
       pin, pin_note
FROM links;
