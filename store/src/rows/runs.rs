//! Runs: rows of `runs`.

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::sql_types::{BigInt, Bool};
use diesel::{AsChangeset, Insertable, Queryable, Selectable};
use linkbeat_shared::{
    Alike, Asker, Change, CheckSpec, Counts, Lang, ReplyTo, RequestId, Run, RunId, RunState, TraceContext,
    Verdict,
};
use serde::Serialize;

use super::{Hold, Outcome, number, parse};
use crate::error::Fault;
use crate::reporting::Tallies;
use crate::schema::runs;
use crate::traits::{NewRun, Unannounced};
use crate::values::{Id, Moment, json};

/// A stored run.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = runs)]
pub(crate) struct RunRow {
    id: Id,
    request_id: Id,
    state: String,
    links: i64,
    done: i64,
    parked: i64,
    reply_queue: Option<String>,
    correlation_id: Option<String>,
    #[diesel(embed)]
    trace: TraceColumns,
    created_at: Moment,
    finished_at: Option<Moment>,
}

impl TryFrom<RunRow> for Run {
    type Error = Fault;

    fn try_from(row: RunRow) -> Result<Self, Fault> {
        let correlation_id = row.correlation_id;
        let state = parse(&row.state, "runs.state")?;
        Ok(Self {
            id: RunId(row.id.0),
            request_id: RequestId(row.request_id.0),
            state,
            links: number(row.links, "runs.links")?,
            done: number(row.done, "runs.done")?,
            missing: if state == RunState::Cancelled { 0 } else { number(row.parked, "runs.parked")? },
            reply_to: row.reply_queue.map(|queue| ReplyTo { queue, correlation_id }),
            trace: row.trace.into(),
            created_at: row.created_at.0,
            finished_at: row.finished_at.map(|moment| moment.0),
        })
    }
}

/// A run that ended, with all that is told of it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = runs)]
pub(crate) struct EndedRunRow {
    #[diesel(embed)]
    run: RunRow,
    #[diesel(embed)]
    tally: Tally,
    pub(crate) seq: i64,
    to_check: i64,
    hold: String,
    known: i64,
    claimed_until: Option<Moment>,
    /// Somebody asked besides whoever stands in the row.
    #[diesel(select_expression = others_asked(), select_expression_type = SqlLiteral<Bool>)]
    pub(crate) others_asked: bool,
}

fn others_asked() -> SqlLiteral<Bool> {
    sql("EXISTS (SELECT 1 FROM askers WHERE askers.run_id = runs.id)")
}

impl EndedRunRow {
    pub(crate) fn id(&self) -> Id {
        self.run.id
    }

    /// Whether the links that changed alike are to be told.
    pub(crate) fn may_be_held_back(&self) -> bool {
        self.hold != Hold::Free.as_str()
    }

    /// With the links that changed alike, and the others who asked. No link waits to be checked again: its run would not have ended.
    pub(crate) fn with(self, alike: Vec<Alike>, others: Vec<Asker>) -> Result<Unannounced, Fault> {
        let Self { run, tally, to_check, hold, known, claimed_until, .. } = self;
        let claimed_until =
            claimed_until.ok_or_else(|| Fault::Corrupt("runs.claimed_until is lost".to_owned()))?;
        let run = Run::try_from(run)?;
        let tallies = Tallies { run: run.clone(), tally, to_check, rechecks: 0, hold, known, alike };
        let first = run.reply_to.clone().map(|reply_to| Asker { reply_to, lang: Lang::En });
        let askers = first.into_iter().chain(others).collect();
        Ok(Unannounced { run, summary: tallies.summary()?, askers, claimed_until: claimed_until.0 })
    }
}

/// The trace that a run is part of.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = runs)]
pub(crate) struct TraceColumns {
    pub(crate) traceparent: Option<String>,
    pub(crate) tracestate: Option<String>,
}

impl From<TraceColumns> for Option<TraceContext> {
    fn from(row: TraceColumns) -> Self {
        row.traceparent.and_then(|parent| TraceContext::parse(&parent, row.tracestate.as_deref()))
    }
}

/// How many checks of a run have each verdict and change. In the table, all of them; on their way in, those to be
/// added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Queryable, Selectable)]
#[diesel(table_name = runs)]
pub(crate) struct Tally {
    pub(crate) up: i64,
    pub(crate) down: i64,
    pub(crate) no_backlink: i64,
    pub(crate) blocked: i64,
    pub(crate) refused: i64,
    pub(crate) white_listed: i64,
    #[diesel(select_expression = sql::<BigInt>("runs.reused"), select_expression_type = SqlLiteral<BigInt>)]
    pub(crate) reused: i64,
    pub(crate) to_not_show: i64,
    pub(crate) to_show: i64,
    pub(crate) would_hide: i64,
    pub(crate) would_show: i64,
}

