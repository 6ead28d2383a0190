//! Reading the history of a link. What is not rolled up yet is counted from the checks themselves, so that the numbers
//! are the same before and after.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use diesel::dsl::{count_star, sql};
use diesel::prelude::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, SelectableHelper,
};
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel_async::RunQueryDsl;
use linkbeat_shared::LinkId;
use linkbeat_shared::history::{ShownTime, Summary, Zone};

use super::super::Backend;
use super::{Connection, PROGRESS, RAW, ROLLED, ROLLING, dialect};
use crate::error::Fault;
use crate::rows::{DayRow, HourRow, NOT_REUSED, RawCheck, RawColumns, hour_of};
use crate::schema::{
    changes, checks, history_progress, history_zones, late_checks, link_days, link_hours, links,
    removed_links, runs,
};
use crate::traits::{CleanUp, HistoryStatus, LinkDay, LinkHour};
use crate::values::{Id, Moment};

/// Most changes that are read of one link.
const CHANGES: i64 = 10_000;
/// The checks of so many days say how many there are a day.
const RECENT: TimeDelta = TimeDelta::days(7);

/// The days from `from` on and before `until`.
pub(in super::super) async fn days(
    connection: &mut Connection,
    link: LinkId,
    zone: Zone,
    (from, until): (NaiveDate, NaiveDate),
    limit: u32,
) -> Result<Vec<LinkDay>, Fault> {
    let rows = link_days::table
        .inner_join(history_zones::table)
        .filter(link_days::link_id.eq(Id(link.0)))
        .filter(link_days::day.ge(from).and(link_days::day.lt(until)))
        .order((link_days::day, link_days::zone))
        .limit(limit.into())
        .select((DayRow::as_select(), history_zones::name));
    let rows: Vec<(DayRow, String)> = rows.load(connection).await?;
    let full = rows.len() >= limit as usize;
    let last = rows.last().filter(|_| full).map(|(row, _)| row.day);
    let mut days: BTreeMap<(NaiveDate, String), Summary> = BTreeMap::new();
    for (row, zone) in rows {
        days.entry((row.day, zone)).or_default().merge(&row.summary()?);
    }
    for check in fresh(connection, Id(link.0)).await? {
        let day = zone.day_of(check.checked_at);
        if from <= day && day < until && last.is_none_or(|last| day <= last) {
            days.entry((day, zone.name().to_owned())).or_default().add(check.observed);
        }
    }
    let days = days.into_iter().map(|((day, zone), summary)| LinkDay { day, zone, summary });
    Ok(days.take(limit as usize).collect())
}

/// The hours from `from` on and before `until`.
pub(in super::super) async fn hours(
    connection: &mut Connection,
    link: LinkId,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    limit: u32,
) -> Result<Vec<LinkHour>, Fault> {
    let (from, until) = (hour_of(from), hour_of(until - TimeDelta::nanoseconds(1)));
    let rows = link_hours::table
        .filter(link_hours::link_id.eq(Id(link.0)).and(link_hours::hour.between(from, until)))
        .order(link_hours::hour)
        .limit(limit.into());
    let rows: Vec<HourRow> = rows.select(HourRow::as_select()).load(connection).await?;
    let full = rows.len() >= limit as usize;
    let last = rows.last().filter(|_| full).map_or(until, |row| row.hour);
    let mut hours: BTreeMap<i32, Summary> = BTreeMap::new();
    for row in rows {
        hours.entry(row.hour).or_default().merge(&row.summary()?);
    }
    for check in fresh(connection, Id(link.0)).await? {
        let hour = hour_of(check.checked_at);
        if (from..=last).contains(&hour) {
            hours.entry(hour).or_default().add(check.observed);
        }
    }
    let begun = |hour: i32| DateTime::from_timestamp(i64::from(hour) * 3_600, 0).unwrap_or_default();
    let hours = hours.into_iter().map(|(hour, summary)| LinkHour { hour: begun(hour), summary });
    Ok(hours.take(limit as usize).collect())
}

/// Runs that are named in one query. More of them are joined: so many partitions take long to plan.
const NAMED: usize = 128;

