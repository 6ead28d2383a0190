//! How many jobs may wait in a queue: a few more than its workers take between two looks.
//!
//! A queue gives out its messages in the order in which they came. So whoever comes later waits for all that lie there.
//! The outbox therefore adds jobs only while few wait. The others stay in the database, where a new run can pass them.

use std::time::Duration;

use linkbeat_broker::{PublishError, Queue, SharedBroker};
use linkbeat_shared::RunSize;
use tokio::time::{Instant, sleep};

use crate::line::Lane;

/// Jobs of small runs that may wait in their queue.
const SMALL_JOBS_WAITING: u64 = 256;
/// Jobs of large runs that may wait. They have more links each.
const LARGE_JOBS_WAITING: u64 = 128;
/// Messages of results of large runs that may wait: about as many as a recorder stores at once.
const RESULTS_WAITING: u64 = 64;
/// Jobs of one page, where several runs wait. A page of fewer is not worth its statements.
pub(crate) const WORTH_IT: u64 = 64;
/// How long one look counts.
const FRESH: Duration = Duration::from_secs(1);
/// How long to wait before the next look, where there is no room: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(160);

/// The room in the queue for jobs of runs of one size.
#[derive(Debug)]
pub(crate) struct Window {
    size: RunSize,
    /// Jobs that may be published before the next look.
    room: u64,
    looked_at: Option<Instant>,
}

impl Window {
    /// Of the runs of this lane. Jobs that are published again have none.
    pub(crate) fn of(lane: Lane) -> Option<Self> {
        match lane {
            Lane::Runs(size) => Some(Self { size, room: 0, looked_at: None }),
            Lane::Again => None,
        }
    }

    /// Waits until jobs may be published; returns how many. Cancel safe.
    ///
    /// For a page of a small run an old look will do, if there was room: see [`Window::is_old`].
    pub(crate) async fn room(&mut self, broker: &SharedBroker) -> Result<u64, PublishError> {
        let mut pause = FIRST_PAUSE;
        while self.room < WORTH_IT || (self.size == RunSize::Large && self.is_old()) {
            self.look_again(broker).await?;
            if self.room < WORTH_IT {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        Ok(self.room)
    }

    /// Whether the latest look no longer counts: then no more than one page may be published before the next.
    pub(crate) fn is_old(&self) -> bool {
        self.looked_at.is_none_or(|at| at.elapsed() > FRESH)
    }

    /// Looks how much room there is.
    pub(crate) async fn look_again(&mut self, broker: &SharedBroker) -> Result<(), PublishError> {
        self.room = self.look(broker).await?;
        self.looked_at = Some(Instant::now());
        Ok(())
    }

    /// Whether so many waiting jobs of small runs keep others from being published, and are no more than that leaves.
    pub(crate) fn is_full(waiting: u64) -> bool {
        (SMALL_JOBS_WAITING - WORTH_IT..=2 * SMALL_JOBS_WAITING).contains(&waiting)
    }

    /// So many jobs were published.
    pub(crate) fn take(&mut self, jobs: u64) {
        self.room = self.room.saturating_sub(jobs);
    }

    /// Large runs also wait for the recorder: more results would only wait longer.
    async fn look(&self, broker: &SharedBroker) -> Result<u64, PublishError> {
        if self.size == RunSize::Large && broker.waiting(&Queue::RESULTS_LARGE).await? >= RESULTS_WAITING {
            return Ok(0);
        }
        let most = match self.size {
            RunSize::Small => SMALL_JOBS_WAITING,
            RunSize::Large => LARGE_JOBS_WAITING,
        };
        Ok(most.saturating_sub(broker.waiting(&Queue::of_jobs(self.size)).await?))
    }
}
