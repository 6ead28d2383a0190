//! The checks of one job: each begins when its host's turn has come, and ends by itself.
//!
//! A link that waits for its turn is no task yet, only a place in its host's line: a worker holds tens of
//! thousands of them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use linkbeat_shared::{CheckResult, Job, JobLink, LinkId};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::cancelled::Cancelled;
use crate::check::Begun;
use crate::load::InHand;
use crate::{Engine, Outcome, OwnFault};

/// What became of a job's links.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// Those that were judged.
    pub(crate) results: Vec<CheckResult>,
    /// What kept others from being judged.
    pub(crate) fault: Option<OwnFault>,
    /// The checks of others panicked.
    pub(crate) panicked: bool,
    /// The run was cancelled meanwhile: links that were not begun need no check any more.
    pub(crate) cancelled: bool,
}

impl Checked {
    /// The links that are still to be checked.
    pub(crate) fn rest(&self, job: &Job) -> Vec<JobLink> {
        if self.cancelled {
            return Vec::new();
        }
        let judged: HashSet<LinkId> = self.results.iter().map(|result| result.link_id).collect();
        job.links.iter().filter(|link| !judged.contains(&link.id)).cloned().collect()
    }

    fn note(&mut self, ended: Result<Outcome, JoinError>) {
        match ended {
            Ok(Outcome::Judged(result)) => self.results.push(result),
            Ok(Outcome::OwnFault(fault)) => self.fault = Some(fault),
            Err(error) => {
                tracing::error!(%error, "a check panicked");
                self.panicked = true;
            }
        }
    }
}

/// Checks all links of a job. Once `stop` is cancelled no further one begins, and those under way have
/// `drain` to end. Dropping it ends them at once.
pub(crate) async fn check_all(
    engine: &Arc<Engine>,
    job: &Arc<Job>,
    cancelled: &Cancelled,
    mut in_hand: InHand,
    (stop, drain): (&CancellationToken, Duration),
) -> Checked {
    let mut checked = Checked::default();
    let mut lines: FuturesUnordered<_> =
        lines(job).into_iter().map(|line| next_turn(engine, job, line)).collect();
    // Each in a task of its own, so that a panic ends only that check.
    let mut running = JoinSet::new();
    let mut deadline = None;
    while !(lines.is_empty() && running.is_empty()) {
        tokio::select! {
            biased;
            () = stop.cancelled(), if deadline.is_none() => {
                lines.clear();
                deadline = Some(Instant::now() + drain);
            }
            Some(ended) = running.join_next() => {
                in_hand.ended();
                checked.note(ended);
            }
            Some((begun, link, line)) = lines.next() => {
                if cancelled.contains(job.run_id) {
                    lines.clear();
                    checked.cancelled = true;
                    continue;
                }
                let check = carry_out(Arc::clone(engine), Arc::clone(job), link, begun);
                running.spawn(check.in_current_span());
                if !line.is_empty() {
                    lines.push(next_turn(engine, job, line));
                }
            }
            () = over(deadline) => break,
        }
    }
    checked
}

/// Places in `job.links` of the links of one host, the next last.
type Line = Vec<usize>;

/// The links by their hosts.
fn lines(job: &Job) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let host = |at: usize| job.links[at].page(&job.check).host();
    for at in (0..job.links.len()).rev() {
        // Links of one host come together.
        match lines.last_mut().filter(|line| line.last().is_some_and(|last| host(*last) == host(at))) {
            Some(line) => line.push(at),
            None => lines.push(vec![at]),
        }
    }
    lines.reverse();
    lines
}

async fn next_turn(engine: &Engine, job: &Job, mut line: Line) -> (Begun, usize, Line) {
    let link = line.pop().unwrap_or_default();
    (engine.begin(&job.links[link], &job.check).await, link, line)
}

async fn carry_out(engine: Arc<Engine>, job: Arc<Job>, link: usize, begun: Begun) -> Outcome {
    #[cfg(feature = "failpoints")]
    fail::fail_point!("worker.check", job.links[link].url.expose().contains("/panic/"), |_| panic!(
        "on purpose"
    ));
    engine.carry_out(begun, &job.links[link], &job.check).await
}

async fn over(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use linkbeat_shared::{CheckSpec, JobId, LinkUrl, RunId};

    use super::*;

    #[tokio::test]
    async fn a_panic_is_noted_beside_faults_of_other_kinds() {
        let ended = |outcome: Option<OwnFault>| {
            tokio::spawn(async move { Outcome::OwnFault(outcome.expect("a panic on purpose")) })
        };
        let mut checked = Checked::default();
        checked.note(ended(None).await);
        assert_eq!((checked.panicked, checked.fault), (true, None));
        checked.note(ended(Some(OwnFault::Offline)).await);
        checked.note(ended(None).await);
        assert_eq!((checked.panicked, checked.fault), (true, Some(OwnFault::Offline)));
    }

    #[test]
    fn links_of_one_host_stand_in_one_line_in_their_order() {
        let link = |url: &str| JobLink {
            id: LinkId::new(),
            url: LinkUrl::parse(url).unwrap(),
            page_url: None,
            backlink: true,
        };
        let links = ["http://a.test/1", "http://a.test/2", "http://b.test/", "http://a.test/3"];
        let job = Job {
            id: JobId::new(),
            run_id: RunId::new(),
            check: CheckSpec::default(),
            links: links.map(link).to_vec(),
        };
        assert_eq!(lines(&job), [vec![1, 0], vec![2], vec![3]]);
    }
}
