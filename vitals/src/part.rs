//! One part of a role: what is watched, and when it is well.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::activity::{Activity, Tally};
use crate::trace::Trace;

/// Calls of a server, such as statements of a database.
#[derive(Debug, Clone, Copy)]
pub struct Calls {
    /// How long calls may be tried without success.
    pub limit: Duration,
    /// What is wrong then, such as `no answer`. The problem reads `no answer for 7 s`.
    pub problem: &'static str,
    /// What it means when every call has ended and none succeeded.
    pub unanswered: Unanswered,
}

/// What it means when every call has ended and none succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// The calls failed.
    Failed,
    /// The callers gave up. That says nothing about the server.
    GivenUp,
}

/// What `/ready` says of one part.
#[derive(Debug, Clone, Serialize)]
pub struct Part {
    /// Its name, such as `database`.
    pub part: Cow<'static, str>,
    /// Whether it is well.
    pub ok: bool,
    /// How long ago it last did what it should, in seconds. Absent: it has not yet.
    pub last_ok_seconds: Option<f64>,
    /// What is wrong.
    pub problem: Option<String>,
}

impl Part {
    pub(crate) fn new(
        part: impl Into<Cow<'static, str>>,
        last_ok: Option<Duration>,
        problem: Option<String>,
    ) -> Self {
        let last_ok_seconds = last_ok.map(|ago| (ago.as_secs_f64() * 10.0).round() / 10.0);
        Self { part: part.into(), ok: problem.is_none(), last_ok_seconds, problem }
    }
}

/// One part as it is watched.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) name: Cow<'static, str>,
    pub(crate) probe: Probe,
    pub(crate) trace: Trace,
}

/// What is watched.
pub(crate) enum Probe {
    /// A connection, which is up or not. `up` is the last reading, `seen` when it was up last.
    Connection {
        is_up: Reads<bool>,
        problem: &'static str,
        why: Reads<Option<String>>,
        up: bool,
        seen: Option<Instant>,
    },
    /// Calls of a server. The reading is `None` until the server was reached for the first time.
    Calls { tally: Reads<Option<Tally>>, calls: Calls, why: Reads<Option<String>>, reached: bool },
    /// Work that is taken in and must move on.
    Held { work: Activity, limit: Duration },
    /// Work that knows by itself what is wrong with it.
    Work { work: Activity, problem: Reads<Option<String>> },
}

/// Reads a value of the role that is watched.
pub(crate) type Reads<T> = Box<dyn Fn() -> T + Send>;

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection { .. } => "Connection",
            Self::Calls { .. } => "Calls",
            Self::Held { .. } => "Held",
            Self::Work { .. } => "Work",
        })
    }
}

impl Watched {
    /// Reads everything once.
    pub(crate) fn observe(&mut self, now: Instant) {
        match &mut self.probe {
            Probe::Connection { is_up, up, seen, .. } => {
                *up = is_up();
                if *up {
                    *seen = Some(now);
                }
            }
            Probe::Calls { tally, calls, reached, .. } => {
                let tally = tally();
                *reached = tally.is_some();
                // A server that was not reached yet is tried all the time.
                self.trace.observe(tally.unwrap_or(Tally { begun: 1, ended: 0, succeeded: 0 }), now);
                if self.trace.under_way() == 0 && calls.unanswered == Unanswered::GivenUp {
                    self.trace.give_up();
                }
            }
            Probe::Held { work, .. } | Probe::Work { work, .. } => self.trace.observe(work.tally(), now),
        }
    }

    /// Whether the role waits for a server here, so that a new start would not help.
    pub(crate) fn waits_for_a_server(&self) -> bool {
        match self.probe {
            Probe::Connection { up, .. } => !up,
            Probe::Calls { .. } => self.trace.under_way() > 0,
            Probe::Held { .. } | Probe::Work { .. } => false,
        }
    }

    /// How long no work has begun or ended here. `None` where no work is counted.
    pub(crate) fn still_for(&self, now: Instant) -> Option<Duration> {
        match self.probe {
            Probe::Connection { .. } => None,
            _ => Some(self.trace.still_for(now)),
        }
    }

    /// What `/ready` says of it. `stalled` is what is wrong with the work that is held, if anything.
    pub(crate) fn judge(&self, now: Instant, stalled: impl FnOnce() -> Option<String>) -> Part {
        let mut last_ok = self.trace.succeeded_ago(now);
        let problem = match &self.probe {
            Probe::Connection { problem, why, up, seen, .. } => {
                last_ok = seen.map(|at| now.saturating_duration_since(at));
                (!up).then(|| match why() {
                    Some(why) => format!("{problem}: {why}"),
                    None => (*problem).to_owned(),
                })
            }
            Probe::Calls { reached: false, why, .. } => {
                Some(why().unwrap_or_else(|| "it was not reached yet".to_owned()))
            }
            Probe::Calls { calls, why, .. } => {
                let in_vain = self.trace.in_vain_for(now);
                (in_vain > calls.limit).then(|| {
                    let why = why().map(|why| why + ",");
                    format!("{} for {} s", why.as_deref().unwrap_or(calls.problem), in_vain.as_secs())
                })
            }
            Probe::Held { .. } => stalled(),
            Probe::Work { problem, .. } => problem(),
        };
        Part::new(self.name.clone(), last_ok, problem)
    }
}
