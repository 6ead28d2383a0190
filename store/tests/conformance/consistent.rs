//! What must hold of a database at any time, whatever came in whatever order.

use crate::database::TestDatabase;

/// Each query counts what contradicts the rest.
const CONTRADICTIONS: [(&str, &str); 4] = [
    (
        "runs whose counts are not those of their checks",
        "SELECT count(*) FROM linkbeat_runs r LEFT JOIN (
             SELECT run_id, count(*) AS done, count(verdict) AS checked,
                    count(*) FILTER (WHERE verdict = 'up') AS up,
                    count(*) FILTER (WHERE verdict = 'down') AS down,
                    count(*) FILTER (WHERE verdict = 'no_backlink') AS no_backlink,
                    count(*) FILTER (WHERE verdict = 'blocked') AS blocked,
                    count(*) FILTER (WHERE verdict = 'refused') AS refused,
                    count(*) FILTER (WHERE verdict IS NULL) AS white_listed,
                    count(*) FILTER (WHERE change = 'hidden') AS to_not_show,
                    count(*) FILTER (WHERE change = 'shown') AS to_show
             FROM linkbeat_checks GROUP BY run_id
         ) c ON c.run_id = r.id
         WHERE r.done <> coalesce(c.done, 0) OR r.checked <> coalesce(c.checked, 0)
            OR r.up <> coalesce(c.up, 0) OR r.down <> coalesce(c.down, 0)
            OR r.no_backlink <> coalesce(c.no_backlink, 0) OR r.blocked <> coalesce(c.blocked, 0)
            OR r.refused <> coalesce(c.refused, 0) OR r.white_listed <> coalesce(c.white_listed, 0)
            OR r.to_not_show <> coalesce(c.to_not_show, 0) OR r.to_show <> coalesce(c.to_show, 0)",
    ),
    (
        "checks that hid or showed a link, and changes, without each other",
        "SELECT count(*) FROM
             (SELECT run_id, link_id, change FROM linkbeat_checks WHERE change IS NOT NULL) c
             FULL JOIN (SELECT run_id, link_id, change FROM linkbeat_changes
                        WHERE change IS NOT NULL AND run_id IS NOT NULL) d
             ON c.run_id = d.run_id AND c.link_id = d.link_id
         WHERE c.change IS NULL OR d.change IS NULL OR c.change <> d.change",
    ),
    (
        "changes that do not begin where the one before ended",
        "SELECT count(*) FROM (
             SELECT was_shown, former_verdict, shown, verdict, lag(id) OVER link AS previous,
                    lag(shown) OVER link AS shown_before, lag(verdict) OVER link AS verdict_before
             FROM changes WINDOW link AS (PARTITION BY link_id ORDER BY id)
         ) c
         WHERE (previous IS NOT NULL AND was_shown <> shown_before)
            OR coalesce(former_verdict, '') <> coalesce(verdict_before, '')
            OR (was_shown = shown AND coalesce(former_verdict, '') = coalesce(verdict, ''))",
    ),
    (
        "links that are not as their last change left them, or not since then",
        "SELECT count(*) FROM links l JOIN (
             SELECT link_id, max(id) AS last,
                    max(CASE WHEN was_shown <> shown THEN id END) AS last_shown,
                    max(CASE WHEN coalesce(former_verdict, '') <> coalesce(verdict, '') THEN id END) AS last_verdict
             FROM changes GROUP BY link_id
         ) c ON c.link_id = l.id
         JOIN changes d ON d.id = c.last
         LEFT JOIN changes s ON s.id = c.last_shown
         LEFT JOIN changes v ON v.id = c.last_verdict
         WHERE l.shown <> d.shown OR coalesce(l.verdict, '') <> coalesce(d.verdict, '')
            OR l.shown_since <> s.at OR l.verdict_since <> v.at",
    ),
];

/// Fails where the database contradicts itself.
pub(crate) async fn assert(database: &TestDatabase) {
    for (what, query) in CONTRADICTIONS {
        assert_eq!(database.value(query).await.as_deref(), Some("0"), "{what}");
    }
}
