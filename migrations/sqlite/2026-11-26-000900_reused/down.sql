DROP VIEW linkbeat_runs;
ALTER TABLE runs DROP COLUMN reused;

CREATE VIEW linkbeat_runs AS
SELECT lower(substr(hex(r.id), 1, 8) || '-' || substr(hex(r.id), 9, 4) || '-' || substr(hex(r.id), 13, 4) || '-' || substr(hex(r.id), 17, 4) || '-' || substr(hex(r.id), 21)) AS id,
       r.seq,
       lower(substr(hex(r.request_id), 1, 8) || '-' || substr(hex(r.request_id), 9, 4) || '-' || substr(hex(r.request_id), 13, 4) || '-' || substr(hex(r.request_id), 17, 4) || '-' || substr(hex(r.request_id), 21)) AS request_id,
       r.state, r.links, r.done, r.created_at, r.finished_at,
       round((julianday(r.finished_at) - julianday(r.created_at)) * 86400.0, 3) AS seconds,
       r.up + r.down + r.no_backlink + r.blocked + r.refused AS checked,
       r.up, r.down, r.no_backlink, r.blocked, r.refused, r.white_listed, r.to_not_show, r.to_show,
       CASE r.state WHEN 'cancelled' THEN 0 ELSE r.parked END AS missing,
       CASE r.state WHEN 'cancelled' THEN 0
       ELSE (SELECT count(*) FROM jobs j WHERE j.run_id = r.id AND j.kind = 'recheck' AND j.state = 'open')
       END AS to_recheck,
       r.would_hide, r.would_show, r.hold, r.known
FROM runs r;
