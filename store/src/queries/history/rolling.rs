//! Rolling up: each check is added to the day and the hour of its link, exactly once.
//!
//! The checks of some ended runs are added together, link by link: so a day that has many checks is written few times.
//! Progress is kept in the transaction that adds them. A recorder that stores a check later, when the rolling up of its
//! run has begun, marks it in `late_checks` in its own transaction, under the lock of the run's row. Such a check is added
//! by itself. Because sums and histograms do not depend on order, the day is then as if made anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use chrono::NaiveDate;
use diesel::dsl::sql;
use diesel::prelude::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, SelectableHelper,
};
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;
use linkbeat_shared::history::{Summary, Zone};

use super::super::dialect::{insert_all, locked};
use super::super::rollup;
use super::{Connection, NO_LINK, PROGRESS, RAW, ROLLED, ROLLING, dialect, first_run_id, note_rolled, reach};
use crate::error::Fault;
use crate::kept::Keep;
use crate::rows::{CheckRow, DayRow, HourRow, LateCheckRow, RawCheck, hour_of, stored_count};
use crate::schema::{history_progress, history_zones, late_checks, link_days, link_hours, runs};
use crate::traits::HistoryRules;
use crate::values::{Id, Moment};

/// Late checks that one statement marks.
const MARKED: usize = 4_000;
/// Late checks that one step adds. They may lie on any days.
const LATE: i64 = 200;

/// Runs whose checks are what they will be: they have ended, and nobody is to decide about them any more.
const SETTLED: &str = "runs.state IN ('finished', 'incomplete', 'cancelled', 'discarded')
                       AND runs.hold NOT IN ('open', 'held')";

pub(in super::super) async fn roll_up(
    connection: &mut Connection,
    rules: &HistoryRules,
    due_after: Duration,
) -> Result<bool, Fault> {
    let progress = history_progress::table.find(PROGRESS).select(history_progress::after);
    // Held until the end: of two processes one waits.
    let after: Id = locked!(progress).kept().get_result(connection).await?;
    let now = dialect::now(connection).await?;
    let rolling = runs::table.filter(runs::history.eq(ROLLING)).order(runs::id);
    let rolling: Vec<(Id, String)> = rolling.select((runs::id, runs::hold)).kept().load(connection).await?;
    if !rolling.is_empty() {
        page(connection, &rolling, after, rules, now).await?;
        return Ok(true);
    }
    if add_late(connection, rules, now).await? || begin(connection, rules, due_after, now).await? {
        return Ok(true);
    }
    if reach::step(connection, rules, now).await? {
        return Ok(true);
    }
    note_rolled(connection, now).await?;
    Ok(false)
}

/// Begins with the next runs, if the oldest of them is due.
async fn begin(
    connection: &mut Connection,
    rules: &HistoryRules,
    due_after: Duration,
    now: Moment,
) -> Result<bool, Fault> {
    let due = Moment(now.0 - due_after);
    // The checks of such a run are removed soon, whatever its state is.
    let kept_since = rules.checks.map_or(NO_LINK, |keep| first_run_id(now.0 - keep.duration()));
    let raw = runs::history.eq(RAW).and(sql::<Bool>(SETTLED).or(runs::id.lt(kept_since)));
    let next = runs::table.filter(raw).order(runs::id).limit(rollup::RUNS).select(runs::id);
    let next: Vec<NextRun> = {
        let ids: Vec<Id> = locked!(next).kept().load(connection).await?;
        if ids.is_empty() {
            return Ok(false);
        }
        let rows = runs::table.filter(dialect::among("runs.id", ids)).order(runs::id);
        rows.select((runs::id, runs::finished_at, runs::links)).kept().load(connection).await?
    };
    let is_due = |(id, finished, _): &NextRun| *id < kept_since || finished.is_some_and(|at| at <= due);
    if stored_count(next.len()) < rollup::RUNS && !next.iter().any(is_due) {
        return Ok(false);
    }
    let ids = together(&next).iter().map(|(id, ..)| *id);
    let begun = diesel::update(runs::table.filter(dialect::among("runs.id", ids)));
    begun.set(runs::history.eq(ROLLING)).kept().execute(connection).await?;
    Ok(true)
}

/// A run that is to be rolled up, when it ended, and how many links it has.
type NextRun = (Id, Option<Moment>, i64);

