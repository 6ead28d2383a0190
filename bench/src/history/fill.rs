//! Checks of stored links, as if they had been checked for two months.

use chrono::{TimeDelta, Utc};

use super::database::{Database, moment, run_id};
use super::year::make_partition;

/// How far back they go.
const DAYS: i64 = 60;

/// Links of a database.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    All,
    /// Those of `year::add_others`.
    Others,
}

impl Which {
    fn condition(self) -> &'static str {
        match self {
            Self::All => "true",
            Self::Others => "name = 'other'",
        }
    }
}

/// Adds about so many checks of stored links, a run after the other, and their days. They are all up. Returns how many.
pub(crate) async fn fill(database: &Database, which: Which, checks: u64) -> anyhow::Result<u64> {
    let which = which.condition();
    let links = database.number(&format!("SELECT count(*) FROM links WHERE {which}")).await?.unsigned_abs();
    anyhow::ensure!(links > 0, "no link is stored");
    let runs = checks.div_ceil(links);
    for run in 0..runs {
        let minutes = DAYS * 1_440 * i64::try_from(run)? / i64::try_from(runs)?;
        let begun = Utc::now() - TimeDelta::days(DAYS) + TimeDelta::minutes(minutes);
        make_partition(database, begun).await?;
        let (id, at, day) = (database.id(run_id(begun)), moment(begun), begun.date_naive());
        database
            .execute(&format!(
                "INSERT INTO runs (id, request_id, state, check_spec, show_rules, links, to_check, done, up, created_at,
                                   finished_at, announced_at, history)
                 VALUES ({id}, {new}, 'finished', '{{}}', '{{}}', {links}, {links}, {links}, {links}, '{at}', '{at}',
                         '{at}', 'rolled');
                 INSERT INTO checks (run_id, link_id, checked_at, elapsed_ms, status, outcome)
                 SELECT {id}, id, '{at}', 100, 200, 17 FROM links WHERE {which};
                 INSERT INTO link_days (link_id, day, up, p50_ms, zone)
                 SELECT id, '{day}', 1, 100, 1 FROM links WHERE {which}
                 ON CONFLICT (link_id, day, zone) DO UPDATE SET up = link_days.up + 1",
                new = database.new_id()
            ))
            .await?;
        if run % 10 == 9 {
            println!("{} of {} runs are made", run + 1, runs);
        }
    }
    // As the database itself does it sooner or later.
    database.execute("ANALYZE").await?;
    Ok(runs * links)
}