/// The checks of a link that are in no rollup.
async fn fresh(connection: &mut Connection, link: Id) -> Result<Vec<RawCheck>, Fault> {
    let progress = history_progress::table.find(PROGRESS).select(history_progress::after);
    let after: Id = progress.first(connection).await?;
    // Of runs that are being rolled up, the links up to `after` are done.
    let ahead: &[&str] = if link > after { &[RAW, ROLLING] } else { &[RAW] };
    let late = late_checks::table.filter(late_checks::link_id.eq(link)).select(late_checks::run_id);
    let late: Vec<Id> = late.load(connection).await?;
    let open = runs::table.filter(runs::history.eq_any(ahead.iter().copied())).select(runs::id);
    let mut open: Vec<Id> = open.limit(NAMED as i64 + 1).load(connection).await?;
    let mut rows = if open.len() > NAMED {
        raw_checks(connection, link, OfRuns::Ahead(ahead)).await?
    } else {
        open.retain(|run| !late.contains(run));
        raw_checks(connection, link, OfRuns::Open(open)).await?
    };
    rows.extend(raw_checks(connection, link, OfRuns::Late(late)).await?);
    rows.into_iter().map(|(columns, hold)| RawCheck::new(columns, &hold)).collect()
}

/// Runs whose checks of a link are in no rollup.
enum OfRuns {
    /// All that are this far.
    Ahead(&'static [&'static str]),
    /// These, of which none came late.
    Open(Vec<Id>),
    /// Those whose check came after the others had been rolled up.
    Late(Vec<Id>),
}

type RawRow = (RawColumns, String);

async fn raw_checks(connection: &mut Connection, link: Id, of_runs: OfRuns) -> QueryResult<Vec<RawRow>> {
    let check = (
        checks::link_id,
        checks::checked_at,
        checks::elapsed_ms,
        checks::status,
        checks::outcome,
        sql::<Nullable<Text>>("checks.reason ->> 'type'"),
    );
    let of_link = checks::table
        .inner_join(runs::table)
        .filter(checks::link_id.eq(link))
        .select((check, runs::hold))
        .into_boxed::<Backend>();
    let wanted = match of_runs {
        OfRuns::Open(runs) | OfRuns::Late(runs) if runs.is_empty() => return Ok(Vec::new()),
        OfRuns::Late(runs) => of_link.filter(dialect::among("checks.run_id", runs)),
        OfRuns::Open(runs) => {
            of_link.filter(dialect::among("checks.run_id", runs)).filter(sql::<Bool>(NOT_REUSED))
        }
        OfRuns::Ahead(ahead) => {
            let not_late = "NOT EXISTS (SELECT 1 FROM late_checks l WHERE l.link_id = checks.link_id AND l.run_id = checks.run_id)";
            let of_runs = of_link.filter(runs::history.eq_any(ahead.iter().copied()));
            of_runs.filter(sql::<Bool>(not_late)).filter(sql::<Bool>(NOT_REUSED))
        }
    };
    wanted.load(connection).await
}

/// When a link was shown, from `from` on.
pub(in super::super) async fn shown(
    connection: &mut Connection,
    link: LinkId,
    from: DateTime<Utc>,
) -> Result<Option<ShownTime>, Fault> {
    let (id, now) = (Id(link.0), dialect::now(connection).await?);
    let stored = links::table.find(id).select((links::created_at, links::shown));
    let stored: Option<(Moment, bool)> = stored.first(connection).await.optional()?;
    let removed = removed_links::table.find(id).select(removed_links::removed_at);
    let removed: Option<Moment> = removed.first(connection).await.optional()?;
    let of_link = || {
        let shown_or_hidden = changes::was_shown.ne(changes::shown);
        changes::table.filter(changes::link_id.eq(id).and(shown_or_hidden))
    };
    let before = of_link().filter(changes::at.le(Moment(from))).order(changes::id.desc());
    let before: Option<bool> = before.select(changes::shown).first(connection).await.optional()?;
    let since = of_link().filter(changes::at.gt(Moment(from))).order(changes::id).limit(CHANGES);
    let since: Vec<(Moment, bool)> = since.select((changes::at, changes::shown)).load(connection).await?;
    let first = since.as_slice().first().copied();
    let (known_since, known_until) = match (stored, removed) {
        (Some((created, _)), _) => (created.0, now.0),
        // When a removed link was imported is not kept.
        (None, Some(removed)) => (first.filter(|_| before.is_none()).map_or(from, |(at, _)| at.0), removed.0),
        (None, None) => return Ok(None),
    };
    let today = stored.is_none_or(|(_, shown)| shown);
    let at_first = before.or(first.map(|(_, becomes)| !becomes)).unwrap_or(today);
    let changes = since.into_iter().map(|(at, shown)| (at.0, shown)).collect();
    Ok(Some(ShownTime { known_since, known_until, at_first, changes }))
}

