//! The checks of a link.
//!
//! No index leads from a link to its checks: each of them would have to be written there, too. The key of checks leads to the
//! check of a link in a run. So the runs are asked, the newest first, and the link is looked for by itself if that takes too
//! many. See `checks_by_link` in the schema.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc, Weekday};
use diesel::dsl::{AsExprOf, sql};
use diesel::expression::{SqlLiteral, UncheckedBind};
use diesel::prelude::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension,
    QueryDsl, QueryResult, SelectableHelper,
};
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::queries::history::first_run_id;
use super::queries::history::reading::oldest_kept;
use super::{Backend, Connection, dialect};
use crate::error::Fault;
use crate::kept::Keep;
use crate::rows::CheckRow;
use crate::schema::{checks, proposals, runs, sql as types};
use crate::values::Id;

/// Runs that are asked one by one for a check of a link, at once: at first, and then. That is quick however many checks each
/// of them has, as their key leads there.
const FIRST_RUNS: i64 = 64;
const RUNS: i64 = 2_048;
/// So many times. A link that is in few of so many runs is looked for by itself then.
const ROUNDS: u32 = 24;
/// If a span of time has fewer of these runs than one in so many, the next one is twice as long.
const FEW: i64 = 8;
/// How far back the first such look goes, and how much further each next one.
const FIRST_LOOK: TimeDelta = TimeDelta::days(2);
const FURTHER: i32 = 8;
/// The look after so many goes all the way.
const LOOKS: u32 = 4;

/// The checks of a link of runs before this one, those of the newest run first.
pub(super) async fn checks_of_link(
    connection: &mut Connection,
    link: Id,
    before: Id,
    most: i64,
) -> Result<Vec<CheckRow>, Fault> {
    let mut found = Found { link, rows: Vec::new(), most };
    if let Some(before) = found.by_runs(connection, before).await? {
        found.by_link(connection, before).await?;
    }
    Ok(found.rows)
}

/// Checks of a link, the newest first.
struct Found {
    link: Id,
    rows: Vec<CheckRow>,
    /// So many are enough.
    most: i64,
}

impl Found {
    fn room(&self) -> i64 {
        self.most - i64::try_from(self.rows.len()).unwrap_or(i64::MAX)
    }

    /// Asks the runs before this one, the newest first. Returns before which run others may have more.
    async fn by_runs(&mut self, connection: &mut Connection, mut before: Id) -> Result<Option<Id>, Fault> {
        let Some((oldest, _)) = oldest_kept(connection).await? else { return Ok(None) };
        let now = dialect::now(connection).await?.0;
        let (mut weeks, mut most) = (1, FIRST_RUNS);
        for _ in 0..ROUNDS {
            let mut from = first_run_id(begin_of(time_of(before.0).min(now), weeks));
            weeks = match nth_run(connection, (from, before), most / FEW).await? {
                None => weeks * 2,
                Some(_) => 1,
            };
            if weeks == 1 {
                from = nth_run(connection, (from, before), most).await?.unwrap_or(from);
            }
            let of_runs = OfRuns::Each(from, before);
            self.rows.extend(of_link(connection, self.link, of_runs, self.room()).await?);
            if from <= oldest || self.room() <= 0 {
                return Ok(None);
            }
            (before, most) = (from, RUNS);
        }
        Ok(Some(before))
    }

    /// Looks for them by the link, further and further back.
    async fn by_link(&mut self, connection: &mut Connection, mut before: Id) -> Result<(), Fault> {
        let latest = time_of(before.0).min(dialect::now(connection).await?.0);
        let mut back = FIRST_LOOK;
        for look in 0..=LOOKS {
            let from = if look == LOOKS { Id(Uuid::nil()) } else { first_run_id(latest - back) };
            let between = OfRuns::Between(from, before);
            self.rows.extend(of_link(connection, self.link, between, self.room()).await?);
            if self.room() <= 0 {
                break;
            }
            (before, back) = (from, back * FURTHER);
        }
        Ok(())
    }
}

/// The time in the id of a run, or in one that stands before all runs of a moment.
fn time_of(run: Uuid) -> DateTime<Utc> {
    let millis = i64::try_from(run.as_u128() >> 80).unwrap_or(i64::MAX);
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The begin of the week of the moment before this one, and of so many weeks in all. Partitions are weeks.
fn begin_of(moment: DateTime<Utc>, weeks: i64) -> DateTime<Utc> {
    let day = (moment - TimeDelta::milliseconds(1)).date_naive();
    let monday = day.week(Weekday::Mon).first_day() - TimeDelta::weeks(weeks - 1);
    monday.and_time(NaiveTime::MIN).and_utc()
}

/// The nth of the newest runs from one on and before another.
async fn nth_run(connection: &mut Connection, (from, before): (Id, Id), nth: i64) -> QueryResult<Option<Id>> {
    let newest = runs::table.filter(runs::id.ge(from).and(runs::id.lt(before))).order(runs::id.desc());
    newest.select(runs::id).offset(nth - 1).limit(1).kept().get_result(connection).await.optional()
}

/// That a check is of one of these runs.
type OfRunsBetween = SqlLiteral<
    Bool,
    UncheckedBind<
        SqlLiteral<Bool, UncheckedBind<SqlLiteral<Bool>, AsExprOf<Id, types::Id>>>,
        AsExprOf<Id, types::Id>,
    >,
>;

/// Runs that are looked through, from one on and before another.
#[derive(Clone, Copy)]
enum OfRuns {
    /// One by one.
    Each(Id, Id),
    /// All at once.
    Between(Id, Id),
}

/// The newest checks of a link, of runs that are chosen.
async fn of_link(
    connection: &mut Connection,
    link: Id,
    of_runs: OfRuns,
    limit: i64,
) -> Result<Vec<CheckRow>, Fault> {
    let wanted = checks::table
        .left_join(
            proposals::table
                .on(proposals::run_id.eq(checks::run_id).and(proposals::link_id.eq(checks::link_id))),
        )
        .filter(checks::link_id.eq(link))
        .order(checks::run_id.desc())
        .limit(limit)
        .select((CheckRow::as_select(), proposals::outcome.nullable()))
        .into_boxed::<Backend>();
    let (OfRuns::Each(from, before) | OfRuns::Between(from, before)) = of_runs;
    let wanted = wanted.filter(checks::run_id.ge(from).and(checks::run_id.lt(before)));
    let wanted = match of_runs {
        OfRuns::Each(..) => wanted.filter(of_runs_between(from, before)),
        OfRuns::Between(..) => wanted,
    };
    let rows: Vec<(CheckRow, Option<i16>)> = wanted.load(connection).await?;
    let row = |(check, outcome): (CheckRow, Option<i16>)| CheckRow {
        outcome: outcome.unwrap_or(check.outcome),
        ..check
    };
    Ok(rows.into_iter().map(row).collect())
}

/// That a check is of one of the runs from one on and before another. The array makes the server look each of them up.
fn of_runs_between(from: Id, before: Id) -> OfRunsBetween {
    let from = sql::<Bool>("checks.run_id = ANY (ARRAY(SELECT r.id FROM runs r WHERE r.id >= ")
        .bind::<types::Id, _>(from)
        .sql(" AND r.id < ");
    from.bind::<types::Id, _>(before).sql("))")
}
