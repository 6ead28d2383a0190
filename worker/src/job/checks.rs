//! The checks of one job: each begins when its host's turn has come, and ends by itself.
//!
//! A link that waits for its turn is not a task yet. It only has a place in its host's line, because a worker
//! holds tens of thousands of them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use linkbeat_broker::PublishError;
use linkbeat_shared::{CheckResult, Job, JobLink, LinkId};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::cancelled::Cancelled;
use super::common::{Claim, Wish, Wishes};
use super::load::InHand;
use super::outcome::{JobOutcome, Unfinished};
use super::results::Publishing;
use crate::check::{Begun, Engine, Outcome};
use crate::limits::Quota;

/// What is known while checks are still running.
#[derive(Debug, Default)]
struct Tally {
    judged: HashSet<LinkId>,
    /// Why other links were not judged, where a check said so.
    failed: Option<Unfinished>,
}

impl Tally {
    /// Counts a check that has ended. Gives its result, if it has one.
    fn count(&mut self, ended: Result<Outcome, JoinError>) -> Option<CheckResult> {
        match ended {
            Ok(Outcome::Judged(result)) => {
                self.judged.insert(result.link_id);
                return Some(result);
            }
            Ok(Outcome::OwnFault(fault)) => self.failed = Some(Unfinished::Fault(fault)),
            Err(error) => {
                tracing::error!(%error, "a check panicked");
                self.failed.get_or_insert(Unfinished::Panicked);
            }
        }
        None
    }

    /// Every check has ended, or was ended.
    fn close(self, job: &Job) -> JobOutcome {
        let rest: Vec<_> = job.links.iter().filter(|link| !self.judged.contains(&link.id)).cloned().collect();
        if rest.is_empty() {
            return JobOutcome::Done;
        }
        let rest = Job { links: rest, check: job.check.clone(), ..*job };
        JobOutcome::Unfinished { rest, why: self.failed.unwrap_or(Unfinished::Stopped) }
    }
}

/// What decides whether a check of the job begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct May<'a> {
    pub(crate) cancelled: &'a Cancelled,
    pub(crate) wishes: &'a Arc<Wishes>,
    pub(crate) quota: &'a Quota,
}

/// Checks all links of a job, and hands over the result of each. Once `stop` is cancelled no further check begins, and
/// those under way have `drain` to end. Dropping the future ends them at once. What it returns is what the job comes to,
/// once all these results are published.
pub(crate) async fn check_all(
    engine: &Arc<Engine>,
    job: &Arc<Job>,
    may: May<'_>,
    (mut in_hand, results): (InHand, &mut Publishing<'_>),
    (stop, drain): (&CancellationToken, Duration),
) -> Result<JobOutcome, PublishError> {
    let mut tally = Tally::default();
    let mut was_cancelled = false;
    let mut lines: FuturesUnordered<_> =
        lines(job).into_iter().map(|line| next_turn(engine, job, may, line)).collect();
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
                tally.count(ended).into_iter().for_each(|result| results.add(result));
            }
            Some((begun, wish, link, line)) = lines.next() => {
                if may.cancelled.contains(job.run_id) {
                    lines.clear();
                    was_cancelled = true;
                    continue;
                }
                let check = carry_out(Arc::clone(engine), Arc::clone(job), link, (begun, wish));
                running.spawn(check.in_current_span());
                if !line.is_empty() {
                    lines.push(next_turn(engine, job, may, line));
                }
            }
            error = results.go_on() => return Err(error),
            () = over(deadline) => break,
        }
    }
    Ok(if was_cancelled { JobOutcome::Cancelled } else { tally.close(job) })
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

async fn next_turn(
    engine: &Engine,
    job: &Arc<Job>,
    may: May<'_>,
    mut line: Line,
) -> (Begun, Wish, usize, Line) {
    let link = line.pop().unwrap_or_default();
    let wish = may.wishes.make(job, link, may.quota.size());
    (engine.begin(&job.links[link], &job.check, may.quota).await, wish, link, line)
}

async fn carry_out(
    engine: Arc<Engine>,
    job: Arc<Job>,
    at: usize,
    (mut begun, mut wish): (Begun, Wish),
) -> Outcome {
    let link = &job.links[at];
    loop {
        let awaited = match wish.claim() {
            Claim::Known(outcome) => return *outcome,
            Claim::Check(promise) => {
                let outcome = check(&engine, begun, link, &job).await;
                promise.keep(&outcome);
                return outcome;
            }
            Claim::Await(awaited) => awaited,
        };
        let quota = begun.quota().clone();
        // Others may have the turn meanwhile.
        drop(begun);
        wish = match awaited.outcome().await {
            Ok(outcome) => return outcome,
            Err(wish) => wish,
        };
        begun = Box::pin(engine.begin(link, &job.check, &quota)).await;
    }
}

async fn check(engine: &Engine, begun: Begun, link: &JobLink, job: &Job) -> Outcome {
    #[cfg(feature = "failpoints")]
    fail::fail_point!("worker.check", link.url.expose().contains("/panic/"), |_| panic!("on purpose"));
    engine.carry_out(begun, link, &job.check).await
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
    use crate::fault::OwnFault;

    #[tokio::test]
    async fn a_fault_counts_before_a_panic() {
        let ended = |outcome: Option<OwnFault>| {
            tokio::spawn(async move { Outcome::OwnFault(outcome.expect("a panic on purpose")) })
        };
        let mut tally = Tally::default();
        tally.count(ended(None).await);
        assert_eq!(tally.failed, Some(Unfinished::Panicked));
        tally.count(ended(Some(OwnFault::Offline)).await);
        tally.count(ended(None).await);
        assert_eq!(tally.failed, Some(Unfinished::Fault(OwnFault::Offline)));
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
