//! Checks of stored links, as if they had been checked for two months.

use chrono::{TimeDelta, Utc};
use linkbeat_store::SharedStore;

use super::database::{Database, grouped, moment, run_id};
use super::year::make_partition;

/// How far back they go.
const DAYS: i64 = 60;

/// Adds so many checks of all stored links, a run after the other. They are all up, and rolled up already.
pub(crate) async fn fill(database: &Database, store: &SharedStore, checks: u64) -> anyhow::Result<()> {
    let links = database.number("SELECT count(*) FROM links").await?.unsigned_abs();
    anyhow::ensure!(links > 0, "no link is stored");
    let runs = checks.div_ceil(links);
    for run in 0..runs {
        let minutes = DAYS * 1_440 * i64::try_from(run)? / i64::try_from(runs)?;
        let begun = Utc::now() - TimeDelta::days(DAYS) + TimeDelta::minutes(minutes);
        make_partition(database, begun).await?;
        let (id, at) = (database.id(run_id(begun)), moment(begun));
        database
            .execute(&format!(
                "INSERT INTO runs (id, request_id, state, check_spec, show_rules, links, to_check, done, up, created_at,
                                   finished_at, announced_at, history)
                 VALUES ({id}, {new}, 'finished', '{{}}', '{{}}', {links}, {links}, {links}, {links}, '{at}', '{at}',
                         '{at}', 'rolled');
                 INSERT INTO checks (run_id, link_id, checked_at, elapsed_ms, status, outcome)
                 SELECT {id}, id, '{at}', 100, 200, 17 FROM links",
                new = database.new_id()
            ))
            .await?;
    }
    // As the database itself does it sooner or later.
    database.execute("ANALYZE").await?;
    println!("{} checks of {} links", grouped(runs * links), grouped(links));
    store.close().await;
    Ok(())
}
