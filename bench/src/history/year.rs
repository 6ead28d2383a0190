//! A year of checks, made day by day and rolled up as it is made.

use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use linkbeat_store::SharedStore;
use tokio::time::sleep;

use super::database::{Database, grouped, moment, run_id};
use super::{Spent, rules};

const DAYS: u64 = 365;
/// How long a clean-up may be put off by others.
const PATIENCE: Duration = Duration::from_secs(600);

/// So many links, each checked so many times a day for a year.
#[derive(Debug)]
pub(crate) struct Year {
    name: &'static str,
    links: u64,
    runs_a_day: u64,
}

impl Year {
    /// Links that are checked every five minutes.
    pub(crate) fn frequent(checks: u64) -> Self {
        let runs_a_day = 288;
        Self { name: "frequent", links: (checks / (runs_a_day * DAYS)).max(1), runs_a_day }
    }

    /// Links that are checked once a day.
    pub(crate) fn daily(checks: u64) -> Self {
        Self { name: "daily", links: (checks / DAYS).max(1), runs_a_day: 1 }
    }

    pub(crate) async fn make(&self, database: &Database, store: &SharedStore) -> anyhow::Result<Spent> {
        add_links(database, self.name, self.links).await?;
        let midnight = Utc::now().date_naive().and_time(NaiveTime::MIN).and_utc();
        let mut rolling = Spent { checks: self.links * self.runs_a_day * DAYS, ..Spent::default() };
        for ago in (1..=DAYS).rev() {
            let day = midnight - TimeDelta::days(i64::try_from(ago)?);
            make_partition(database, day).await?;
            self.make_day(database, day).await?;
            rolling.time(store).await?;
            if ago % 30 == 0 {
                clean_up(store).await?;
                println!("{} links: {ago} days are left to make", self.name);
            }
        }
        clean_up(store).await?;
        Ok(rolling)
    }

    /// The runs of a day, and a check of each link in each.
    async fn make_day(&self, database: &Database, day: DateTime<Utc>) -> anyhow::Result<()> {
        let every = TimeDelta::seconds(86_400 / i64::try_from(self.runs_a_day)?);
        // Both kinds of links have runs of their own.
        let first = day + TimeDelta::milliseconds(if self.runs_a_day == 1 { 7 } else { 1 });
        let runs: Vec<String> = (0..self.runs_a_day)
            .map(|n| {
                let begun = first + every * i32::try_from(n).unwrap_or_default();
                let (id, at) = (database.id(run_id(begun)), moment(begun));
                let links = self.links;
                format!(
                    "({id}, {}, 'finished', '{{}}', '{{}}', {links}, {links}, {links}, '{at}', '{at}', '{at}')",
                    database.new_id()
                )
            })
            .collect();
        database
            .execute(&format!(
                "INSERT INTO runs (id, request_id, state, check_spec, show_rules, links, to_check, done, created_at,
                                   finished_at, announced_at) VALUES {}",
                runs.join(", ")
            ))
            .await?;
        let (from, to) = (database.id(run_id(first)), database.id(run_id(day + TimeDelta::days(1))));
        let u = database.uniform();
        // About 30 to 1,100 ms, most of them near 150; one in a hundred times out.
        database
            .execute(&format!(
                "INSERT INTO checks (run_id, link_id, checked_at, elapsed_ms, status, outcome, reason)
                 WITH c AS MATERIALIZED (
                     SELECT r.id AS run, l.id AS link, r.created_at AS at, {u} AS fate, {u} + {u} + {u} AS x
                     FROM runs r CROSS JOIN links l
                     WHERE r.id >= {from} AND r.id < {to} AND r.history = 'raw' AND l.name = '{name}')
                 SELECT run, link, at, CASE WHEN fate < 0.01 THEN 5000 ELSE 30 + CAST(40 * x * x * x AS integer) END,
                        CASE WHEN fate >= 0.01 THEN 200 END, CASE WHEN fate < 0.01 THEN 18 ELSE 17 END,
                        CASE WHEN fate < 0.01 THEN {timeout} END
                 FROM c",
                timeout = if database.has_partitions() {
                    r#"'{"type":"timeout","phase":"headers"}'::jsonb"#
                } else {
                    r#"'{"type":"timeout","phase":"headers"}'"#
                },
                name = self.name
            ))
            .await
    }

    /// What its days take. `before`: the rows and bytes of the days that were there.
    pub(crate) async fn print(&self, database: &Database, before: (u64, u64)) -> anyhow::Result<()> {
        let (rows, bytes) = database.rows_and_bytes("link_days").await?;
        let (rows, bytes) = (rows - before.0, bytes.saturating_sub(before.1));
        let a_link = bytes as f64 / self.links as f64;
        println!(
            "{} links, {} checks a day each, for a year: {} days, {:.0} bytes each; {:.1} kB a link and year, {:.1} GB for 1,000,000 links",
            grouped(self.links),
            self.runs_a_day,
            grouped(rows),
            bytes as f64 / rows.max(1) as f64,
            a_link / 1e3,
            a_link / 1e3
        );
        Ok(())
    }
}

