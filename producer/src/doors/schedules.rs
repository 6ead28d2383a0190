//! The door for schedules: each tick that is due becomes a run.
//!
//! One producer at a time looks, by a lease in the database. The lease only saves work: what makes each tick fire once is
//! the transaction that files its run. It holds the schedule, looks whether the schedule is still as it was read, and
//! takes the key (schedule, due time). So a producer that is killed, paused or thought to be dead changes nothing.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use linkbeat_shared::schedule::{BadStoredRequest, ScheduleSpec, SkippedTicks, read_request};
use linkbeat_shared::{RequestId, RunId, ScheduleId, derived_id};
use linkbeat_store::{
    Filed, ProducerStore, ScheduleChange, ScheduleState, Settled, Skip, StoreError, StoredSchedule, TickRun,
    TickStep,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Outbox;
use crate::file::Prepared;

/// The name of the lease.
const LEASE: &str = "schedules";
/// How long giving up the lease may take at the end.
const RELEASE: Duration = Duration::from_secs(2);
/// How long a look may take. One that hangs must not go unnoticed.
const LOOK_LIMIT: Duration = Duration::from_secs(30);
/// Schedules that one look finds.
const DUE: u32 = 100;
/// Schedules that are settled at once.
const AT_ONCE: usize = 8;

/// Files the runs of schedules, each tick once. It may run in any number of producers at once.
pub struct Scheduler {
    outbox: Arc<Outbox>,
    clock: Clock,
    pace: Pace,
    holder: Uuid,
}

/// What time it is: the database tells, unless a test does.
type Clock = Option<Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>>;

/// How often a scheduler looks, and for how long it has the lease.
#[derive(Debug, Clone, Copy)]
struct Pace {
    look: Duration,
    lease: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { look: Duration::from_secs(1), lease: Duration::from_secs(10) }
    }
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler").field("holder", &self.holder).finish_non_exhaustive()
    }
}

impl Scheduler {
    /// A scheduler whose runs this outbox publishes.
    pub fn new(outbox: Arc<Outbox>) -> Self {
        Self { outbox, clock: None, pace: Pace::default(), holder: Uuid::now_v7() }
    }

    /// The same by another clock than the database's, which runs so many times as fast.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>, speed: u32) -> Self {
        let Pace { look, lease } = Pace::default();
        Self { clock: Some(clock), pace: Pace { look: look / speed, lease: lease / speed }, ..self }
    }

    /// Works until `shutdown`.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut work = UnderWay::default();
        let (mut failing, mut leased) = (false, None::<Instant>);
        loop {
            let looked = timeout(LOOK_LIMIT, self.look(&mut work, &mut leased));
            let looked = tokio::select! {
                () = shutdown.cancelled() => break,
                looked = looked => looked,
            };
            failing = log_outage(looked.map_err(|_| Overdue), failing);
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(self.pace.look) => {}
                // There may be more to do about it, or about those that waited for room.
                Some(done) = work.next_done(), if !failing => match done {
                    Done::Something => {}
                    Done::Nothing => tokio::time::sleep(self.pace.look).await,
                }
            }
        }
        // A tick that is being filed is filed or not: the rest is somebody else's, or for the next start.
        let _ = timeout(RELEASE, async { while work.next_done().await.is_some() {} }).await;
        let release = self.outbox.store.lease(LEASE, self.holder, Duration::ZERO);
        let _ = timeout(RELEASE, release).await;
    }

    /// Begins to settle what is due, as far as there is room.
    async fn look(&self, work: &mut UnderWay, leased: &mut Option<Instant>) -> Result<(), StoreError> {
        let store = &self.outbox.store;
        if leased.is_none_or(|at| at.elapsed() >= self.pace.lease / 3) {
            let taken = store.lease(LEASE, self.holder, self.pace.lease).await?;
            *leased = taken.then(Instant::now);
        }
        if leased.is_none() {
            return Ok(());
        }
        let now = self.now().await?;
        for schedule in store.due_schedules(now, DUE).await? {
            if work.has_room_for(schedule.id) {
                work.begin(schedule.id, settle(self.outbox.clone(), schedule, now));
            }
        }
        Ok(())
    }

    async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        match &self.clock {
            None => self.outbox.store.clock().await,
            Some(clock) => Ok(clock()),
        }
    }
}

