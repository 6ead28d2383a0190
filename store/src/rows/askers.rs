//! Who is told how a run ended: rows of `askers`, and what `runs` says of it.

use diesel::{Insertable, Queryable, Selectable};
use linkbeat_shared::{Asker, Lang, ReplyTo, RunState};

use super::parse;
use crate::error::Fault;
use crate::schema::{askers, runs};
use crate::values::{Id, Moment};

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = askers)]
pub(crate) struct AskerRow {
    pub(crate) run_id: Id,
    pub(crate) reply_queue: String,
    /// Empty: none.
    pub(crate) correlation_id: String,
    lang: String,
}

impl AskerRow {
    pub(crate) fn new(run_id: Id, asker: &Asker) -> Self {
        let ReplyTo { queue, correlation_id } = asker.reply_to.clone();
        let correlation_id = correlation_id.unwrap_or_default();
        Self { run_id, reply_queue: queue, correlation_id, lang: asker.lang.to_string() }
    }

    pub(crate) fn asker(self) -> Result<Asker, Fault> {
        let correlation_id = Some(self.correlation_id).filter(|id| !id.is_empty());
        let lang: Lang = parse(&self.lang, "askers.lang")?;
        Ok(Asker { reply_to: ReplyTo { queue: self.reply_queue, correlation_id }, lang })
    }
}

/// A run for which somebody asks again.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = runs)]
pub(crate) struct AskedRunRow {
    pub(crate) id: Id,
    state: String,
    reply_queue: Option<String>,
    correlation_id: Option<String>,
    announced_at: Option<Moment>,
}

impl AskedRunRow {
    /// Whether all who asked have their report, and it was the last one.
    pub(crate) fn was_told_for_good(&self) -> Result<bool, Fault> {
        let state = parse(&self.state, "runs.state")?;
        let last = matches!(state, RunState::Finished | RunState::Discarded | RunState::Cancelled);
        Ok(last && self.announced_at.is_some())
    }

    /// Whether this is who asked first.
    pub(crate) fn has_first(&self, asker: &Asker) -> bool {
        let to = &asker.reply_to;
        let none_is_empty = |id: &Option<String>| id.clone().unwrap_or_default();
        self.reply_queue.as_ref() == Some(&to.queue)
            && none_is_empty(&self.correlation_id) == none_is_empty(&to.correlation_id)
    }

    pub(crate) fn has_no_first(&self) -> bool {
        self.reply_queue.is_none()
    }
}
