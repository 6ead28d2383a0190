//! Runs, as the API tells them.

use chrono::{DateTime, Utc};
use linkbeat_shared::{Counts, Decision, HeldBack, RunState};
use linkbeat_store::ListedRun;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Run")]
pub(in crate::api) struct RunItem {
    /// Its id.
    id: Uuid,
    /// The request that it carries out.
    request_id: Uuid,
    /// Where it stands.
    state: StateWord,
    /// How many links it covers.
    links: u64,
    /// How many of them have a result.
    done: u64,
    /// How many lack a result because their job is parked.
    missing: u64,
    /// When it was filed.
    created_at: DateTime<Utc>,
    /// When it ended; null while it goes on.
    finished_at: Option<DateTime<Utc>>,
    /// What its checks came to.
    #[serde(flatten)]
    counts: CountsItem,
    /// What was seen, if it was held back. Only in the answer about this one run.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_back: Option<HeldBackItem>,
}

impl RunItem {
    /// The same, with what was seen if the run was held back.
    pub(super) fn seen(self, held: Option<HeldBack>) -> Self {
        Self { held_back: held.map(HeldBackItem::from), ..self }
    }
}

/// What the checks of a run came to. Each of them is named once here, and none may lack.
macro_rules! counts {
    ($($(#[$told:meta])* $name:ident),+ $(,)?) => {
        /// What the checks of a run came to.
        #[derive(Debug, Serialize, ToSchema)]
        struct CountsItem {
            $($(#[$told])* $name: u64,)+
        }

        impl From<Counts> for CountsItem {
            fn from(counts: Counts) -> Self {
                let Counts { $($name),+ } = counts;
                Self { $($name),+ }
            }
        }
    };
}

counts! {
    /// Links that were to be checked.
    active,
    /// Links with a verdict.
    checked,
    /// Links that are up.
    up,
    /// Links that are down.
    down,
    /// Links that lack the backlink.
    no_backlink,
    /// Links that a wall or a rate limit answered for.
    blocked,
    /// Links that linkbeat would not fetch.
    refused,
    /// Links taken as good without a look.
    white_listed,
    /// Links whose latest result still counted, so that they were not fetched again.
    reused,
    /// Links that were shown and are hidden now.
    to_not_show,
    /// Links that were hidden and are shown now.
    to_show,
    /// Shown links that are to be hidden, once that is decided.
    would_hide,
    /// Hidden links that are to be shown, once that is decided.
    would_show,
}

/// Why a run was held back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Held back")]
struct HeldBackItem {
    /// Links of the run that had been checked before.
    known: u64,
    /// What a person decided; null: nobody has decided yet.
    decision: Option<&'static str>,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum StateWord {
    /// Some links have no result yet.
    Running,
    /// Every link has its result.
    Finished,
    /// Every link has its result or is in a parked job.
    Incomplete,
    /// Most links changed alike, and a person is to decide.
    HeldBack,
    /// A person decided that its links stay as they are.
    Discarded,
    /// A person stopped it.
    Cancelled,
}

impl From<RunState> for StateWord {
    fn from(state: RunState) -> Self {
        match state {
            RunState::Running => Self::Running,
            RunState::Finished => Self::Finished,
            RunState::Incomplete => Self::Incomplete,
            RunState::HeldBack => Self::HeldBack,
            RunState::Discarded => Self::Discarded,
            RunState::Cancelled => Self::Cancelled,
        }
    }
}

impl From<StateWord> for RunState {
    fn from(word: StateWord) -> Self {
        match word {
            StateWord::Running => Self::Running,
            StateWord::Finished => Self::Finished,
            StateWord::Incomplete => Self::Incomplete,
            StateWord::HeldBack => Self::HeldBack,
            StateWord::Discarded => Self::Discarded,
            StateWord::Cancelled => Self::Cancelled,
        }
    }
}

impl From<HeldBack> for HeldBackItem {
    fn from(held: HeldBack) -> Self {
        let word = |decision| if decision == Decision::Applied { "applied" } else { "discarded" };
        Self { known: held.known, decision: held.decision.map(word) }
    }
}

impl From<ListedRun> for RunItem {
    fn from(ListedRun { run, counts }: ListedRun) -> Self {
        Self {
            id: run.id.0,
            request_id: run.request_id.0,
            state: run.state.into(),
            links: run.links,
            done: run.done,
            missing: run.missing,
            created_at: run.created_at,
            finished_at: run.finished_at,
            counts: counts.into(),
            held_back: None,
        }
    }
}
