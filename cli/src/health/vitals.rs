//! Which parts a role has, and when each of them is well.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use linkbeat_broker::{Broker, WatchedBroker};
use linkbeat_store::SharedStore;
use linkbeat_vitals::{Activity, Tally};
use linkbeat_worker::Health;
use serde::Serialize;
use tokio::sync::watch;

use super::trace::Trace;

/// The role's runtime shows itself twice a second.
const RUNTIME_LIMIT: Duration = Duration::from_secs(10);
/// How long publishing may be tried without a confirmation.
const PUBLISHING_LIMIT: Duration = Duration::from_secs(15);
/// How long the database may be tried without an answer.
const DATABASE_LIMIT: Duration = Duration::from_secs(5);

/// A worker's own progress.
#[derive(Debug)]
pub(crate) struct Checking {
    /// One piece of work for each check.
    pub(crate) checks: Activity,
    /// Whether it pauses for a fault of its own.
    pub(crate) health: watch::Receiver<Health>,
}

/// Everything that is looked at.
#[derive(Debug)]
pub(crate) struct Vitals {
    role: &'static str,
    broker: Arc<WatchedBroker>,
    database: Option<Arc<OnceLock<SharedStore>>>,
    checking: Option<Checking>,
    /// How long the role may hold messages, wait for nobody, and do nothing.
    stall_limit: Duration,
    runtime: Activity,
    traces: Traces,
}

#[derive(Debug)]
struct Traces {
    runtime: Trace,
    connected: Option<Instant>,
    publishing: Trace,
    in_hand: Trace,
    database: Trace,
    checks: Trace,
}

/// What `/ready` answers.
#[derive(Debug, Serialize)]
pub(crate) struct Ready {
    role: &'static str,
    pub(crate) ready: bool,
    pub(crate) parts: Vec<Part>,
}

/// One part of a role.
#[derive(Debug, Serialize)]
pub(crate) struct Part {
    pub(crate) part: &'static str,
    pub(crate) ok: bool,
    /// How long ago it last did what it should, in seconds; absent: not yet.
    pub(crate) last_ok_seconds: Option<f64>,
    /// What is wrong.
    pub(crate) problem: Option<String>,
}

impl Vitals {
    /// A role on this broker; `database` is there once it was reached.
    pub(crate) fn new(
        role: &'static str,
        broker: Arc<WatchedBroker>,
        database: Option<Arc<OnceLock<SharedStore>>>,
        checking: Option<Checking>,
        stall_limit: Duration,
    ) -> Self {
        let trace = Trace::begin(Instant::now());
        let traces = Traces {
            runtime: trace,
            connected: None,
            publishing: trace,
            in_hand: trace,
            database: trace,
            checks: trace,
        };
        Self { role, broker, database, checking, stall_limit, runtime: Activity::default(), traces }
    }

    /// What the role's runtime shows itself by.
    pub(super) fn runtime(&self) -> &Activity {
        &self.runtime
    }

    /// Looks at everything once.
    pub(super) fn look(&mut self, now: Instant) {
        let database = match self.database.as_ref().map(|store| store.get()) {
            Some(Some(store)) => store.activity().tally(),
            // It is tried until it is reached.
            Some(None) => Tally { begun: 1, ended: 0, succeeded: 0 },
            None => Tally::default(),
        };
        let checks = self.checking.as_ref().map(|checking| checking.checks.tally()).unwrap_or_default();
        let traces = &mut self.traces;
        if self.broker.ready() {
            traces.connected = Some(now);
        }
        traces.runtime.look(self.runtime.tally(), now);
        traces.publishing.look(self.broker.publishing().tally(), now);
        if traces.publishing.under_way() == 0 {
            // What was dropped half-way, with the session of its job, did not fail.
            traces.publishing.give_up();
        }
        traces.in_hand.look(self.broker.in_hand().tally(), now);
        traces.database.look(database, now);
        traces.checks.look(checks, now);
    }

