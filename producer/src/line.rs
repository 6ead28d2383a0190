//! Decides which jobs are published next, in turns of one page. There is a line for each [`Lane`].
//!
//! Turns alternate between runs that wait for their first turn and runs that wait for a further one. So a small run
//! does not wait for a large one, and many small runs do not stop a large one.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use linkbeat_shared::{JobId, RequestId, RunId, RunSize, TraceContext};
use linkbeat_store::{OpenJobs, StoredJob};

/// Most that wait at once. What finds no place is in the database, and is found there later.
const PLACES: usize = 10_000;
/// Most that wait with their jobs in memory; of others the jobs are read when it is their turn.
const PLACES_WITH_JOBS: usize = 64;

/// What waits together. The lanes do not wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Runs of this size.
    Runs(RunSize),
    /// Jobs that are published again, or later than the others of their run.
    Again,
}

/// Jobs that wait to be published.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// With what they wait.
    pub(crate) lane: Lane,
    /// Which they are.
    pub(crate) jobs: OpenJobs,
    /// All of them, where they are few and were just filed.
    pub(crate) in_memory: Vec<StoredJob>,
    /// The run whose beginning is announced together with its first jobs.
    pub(crate) begins: Option<Beginning>,
    /// What they are called, where they were found and not filed here. Such jobs give way to a backlog.
    pub(crate) found: Option<&'static str>,
    /// The last that was published.
    pub(crate) after: Option<JobId>,
    /// How many were published.
    pub(crate) published: u64,
    /// How many may be published at most.
    pub(crate) limit: u64,
}

/// What is announced of a run that begins.
#[derive(Debug, Clone)]
pub(crate) struct Beginning {
    pub(crate) run: RunId,
    pub(crate) request: RequestId,
    /// When it was filed.
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) trace: Option<TraceContext>,
}

impl Waiting {
    /// All jobs of a run that were never published.
    pub(crate) fn of_run(run: RunId, size: RunSize) -> Self {
        Self { lane: Lane::Runs(size), ..Self::again(OpenJobs::UnpublishedOfRun(run)) }
    }

    /// These jobs, all of them.
    pub(crate) fn again(jobs: OpenJobs) -> Self {
        Self {
            lane: Lane::Again,
            jobs,
            in_memory: Vec::new(),
            begins: None,
            found: None,
            after: None,
            published: 0,
            limit: u64::MAX,
        }
    }

    /// The same, found by a look at the database.
    pub(crate) fn found(self, name: &'static str, limit: u64) -> Self {
        // Small runs that were found may be published into a backlog: the reconciler has looked how large it is.
        let lane = if self.lane == Lane::Runs(RunSize::Small) { Lane::Again } else { self.lane };
        Self { lane, found: Some(name), limit, ..self }
    }
}

/// A line for each lane.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    small: Line,
    large: Line,
    again: Line,
}

impl Lines {
    pub(crate) fn of(&mut self, lane: Lane) -> &mut Line {
        match lane {
            Lane::Runs(RunSize::Small) => &mut self.small,
            Lane::Runs(RunSize::Large) => &mut self.large,
            Lane::Again => &mut self.again,
        }
    }

    /// Takes a place, unless the same jobs have one in any lane.
    pub(crate) fn join(&mut self, waiting: Waiting) {
        if Lane::ALL.into_iter().all(|lane| !self.of(lane).has(waiting.jobs)) {
            self.of(waiting.lane).join(waiting);
        }
    }

    /// Whether nothing waits and nothing has its turn.
    pub(crate) fn are_empty(&self) -> bool {
        [&self.small, &self.large, &self.again].into_iter().all(Line::is_empty)
    }
}

impl Lane {
    pub(crate) const ALL: [Self; 3] = [Self::Runs(RunSize::Small), Self::Runs(RunSize::Large), Self::Again];
}

/// All that wait in one lane.
#[derive(Debug, Default)]
pub(crate) struct Line {
    new: VecDeque<Waiting>,
    begun: VecDeque<Waiting>,
    /// What has its turn right now.
    served: Option<OpenJobs>,
    begun_is_next: bool,
}

impl Line {
    /// Takes a place, unless the same jobs have one.
    fn join(&mut self, mut waiting: Waiting) {
        if self.has(waiting.jobs) || self.new.len() + self.begun.len() >= PLACES {
            return;
        }
        if self.new.len() >= PLACES_WITH_JOBS {
            waiting.in_memory = Vec::new();
        }
        self.new.push_back(waiting);
    }