/// Whether settling a schedule changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Something,
    /// Somebody else has it at hand, or the database cannot do it now.
    Nothing,
}

impl Done {
    fn of(settled: &Settled) -> Self {
        match settled {
            Settled::Stale => Self::Nothing,
            Settled::Skipped | Settled::Known | Settled::Overlap(_) | Settled::Fired { .. } => {
                Self::Something
            }
        }
    }
}

/// The schedules that are being settled.
#[derive(Debug, Default)]
struct UnderWay {
    tasks: JoinSet<(ScheduleId, Done)>,
    schedules: HashSet<ScheduleId>,
}

impl UnderWay {
    fn has_room_for(&self, schedule: ScheduleId) -> bool {
        self.tasks.len() < AT_ONCE && !self.schedules.contains(&schedule)
    }

    fn begin(&mut self, schedule: ScheduleId, settling: impl Future<Output = Done> + Send + 'static) {
        self.schedules.insert(schedule);
        self.tasks.spawn(async move { (schedule, settling.await) });
    }

    /// Waits for one to be done; `None` if there is none.
    async fn next_done(&mut self) -> Option<Done> {
        Some(match self.tasks.join_next().await? {
            Ok((schedule, done)) => {
                self.schedules.remove(&schedule);
                done
            }
            // Which one it was is not said. Whoever is settled twice is settled once all the same.
            Err(_) => {
                self.schedules.clear();
                Done::Nothing
            }
        })
    }
}

/// Does the next step of a schedule.
async fn settle(outbox: Arc<Outbox>, schedule: StoredSchedule, now: DateTime<Utc>) -> Done {
    match step(&outbox, &schedule, now).await {
        Ok(done) => return done,
        // Somebody else was faster, or the database is away. The next look finds what is left.
        Err(error) if error.is_transient() => {
            tracing::debug!(schedule = schedule.name, %error, "a tick is settled later");
        }
        Err(error) => tracing::error!(schedule = schedule.name, %error, "a tick cannot be settled"),
    }
    Done::Nothing
}

async fn step(outbox: &Outbox, schedule: &StoredSchedule, now: DateTime<Utc>) -> Result<Done, StoreError> {
    let spec = match &schedule.spec {
        Ok(spec) => spec,
        Err(problem) => return pause(&*outbox.store, schedule, problem).await,
    };
    let Some(next) = schedule.next else { return Ok(Done::Nothing) };
    let Some(due) = spec.due(schedule.id, next, schedule.last_due, now) else { return Ok(Done::Nothing) };
    let step = TickStep {
        schedule: schedule.id,
        revision: schedule.revision,
        skipped: due.missed.map(|missed| (Skip::Missed, missed)),
        next: due.next,
        set_back: due.set_back,
    };
    if due.set_back {
        tracing::warn!(schedule = schedule.name, "the clock was set back; ticks are computed anew from now");
    }
    if let Some(SkippedTicks { count, last }) = due.missed {
        tracing::warn!(schedule = schedule.name, ticks = count, %last, "ticks were missed, and are skipped");
    }
    match due.fire {
        None => Ok(Done::of(&outbox.store.settle_ticks(step, None).await?)),
        Some(at) => fire(outbox, schedule, spec, step, at).await,
    }
}

/// One that cannot be read would come up at each look.
async fn pause(
    store: &dyn ProducerStore,
    schedule: &StoredSchedule,
    problem: &str,
) -> Result<Done, StoreError> {
    tracing::error!(schedule = schedule.name, problem, "a schedule cannot be read, and is paused");
    let state = ScheduleState::Paused;
    let change = ScheduleChange { spec: None, request: None, state, next: schedule.next, paused: 0 };
    let changed = store.change_schedule(schedule, change).await?;
    Ok(if changed { Done::Something } else { Done::Nothing })
}

/// Files the run of a tick. If that can never be done, the tick is counted as failed: the next one is tried again.
async fn fire(
    outbox: &Outbox,
    schedule: &StoredSchedule,
    spec: &ScheduleSpec,
    step: TickStep,
    due: DateTime<Utc>,
) -> Result<Done, StoreError> {
    let name = schedule.name.as_str();
    let problem = match file(outbox, schedule, spec, step.clone(), due).await {
        Ok(settled) => return Ok(Done::of(&settled)),
        Err(CannotRun::Store(error)) if error.is_transient() => return Err(error),
        Err(error) => error.to_string(),
    };
    tracing::error!(schedule = name, %due, problem, "the run of a tick cannot be filed");
    let failed = match step.skipped {
        None => TickStep { skipped: Some((Skip::Failed, SkippedTicks { count: 1, last: due })), ..step },
        // Those before it come first, by themselves. Then it is tried again.
        Some(_) => TickStep { next: Some(spec.tick(schedule.id, due)), ..step },
    };
    Ok(Done::of(&outbox.store.settle_ticks(failed, None).await?))
}

