//! linkbeat's database, kept by PostgreSQL or by SQLite.
//!
//! The only crate that names diesel. What it can do is cut into small traits, one for each need ([`Links`], [`Filing`],
//! [`Ledger`], …); [`open`] gives them all. They speak in the words of `linkbeat-shared`. The rules
//! themselves come in from outside as values ([`Judge`], [`Planner`]), because they must run
//! inside the store's transactions but belong to the recorder and the producer.
//!
//! Most statements are the same for both databases. They stand in `queries/`, once: `postgres` and `sqlite` each
//! compile that folder as a module of their own, with their own connection. What truly differs stands in the
//! `dialect` of each.

#![expect(clippy::duplicate_mod, reason = "queries/ is compiled once for each database")]

mod account;
mod cursor;
mod database_url;
mod django;
mod error;
mod filing;
mod importing;
mod inspect;
mod inspection;
mod kept;
mod meaning;
mod migrations;
mod open;
mod parking;
mod places;
mod postgres;
mod recording;
mod reporting;
mod rows;
mod schema;
mod server;
mod sqlite;
mod traits;
mod values;

pub use account::{Account, OverLimit};
pub use cursor::{BadCursor, Cursor};
pub use database_url::DatabaseUrl;
pub use django::{DjangoResult, DjangoResults};
pub use error::StoreError;
pub use inspect::inspect;
pub use inspection::{DatabaseInspection, Schema, ServerInspection, TableRights};
pub use meaning::Obstacle;
pub use migrations::{Migrated, OpenMode};
pub use open::{backup, migrate, open};
pub use traits::{
    Access, Browsing, Calls, CannotPause, CeleryStore, CeleryTask, CeleryTasks, ChangeKind, ChangeQuery,
    CleanUp, Count, DashboardStore, Decided, Filed, FiledTask, Filing, Hash, History, HistoryRules,
    HistoryStatus, Holds, Imported, JobKind, JobResults, Judge, Judged, KeptRequest, Leases, Ledger,
    LinkChanges, LinkDay, LinkHour, LinkOrder, LinkQuery, LinkSet, LinkSort, LinkTotal, Links, ListedChange,
    ListedCheck, ListedLink, ListedRun, MOST_ASKERS, NewRun, NewSchedule, NewTask, Next, OpenJobs, Outbox,
    Page, PageOf, ParkedJob, ParkingNotice, PartitionStatus, Partitions, PlannedJob, Planner, ProducerStore,
    Readings, Recorded, RecorderStore, Removed, ReportLinks, Reports, Ruling, RunLinkSort, Runs, SHORT_LIST,
    ScheduleChange, ScheduleDecision, ScheduleSet, ScheduleState, Schedules, Scope, Session, Settled,
    SharedStore, Skip, SortLinksBy, StillSo, Store, StoredJob, StoredSchedule, StoredToken, TaskChange,
    TaskState, Tick, TickCounts, TickOutcome, TickRun, TickStep, TokenName, Unannounced, Unpublished,
    UnpublishedRun, Untold, set_schedule,
};

/// What every method gives.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// How a call works, and so how it begins its transaction and how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Sees one state of the database throughout.
    Read,
    /// Reads, in one statement.
    Glance,
    /// Changes some rows, in one statement.
    Statement,
    /// Changes some rows.
    Write,
    /// Changes very many rows.
    WriteMany,
    /// Changes very many rows, and sees one state of the database throughout.
    Plan,
}