    fn has(&self, jobs: OpenJobs) -> bool {
        let mut all = self.new.iter().chain(&self.begun).map(|waiting| waiting.jobs).chain(self.served);
        all.any(|other| other == jobs)
    }

    /// The turn of the next begins. It ends with [`Line::again`] or [`Line::leave`].
    pub(crate) fn next(&mut self) -> Option<Waiting> {
        let (first, second) = if self.begun_is_next {
            (&mut self.begun, &mut self.new)
        } else {
            (&mut self.new, &mut self.begun)
        };
        let next = first.pop_front().or_else(|| second.pop_front())?;
        self.begun_is_next = !self.begun_is_next;
        self.served = Some(next.jobs);
        Some(next)
    }

    /// The turn is over, and there is more to publish.
    pub(crate) fn again(&mut self, waiting: Waiting) {
        self.served = None;
        self.begun.push_back(waiting);
    }

    /// The turn is over, and with it the waiting.
    pub(crate) fn leave(&mut self) {
        self.served = None;
    }

    /// Whether several wait for a turn.
    pub(crate) fn is_shared(&self) -> bool {
        self.new.len() + self.begun.len() > 1
    }

    /// Whether somebody waits for a turn.
    pub(crate) fn has_waiting(&self) -> bool {
        !(self.new.is_empty() && self.begun.is_empty())
    }

    /// Whether nothing waits and nothing has its turn.
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_waiting() && self.served.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &mut Line) -> RunId {
        let id = RunId::new();
        line.join(Waiting::of_run(id, RunSize::Large));
        id
    }

    /// Serves the next, which goes on if it is one of these.
    fn serve(line: &mut Line, large: &[RunId]) -> RunId {
        let next = line.next().unwrap();
        let OpenJobs::UnpublishedOfRun(id) = next.jobs else { panic!("{next:?}") };
        if large.contains(&id) {
            line.again(next);
        } else {
            line.leave();
        }
        id
    }

    #[test]
    fn what_is_new_passes_by_what_was_begun() {
        let mut line = Line::default();
        let large: Vec<RunId> = (0..10).map(|_| run(&mut line)).collect();
        for _ in 0..100 {
            assert!(large.contains(&serve(&mut line, &large)));
        }
        let small = run(&mut line);
        let turns = [serve(&mut line, &large), serve(&mut line, &large)];
        assert!(turns.contains(&small), "within two turns, whatever waits");
    }

    #[test]
    fn what_is_new_keeps_nothing_from_going_on() {
        let mut line = Line::default();
        let large = run(&mut line);
        serve(&mut line, &[large]);
        let small: Vec<RunId> = (0..10).map(|_| run(&mut line)).collect();
        let turns: Vec<RunId> = small.iter().map(|_| serve(&mut line, &[large])).collect();
        assert_eq!(turns.iter().filter(|id| **id == large).count(), 5, "every second turn");
    }

    #[test]
    fn the_same_jobs_wait_once() {
        let mut line = Line::default();
        let id = run(&mut line);
        let again = |line: &mut Line| line.join(Waiting::of_run(id, RunSize::Large));
        again(&mut line);
        let served = line.next().unwrap();
        again(&mut line);
        assert!(line.next().is_none() && !line.is_empty());
        line.again(served);
        again(&mut line);
        assert_eq!(serve(&mut line, &[]), id);
        assert!(line.is_empty());
    }

    #[test]
    fn only_so_many_wait() {
        let mut line = Line::default();
        let job = || StoredJob {
            id: JobId::new(),
            kind: linkbeat_store::JobKind::Check,
            body: Vec::new(),
            due_in: std::time::Duration::ZERO,
            run_size: RunSize::Small,
            trace: None,
        };
        for _ in 0..PLACES + 10 {
            let waiting = Waiting::of_run(RunId::new(), RunSize::Small);
            line.join(Waiting { in_memory: vec![job()], ..waiting });
        }
        let waiting: Vec<Waiting> = std::iter::from_fn(|| line.next()).collect();
        let in_memory = waiting.iter().filter(|waiting| !waiting.in_memory.is_empty()).count();
        assert_eq!((waiting.len(), in_memory), (PLACES, PLACES_WITH_JOBS));
    }
}