/// Those of these runs that are rolled up together, the first of them among these. So a day that has checks of many runs
/// is written once.
///
/// A page holds equally many checks of each run. If one run is far larger than the others, its checks would come in many
/// small pages.
fn together(runs: &[NextRun]) -> &[NextRun] {
    let (mut largest, mut all, mut count) = (0, 0, 1);
    for (number, (.., links)) in (1..).zip(runs) {
        largest = largest.max(*links);
        all += links;
        let if_all_were_as_large = largest * stored_count(number);
        if if_all_were_as_large <= rollup::CHECKS.max(2 * all) {
            count = number;
        }
    }
    &runs[..count.min(runs.len())]
}

/// Some checks of runs that are rolling.
pub(in super::super::super) struct Page<'a> {
    /// The runs, and how each is held.
    pub(in super::super::super) runs: &'a [(Id, String)],
    /// The links come after this one.
    pub(in super::super::super) after: Id,
    /// No run has more checks in it.
    pub(in super::super::super) most_of_a_run: i64,
    /// Where days begin.
    pub(in super::super::super) zone: Zone,
    /// Hours before this one are not kept.
    pub(in super::super::super) hours_since: i32,
}

/// Adds the checks of the next links of the runs that are rolling. After the last of them the runs are rolled.
async fn page(
    connection: &mut Connection,
    rolling: &[(Id, String)],
    after: Id,
    rules: &HistoryRules,
    now: Moment,
) -> Result<(), Fault> {
    let page = Page {
        runs: rolling,
        after,
        most_of_a_run: (rollup::CHECKS / stored_count(rolling.len())).max(1),
        zone: rules.zone,
        hours_since: hours_since(rules, now),
    };
    let last = rollup::add_page(connection, page).await?;
    if last.is_none() {
        let ids = rolling.iter().map(|(id, _)| *id);
        let rolled = diesel::update(runs::table.filter(dialect::among("runs.id", ids)));
        rolled.set(runs::history.eq(ROLLED)).kept().execute(connection).await?;
    }
    let progress = diesel::update(history_progress::table.find(PROGRESS));
    let after = history_progress::after.eq(last.unwrap_or(NO_LINK));
    progress.set((after, history_progress::reach_due.eq(true))).kept().execute(connection).await?;
    Ok(())
}

/// The first hour that is kept.
fn hours_since(rules: &HistoryRules, now: Moment) -> i32 {
    rules.hours.map_or(i32::MIN + 1, |keep| hour_of(now.0 - keep.duration()))
}

/// Adds some late checks. Returns whether there were any.
async fn add_late(connection: &mut Connection, rules: &HistoryRules, now: Moment) -> Result<bool, Fault> {
    let late = late_checks::table.order((late_checks::link_id, late_checks::run_id)).limit(LATE);
    let late: Vec<LateCheckRow> = late.select(LateCheckRow::as_select()).kept().load(connection).await?;
    if late.is_empty() {
        return Ok(false);
    }
    let pairs: Vec<(Id, Id)> = late.iter().map(|late| (late.run_id, late.link_id)).collect();
    let rows = dialect::checks_of(connection, &pairs).await?;
    let holds = holds(connection, &rows).await?;
    let checks = rows.iter().filter_map(|row| {
        let hold = holds.get(&row.run_id)?;
        Some(RawCheck::of_row(row, hold))
    });
    let checks: Vec<RawCheck> = checks.collect::<Result<_, _>>()?;
    add(connection, &checks, rules.zone, hours_since(rules, now)).await?;
    for late in late {
        diesel::delete(late_checks::table.find((late.link_id, late.run_id))).execute(connection).await?;
    }
    diesel::update(history_progress::table.find(PROGRESS))
        .set(history_progress::reach_due.eq(true))
        .execute(connection)
        .await?;
    Ok(true)
}

async fn holds(connection: &mut Connection, checks: &[CheckRow]) -> QueryResult<HashMap<Id, String>> {
    let ids: BTreeSet<Id> = checks.iter().map(|check| check.run_id).collect();
    let of_runs = runs::table.filter(dialect::among("runs.id", ids)).select((runs::id, runs::hold));
    Ok(of_runs.load::<(Id, String)>(connection).await?.into_iter().collect())
}

/// Marks those of these checks that the rolling up of their runs may have passed by: it had `begun` when the caller took
/// hold of the runs' rows.
pub(in super::super) async fn note_late(
    connection: &mut Connection,
    stored: &[CheckRow],
    begun: &[Id],
) -> QueryResult<()> {
    if begun.is_empty() {
        return Ok(());
    }
    let late = stored.iter().filter(|check| begun.contains(&check.run_id) && !check.is_reused());
    let late: Vec<LateCheckRow> =
        late.map(|check| LateCheckRow { link_id: check.link_id, run_id: check.run_id }).collect();
    for rows in late.chunks(MARKED) {
        insert_all!(connection, late_checks::table, rows)?;
    }
    Ok(())
}

