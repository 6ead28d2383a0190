//! One check: a turn at the host, tries until something stands, a verdict.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use linkbeat_shared::{CheckResult, CheckSpec, Details, JobLink, Reason, Timeout};
use tokio::time::{Instant, sleep};

use crate::connectivity::Connectivity;
use crate::fetch::{Answer, Failure, Fetcher, Resolver, Safety, Target};
use crate::limits::{Limits, Turn};
use crate::{Outcome, OwnFault, SetupError, WorkerSettings, descriptors, judge, retry};

/// Checks links. One per process: its limits are what is polite towards hosts and what the machine bears.
#[derive(Debug)]
pub struct Engine {
    fetcher: Fetcher,
    limits: Arc<Limits>,
    connectivity: Arc<Connectivity>,
    concurrency: usize,
    max_timeout: Timeout,
}

impl Engine {
    /// Sets up the client, the resolver and the limits. Raises the process's limit of open files.
    pub fn new(settings: &WorkerSettings) -> Result<Self, SetupError> {
        for (name, limit) in [("concurrency", settings.concurrency), ("per_host", settings.per_host)] {
            if limit == 0 {
                return Err(SetupError::Zero(name));
            }
        }
        let concurrency = descriptors::affordable(settings.concurrency);
        let safety = Arc::new(Safety::new(settings.allow_network.clone()));
        let resolver = Resolver::new(&settings.resolver, Arc::clone(&safety))?;
        let connectivity = Arc::new(Connectivity::new(resolver.clone()));
        Ok(Self {
            fetcher: Fetcher::new(settings, resolver, safety, Arc::clone(&connectivity))?,
            limits: Limits::new(settings.per_host, concurrency),
            connectivity,
            concurrency,
            max_timeout: settings.max_timeout,
        })
    }

    /// Links checked at once: as set, or what the limit of open files allows.
    pub fn concurrency(&self) -> usize {
        self.concurrency
    }

    /// The deadline a check gets: what is asked, up to the operator's limit.
    pub fn timeout(&self, spec: &CheckSpec) -> Timeout {
        spec.timeout.min(self.max_timeout)
    }

    /// Checks one link.
    ///
    /// The deadline begins when the host's turn and a slot are ours: waiting in our own queue is not the
    /// site's fault. A failure that may be ours is held back until something shows that we are online, at
    /// most 2 s beyond the deadline. Cancel safe. A panic is passed on.
    pub async fn check(&self, link: &JobLink, spec: &CheckSpec) -> Outcome {
        let target = target(link, spec);
        let mut turn = self.limits.turn(target.url.host()).await;
        let began = Instant::now();
        let deadline = began + self.timeout(spec).duration();
        let finding = self.tries(&target, spec, &mut turn, deadline).await;
        let elapsed = began.elapsed();
        drop(turn);
        match self.proven(finding, began, deadline).await {
            Ok(finding) => Outcome::Judged(result(link, &target, finding, elapsed)),
            Err(fault) => Outcome::OwnFault(fault),
        }
    }

    /// Tries until a finding stands.
    async fn tries(
        &self,
        target: &Target<'_>,
        spec: &CheckSpec,
        turn: &mut Turn,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let mut finding = self.fetcher.fetch(target, turn, deadline).await;
        for tries in 1..=spec.retries.get() {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(pause) = retry::pause(&finding, target, tries, left) else { break };
            sleep(pause).await;
            let again = self.fetcher.fetch(target, turn, deadline).await;
            if retry::cut_off(&again) {
                break;
            }
            finding = again;
        }
        finding
    }

    /// A doubtful failure becomes the site's only with evidence.
    async fn proven(
        &self,
        finding: Result<Answer, Failure>,
        began: Instant,
        deadline: Instant,
    ) -> Result<Result<Answer, Reason>, OwnFault> {
        match finding {
            Ok(answer) => Ok(Ok(answer)),
            Err(Failure::Site(reason)) => Ok(Err(reason)),
            Err(Failure::Own(fault)) => Err(fault),
            Err(Failure::Doubtful(reason)) => {
                if self.connectivity.proven_since(began, deadline).await {
                    Ok(Err(reason))
                } else {
                    Err(OwnFault::Offline)
                }
            }
        }
    }
}

/// Where a backlink is asked for, its page is what is fetched and judged.
fn target<'a>(link: &'a JobLink, spec: &'a CheckSpec) -> Target<'a> {
    let backlink = spec.backlink.as_ref().filter(|_| link.backlink);
    let page = link.page_url.as_ref().filter(|_| backlink.is_some());
    Target { url: page.unwrap_or(&link.url), backlink, accept: &spec.accept }
}

fn result(
    link: &JobLink,
    target: &Target<'_>,
    finding: Result<Answer, Reason>,
    elapsed: Duration,
) -> CheckResult {
    let (verdict, reason, status) = match finding {
        Ok(answer) => {
            let (verdict, reason) = judge::answer(&answer, target.accept);
            (verdict, reason, Some(answer.status))
        }
        Err(reason) => (judge::no_answer(&reason), Some(reason), None),
    };
    let elapsed_ms = u32::try_from(elapsed.as_millis()).unwrap_or(u32::MAX);
    tracing::debug!(link.url = %target.url, %verdict, ?reason, status, elapsed_ms, "checked");
    CheckResult {
        link_id: link.id,
        verdict: Some(verdict),
        reason,
        status,
        elapsed_ms,
        checked_at: Utc::now(),
        details: Details::default(),
    }
}
