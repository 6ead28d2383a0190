//! Which parts a role has, and what they amount to.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::activity::{Activity, Tally};
use crate::part::{Calls, Part, Probe, Watched};
use crate::trace::Trace;

/// The role's runtime shows itself twice a second.
const RUNTIME_LIMIT: Duration = Duration::from_secs(10);

/// The parts of one role.
#[derive(Debug)]
pub struct Vitals {
    role: &'static str,
    name: Option<String>,
    runtime: Activity,
    runtime_trace: Trace,
    parts: Vec<Watched>,
    counts: Vec<(&'static str, Counted)>,
}

/// Counts of one kind, each with its name.
pub type Counts = BTreeMap<&'static str, u64>;

/// Reads such counts.
struct Counted(Box<dyn Fn() -> Counts + Send>);

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counted")
    }
}

/// What `/ready` answers.
#[derive(Debug, Clone, Serialize)]
pub struct Ready {
    /// The role's name.
    pub role: &'static str,
    /// What this process is called, if it has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether every part is well.
    pub ready: bool,
    /// The runtime, then the other parts in the order in which they were registered.
    pub parts: Vec<Part>,
    /// What the role has counted since it began, by kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<&'static str, Counts>,
}

impl Vitals {
    /// A role. Its first part is the runtime that it runs on.
    pub fn new(role: &'static str) -> Self {
        let runtime_trace = Trace::begin(Instant::now());
        Self {
            role,
            name: None,
            runtime: Activity::default(),
            runtime_trace,
            parts: Vec::new(),
            counts: Vec::new(),
        }
    }

    /// This process has a name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// Registers a connection. It is well while `is_up` says so, and else has this problem. `why` says what is known of
    /// its cause, such as `connection refused`.
    #[must_use]
    pub fn connection(
        self,
        name: impl Into<Cow<'static, str>>,
        problem: &'static str,
        is_up: impl Fn() -> bool + Send + 'static,
        why: impl Fn() -> Option<String> + Send + 'static,
    ) -> Self {
        let (is_up, why) = (Box::new(is_up), Box::new(why));
        self.part(name, Probe::Connection { is_up, problem, why, up: false, seen: None })
    }

    /// Registers calls of a server. `tally` gives `None` until the server was reached for the first time.
    #[must_use]
    pub fn calls(
        self,
        name: impl Into<Cow<'static, str>>,
        calls: Calls,
        tally: impl Fn() -> Option<Tally> + Send + 'static,
    ) -> Self {
        self.calls_telling(name, calls, tally, || None)
    }

    /// The same with what is known of why they fail, such as `connection refused`.
    #[must_use]
    pub fn calls_telling(
        self,
        name: impl Into<Cow<'static, str>>,
        calls: Calls,
        tally: impl Fn() -> Option<Tally> + Send + 'static,
        why: impl Fn() -> Option<String> + Send + 'static,
    ) -> Self {
        let (tally, why) = (Box::new(tally), Box::new(why));
        self.part(name, Probe::Calls { tally, calls, why, reached: false })
    }

    /// Registers work that the role takes in. It has stalled if for longer than `limit` some of it is held, no server
    /// is waited for, and nothing moves in any part. Then `/live` fails too.
    #[must_use]
    pub fn held(self, name: impl Into<Cow<'static, str>>, work: Activity, limit: Duration) -> Self {
        self.part(name, Probe::Held { work, limit })
    }

    /// Registers work that knows by itself what is wrong with it.
    #[must_use]
    pub fn work(
        self,
        name: impl Into<Cow<'static, str>>,
        work: Activity,
        problem: impl Fn() -> Option<String> + Send + 'static,
    ) -> Self {
        self.part(name, Probe::Work { work, problem: Box::new(problem) })
    }

    /// Registers counts. They are told, and say nothing about whether the role is well.
    #[must_use]
    pub fn counts<C: IntoIterator<Item = (&'static str, u64)>>(
        mut self,
        kind: &'static str,
        read: impl Fn() -> C + Send + 'static,
    ) -> Self {
        self.counts.push((kind, Counted(Box::new(move || read().into_iter().collect()))));
        self
    }

    fn part(mut self, name: impl Into<Cow<'static, str>>, probe: Probe) -> Self {
        self.parts.push(Watched { name: name.into(), probe, trace: Trace::begin(Instant::now()) });
        self
    }

    /// What the role's runtime shows itself by: one piece of work that succeeds, twice a second.
    pub fn runtime(&self) -> &Activity {
        &self.runtime
    }

    /// Reads all parts once.
    pub fn observe(&mut self, now: Instant) {
        self.runtime_trace.observe(self.runtime.tally(), now);
        for part in &mut self.parts {
            part.observe(now);
        }
    }

