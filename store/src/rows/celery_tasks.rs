//! Tasks of Celery clients: rows of `celery_tasks`.

use diesel::{AsChangeset, Insertable, Queryable, QueryableByName, Selectable};
use linkbeat_shared::{RequestId, RunId};

use super::parse;
use crate::error::Fault;
use crate::schema::{celery_tasks, sql};
use crate::traits::{CeleryTask, NewTask, TaskChange};
use crate::values::{Id, Moment};

#[derive(Debug, Clone, Queryable, QueryableByName, Selectable)]
#[diesel(table_name = celery_tasks)]
pub(crate) struct CeleryTaskRow {
    pub(crate) id: String,
    pub(crate) request_id: Id,
    state: String,
    card: String,
    outcome: Option<String>,
    due_at: Moment,
    changed_at: Moment,
}

impl CeleryTaskRow {
    /// The task; `run` is the run of its request.
    pub(crate) fn with_run(self, run: Option<Id>) -> Result<CeleryTask, Fault> {
        Ok(CeleryTask {
            state: parse(&self.state, "celery_tasks.state")?,
            id: self.id,
            request_id: RequestId(self.request_id.0),
            run: run.map(|run| RunId(run.0)),
            card: self.card,
            outcome: self.outcome,
            due_at: self.due_at.0,
            changed_at: self.changed_at.0,
        })
    }
}

/// A task whose result is to be told, and the run of its request.
#[derive(Debug, Clone, QueryableByName)]
pub(crate) struct EndedTaskRow {
    #[diesel(embed)]
    task: CeleryTaskRow,
    #[diesel(sql_type = diesel::sql_types::Nullable<sql::Id>)]
    run: Option<Id>,
}

impl EndedTaskRow {
    pub(crate) fn task(self) -> Result<CeleryTask, Fault> {
        self.task.with_run(self.run)
    }
}

/// A task on its way in; the database adds its times.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = celery_tasks)]
pub(crate) struct NewCeleryTaskRow {
    id: String,
    request_id: Id,
    state: &'static str,
    card: String,
    outcome: Option<String>,
}

impl From<NewTask> for NewCeleryTaskRow {
    fn from(task: NewTask) -> Self {
        Self {
            id: without_nul(task.id),
            request_id: Id(task.request_id.0),
            state: task.state.as_str(),
            card: without_nul(task.card),
            outcome: task.outcome.map(without_nul),
        }
    }
}

/// What is `None` is left as it is.
#[derive(Debug, Clone, AsChangeset)]
#[diesel(table_name = celery_tasks)]
pub(crate) struct CeleryTaskChangeRow {
    state: &'static str,
    card: Option<String>,
    outcome: Option<String>,
    due_at: Moment,
}

impl CeleryTaskChangeRow {
    pub(crate) fn new(change: TaskChange, now: Moment) -> Self {
        Self {
            state: change.state.as_str(),
            card: change.card.map(without_nul),
            outcome: change.outcome.map(without_nul),
            due_at: Moment(now.0 + change.due_in),
        }
    }
}

/// PostgreSQL keeps no U+0000 in a text.
fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text }
}
