DROP VIEW linkbeat_links;
-- A pause that has ended would have no end otherwise.
UPDATE links SET active = true WHERE NOT active AND paused_until <= strftime('%Y-%m-%dT%H:%M:%f000Z', 'now');
ALTER TABLE links DROP COLUMN paused_until;

CREATE VIEW linkbeat_links AS
SELECT seen.*,
       CASE seen.failed_page WHEN 'home' THEN 'home page: ' WHEN 'links_page' THEN 'links page: ' WHEN 'both' THEN 'home page and links page: ' ELSE '' END
           || replace(replace(t.en, '{code}', coalesce(seen.reason ->> 'code', '')), '{address}', coalesce(seen.reason ->> 'address', '')) AS reason_text,
       CASE seen.failed_page WHEN 'home' THEN '首页：' WHEN 'links_page' THEN '友链页面：' WHEN 'both' THEN '首页和友链页面：' ELSE '' END
           || replace(replace(t.zh, '{code}', coalesce(seen.reason ->> 'code', '')), '{address}', coalesce(seen.reason ->> 'address', '')) AS reason_text_zh,
       replace(replace(h.en, '{code}', coalesce(seen.hidden_reason ->> 'code', '')), '{address}', coalesce(seen.hidden_reason ->> 'address', '')) AS hidden_reason_text,
       replace(replace(h.zh, '{code}', coalesce(seen.hidden_reason ->> 'code', '')), '{address}', coalesce(seen.hidden_reason ->> 'address', '')) AS hidden_reason_text_zh
FROM (
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
           pin, pin_note,
           -- Without userinfo.
           iif(instr(substr(page_url, instr(page_url, '://') + 3), '@') BETWEEN 1 AND instr(substr(page_url, instr(page_url, '://') + 3), '/'),
               substr(page_url, 1, instr(page_url, '://') + 2) || substr(substr(page_url, instr(page_url, '://') + 3), instr(substr(page_url, instr(page_url, '://') + 3), '@') + 1),
               page_url) AS page_url
    FROM links
) seen
LEFT JOIN reason_texts t ON t.reason = seen.reason ->> 'type' || coalesce('/' || coalesce(seen.reason ->> 'kind', seen.reason ->> 'phase', seen.reason ->> 'note',
        iif(seen.reason ->> 'truncated', 'truncated', NULL), iif(seen.reason ->> 'address' IS NOT NULL, 'address', NULL)), '')
LEFT JOIN reason_texts h ON h.reason = seen.hidden_reason ->> 'type' || coalesce('/' || coalesce(seen.hidden_reason ->> 'kind', seen.hidden_reason ->> 'phase', seen.hidden_reason ->> 'note',
        iif(seen.hidden_reason ->> 'truncated', 'truncated', NULL), iif(seen.hidden_reason ->> 'address' IS NOT NULL, 'address', NULL)), '');
