//! Runs: rows of `runs`.

use diesel::{Insertable, Queryable, Selectable};
use linkbeat_shared::{ReplyTo, RequestId, Run, RunId, RunState};

use super::{number, parse};
use crate::NewRun;
use crate::error::Fault;
use crate::schema::runs;
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
            created_at: row.created_at.0,
            finished_at: row.finished_at.map(|moment| moment.0),
        })
    }
}

/// A run on its way in; the database adds its place in the order of runs and its time.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = runs)]
pub(crate) struct NewRunRow {
    pub(crate) id: Id,
    pub(crate) request_id: Id,
    check_spec: String,
    show_rules: String,
    pub(crate) reply_queue: Option<String>,
    pub(crate) correlation_id: Option<String>,
}

impl From<&NewRun> for NewRunRow {
    fn from(run: &NewRun) -> Self {
        let (reply_queue, correlation_id) =
            run.reply_to.clone().map(|reply| (reply.queue, reply.correlation_id)).unzip();
        Self {
            id: Id(run.id.0),
            request_id: Id(run.request_id.0),
            check_spec: json(&run.check),
            show_rules: json(&run.rules),
            reply_queue,
            correlation_id: correlation_id.flatten(),
        }
    }
}
