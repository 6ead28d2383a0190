use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use linkbeat_shared::{JobId, RequestId, RunId, RunSize, TraceContext};

use crate::Result;

/// Jobs on their way to the broker.
#[async_trait]
pub trait Outbox: Send + Sync + Debug {
    /// Jobs that are neither done nor parked, in the order of their ids, those after `after`, at most `limit`.
    async fn open_jobs(&self, which: OpenJobs, after: Option<JobId>, limit: u32) -> Result<Vec<StoredJob>>;

    /// Running runs with jobs that were never published, rechecks apart, in the order in which they were filed, at
    /// most `limit`.
    async fn unpublished_runs(&self, which: Unpublished, limit: u32) -> Result<Vec<UnpublishedRun>>;

    /// Keeps that the broker has taken responsibility for these jobs, now.
    async fn mark_published(&self, jobs: &[JobId]) -> Result<()>;

    /// Opens the parked jobs of a run again, as if all were put back, and returns how many: for a process
    /// whose own queue of parked messages ended with it.
    async fn reopen_parked(&self, run: RunId) -> Result<u64>;
}

/// Where a job is published to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// To the workers: the links are to be checked.
    Check,
    /// Straight to the recorder: the results are known. The links are on the white list, or have a fresh result.
    Known,
    /// To the workers, when it is due: one link that was about to be hidden is checked again.
    Recheck,
}

/// A job of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredJob {
    /// Its id.
    pub id: JobId,
    /// Where it is published to.
    pub kind: JobKind,
    /// The message, ready to be sent.
    pub body: Vec<u8>,
    /// How long it is to wait yet, by the database's clock; zero: it is due.
    pub due_in: Duration,
    /// How large its run is.
    pub run_size: RunSize,
    /// The trace of its run.
    pub trace: Option<TraceContext>,
}

/// Which open jobs to list. Jobs of cancelled runs are never listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenJobs {
    /// Of one run, all.
    OfRun(RunId),
    /// Of one run, those never published.
    UnpublishedOfRun(RunId),
    /// Of any run, those last published so long ago, by the database's clock, with no result since then, and due
    /// for so long, and not done.
    PublishedFor(Duration),
    /// Of any run, rechecks that were never published.
    Rechecks,
    /// Of one run, rechecks that were never published.
    RechecksOfRun(RunId),
}

/// Which runs with unpublished jobs to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpublished {
    /// This one, if it has any.
    OfRun(RunId),
    /// Those on which nobody works: the job that is next was filed so long ago, by the database's clock, and the one
    /// before it was published no later.
    IdleFor(Duration),
}

/// A run with jobs that were never published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpublishedRun {
    /// Its id.
    pub id: RunId,
    /// The request it carries out.
    pub request_id: RequestId,
    /// When it was filed.
    pub created_at: DateTime<Utc>,
    /// How large it is.
    pub size: RunSize,
    /// Some of its jobs were published already.
    pub begun: bool,
    /// Its trace.
    pub trace: Option<TraceContext>,
}
