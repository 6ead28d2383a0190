//! The invariant: what must hold between the ledger, the database and the dead queue when all has come to
//! rest.
//!
//! Every confirmed link has exactly one stored result in its run, the right one, or lies in a parked job;
//! nothing else is stored; every run has ended, and in the right way; the link table agrees with the latest
//! check; counts agree with what is counted.

use std::fmt;

use serde_json::Value;
use tokio_postgres::Client;

use super::database::Database;
use super::ledger::Ledger;
use super::queues::Raw;

/// What was found. All but the first three must be zero.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) requests: usize,
    pub(crate) links: usize,
    pub(crate) stored: i64,
    /// Links without a result whose job is parked.
    pub(crate) parked: i64,
    faults: Vec<(&'static str, i64, Vec<String>)>,
}

/// What must not be: a name, and a query whose rows are its cases.
const FORBIDDEN: [(&str, &str); 14] = [
    (
        "lost",
        "SELECT run_id::text, expected.url FROM expected LEFT JOIN checks USING (run_id, link_id)
         WHERE checks.run_id IS NULL
           AND NOT EXISTS (SELECT FROM parked p WHERE (p.run_id, p.link_id) = (expected.run_id, expected.link_id))",
    ),
    ("doubled", "SELECT run_id::text, url FROM linkbeat_checks GROUP BY run_id, url HAVING count(*) > 1"),
    (
        "not asked for",
        "SELECT checks.run_id::text, checks.url FROM linkbeat_checks checks LEFT JOIN expected USING (run_id, link_id)
         WHERE expected.run_id IS NULL",
    ),
    (
        "misjudged",
        "SELECT run_id::text, concat_ws(' ', checks.url, checks.verdict, checks.reason) FROM expected
         JOIN linkbeat_checks checks USING (run_id, link_id)
         WHERE expected.verdict IS DISTINCT FROM checks.verdict",
    ),
    (
        "stuck runs",
        "SELECT id::text, concat_ws(' ', state, done, 'of', links) FROM runs WHERE state = 'running'",
    ),
    (
        "runs that ended in the wrong way",
        "SELECT id::text, concat_ws(' ', state, done, 'of', links) FROM runs
         WHERE state <> 'running' AND state <> CASE WHEN done = links THEN 'finished' ELSE 'incomplete' END
            OR state = 'incomplete' AND parked <> links - done",
    ),
    (
        "parked jobs that are not in the dead queue",
        "SELECT id::text, state FROM jobs WHERE state = 'parked'
            AND NOT EXISTS (SELECT FROM parked WHERE parked.run_id = jobs.run_id AND parked.link_id = ANY (jobs.links))",
    ),
    (
        "proposals that were neither carried out nor told",
        "SELECT id::text, concat_ws(' ', state, hold, would_hide, would_show, untold) FROM runs
         WHERE state <> 'running' AND hold NOT IN ('open', 'held') AND would_hide + would_show + untold > 0
            OR would_hide + would_show + untold <> (SELECT count(*) FROM proposals p
                                                    WHERE p.run_id = runs.id AND p.outcome >= 64)",
    ),
    ("runs that nobody was told of", "SELECT id::text, state FROM runs WHERE announced_at IS NULL"),
    (
        "miscounted runs",
        "SELECT id::text, concat_ws(' ', done, 'of', links, 'counted', c.stored, 'of', e.expected) FROM runs
         LEFT JOIN (SELECT run_id, count(*) AS stored FROM checks GROUP BY run_id) c ON c.run_id = id
         LEFT JOIN (SELECT run_id, count(*) AS expected FROM expected GROUP BY run_id) e ON e.run_id = id
         WHERE done <> coalesce(c.stored, 0) OR links <> coalesce(e.expected, 0)",
    ),
    (
        "miscounted jobs",
        "SELECT id::text, concat_ws(' ', state, links_done, 'counted', c.stored) FROM jobs
         CROSS JOIN LATERAL (SELECT count(*) AS stored FROM checks
                             WHERE checks.run_id = jobs.run_id AND checks.link_id = ANY (jobs.links)) c
         WHERE links_done <> coalesce(c.stored, 0) OR (state = 'done') <> (links_done = links_count)",
    ),
    (
        "links that disagree with their latest check",
        "SELECT links.id::text, concat_ws(' ', url_key, links.verdict, links.shown, 'latest', latest.verdict)
         FROM links JOIN (
             SELECT DISTINCT ON (link_id) link_id, run_id, checks.verdict, status FROM linkbeat_checks checks
             JOIN runs ON runs.id = run_id ORDER BY link_id, runs.seq DESC
         ) latest ON latest.link_id = links.id
         WHERE (links.last_run_id, links.verdict, links.status) IS DISTINCT FROM
               (latest.run_id, latest.verdict, latest.status)
            OR links.shown <> (latest.verdict = 'up')",
    ),
    (
        "runs whose verdicts are not those of their checks",
        "SELECT runs.id::text, concat_ws(' ', up, down, no_backlink, blocked, refused, 'counted', c.counted) FROM runs
         CROSS JOIN LATERAL (
             SELECT array[count(*) FILTER (WHERE verdict = 'up'), count(*) FILTER (WHERE verdict = 'down'),
                          count(*) FILTER (WHERE verdict = 'no_backlink'), count(*) FILTER (WHERE verdict = 'blocked'),
                          count(*) FILTER (WHERE verdict = 'refused'), count(*) FILTER (WHERE verdict IS NULL),
                          count(*) FILTER (WHERE change = 'hidden'), count(*) FILTER (WHERE change = 'shown')] AS counted
             FROM linkbeat_checks WHERE run_id = runs.id
         ) c
         WHERE array[up, down, no_backlink, blocked, refused, white_listed, to_not_show, to_show] <> c.counted",
    ),
    (
        "checks and changes that disagree",
        "SELECT coalesce(c.run_id, d.run_id)::text, concat_ws(' ', c.change, 'and', d.change)
         FROM (SELECT run_id, link_id, change FROM linkbeat_checks WHERE change IS NOT NULL) c
         FULL JOIN (SELECT run_id, link_id, change FROM linkbeat_changes
                    WHERE change IS NOT NULL AND run_id IS NOT NULL) d USING (run_id, link_id)
         WHERE c.change IS DISTINCT FROM d.change",
    ),
];