    /// What `/live` answers: whether only a restart would help, and why.
    ///
    /// # Errors
    /// The runtime hangs, or the work that is held has stalled.
    pub fn live(&self, now: Instant) -> Result<(), String> {
        let hung = self.runtime_trace.still_for(now);
        if hung > RUNTIME_LIMIT {
            return Err(format!("the runtime has not moved for {} s", hung.as_secs()));
        }
        self.parts.iter().find_map(|part| self.stalled(part, now)).map_or(Ok(()), Err)
    }

    /// What `/ready` answers: each part, and whether all are well.
    pub fn ready(&self, now: Instant) -> Ready {
        let hung = self.runtime_trace.still_for(now) > RUNTIME_LIMIT;
        let problem = hung.then(|| "it does not move".to_owned());
        let mut parts = vec![Part::new("runtime", self.runtime_trace.succeeded_ago(now), problem)];
        parts.extend(self.parts.iter().map(|part| part.judge(now, || self.stalled(part, now))));
        let counts = self.counts.iter().map(|(kind, counted)| (*kind, (counted.0)())).collect();
        let ready = parts.iter().all(|part| part.ok);
        Ready { role: self.role, name: self.name.clone(), ready, parts, counts }
    }

    /// What is wrong with this part, if it holds work that has stalled.
    fn stalled(&self, part: &Watched, now: Instant) -> Option<String> {
        let Probe::Held { limit, .. } = part.probe else { return None };
        let held = part.trace.under_way();
        if held == 0 || self.parts.iter().any(Watched::waits_for_a_server) {
            return None;
        }
        let still = self.parts.iter().filter_map(|part| part.still_for(now)).min().unwrap_or_default();
        (still > limit)
            .then(|| format!("{held} messages are held and nothing has moved for {} s", still.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::Unanswered;

    const LIMIT: Duration = Duration::from_secs(120);

    fn problem(vitals: &Vitals, part: &str, now: Instant) -> Option<String> {
        vitals.ready(now).parts.into_iter().find(|found| found.part == part).unwrap().problem
    }

    /// Reads everything at this second after the beginning. The runtime goes on.
    fn observe(vitals: &mut Vitals, start: Instant, second: u64) -> Instant {
        let now = start + Duration::from_secs(second);
        vitals.runtime().begin().succeed();
        vitals.observe(now);
        now
    }

    #[test]
    fn held_work_stalls_only_when_nothing_moves_anywhere() {
        let (held, checks) = (Activity::default(), Activity::default());
        let mut vitals = Vitals::new("worker").held("consuming", held.clone(), LIMIT).work(
            "checking",
            checks.clone(),
            || None,
        );
        let start = Instant::now();
        let _message = held.begin();
        observe(&mut vitals, start, 1);
        checks.begin().succeed();
        observe(&mut vitals, start, 100);
        let now = observe(&mut vitals, start, 200);
        assert_eq!(vitals.live(now), Ok(()), "a check ended 100 s ago");
        let now = observe(&mut vitals, start, 221);
        assert!(vitals.live(now).unwrap_err().contains("nothing has moved for 121 s"));
        assert!(problem(&vitals, "consuming", now).is_some() && problem(&vitals, "checking", now).is_none());
    }

    #[test]
    fn a_role_that_waits_for_a_server_has_not_stalled() {
        let (held, statements) = (Activity::default(), Activity::default());
        let calls = Calls { limit: LIMIT, problem: "no answer", unanswered: Unanswered::Failed };
        let counted = statements.clone();
        let mut vitals = Vitals::new("recorder").held("consuming", held.clone(), LIMIT).calls(
            "database",
            calls,
            move || Some(counted.tally()),
        );
        let (_message, statement) = (held.begin(), statements.begin());
        let start = Instant::now();
        observe(&mut vitals, start, 1);
        let now = observe(&mut vitals, start, 1_000);
        assert_eq!(vitals.live(now), Ok(()));
        assert_eq!(problem(&vitals, "database", now).as_deref(), Some("no answer for 999 s"));
        drop(statement);
        let now = observe(&mut vitals, start, 1_001);
        assert!(problem(&vitals, "database", now).is_some(), "it failed");
        let now = observe(&mut vitals, start, 1_100);
        assert_eq!(vitals.live(now), Ok(()));
        let now = observe(&mut vitals, start, 1_200);
        assert!(vitals.live(now).is_err());
    }

    #[test]
    fn a_connection_tells_when_it_was_up_last() {
        let up = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
        let read = std::sync::Arc::clone(&up);
        let is_up = move || read.load(std::sync::atomic::Ordering::Relaxed);
        let mut vitals =
            Vitals::new("worker").connection("connected", "no session", is_up, || Some("refused".to_owned()));
        let start = Instant::now();
        let now = observe(&mut vitals, start, 1);
        assert!(vitals.ready(now).ready);
        up.store(false, std::sync::atomic::Ordering::Relaxed);
        let now = observe(&mut vitals, start, 4);
        let ready = vitals.ready(now);
        let part = &ready.parts[1];
        assert!(!ready.ready && part.problem.as_deref() == Some("no session: refused"));
        assert_eq!(part.last_ok_seconds, Some(3.0));
    }
}
