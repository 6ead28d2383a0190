//! What a database can do, a trait for each need, and the sets of them that the roles get.
//!
//! A role that is given `Arc<dyn RecorderStore>` cannot import links or file runs: the compiler says so. Every method
//! is one transaction: it is done wholly or not at all.

mod access;
mod browsing;
mod calls;
mod celery_tasks;
mod filing;
mod history;
mod holds;
mod leases;
mod ledger;
mod links;
mod outbox;
mod partitions;
mod reports;
mod runs;
mod schedule_set;
mod schedules;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use linkbeat_vitals::Activity;

pub use access::{Access, Hash, Scope, StoredToken, TokenName};
pub use browsing::{
    Browsing, ChangeKind, ChangeQuery, Count, LinkSort, LinkTotal, ListedChange, ListedCheck, ListedLink,
    ListedRun, Page, PageOf, ParkedJob, RunLinkSort, SortLinksBy,
};
pub use calls::Calls;
pub use celery_tasks::{CeleryTask, CeleryTasks, NewTask, TaskChange, TaskState};
pub use filing::{
    Filed, FiledTask, Filing, KeptRequest, MOST_ASKERS, NewRun, PlannedJob, Planner, SHORT_LIST,
};
pub use history::{
    CleanUp, History, HistoryRules, HistoryStatus, LinkDay, LinkHour, PartitionStatus, Readings, Removed,
};
pub use holds::{Decided, Holds, Untold};
pub use leases::Leases;
pub use ledger::{JobResults, Judge, Judged, Ledger, Next, ParkingNotice, Recorded, Ruling, Unannounced};
pub use links::{Imported, LinkChanges, LinkOrder, LinkQuery, LinkSet, Links, StillSo};
pub use outbox::{JobKind, OpenJobs, Outbox, StoredJob, Unpublished, UnpublishedRun};
pub use partitions::Partitions;
pub use reports::{ReportLinks, Reports};
pub use runs::Runs;
pub use schedule_set::{CannotPause, ScheduleDecision, ScheduleSet, set_schedule};
pub use schedules::{
    NewSchedule, ScheduleChange, ScheduleState, Schedules, Settled, Skip, StoredSchedule, Tick, TickCounts,
    TickOutcome, TickRun, TickStep,
};

/// What a producer needs.
pub trait ProducerStore: Filing + Outbox + Leases + CeleryStore + Schedules {}
impl<T: Filing + Outbox + Leases + CeleryStore + Schedules> ProducerStore for T {}

/// What the door for Celery's tasks needs, besides filing.
pub trait CeleryStore: CeleryTasks + Runs + Reports {}
impl<T: CeleryTasks + Runs + Reports> CeleryStore for T {}

/// What a recorder needs.
pub trait RecorderStore: Ledger + Holds + Reports + Leases + Partitions + History {}
impl<T: Ledger + Holds + Reports + Leases + Partitions + History> RecorderStore for T {}

/// What a dashboard needs.
pub trait DashboardStore:
    Links + Browsing + Calls + Runs + Reports + Readings + Schedules + Holds + Access + Session
{
}
impl<T: Links + Browsing + Calls + Runs + Reports + Readings + Schedules + Holds + Access + Session>
    DashboardStore for T
{
}

/// All that a database can do.
pub trait Store: ProducerStore + RecorderStore + DashboardStore {}
impl<T: ProducerStore + RecorderStore + DashboardStore> Store for T {}

/// A store as [`crate::open`] gives it. Where less is needed it is passed on as `Arc<dyn Links>` and so on.
pub type SharedStore = Arc<dyn Store>;

/// The connections to a database.
#[async_trait]
pub trait Session: Send + Sync + Debug {
    /// Counts the calls of all traits. A call that the database answered has succeeded, whatever the answer was.
    fn activity(&self) -> &Activity;

    /// Ends all connections.
    async fn close(&self);
}
