-- What the outbox looks for every few seconds, run by run. It passes by no job that is being worked on.
CREATE INDEX jobs_unpublished ON jobs (run_id, id) WHERE state = 'open' AND published_at IS NULL;

-- Nobody works on the jobs of a cancelled run any more; from now on they are closed when its end is told.
UPDATE jobs SET state = 'done', body = NULL
WHERE state = 'open' AND run_id IN (SELECT id FROM runs WHERE state = 'cancelled');

-- And nothing of it is looked at again.
DROP VIEW linkbeat_runs;
CREATE VIEW linkbeat_runs AS
SELECT r.id, r.seq, r.request_id, r.state, r.links, r.done, r.created_at, r.finished_at,
       round((julianday(r.finished_at) - julianday(r.created_at)) * 86400.0, 3) AS seconds,
       count(c.verdict) AS checked,
       count(*) FILTER (WHERE c.verdict = 'up') AS up,
       count(*) FILTER (WHERE c.verdict = 'down') AS down,
       count(*) FILTER (WHERE c.verdict = 'no_backlink') AS no_backlink,
       count(*) FILTER (WHERE c.verdict = 'blocked') AS blocked,
       count(*) FILTER (WHERE c.verdict = 'refused') AS refused,
       count(*) FILTER (WHERE c.verdict IS NULL AND c.link_id IS NOT NULL) AS white_listed,
       count(*) FILTER (WHERE c.change = 'hidden') AS to_not_show,
       count(*) FILTER (WHERE c.change = 'shown') AS to_show,
       CASE r.state WHEN 'cancelled' THEN 0 ELSE r.parked END AS missing,
       CASE r.state WHEN 'cancelled' THEN 0
       ELSE (SELECT count(*) FROM jobs j WHERE j.run_id = r.id AND j.kind = 'recheck' AND j.state = 'open')
       END AS to_recheck
FROM runs r
LEFT JOIN checks c ON c.run_id = r.id
GROUP BY r.seq;