impl Findings {
    /// Looks at everything. `dead`: what lies in the dead queue.
    pub(crate) async fn read(database: &Database, ledger: &Ledger, dead: &[Raw]) -> Self {
        let client = database.client().await;
        enter(&client, ledger, dead).await;
        let mut findings = Self {
            requests: ledger.requests.len(),
            links: ledger.links(),
            stored: count(&client, "SELECT count(*) FROM checks").await,
            parked: count(
                &client,
                "SELECT count(*) FROM expected JOIN parked USING (run_id, link_id)
                 LEFT JOIN checks USING (run_id, link_id) WHERE checks.run_id IS NULL",
            )
            .await,
            faults: Vec::new(),
        };
        for (what, query) in FORBIDDEN {
            let cases = client.query(query, &[]).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            let first = cases.iter().take(5);
            let text = |row: &tokio_postgres::Row, at| row.get::<_, Option<String>>(at).unwrap_or_default();
            let shown = first.map(|row| format!("{} {}", text(row, 0), text(row, 1))).collect();
            findings.faults.push((what, i64::try_from(cases.len()).unwrap_or(i64::MAX), shown));
        }
        findings
    }

    /// How many cases of one kind of fault there are.
    pub(crate) fn count(&self, what: &str) -> i64 {
        self.faults.iter().find(|(name, ..)| *name == what).map_or(0, |(_, count, _)| *count)
    }

    /// Fails the test unless the invariant holds.
    #[track_caller]
    pub(crate) fn assert_sound(&self) {
        assert!(self.faults.iter().all(|(_, count, _)| *count == 0), "the invariant does not hold:\n{self}");
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, links, stored, parked, .. } = self;
        writeln!(
            f,
            "  {links} links submitted in {requests} requests; {stored} results stored, {parked} parked"
        )?;
        for (what, count, cases) in &self.faults {
            writeln!(f, "  {count:>8} {what}")?;
            for case in cases {
                writeln!(f, "           {case}")?;
            }
        }
        Ok(())
    }
}

/// The ledger and the parked jobs, as tables of this session.
async fn enter(client: &Client, ledger: &Ledger, dead: &[Raw]) {
    let create = "CREATE TEMP TABLE ledger (request_id uuid, url text, verdict text)";
    client.batch_execute(create).await.unwrap();
    let insert = "INSERT INTO ledger SELECT $1::text::uuid, * FROM unnest($2::text[], $3::text[])";
    let insert = client.prepare(insert).await.unwrap();
    for request in &ledger.requests {
        let urls: Vec<_> = request.links.iter().map(|link| link.url.as_str()).collect();
        let verdicts: Vec<_> = request.links.iter().map(|link| request.verdict(link)).collect();
        client.execute(&insert, &[&request.id.to_string(), &urls, &verdicts]).await.unwrap();
    }
    client
        .batch_execute(
            "CREATE TEMP TABLE expected AS
                 SELECT runs.id AS run_id, links.id AS link_id, ledger.url, ledger.verdict FROM ledger
                 LEFT JOIN runs USING (request_id) LEFT JOIN links ON links.url_key = ledger.url;
             CREATE INDEX ON expected (run_id, link_id); ANALYZE expected;
             CREATE TEMP TABLE parked (run_id uuid, link_id uuid)",
        )
        .await
        .unwrap();
    let jobs: Vec<String> = dead.iter().filter_map(job).collect();
    let insert =
        "INSERT INTO parked SELECT run_id, unnest(links) FROM jobs WHERE id = ANY ($1::text[]::uuid[])";
    client.execute(insert, &[&jobs]).await.unwrap();
}

/// The job in which a parked message lies; `None` for what is none of ours.
fn job(dead: &Raw) -> Option<String> {
    let body: Value = serde_json::from_slice(&dead.body).ok()?;
    let id: uuid::Uuid = body["job_id"].as_str()?.parse().ok()?;
    Some(id.to_string())
}

async fn count(client: &Client, query: &str) -> i64 {
    client.query_one(query, &[]).await.unwrap().get(0)
}