/// Days of links with what is to be added to each.
pub(in super::super::super) type Days = BTreeMap<(Id, NaiveDate), Summary>;
/// The same for hours, which are counted from 1970.
pub(in super::super::super) type Hours = BTreeMap<(Id, i32), Summary>;

/// Adds checks to the days and hours of their links.
pub(in super::super::super) async fn add(
    connection: &mut Connection,
    checks: &[RawCheck],
    zone: Zone,
    hours_since: i32,
) -> Result<(), Fault> {
    let (mut days, mut hours) = (Days::new(), Hours::new());
    for check in checks {
        let day = zone.day_of(check.checked_at);
        days.entry((check.link_id, day)).or_default().add(check.observed);
        let hour = hour_of(check.checked_at);
        if hour >= hours_since {
            hours.entry((check.link_id, hour)).or_default().add(check.observed);
        }
    }
    add_days(connection, days, zone).await?;
    add_hours(connection, hours).await
}

pub(in super::super::super) async fn add_days(
    connection: &mut Connection,
    mut days: Days,
    zone: Zone,
) -> Result<(), Fault> {
    if days.is_empty() {
        return Ok(());
    }
    let zone = zone_id(connection, zone).await?;
    let links: BTreeSet<Id> = days.keys().map(|(link, _)| *link).collect();
    let of_days = days.keys().map(|(_, day)| *day);
    let (Some(first), Some(last)) = (of_days.clone().min(), of_days.max()) else { return Ok(()) };
    let stored = link_days::table
        .filter(dialect::among("link_days.link_id", links))
        .filter(link_days::day.between(first, last).and(link_days::zone.eq(zone)));
    let stored: Vec<DayRow> = stored.select(DayRow::as_select()).kept().load(connection).await?;
    for row in stored {
        if let Some(summary) = days.get_mut(&(row.link_id, row.day)) {
            summary.merge(&row.summary()?);
        }
    }
    let rows: Vec<DayRow> =
        days.iter().map(|((link, day), summary)| DayRow::new(*link, *day, summary, zone)).collect();
    dialect::put_days(connection, &rows).await?;
    Ok(())
}

pub(in super::super::super) async fn add_hours(
    connection: &mut Connection,
    mut hours: Hours,
) -> Result<(), Fault> {
    let links: BTreeSet<Id> = hours.keys().map(|(link, _)| *link).collect();
    let of_hours = hours.keys().map(|(_, hour)| *hour);
    let (Some(first), Some(last)) = (of_hours.clone().min(), of_hours.max()) else { return Ok(()) };
    let stored = link_hours::table
        .filter(dialect::among("link_hours.link_id", links))
        .filter(link_hours::hour.between(first, last));
    let stored: Vec<HourRow> = stored.select(HourRow::as_select()).kept().load(connection).await?;
    for row in stored {
        if let Some(summary) = hours.get_mut(&(row.link_id, row.hour)) {
            summary.merge(&row.summary()?);
        }
    }
    let rows: Vec<HourRow> =
        hours.iter().map(|((link, hour), summary)| HourRow::new(*link, *hour, summary)).collect();
    dialect::put_hours(connection, &rows).await?;
    Ok(())
}

/// The number of a time zone. One that is new gets the next. The caller holds the progress.
pub(in super::super::super) async fn zone_id(connection: &mut Connection, zone: Zone) -> Result<i16, Fault> {
    let named = history_zones::table.filter(history_zones::name.eq(zone.name())).select(history_zones::id);
    if let Some(id) = named.first::<i16>(connection).await.optional()? {
        return Ok(id);
    }
    let latest = history_zones::table.order(history_zones::id.desc()).select(history_zones::id);
    let next = latest.first::<i16>(connection).await.optional()?.map_or(1, |id| id.saturating_add(1));
    let row = (history_zones::id.eq(next), history_zones::name.eq(zone.name()));
    diesel::insert_into(history_zones::table).values(row).execute(connection).await?;
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_like_sizes_are_rolled_up_together() {
        let (small, large) = (10, rollup::CHECKS * 3);
        let together = |sizes: &[i64]| {
            let runs: Vec<NextRun> = sizes.iter().map(|links| (NO_LINK, None, *links)).collect();
            super::together(&runs).len()
        };
        assert_eq!(together(&[]), 0);
        assert_eq!(together(&[large]), 1);
        assert_eq!(together(&[large; 12]), 12, "a day is written once for all of them");
        assert_eq!(together(&[small; 300]), 300);
        assert_eq!(together(&[small, small, small, large]), 3, "a large one would come in many small pages");
        assert_eq!(together(&[large, large / 2, large / 2, small, small, small]), 4);
    }
}