    /// `Err`: only a new start helps.
    pub(super) fn live(&self, now: Instant) -> Result<(), String> {
        let hung = self.traces.runtime.still_for(now);
        if hung > RUNTIME_LIMIT {
            return Err(format!("the runtime has not moved for {} s", hung.as_secs()));
        }
        match self.stalled(now) {
            Some(stalled) => Err(stalled),
            None => Ok(()),
        }
    }

    /// It holds messages and waits for neither broker nor database, yet nothing has moved for too long.
    fn stalled(&self, now: Instant) -> Option<String> {
        let traces = &self.traces;
        let waits = traces.publishing.under_way() > 0 || traces.database.under_way() > 0;
        if traces.in_hand.under_way() == 0 || waits || !self.broker.ready() {
            return None;
        }
        let all = [traces.in_hand, traces.publishing, traces.database, traces.checks];
        let still = all.into_iter().map(|trace| trace.still_for(now)).min().unwrap_or_default();
        let held = traces.in_hand.under_way();
        (still > self.stall_limit)
            .then(|| format!("{held} messages are held and nothing has moved for {} s", still.as_secs()))
    }

    /// Each part, and whether all are well.
    pub(super) fn ready(&self, now: Instant) -> Ready {
        let mut parts =
            vec![self.running(now), self.connected(now), self.publishing(now), self.consuming(now)];
        parts.extend(self.database.as_ref().map(|store| self.database(store.get().is_some(), now)));
        parts.extend(self.checking.as_ref().map(|checking| self.checking(checking, now)));
        Ready { role: self.role, ready: parts.iter().all(|part| part.ok), parts }
    }

    fn running(&self, now: Instant) -> Part {
        let trace = &self.traces.runtime;
        let hung = trace.still_for(now) > RUNTIME_LIMIT;
        part("runtime", trace.succeeded_ago(now), hung.then(|| "it does not move".to_owned()))
    }

    fn connected(&self, now: Instant) -> Part {
        let ago = self.traces.connected.map(|at| now.saturating_duration_since(at));
        let missing = !self.broker.ready();
        part("connected", ago, missing.then(|| "no session with the broker".to_owned()))
    }

    fn publishing(&self, now: Instant) -> Part {
        let trace = &self.traces.publishing;
        let in_vain = trace.in_vain_for(now);
        let problem = format!("the broker has confirmed nothing for {} s", in_vain.as_secs());
        part("publishing", trace.succeeded_ago(now), (in_vain > PUBLISHING_LIMIT).then_some(problem))
    }

    fn consuming(&self, now: Instant) -> Part {
        part("consuming", self.traces.in_hand.succeeded_ago(now), self.stalled(now))
    }

    fn database(&self, reached: bool, now: Instant) -> Part {
        let trace = &self.traces.database;
        let in_vain = trace.in_vain_for(now);
        let problem = match reached {
            false => Some("it was not reached yet".to_owned()),
            true if in_vain > DATABASE_LIMIT => Some(format!("no answer for {} s", in_vain.as_secs())),
            true => None,
        };
        part("database", trace.succeeded_ago(now), problem)
    }

    fn checking(&self, checking: &Checking, now: Instant) -> Part {
        let problem = match &*checking.health.borrow() {
            Health::Paused { fault, since } => {
                let seconds = (chrono::Utc::now() - since).num_seconds().max(0);
                Some(format!("paused for {seconds} s: {}", fault.as_str()))
            }
            Health::Starting | Health::Working => None,
        };
        part("checking", self.traces.checks.succeeded_ago(now), problem)
    }
}

fn part(part: &'static str, last_ok: Option<Duration>, problem: Option<String>) -> Part {
    let last_ok_seconds = last_ok.map(|ago| (ago.as_secs_f64() * 10.0).round() / 10.0);
    Part { part, ok: problem.is_none(), last_ok_seconds, problem }
}
