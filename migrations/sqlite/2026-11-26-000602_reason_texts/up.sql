-- What each reason is called in prose, as reports have it. The key is the type of the reason, and what it says of the
-- kind. {code} and {address} stand for what the reason says.
CREATE TABLE reason_texts (
    reason  TEXT PRIMARY KEY,
    en      TEXT NOT NULL,
    zh      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO reason_texts (reason, en, zh) VALUES
    ('timeout/dns', 'timed out looking up the host''s address', '域名解析超时'),
    ('timeout/connect', 'timed out connecting', '连接超时'),
    ('timeout/tls', 'timed out in the TLS handshake', 'TLS 握手超时'),
    ('timeout/headers', 'timed out waiting for an answer', '等待响应超时'),
    ('timeout/body', 'timed out reading the page', '读取网页超时'),
    ('timeout/queue', 'timed out waiting for a turn at this host', '等待该主机的空闲连接超时'),
    ('timeout/other', 'timed out', '请求超时'),
    ('dns/nxdomain', 'the host''s name does not exist', '域名不存在'),
    ('dns/servfail', 'the name servers of this host fail', '域名服务器故障'),
    ('dns/refused', 'the name servers of this host refuse to answer', '域名服务器拒绝应答'),
    ('dns/no_address', 'the host''s name has no address', '域名没有地址记录'),
    ('dns/cname_loop', 'the host''s name is an alias that leads in a circle', '域名别名循环'),
    ('dns/timeout', 'the name servers of this host do not answer', '域名服务器无应答'),
    ('dns/other', 'the host''s name could not be looked up', '域名解析失败'),
    ('connect/refused', 'the connection was refused', '连接被拒绝'),
    ('connect/reset', 'the connection was reset', '连接被重置'),
    ('connect/closed', 'the connection was closed before an answer', '连接在响应前被关闭'),
    ('connect/unreachable', 'the host cannot be reached', '主机不可达'),
    ('connect/other', 'the connection failed', '连接失败'),
    ('tls/expired', 'the certificate has expired', '证书已过期'),
    ('tls/not_yet_valid', 'the certificate is not valid yet', '证书尚未生效'),
    ('tls/self_signed', 'the certificate is self-signed', '证书为自签名'),
    ('tls/wrong_host', 'the certificate is for another host', '证书与域名不符'),
    ('tls/unknown_issuer', 'the certificate''s issuer is unknown', '证书颁发者未知'),
    ('tls/incomplete_chain', 'the server leaves out an intermediate certificate', '证书链不完整'),
    ('tls/revoked', 'the certificate was revoked', '证书已被吊销'),
    ('tls/old_protocol', 'the server speaks no TLS newer than 1.1', '服务器仅支持 TLS 1.1 或更旧的协议'),
    ('tls/no_common_cipher', 'the server accepts no modern TLS cipher', '服务器不支持任何现代 TLS 加密套件'),
    ('tls/unsupported_name', 'linkbeat cannot ask over TLS for a name with a hyphen at the end of a label', '域名标签以连字符开头或结尾，linkbeat 无法以该名称建立 TLS 连接'),
    ('tls/other', 'the TLS handshake failed', 'TLS 握手失败'),
    ('redirect/loop', 'the redirects lead in a circle', '重定向循环'),
    ('redirect/too_many', 'too many redirects', '重定向次数过多'),
    ('redirect/no_location', 'a redirect does not say where to', '重定向未给出地址'),
    ('redirect/bad_location', 'a redirect leads to no usable URL', '重定向地址无效'),
    ('redirect/other', 'the redirects failed', '重定向失败'),
    ('bad_url/host', 'not fetched: the URL''s host is invalid', '未访问：主机名无效'),
    ('bad_url/other', 'not fetched: the URL is malformed', '未访问：网址格式错误'),
    ('backlink_missing', 'the page does not link back', '网站未设置本站外链'),
    ('backlink_missing/truncated', 'no link back in the part of the page that was read (it is over the size limit)', '网页过大，已读取的部分未找到本站外链'),
    ('protocol', 'the answer is not valid HTTP', '响应不是有效的 HTTP'),
    ('other', 'failed for a reason that this version of linkbeat does not know', '未知原因（由更新版本的 linkbeat 给出）'),
    ('status', 'the page answered {code}', '网页请求返回{code}'),
    ('unsafe_address/address', 'not fetched: {address} is not a public address', '未访问：{address} 不是公网地址'),
    ('unsafe_address', 'not fetched: its address is not public', '未访问：不是公网地址'),
    ('body/pattern_too_slow', 'the backlink pattern takes too long on this page', '在该网页上匹配外链的正则表达式耗时过长'),
    ('body', 'the page broke off before the backlink was found', '网页中断，未找到本站外链'),
    ('body/other', 'the page broke off before the backlink was found', '网页中断，未找到本站外链'),
    ('noted/downgraded', 'redirected from https to http', '从 https 跳转到 http'),
    ('noted/nofollow', 'the backlink is nofollow', '外链带有 nofollow'),
    ('noted/meta_refresh', 'the page refreshes to another', '网页自动刷新到其他页面'),
    ('noted/scripted', 'the page builds its links by script', '网页的链接由脚本生成'),
    ('noted/moved_domain', 'moved to another domain', '跳转到其他域名'),
    ('noted/parked', 'looks parked or for sale', '疑似域名停放或出售'),
    ('noted/title_changed', 'has quite another title than before', '网页标题与以前完全不同'),
    ('noted/language_changed', 'is in another language than before', '网页语言与以前不同'),
    ('noted/other', 'noted by a newer version of linkbeat', '由更新版本的 linkbeat 标注');

-- Each view with more columns at its end.
DROP VIEW linkbeat_links;
DROP VIEW linkbeat_checks;
DROP VIEW linkbeat_changes;

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

CREATE VIEW linkbeat_checks AS
SELECT seen.*,
       CASE seen.failed_page WHEN 'home' THEN 'home page: ' WHEN 'links_page' THEN 'links page: ' WHEN 'both' THEN 'home page and links page: ' ELSE '' END
           || replace(replace(t.en, '{code}', coalesce(seen.reason ->> 'code', '')), '{address}', coalesce(seen.reason ->> 'address', '')) AS reason_text,
       CASE seen.failed_page WHEN 'home' THEN '首页：' WHEN 'links_page' THEN '友链页面：' WHEN 'both' THEN '首页和友链页面：' ELSE '' END
           || replace(replace(t.zh, '{code}', coalesce(seen.reason ->> 'code', '')), '{address}', coalesce(seen.reason ->> 'address', '')) AS reason_text_zh
FROM (
    SELECT run_id, link_id, name, url, verdict, reason ->> 'type' AS reason_type, reason, status, elapsed_ms, checked_at,
           change, shown,
           details -> 'redirects' AS redirects, details -> 'notes' AS notes,
           strftime('%Y-%m-%dT%H:%M:%f', details ->> '$.certificate.expires_at') || '000Z' AS tls_expires_at,
           details ->> '$.certificate.issuer' AS tls_issuer,
           run_id || '/' || link_id AS id, details ->> '$.failed' AS failed_page,
           proposed
    FROM (
        SELECT lower(substr(hex(c.run_id), 1, 8) || '-' || substr(hex(c.run_id), 9, 4) || '-' || substr(hex(c.run_id), 13, 4) || '-' || substr(hex(c.run_id), 17, 4) || '-' || substr(hex(c.run_id), 21)) AS run_id,
               lower(substr(hex(c.link_id), 1, 8) || '-' || substr(hex(c.link_id), 9, 4) || '-' || substr(hex(c.link_id), 13, 4) || '-' || substr(hex(c.link_id), 17, 4) || '-' || substr(hex(c.link_id), 21)) AS link_id,
               coalesce(l.name, removed.name) AS name, coalesce(l.url_key, removed.url) AS url,
               CASE c.outcome & 15 WHEN 1 THEN 'up' WHEN 2 THEN 'down' WHEN 3 THEN 'no_backlink' WHEN 4 THEN 'blocked'
                                   WHEN 5 THEN 'refused' END AS verdict,
               c.reason, c.status, c.elapsed_ms, c.checked_at,
               CASE coalesce(p.outcome, c.outcome) & 48 WHEN 32 THEN 'hidden' WHEN 48 THEN 'shown' END AS change,
               coalesce(p.outcome, c.outcome) & 16 <> 0 AS shown, c.details,
               CASE coalesce(p.outcome, c.outcome) & 80 WHEN 80 THEN 'hidden' WHEN 64 THEN 'shown' END AS proposed
        FROM checks c
        LEFT JOIN links l ON l.id = c.link_id
        LEFT JOIN removed_links removed ON removed.id = c.link_id
        LEFT JOIN proposals p ON p.run_id = c.run_id AND p.link_id = c.link_id
    )
) seen
LEFT JOIN reason_texts t ON t.reason = seen.reason ->> 'type' || coalesce('/' || coalesce(seen.reason ->> 'kind', seen.reason ->> 'phase', seen.reason ->> 'note',
        iif(seen.reason ->> 'truncated', 'truncated', NULL), iif(seen.reason ->> 'address' IS NOT NULL, 'address', NULL)), '');

CREATE VIEW linkbeat_changes AS
SELECT seen.*,
       replace(replace(t.en, '{code}', coalesce(seen.reason ->> 'code', '')), '{address}', coalesce(seen.reason ->> 'address', '')) AS reason_text,
       replace(replace(t.zh, '{code}', coalesce(seen.reason ->> 'code', '')), '{address}', coalesce(seen.reason ->> 'address', '')) AS reason_text_zh
FROM (
    SELECT c.id,
           lower(substr(hex(c.link_id), 1, 8) || '-' || substr(hex(c.link_id), 9, 4) || '-' || substr(hex(c.link_id), 13, 4) || '-' || substr(hex(c.link_id), 17, 4) || '-' || substr(hex(c.link_id), 21)) AS link_id,
           iif(c.run_id IS NULL, NULL, lower(substr(hex(c.run_id), 1, 8) || '-' || substr(hex(c.run_id), 9, 4) || '-' || substr(hex(c.run_id), 13, 4) || '-' || substr(hex(c.run_id), 17, 4) || '-' || substr(hex(c.run_id), 21))) AS run_id,
           coalesce(l.name, removed.name) AS name, coalesce(l.url_key, removed.url) AS url,
           c.at, CASE WHEN c.shown AND NOT c.was_shown THEN 'shown' WHEN c.was_shown AND NOT c.shown THEN 'hidden' END AS change,
           c.was_shown, c.shown, c.former_verdict, c.verdict, c.reason ->> 'type' AS reason_type, c.reason
    FROM changes c
    LEFT JOIN links l ON l.id = c.link_id
    LEFT JOIN removed_links removed ON removed.id = c.link_id
) seen
LEFT JOIN reason_texts t ON t.reason = seen.reason ->> 'type' || coalesce('/' || coalesce(seen.reason ->> 'kind', seen.reason ->> 'phase', seen.reason ->> 'note',
        iif(seen.reason ->> 'truncated', 'truncated', NULL), iif(seen.reason ->> 'address' IS NOT NULL, 'address', NULL)), '');
