-- What the outbox looks for every few seconds, run by run. It passes by no job that is being worked on.
CREATE INDEX jobs_unpublished ON jobs (run_id, id) WHERE state = 'open' AND published_at IS NULL;

-- Nobody works on the jobs of a cancelled run any more; from now on they are closed when its end is told.
UPDATE jobs SET state = 'done', body = NULL
WHERE state = 'open' AND run_id IN (SELECT id FROM runs WHERE state = 'cancelled');

-- And nothing of it is looked at again.
CREATE OR REPLACE VIEW linkbeat_runs AS
SELECT r.id, r.seq, r.request_id, r.state, r.links, r.done, r.created_at, r.finished_at,
       round(extract(epoch FROM r.finished_at - r.created_at), 3)::double precision AS seconds,
       c.checked, c.up, c.down, c.no_backlink, c.blocked, c.refused, c.white_listed, c.to_not_show, c.to_show,
       CASE r.state WHEN 'cancelled' THEN 0 ELSE r.parked END AS missing,
       CASE r.state WHEN 'cancelled' THEN 0
       ELSE (SELECT count(*) FROM jobs j WHERE j.run_id = r.id AND j.kind = 'recheck' AND j.state = 'open')
       END AS to_recheck
FROM runs r
LEFT JOIN LATERAL (
    SELECT count(verdict) AS checked,
           count(*) FILTER (WHERE verdict = 'up') AS up,
           count(*) FILTER (WHERE verdict = 'down') AS down,
           count(*) FILTER (WHERE verdict = 'no_backlink') AS no_backlink,
           count(*) FILTER (WHERE verdict = 'blocked') AS blocked,
           count(*) FILTER (WHERE verdict = 'refused') AS refused,
           count(*) FILTER (WHERE verdict IS NULL) AS white_listed,
           count(*) FILTER (WHERE change = 'hidden') AS to_not_show,
           count(*) FILTER (WHERE change = 'shown') AS to_show
    FROM checks WHERE checks.run_id = r.id
) c ON true;
