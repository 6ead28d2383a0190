DROP VIEW linkbeat_runs;
ALTER TABLE runs DROP COLUMN reused;

CREATE VIEW linkbeat_runs AS
SELECT r.id, r.seq, r.request_id, r.state, r.links, r.done, r.created_at, r.finished_at,
       round(extract(epoch FROM r.finished_at - r.created_at), 3)::double precision AS seconds,
       r.up + r.down + r.no_backlink + r.blocked + r.refused AS checked,
       r.up, r.down, r.no_backlink, r.blocked, r.refused, r.white_listed, r.to_not_show, r.to_show,
       CASE r.state WHEN 'cancelled' THEN 0 ELSE r.parked END AS missing,
       CASE r.state WHEN 'cancelled' THEN 0
       ELSE (SELECT count(*) FROM jobs j WHERE j.run_id = r.id AND j.kind = 'recheck' AND j.state = 'open')
       END AS to_recheck,
       r.would_hide, r.would_show, r.hold, r.known
FROM runs r;
