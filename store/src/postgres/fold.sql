-- Adds the checks of a page to days and hours. What a check counts for is said in Rust, too:
-- `linkbeat_shared::history::Summary::add`.
--
-- $1, $2: the runs, and how they are held. $3, $4: the links of the page come after the one and up to the other.
-- $5, $6, $7: days, and when they begin and end. $8: the time zone of the days. $9: older hours are not kept.
WITH kinds AS MATERIALIZED (
    SELECT c.link_id, c.checked_at, c.elapsed_ms, c.status IS NOT NULL AS answered,
           coalesce(c.reason ->> 'type' = 'timeout', false) AS timed_out,
           -- A verdict as in checks.outcome, or 6: held back.
           CASE WHEN c.outcome & 64 <> 0 AND r.hold NOT IN ('free', 'applied') THEN 6 ELSE c.outcome & 15 END AS kind
    FROM unnest($1, $2) AS r (id, hold)
    CROSS JOIN LATERAL (
        SELECT * FROM checks
        WHERE run_id = r.id AND link_id > $3 AND link_id <= $4 AND outcome < 256
              AND NOT EXISTS (SELECT FROM late_checks l WHERE l.link_id = checks.link_id AND l.run_id = checks.run_id)
        OFFSET 0) c
), seen AS MATERIALIZED (
    SELECT link_id, kind, d.day, nullif(greatest(h.hour, $9 - 1), $9 - 1) AS hour,
           CASE WHEN kind IN (1, 2, 3) AND answered AND NOT timed_out THEN elapsed_ms END AS answered_ms,
           CASE WHEN kind IN (1, 2, 3) AND timed_out THEN elapsed_ms END AS timed_out_ms
    FROM kinds
    CROSS JOIN LATERAL (SELECT floor(extract(epoch FROM checked_at) / 3600)::integer AS hour) h
    JOIN unnest($5, $6, $7) AS d (day, begun, ended) ON checked_at >= begun AND checked_at < ended
), buckets AS MATERIALIZED (
    SELECT link_id, day, hour, grouping(day) = 0 AS of_day, count(*) AS checks,
           count(*) FILTER (WHERE kind = 1) AS up, count(*) FILTER (WHERE kind = 2) AS down,
           count(*) FILTER (WHERE kind = 3) AS no_backlink, count(*) FILTER (WHERE kind = 4) AS blocked,
           count(*) FILTER (WHERE kind = 5) AS refused, count(*) FILTER (WHERE kind = 0) AS white_listed,
           count(*) FILTER (WHERE kind = 6) AS held_back,
           array_agg(answered_ms) FILTER (WHERE answered_ms IS NOT NULL) AS answered_ms,
           array_agg(timed_out_ms) FILTER (WHERE timed_out_ms IS NOT NULL) AS timed_out_ms
    FROM seen
    GROUP BY GROUPING SETS ((link_id, day), (link_id, hour))
), lone AS (
    -- One check needs no histogram.
    SELECT link_id, day, hour, of_day, nullif(up, 0) AS up, nullif(down, 0) AS down, nullif(no_backlink, 0) AS no_backlink,
           nullif(blocked, 0) AS blocked, nullif(refused, 0) AS refused, nullif(white_listed, 0) AS white_listed,
           nullif(held_back, 0) AS held_back, cardinality(timed_out_ms) AS timeouts,
           coalesce(answered_ms[1], timed_out_ms[1]) AS p50_ms
    FROM buckets WHERE checks = 1
), days AS (
    INSERT INTO link_days (link_id, day, zone, up, down, no_backlink, blocked, refused, white_listed, held_back, timeouts,
                           p50_ms)
    SELECT link_id, day, $8, up, down, no_backlink, blocked, refused, white_listed, held_back, timeouts, p50_ms
    FROM lone WHERE of_day
    ON CONFLICT DO NOTHING RETURNING link_id, day
), hours AS (
    INSERT INTO link_hours (link_id, hour, up, down, no_backlink, blocked, refused, white_listed, held_back, timeouts,
                            p50_ms)
    SELECT link_id, hour, up, down, no_backlink, blocked, refused, white_listed, held_back, timeouts, p50_ms
    FROM lone WHERE NOT of_day AND hour IS NOT NULL
    ON CONFLICT DO NOTHING RETURNING link_id, hour
)
-- What is left needs one, or there is such a day or hour already.
SELECT b.link_id, b.day, b.hour, b.up, b.down, b.no_backlink, b.blocked, b.refused, b.white_listed, b.held_back,
       coalesce(b.answered_ms, '{}') AS answered_ms, coalesce(b.timed_out_ms, '{}') AS timed_out_ms
FROM buckets b
LEFT JOIN days d ON d.link_id = b.link_id AND d.day = b.day
LEFT JOIN hours h ON h.link_id = b.link_id AND h.hour = b.hour
WHERE d.link_id IS NULL AND h.link_id IS NULL AND (b.of_day OR b.hour IS NOT NULL)
