//! What history costs: bytes on disk, the time to read a year, the CPU of rolling up, and what recording feels of the
//! removal of old checks. A year is made in minutes: its checks are written straight into the tables, day by day, and
//! rolled up by the store itself.

mod database;
mod fill;
mod recording;
mod year;

use std::time::{Duration, Instant};

use chrono::Utc;
use linkbeat_shared::LinkId;
use linkbeat_shared::history::{Keep, Zone};
use linkbeat_store::{HistoryRules, OpenMode, SharedStore, open};

use crate::measure::{median, own_cpu};
use database::{Database, grouped};
use fill::Which;
use year::Year;

/// As many links are read, one after the other.
const READ: usize = 200;
/// With `--only-make`, one check in so many is of a link that is checked every five minutes, and as many of links that are
/// checked daily, for a year.
const OF_A_YEAR: u64 = 10;
/// Checks that are recorded to compare with.
const RECORDED: usize = 200_000;

#[derive(Debug, clap::Args)]
pub(crate) struct HistoryArgs {
    /// An empty database: `sqlite://FILE` or `postgres://…`, whose user owns it
    #[arg(long, env = "LINKBEAT_DATABASE_URL")]
    database_url: String,
    /// Checks to make: half of them of links that are checked every five minutes, half of links that are checked daily
    #[arg(long, default_value_t = 5_000_000)]
    checks: u64,
    /// Links that are stored when a year of one link is read
    #[arg(long, default_value_t = 1_000_000)]
    links: u64,
    /// Days that each of them has; with --only-make, those of its checks
    #[arg(long, default_value_t = 3)]
    days: u64,
    /// Seconds for which recording goes on, alone and while partitions are dropped (PostgreSQL)
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Measure nothing: only make a database that holds so many links and checks
    #[arg(long)]
    only_make: bool,
}

/// As by default, except that all hours are kept until they are counted.
fn rules() -> HistoryRules {
    HistoryRules {
        zone: Zone::UTC,
        checks: Some(Keep::days(90)),
        runs: Some(Keep::days(365)),
        hours: Some(Keep::days(14)),
    }
}

pub(crate) async fn run(args: HistoryArgs) -> anyhow::Result<()> {
    let url = args.database_url.parse()?;
    let store = open(&url, OpenMode::Migrate).await?;
    let database = Database::open(&args.database_url).await?;
    anyhow::ensure!(database.number("SELECT count(*) FROM links").await? == 0, "the database is not empty");
    println!("{}", database.name());
    if args.only_make {
        return make(&args, &database, &store).await;
    }
    let mut rolling = Spent::default();
    for year in [Year::frequent(args.checks / 2), Year::daily(args.checks / 2)] {
        let before = database.rows_and_bytes("link_days").await?;
        rolling.add(&year.make(&database, &store).await?);
        year.print(&database, before).await?;
    }
    println!("hours, kept for 14 days: {}", database.told("link_hours").await?);
    println!("checks, kept for 90 days: {}", database.told_checks().await?);
    let recorded = recording::cpu_of(&store, RECORDED).await?;
    let mut of_recorded = Spent { checks: recorded.checks, ..Spent::default() };
    of_recorded.time(&store).await?;
    of_recorded.print("what was recorded", &recorded);
    rolling.print("a year, day by day", &recorded);
    reading(&database, &store, &args).await?;
    if database.has_partitions() {
        recording::while_partitions_are_dropped(&database, &store, args.seconds).await?;
    }
    store.close().await;
    Ok(())
}

/// Makes what is read and measured, for others that measure it: a year of some links, and then checks of all others
/// until the database holds as many as it should.
async fn make(args: &HistoryArgs, database: &Database, store: &SharedStore) -> anyhow::Result<()> {
    let of_a_year = args.checks / OF_A_YEAR;
    for year in [Year::frequent(of_a_year), Year::daily(of_a_year)] {
        year.make(database, store).await?;
    }
    year::add_others(database, args.links, 0).await?;
    let held = database.number("SELECT count(*) FROM checks").await?.unsigned_abs();
    let filled = fill::fill(database, Which::Others, args.checks.saturating_sub(held)).await?;
    println!("{} checks are held", grouped(held + filled));
    store.close().await;
    Ok(())
}

/// Adds so many checks of the links that a database holds.
pub(crate) async fn fill(url: &str, checks: u64) -> anyhow::Result<()> {
    let store = open(&url.parse()?, OpenMode::Migrate).await?;
    let filled = fill::fill(&Database::open(url).await?, Which::All, checks).await?;
    println!("{} checks", grouped(filled));
    store.close().await;
    Ok(())
}

/// What rolling up took, or recording.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    pub(crate) checks: u64,
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
}

impl Spent {
    fn add(&mut self, other: &Self) {
        self.checks += other.checks;
        self.wall += other.wall;
        self.cpu += other.cpu;
    }

    /// Rolls up all that is due.
    pub(crate) async fn time(&mut self, store: &SharedStore) -> anyhow::Result<()> {
        let (begun, cpu) = (Instant::now(), own_cpu()?);
        while store.roll_up(&rules(), Duration::ZERO).await? {}
        self.wall += begun.elapsed();
        self.cpu += own_cpu()?.saturating_sub(cpu);
        Ok(())
    }

    /// Microseconds of this process's CPU for each check.
    fn each(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.checks.max(1) as f64
    }

    fn print(&self, what: &str, recorded: &Self) {
        println!(
            "rolling up {what}: {} checks in {:.1} s, {:.2} µs of this process's CPU each; recording: {:.2} µs each; share of both {:.1} %",
            grouped(self.checks),
            self.wall.as_secs_f64(),
            self.each(),
            recorded.each(),
            100.0 * self.each() / (self.each() + recorded.each())
        );
    }
}

/// Reads a year of some links, with very many stored.
async fn reading(database: &Database, store: &SharedStore, args: &HistoryArgs) -> anyhow::Result<()> {
    let added = year::add_others(database, args.links, args.days).await?;
    let ids =
        database.ids(&format!("SELECT id FROM links WHERE name = 'daily' ORDER BY url LIMIT {READ}")).await?;
    let today = Zone::UTC.day_of(Utc::now());
    let (mut times, mut rows) = (Vec::new(), 0);
    for id in ids {
        let begun = Instant::now();
        let from = today - chrono::Days::new(366);
        let days = store.link_days(LinkId(id), Zone::UTC, from, today, 1_000).await?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        rows = rows.max(days.len());
    }
    times.sort_by(f64::total_cmp);
    let worst = times.last().copied().unwrap_or_default();
    let p99 = times[times.len() * 99 / 100];
    println!(
        "a year of one link, with {} links and {} days stored: at most {rows} rows; median {:.2} ms, p99 {p99:.2} ms, worst {worst:.2} ms",
        grouped(added),
        grouped(database.number("SELECT count(*) FROM link_days").await?.unsigned_abs()),
        median(times)
    );
    println!("all days: {}", database.told("link_days").await?);
    Ok(())
}
