//! One check: wait for the host's turn, try until a finding is final, make the verdict.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use linkbeat_shared::{CheckResult, CheckSpec, Details, JobLink, Reason, Timeout};
use linkbeat_vitals::Activity;
use tokio::time::{Instant, sleep};

use super::connectivity::{Case, Connectivity, own_fault};
use super::outcome::Outcome;
use super::{judge, retry};
use crate::fault::OwnFault;
use crate::fetch::{Answer, Attempt, Evidence, Failure, Fetcher, Resolver, Route, Safety, Target};
use crate::limits::{Limits, Pace, Start, Starts, Turn, affordable};
use crate::settings::WorkerSettings;
use crate::setup::SetupError;

/// Checks links. There is one per process, because its limits protect the hosts and the machine.
#[derive(Debug)]
pub struct Engine {
    fetcher: Fetcher,
    limits: Arc<Limits>,
    starts: Starts,
    connectivity: Connectivity,
    concurrency: usize,
    checks: Activity,
    max_timeout: Timeout,
}

/// A check whose turn has come.
#[derive(Debug)]
pub(crate) struct Begun {
    turn: Turn,
    start: Start,
}

impl Engine {
    /// Sets up the client, the resolver and the limits. Raises the process's limit of open files.
    pub fn new(settings: &WorkerSettings) -> Result<Self, SetupError> {
        for (name, limit) in [("concurrency", settings.concurrency), ("per_host", settings.per_host)] {
            if limit == 0 {
                return Err(SetupError::Zero(name));
            }
        }
        let concurrency = affordable(settings.concurrency);
        let safety = Arc::new(Safety::new(settings.allow_network.clone()));
        let route = Arc::new(Route::new(settings));
        let resolver = Resolver::new(&settings.resolver, Arc::clone(&safety), Arc::clone(&route));
        let evidence = Arc::new(Evidence::default());
        let connectivity = Connectivity::new(resolver.clone(), Arc::clone(&evidence));
        let pace = Pace::new(settings.min_interval.map(Timeout::duration).unwrap_or_default());
        Ok(Self {
            fetcher: Fetcher::new(settings, resolver, safety, route, evidence)?,
            limits: Limits::new(settings.per_host, concurrency, pace),
            starts: Starts::new(),
            connectivity,
            concurrency,
            checks: Activity::default(),
            max_timeout: settings.max_timeout,
        })
    }

    /// Links checked at once: as set, or what the limit of open files allows.
    pub fn concurrency(&self) -> usize {
        self.concurrency
    }

    /// Counts the checks: one is under way from its call to its outcome.
    pub fn checks(&self) -> &Activity {
        &self.checks
    }

    /// The deadline of a check: what the request asks, up to the operator's limit.
    pub fn timeout(&self, spec: &CheckSpec) -> Timeout {
        spec.timeout.min(self.max_timeout)
    }

    /// Checks one link: fetches its page (the URL, or the page of its backlink where one is asked for),
    /// following up to 10 redirects, and judges the final answer.
    ///
    /// [`Outcome::Judged`]: whatever the site did, with a typed reason unless it is `up`, the final status
    /// where there was one, the milliseconds it took, and what was seen on the way (redirects, the
    /// certificate). [`Outcome::OwnFault`]: nothing can be said of the site, and the check is to be done
    /// again later.
    ///
    /// The deadline ([`Engine::timeout`]) begins when the host's turn and a slot are ours: waiting in our
    /// own queue is not the site's fault. It covers look-ups, connections, handshakes, redirects with the
    /// waits for their hosts' turns, headers, the page, and retries. A failure that may be ours is held
    /// back until something shows that we are online, at most 2 s beyond the deadline.
    ///
    /// Cancel safe. A panic is passed on. Must run within a tokio runtime with I/O and time.
    ///
    /// Sources: RFC 9110 (HTTP semantics; redirects §15.4, `Retry-After` §10.2.3), RFC 6890 and the IANA
    /// special-purpose registries (unsafe addresses), RFC 6265 (cookies), RFC 5280 (certificates), the
    /// WHATWG URL and Encoding standards (URLs and charsets).
    pub async fn check(&self, link: &JobLink, spec: &CheckSpec) -> Outcome {
        let begun = self.begin(link, spec).await;
        self.carry_out(begun, link, spec).await
    }

    /// Waits until the check of this link may begin. Thousands may wait here at once, so this keeps little memory.
    pub(crate) async fn begin(&self, link: &JobLink, spec: &CheckSpec) -> Begun {
        let turn = self.limits.turn(link.page(spec).host()).await;
        Begun { turn, start: self.starts.next().await }
    }

    /// Carries out the check that [`Engine::begin`] waited for.
    pub(crate) async fn carry_out(&self, begun: Begun, link: &JobLink, spec: &CheckSpec) -> Outcome {
        let Begun { mut turn, start } = begun;
        let under_way = self.checks.begin();
        let target = target(link, spec);
        let began = Instant::now();
        let deadline = began + self.timeout(spec).duration();
        let tries = Box::pin(self.tries(&target, spec, &mut turn, deadline));
        let Attempt { finding, details, host } = start.of(tries).await;
        let elapsed = began.elapsed();
        drop(turn);
        let proven = self.proven(finding, &host, began, deadline).await;
        under_way.succeed();
        match proven {
            Ok(finding) => Outcome::Judged(result(link, &target, finding, details, elapsed)),
            Err(fault) => Outcome::OwnFault(fault),
        }
    }

    /// Tries until a finding is final.
    async fn tries(
        &self,
        target: &Target<'_>,
        spec: &CheckSpec,
        turn: &mut Turn,
        deadline: Instant,
    ) -> Attempt {
        let mut attempt = self.fetcher.fetch(target, turn, deadline).await;
        for tries in 1..=spec.retries.get() {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(pause) = retry::pause(&attempt.finding, target, tries, left) else { break };
            sleep(pause).await;
            let again = self.fetcher.fetch(target, turn, deadline).await;
            if retry::cut_off(&again.finding) {
                break;
            }
            attempt = again;
        }
        attempt
    }

    /// A doubtful failure becomes a verdict only with evidence that we are online.
    async fn proven(
        &self,
        finding: Result<Answer, Failure>,
        host: &str,
        began: Instant,
        deadline: Instant,
    ) -> Result<Result<Answer, Reason>, OwnFault> {
        match finding {
            Ok(answer) => Ok(Ok(answer)),
            Err(Failure::Site(reason)) => Ok(Err(reason)),
            Err(Failure::Own(fault)) => Err(fault),
            Err(Failure::Doubtful(reason, doubt)) => {
                let case = Case { host, doubt, began, deadline };
                // In a box: few checks come here, and all would be larger for it.
                if Box::pin(self.connectivity.blames_site(case)).await {
                    Ok(Err(reason))
                } else {
                    Err(own_fault(doubt, &reason))
                }
            }
        }
    }
}

/// Where a backlink is asked for, its page is what is fetched and judged.
fn target<'a>(link: &'a JobLink, spec: &'a CheckSpec) -> Target<'a> {
    Target {
        url: link.page(spec),
        backlink: link.backlink(spec),
        backlink_in: spec.backlink_in,
        accept: &spec.accept,
    }
}

fn result(
    link: &JobLink,
    target: &Target<'_>,
    finding: Result<Answer, Reason>,
    details: Details,
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
        details,
    }
}
