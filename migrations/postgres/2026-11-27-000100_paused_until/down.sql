DROP VIEW linkbeat_links;
CREATE OR REPLACE FUNCTION linkbeat_set_link(link uuid, shown boolean DEFAULT NULL, active boolean DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    before links;
    moment timestamptz;
BEGIN
    -- Who edits links does so one after the other.
    PERFORM pg_advisory_xact_lock(x'6c626c696e6b73'::bigint);
    SELECT * INTO before FROM links WHERE links.id = link FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    moment := clock_timestamp();
    UPDATE links SET active = coalesce(linkbeat_set_link.active, before.active), updated_at = moment WHERE links.id = link;
    IF linkbeat_set_link.shown IS NULL THEN
        RETURN true;
    END IF;
    UPDATE links SET shown = linkbeat_set_link.shown, hidden_reason = NULL, passed_in_a_row = 0, failed_in_a_row = 0,
                     pin = NULL, pin_note = NULL,
                     -- Whoever hides or shows a link has seen its page: what it is like by now is learnt anew.
                     details = nullif(before.details - 'known', '{}'),
                     shown_since = CASE WHEN before.shown = linkbeat_set_link.shown THEN before.shown_since ELSE moment END
    WHERE links.id = link;
    IF before.shown <> linkbeat_set_link.shown THEN
        INSERT INTO changes (link_id, run_id, at, was_shown, shown, former_verdict, verdict, reason)
        VALUES (link, NULL, moment, before.shown, linkbeat_set_link.shown, before.verdict, before.verdict, before.reason);
    END IF;
    RETURN true;
END $$;
-- A function with its owner's rights must not find somebody else's tables first.
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION linkbeat_set_link(uuid, boolean, boolean) SET search_path = %I, pg_temp',
                   current_schema());
END $$;
-- A pause that has ended would have no end otherwise.
UPDATE links SET active = true WHERE NOT active AND paused_until <= now();
ALTER TABLE links DROP COLUMN paused_until;

CREATE VIEW linkbeat_links AS
SELECT seen.id, seen.name, seen.url, seen.host, seen.active, seen.backlink, seen.shown,
       seen.hidden_reason_type, seen.hidden_reason, seen.verdict, seen.reason_type, seen.reason, seen.status,
       seen.elapsed_ms, seen.last_checked_at, seen.last_run_id, seen.passed_in_a_row, seen.failed_in_a_row,
       seen.created_at, seen.updated_at, seen.redirects, seen.notes, seen.tls_expires_at, seen.tls_issuer,
       seen.shown_since, seen.verdict_since, seen.group_name, seen.avatar, seen.description, seen.screenshot,
       seen.feed, seen.tags, seen.failed_page, seen.title, seen.pin, seen.pin_note, seen.page_url,
       CASE seen.failed_page WHEN 'home' THEN 'home page: ' WHEN 'links_page' THEN 'links page: ' WHEN 'both' THEN 'home page and links page: ' ELSE '' END
           || replace(replace(t.en, '{code}', coalesce(seen.reason ->> 'code', '')), '{address}', coalesce(seen.reason ->> 'address', '')) AS reason_text,
       CASE seen.failed_page WHEN 'home' THEN '首页：' WHEN 'links_page' THEN '友链页面：' WHEN 'both' THEN '首页和友链页面：' ELSE '' END
           || replace(replace(t.zh, '{code}', coalesce(seen.reason ->> 'code', '')), '{address}', coalesce(seen.reason ->> 'address', '')) AS reason_text_zh,
       replace(replace(h.en, '{code}', coalesce(seen.hidden_reason ->> 'code', '')), '{address}', coalesce(seen.hidden_reason ->> 'address', '')) AS hidden_reason_text,
       replace(replace(h.zh, '{code}', coalesce(seen.hidden_reason ->> 'code', '')), '{address}', coalesce(seen.hidden_reason ->> 'address', '')) AS hidden_reason_text_zh
FROM (
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
           pin, pin_note,
           -- Without userinfo.
           regexp_replace(page_url, '^([a-z]+://)[^/?#@]*@', '\1') AS page_url
    FROM links
) seen
LEFT JOIN reason_texts t ON t.reason = reason_key(seen.reason)
LEFT JOIN reason_texts h ON h.reason = reason_key(seen.hidden_reason);