/// The oldest run whose checks are kept, and when it was filed. An index leads to the oldest of each of these states.
pub(in super::super::super) async fn oldest_kept(
    connection: &mut Connection,
) -> QueryResult<Option<(Id, Moment)>> {
    let mut oldest: Option<(Id, Moment)> = None;
    for state in [RAW, ROLLING, ROLLED] {
        // With `=` PostgreSQL may go through all older runs by their ids instead.
        let of_state = runs::table.filter(runs::history.ge(state).and(runs::history.le(state)));
        let of_state = of_state.order((runs::history, runs::id)).select((runs::id, runs::created_at));
        let first: Option<(Id, Moment)> = of_state.first(connection).await.optional()?;
        oldest = oldest.into_iter().chain(first).min_by_key(|(id, _)| *id);
    }
    Ok(oldest)
}

type Progress = (Option<Moment>, Option<String>, Option<Moment>);

/// When nothing was left to remove, and the last clean-up that removed anything.
pub(in super::super) async fn clean_ups(
    connection: &mut Connection,
) -> Result<(Option<DateTime<Utc>>, Option<CleanUp>), Fault> {
    let progress = history_progress::table.find(PROGRESS);
    let progress = progress.select((
        history_progress::cleaned_at,
        history_progress::removed,
        history_progress::removed_at,
    ));
    let (cleaned_at, removed, removed_at): Progress = progress.first(connection).await?;
    let last =
        removed_at.map(|at| CleanUp { at: at.0, removed: super::cleaning::removed(removed.as_deref()) });
    Ok((cleaned_at.map(|moment| moment.0), last))
}

pub(in super::super) async fn status(connection: &mut Connection) -> Result<HistoryStatus, Fault> {
    let now = dialect::now(connection).await?;
    let progress = history_progress::table.find(PROGRESS).select(history_progress::rolled_at);
    let rolled_at: Option<Moment> = progress.first(connection).await?;
    let (cleaned_at, removed) = clean_ups(connection).await?;
    let to_roll_up: i64 =
        runs::table.filter(runs::history.eq(RAW)).select(count_star()).first(connection).await?;
    let oldest = oldest_kept(connection).await?.map(|(_, created_at)| created_at);
    let recent = runs::table.filter(runs::id.ge(super::first_run_id(now.0 - RECENT)));
    let recent: i64 =
        recent.select(sql::<BigInt>("CAST(coalesce(sum(done), 0) AS bigint)")).first(connection).await?;
    let kept = runs::table.filter(runs::history.eq_any([RAW, ROLLING, ROLLED]));
    let kept: i64 =
        kept.select(sql::<BigInt>("CAST(coalesce(sum(done), 0) AS bigint)")).first(connection).await?;
    let age = oldest.map_or(RECENT, |oldest| (now.0 - oldest.0).clamp(TimeDelta::days(1), RECENT));
    let sizes = dialect::sizes(connection).await?;
    Ok(HistoryStatus {
        checks: kept.unsigned_abs(),
        oldest: oldest.map(|moment| moment.0),
        checks_a_day: recent as f64 * 86_400.0 / age.as_seconds_f64(),
        to_roll_up: to_roll_up.unsigned_abs(),
        rolled_at: rolled_at.map(|moment| moment.0),
        cleaned_at,
        removed,
        ..sizes
    })
}