async fn clean_up(store: &SharedStore) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        match store.clean_up(&rules()).await {
            // PostgreSQL may be vacuuming the table for longer than the clean-up waits.
            Err(error) if error.is_transient() && Instant::now() < until => {
                sleep(Duration::from_secs(1)).await;
            }
            done => {
                if !done? {
                    return Ok(());
                }
            }
        }
    }
}

async fn add_links(database: &Database, name: &str, links: u64) -> anyhow::Result<()> {
    let url = format!("'https://{name}-' || n || '.example/'");
    database
        .execute(&format!(
            "INSERT INTO links (id, name, url, url_key, host) SELECT {}, '{name}', {url}, {url}, '{name}-' || n || '.example'
             FROM {}",
            database.new_id(),
            database.series(links)
        ))
        .await
}

/// The partition of the week of this day, as if it had been made ahead. There may be one.
pub(crate) async fn make_partition(database: &Database, day: DateTime<Utc>) -> anyhow::Result<()> {
    if !database.has_partitions() {
        return Ok(());
    }
    let monday = day.date_naive().week(chrono::Weekday::Mon).first_day();
    let begin = monday.and_time(NaiveTime::MIN).and_utc();
    let mut least = *run_id(begin).as_bytes();
    let mut beyond = *run_id(begin + TimeDelta::days(7)).as_bytes();
    (least[8], beyond[8]) = (0, 0);
    let (least, beyond) = (uuid::Uuid::from_bytes(least), uuid::Uuid::from_bytes(beyond));
    let name = format!("checks_{}", monday.format("%Y%m%d"));
    let attached = format!("SELECT count(*) FROM pg_inherits WHERE inhrelid = to_regclass('{name}')");
    if database.number(&attached).await? > 0 {
        return Ok(());
    }
    // One that was dropped before is made anew.
    database.execute(&format!("DELETE FROM checks_partitions WHERE name = '{name}'")).await?;
    database
        .execute(&format!(
            "CREATE TABLE {name} (LIKE checks);
             ALTER TABLE checks ATTACH PARTITION {name} FOR VALUES FROM ('{least}') TO ('{beyond}');
             INSERT INTO checks_partitions VALUES ('{name}', '{least}', '{beyond}')"
        ))
        .await
}

/// Links of which nothing is asked, until there are so many in all. Each has so many days, as rolling up writes those that
/// have one check.
pub(crate) async fn add_others(database: &Database, links: u64, days: u64) -> anyhow::Result<u64> {
    let stored = database.number("SELECT count(*) FROM links").await?.unsigned_abs();
    if links > stored {
        add_links(database, "other", links - stored).await?;
        for ago in (1..=days).rev() {
            let day = Utc::now().date_naive() - TimeDelta::days(i64::try_from(ago)?);
            database
                .execute(&format!(
                    "INSERT INTO link_days (link_id, day, up, p50_ms, zone) SELECT id, '{day}', 1, 120, 1 FROM links WHERE name = 'other'"
                ))
                .await?;
        }
    }
    if database.has_partitions() {
        database.execute("VACUUM ANALYZE links; ").await?;
        database.execute("VACUUM ANALYZE link_days").await?;
    }
    Ok(database.number("SELECT count(*) FROM links").await?.unsigned_abs())
}
