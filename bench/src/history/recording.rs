//! Recording: its CPU, and how long a batch takes while old partitions are dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{NaiveTime, TimeDelta, Utc};
use linkbeat_pieces::{BATCH, JOB, file};
use linkbeat_recorder::Rules;
use linkbeat_shared::history::Keep;
use linkbeat_store::{HistoryRules, SharedStore};

use super::Spent;
use super::database::{Database, moment, run_id};
use super::year::make_partition;
use crate::measure::own_cpu;

/// Links of a run that is recorded.
const LINKS: usize = 20_000;
/// Partitions that are dropped, and checks in each.
const PARTITIONS: i64 = 12;
const OLD_CHECKS: u64 = 100_000;

/// What recording so many checks took.
pub(crate) async fn cpu_of(store: &SharedStore, checks: usize) -> anyhow::Result<Spent> {
    let mut spent = Spent::default();
    for _ in 0..checks.div_ceil(LINKS) {
        let batches = file(store, LINKS).await?;
        let (begun, before) = (Instant::now(), own_cpu()?);
        for batch in &batches {
            store.record(batch, Arc::new(Rules)).await?;
        }
        spent.wall += begun.elapsed();
        spent.cpu += own_cpu()?.saturating_sub(before);
        spent.checks += LINKS as u64;
        store.close_runs(100).await?;
    }
    Ok(spent)
}

/// Times batches for a while alone, and then while partitions are dropped.
pub(crate) async fn while_partitions_are_dropped(
    database: &Database,
    store: &SharedStore,
    seconds: u64,
) -> anyhow::Result<()> {
    let monday = Utc::now().date_naive().week(chrono::Weekday::Mon).first_day();
    for weeks in 1..=PARTITIONS {
        let day = (monday - TimeDelta::weeks(weeks + 60)).and_time(NaiveTime::MIN).and_utc();
        make_partition(database, day).await?;
        fill(database, day).await?;
    }
    let long = Duration::from_secs(seconds);
    let alone = times(store, long).await?;
    let dropped = AtomicBool::new(false);
    let (beside, partitions) = tokio::join!(times(store, long), drop_all(store, long, &dropped));
    let (mut beside, partitions) = (beside?, partitions?);
    let mut alone = alone;
    print("alone", &mut alone);
    print(&format!("while {partitions} partitions are dropped"), &mut beside);
    anyhow::ensure!(dropped.load(Ordering::Relaxed), "no partition could be dropped within {seconds} s");
    Ok(())
}

fn print(what: &str, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    println!(
        "recording {what}: {} batches of {} checks; p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
        times.len(),
        JOB * BATCH,
        at(50),
        at(99),
        at(100)
    );
}

/// Drops one partition after the other, with a pause, as long as batches are timed.
async fn drop_all(store: &SharedStore, long: Duration, dropped: &AtomicBool) -> anyhow::Result<u32> {
    let rules = HistoryRules { checks: Some(Keep::days(365)), ..HistoryRules::default() };
    let (until, mut partitions) = (Instant::now() + long, 0);
    let kept = async || {
        let status = store.history_status().await?;
        anyhow::Ok(status.partitions.map_or(0, |partitions| partitions.kept))
    };
    let mut before = kept().await?;
    while Instant::now() < until {
        // Others may use the table for longer than it waits.
        match store.clean_up(&rules).await {
            Err(error) if error.is_transient() => {}
            done => drop(done?),
        }
        let now = kept().await?;
        if now < before {
            partitions += before - now;
            dropped.store(true, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        before = now;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(partitions)
}

/// Milliseconds of each batch, for so long.
async fn times(store: &SharedStore, long: Duration) -> anyhow::Result<Vec<f64>> {
    let (until, mut times) = (Instant::now() + long, Vec::new());
    while Instant::now() < until {
        for batch in file(store, LINKS).await? {
            let begun = Instant::now();
            store.record(&batch, Arc::new(Rules)).await?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            if Instant::now() >= until {
                break;
            }
        }
        store.close_runs(100).await?;
    }
    Ok(times)
}

/// Old checks of one run, which are rolled up already.
async fn fill(database: &Database, day: chrono::DateTime<Utc>) -> anyhow::Result<()> {
    let (id, at) = (database.id(run_id(day + TimeDelta::hours(1))), moment(day));
    database
        .execute(&format!(
            "INSERT INTO runs (id, request_id, state, check_spec, show_rules, created_at, finished_at, announced_at, history)
             VALUES ({id}, gen_random_uuid(), 'finished', '{{}}', '{{}}', '{at}', '{at}', '{at}', 'rolled');
             INSERT INTO checks (run_id, link_id, checked_at, elapsed_ms, status, outcome)
             SELECT {id}, gen_random_uuid(), '{at}', 100, 200, 17 FROM generate_series(1, {OLD_CHECKS})"
        ))
        .await
}