async fn file(
    outbox: &Outbox,
    schedule: &StoredSchedule,
    spec: &ScheduleSpec,
    step: TickStep,
    due: DateTime<Utc>,
) -> Result<Settled, CannotRun> {
    let id = derived_id::tick_request(schedule.id, due);
    let (tick, kept) = tick_run(schedule, spec, id, due)?;
    let settled = outbox.store.settle_ticks(step, Some(tick)).await?;
    tell(&schedule.name, due, &settled);
    if let Settled::Fired { filed, .. } = &settled {
        outbox.add_new(filed, kept.jobs());
    }
    Ok(settled)
}

fn tick_run(
    schedule: &StoredSchedule,
    spec: &ScheduleSpec,
    id: RequestId,
    due: DateTime<Utc>,
) -> Result<(TickRun, crate::file::KeptJobs), BadStoredRequest> {
    let Prepared { run, planner, kept } = Prepared::from(read_request(&schedule.request, id)?);
    Ok((TickRun { due, overlap: spec.overlap, run, planner }, kept))
}

/// One line for each tick.
fn tell(schedule: &str, due: DateTime<Utc>, settled: &Settled) {
    match settled {
        Settled::Fired { filed: Filed { run, .. }, replaced } => {
            for old in replaced {
                tracing::info!(schedule, run.id = %old, "a run was cancelled for the next one of its schedule");
            }
            tracing::info!(schedule, %due, run.id = %run.id, run.links = run.links, "tick fired");
        }
        Settled::Overlap(run) => {
            tracing::warn!(schedule, %due, run.id = %run, "tick skipped: an earlier run still goes on");
        }
        Settled::Known => tracing::debug!(schedule, %due, "this tick was settled before"),
        Settled::Stale | Settled::Skipped => {}
    }
}

/// What became of a run that a person asked for.
#[derive(Debug, Clone)]
pub enum RunNow {
    /// It is filed.
    Filed(Filed),
    /// This run still goes on, and the schedule forbids a second one.
    Overlap(RunId),
    /// The schedule is not there any more.
    Gone,
}

/// Why a schedule cannot run now.
#[derive(Debug, thiserror::Error)]
pub enum CannotRun {
    /// Its definition cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// Its request cannot be read.
    #[error(transparent)]
    Request(#[from] BadStoredRequest),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Files a run of a schedule at once, besides its ticks, under the id of this request. Nothing is published: see
/// [`Outbox::add`].
pub async fn run_now(
    store: &dyn ProducerStore,
    schedule: &StoredSchedule,
    id: RequestId,
) -> Result<RunNow, CannotRun> {
    let spec = schedule.spec.as_ref().map_err(|problem| CannotRun::Unreadable(problem.clone()))?;
    let due = store.clock().await?;
    let (tick, _) = tick_run(schedule, spec, id, due)?;
    Ok(match store.run_schedule(schedule.id, tick).await? {
        Settled::Fired { filed, .. } => RunNow::Filed(filed),
        Settled::Overlap(run) => RunNow::Overlap(run),
        Settled::Stale | Settled::Skipped | Settled::Known => RunNow::Gone,
    })
}

/// A look that took too long.
struct Overdue;

/// Logs a look that failed after one that did not, and the first that succeeds again. Returns whether it failed.
fn log_outage(looked: Result<Result<(), StoreError>, Overdue>, failing: bool) -> bool {
    let problem = match looked {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(Overdue) => Some(format!("no answer within {} s", LOOK_LIMIT.as_secs())),
    };
    match &problem {
        Some(problem) if failing => tracing::debug!(problem, "schedules still cannot be looked up"),
        Some(problem) => tracing::warn!(problem, "schedules cannot be looked up; trying again"),
        None if failing => tracing::info!("schedules are looked up again"),
        None => {}
    }
    problem.is_some()
}
