DROP VIEW linkbeat_links, linkbeat_checks, linkbeat_changes;
DROP FUNCTION reason_key(jsonb);
DROP TABLE reason_texts;

CREATE VIEW linkbeat_links AS
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

CREATE VIEW linkbeat_checks AS
SELECT c.run_id, c.link_id, coalesce(l.name, removed.name) AS name, coalesce(l.url_key, removed.url) AS url,
       CASE c.outcome & 15 WHEN 1 THEN 'up' WHEN 2 THEN 'down' WHEN 3 THEN 'no_backlink' WHEN 4 THEN 'blocked'
                           WHEN 5 THEN 'refused' END AS verdict,
       c.reason ->> 'type' AS reason_type, c.reason, c.status::integer AS status, c.elapsed_ms::bigint AS elapsed_ms,
       c.checked_at,
       CASE coalesce(p.outcome, c.outcome) & 48 WHEN 32 THEN 'hidden' WHEN 48 THEN 'shown' END AS change,
       coalesce(p.outcome, c.outcome) & 16 <> 0 AS shown,
       c.details -> 'redirects' AS redirects, c.details -> 'notes' AS notes,
       (c.details #>> '{certificate,expires_at}')::timestamptz AS tls_expires_at,
       c.details #>> '{certificate,issuer}' AS tls_issuer,
       c.run_id || '/' || c.link_id AS id, c.details ->> 'failed' AS failed_page,
       CASE coalesce(p.outcome, c.outcome) & 80 WHEN 80 THEN 'hidden' WHEN 64 THEN 'shown' END AS proposed
FROM checks c
LEFT JOIN links l ON l.id = c.link_id
LEFT JOIN removed_links removed ON removed.id = c.link_id
LEFT JOIN proposals p ON p.run_id = c.run_id AND p.link_id = c.link_id;

CREATE VIEW linkbeat_changes AS
SELECT c.id, c.link_id, c.run_id, coalesce(l.name, removed.name) AS name, coalesce(l.url_key, removed.url) AS url,
       c.at, CASE WHEN c.shown AND NOT c.was_shown THEN 'shown' WHEN c.was_shown AND NOT c.shown THEN 'hidden' END AS change,
       c.was_shown, c.shown, c.former_verdict, c.verdict, c.reason ->> 'type' AS reason_type, c.reason
FROM changes c
LEFT JOIN links l ON l.id = c.link_id
LEFT JOIN removed_links removed ON removed.id = c.link_id;