impl Tally {
    /// Counts one more check.
    pub(crate) fn count(&mut self, outcome: Outcome) {
        *match outcome.verdict {
            None => &mut self.white_listed,
            Some(Verdict::Up) => &mut self.up,
            Some(Verdict::Down) => &mut self.down,
            Some(Verdict::NoBacklink) => &mut self.no_backlink,
            Some(Verdict::Blocked) => &mut self.blocked,
            Some(Verdict::Refused) => &mut self.refused,
        } += 1;
        self.reused += i64::from(outcome.reused);
        self.count_did(outcome);
    }

    /// Counts what one more check did to its link.
    fn count_did(&mut self, outcome: Outcome) {
        match outcome.change() {
            Some(Change::Hidden) => self.to_not_show += 1,
            Some(Change::Shown) => self.to_show += 1,
            None => {}
        }
        match outcome.proposed() {
            Some(Change::Hidden) => self.would_hide += 1,
            Some(Change::Shown) => self.would_show += 1,
            None => {}
        }
    }

    /// Counts that a check which proposed a change came to something else.
    pub(crate) fn settle(&mut self, proposal: Outcome, settled: Outcome) {
        match proposal.proposed() {
            Some(Change::Hidden) => self.would_hide -= 1,
            Some(Change::Shown) => self.would_show -= 1,
            None => {}
        }
        self.count_did(settled);
    }

    /// As reports have it, of a run that is to check so many links.
    pub(crate) fn counts(&self, to_check: i64) -> Result<Counts, Fault> {
        let checked = self.up + self.down + self.no_backlink + self.blocked + self.refused;
        Ok(Counts {
            active: number(to_check, "runs.to_check")?,
            checked: number(checked, "a count of checks")?,
            up: number(self.up, "runs.up")?,
            down: number(self.down, "runs.down")?,
            no_backlink: number(self.no_backlink, "runs.no_backlink")?,
            blocked: number(self.blocked, "runs.blocked")?,
            refused: number(self.refused, "runs.refused")?,
            white_listed: number(self.white_listed, "runs.white_listed")?,
            reused: number(self.reused, "runs.reused")?,
            to_not_show: number(self.to_not_show, "runs.to_not_show")?,
            to_show: number(self.to_show, "runs.to_show")?,
            would_hide: number(self.would_hide, "runs.would_hide")?,
            would_show: number(self.would_show, "runs.would_show")?,
        })
    }
}

/// A run on its way in; the database adds its place in the order of runs and its time.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = runs)]
pub(crate) struct NewRunRow {
    pub(crate) id: Id,
    request_id: Id,
    check_spec: String,
    show_rules: String,
    reply_queue: Option<String>,
    correlation_id: Option<String>,
    traceparent: Option<String>,
    tracestate: Option<String>,
}

/// How many links a run covers, and whether they may hold it back.
#[derive(Debug, Clone, Insertable, AsChangeset)]
#[diesel(table_name = runs)]
pub(crate) struct RunCountsRow {
    pub(crate) links: i64,
    pub(crate) to_check: i64,
    pub(crate) known: i64,
    pub(crate) needed: i64,
    pub(crate) hold: &'static str,
}

/// `runs.check_spec` of a run that checks links so.
pub(crate) fn check_spec_text(check: &CheckSpec) -> String {
    json(check)
}

impl From<&NewRun> for NewRunRow {
    fn from(run: &NewRun) -> Self {
        // Whoever reads another language stands in `askers`.
        let first = run.reply_to.clone().filter(|_| run.lang == Lang::En);
        let (reply_queue, correlation_id) = first.map(|reply| (reply.queue, reply.correlation_id)).unzip();
        Self {
            id: Id(run.id.0),
            request_id: Id(run.request_id.0),
            check_spec: check_spec_text(&run.check),
            show_rules: json(&run.rules),
            reply_queue,
            correlation_id: correlation_id.flatten(),
            traceparent: run.trace.as_ref().map(|trace| trace.parent().to_owned()),
            tracestate: run.trace.as_ref().and_then(TraceContext::state).map(str::to_owned),
        }
    }
}
