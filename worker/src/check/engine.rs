//! One check: wait for the host's turn, try until a finding is final, make the verdict.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use linkbeat_shared::{BacklinkPattern, CheckResult, CheckSpec, JobLink, LinkUrl, Reason, Timeout};
use linkbeat_vitals::Activity;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::connectivity::{Case, Connectivity, own_fault};
use super::gaps::{Gaps, Lost};
use super::judge::{self, Judgement};
use super::outcome::Outcome;
use super::retry;
use crate::explain::{self, Told};
use crate::fault::OwnFault;
use crate::fetch::{Answer, Attempt, Evidence, Failure, Fetcher, Manner, Resolver, Route, Safety, Target};
use crate::limits::{
    ANY, Affordable, Limits, Memory, Pace, Quota, Scarcity, Start, Starts, Turn, affordable,
};
use crate::settings::WorkerSettings;
use crate::setup::SetupError;

/// Checks links. There is one per process, because its limits protect the hosts and the machine.
#[derive(Debug)]
pub struct Engine {
    fetcher: Fetcher,
    limits: Arc<Limits>,
    starts: Starts,
    scarcity: Arc<Scarcity>,
    connectivity: Connectivity,
    gaps: Gaps,
    concurrency: usize,
    checks: Activity,
    max_timeout: Timeout,
}

/// How often a link is taken in all, where a take failed through our own doing.
const MOST_TAKES: u32 = 4;

/// How long a link waits for its next take.
const BETWEEN_TAKES: Duration = Duration::from_millis(250);

/// A check whose turn has come.
#[derive(Debug)]
pub(crate) struct Begun {
    /// In a box: they are handed on from one async function to the next, and each of them would keep room for them.
    turns: Box<Turns>,
    start: Start,
}

#[derive(Debug)]
struct Turns {
    page: Turn,
    /// For the home page, where it may be fetched beside the links page.
    home: Option<Turn>,
}

impl Begun {
    /// The slots that its turn belongs to.
    pub(crate) fn quota(&self) -> &Quota {
        self.turns.page.quota()
    }
}

/// What was fetched for one link.
struct Fetched {
    /// The page that is searched for the backlink, where one is asked for.
    page: Box<Attempt>,
    home: Home,
}

/// What was fetched of the link's own page, where the backlink stands on another.
enum Home {
    /// There is no other page.
    IsThePage,
    /// The pages were fetched one after the other, and the first one took all the time.
    TooLate,
    Fetched(Box<Attempt>),
}

/// Why a take is no finding, and the link is to be taken again.
#[derive(Debug, Clone, Copy)]
enum Spoiled {
    /// It failed in a way that may be our doing.
    Ours(OwnFault),
    /// A server sends much, for which memory must be taken first.
    NeedsMemory,
    /// Answers of all servers together took too much memory.
    TakenBack,
}

impl Fetched {
    /// Whether a page failed because we lacked something that may be there soon, or in a way that these gaps may
    /// explain.
    fn spoiled(&self, lost: Lost, spec: &CheckSpec, timeout: Duration) -> Option<Spoiled> {
        let home = match &self.home {
            Home::Fetched(home) => Some(&home.finding),
            Home::IsThePage | Home::TooLate => None,
        };
        home.into_iter().chain([&self.page.finding]).find_map(|finding| match finding {
            Err(Failure::NeedsMemory) => Some(Spoiled::NeedsMemory),
            Err(Failure::NoMemory | Failure::Own(OwnFault::Resources)) => {
                Some(Spoiled::Ours(OwnFault::Resources))
            }
            _ => retry::may_come_from(lost, finding, &spec.accept, timeout)
                .then_some(Spoiled::Ours(OwnFault::Stalled)),
        })
    }
}

impl Engine {
    /// Sets up the client, the resolver and the limits. Raises the process's limit of open files.
    pub fn new(settings: &WorkerSettings) -> Result<Self, SetupError> {
        for (name, limit) in [
            ("concurrency", settings.concurrency),
            ("per_host", settings.per_host),
            ("memory", settings.memory),
        ] {
            if limit == 0 {
                return Err(SetupError::Zero(name));
            }
        }
        let Affordable { concurrency, keeps_connections } = affordable(settings.concurrency);
        let safety = Arc::new(Safety::new(settings.allow_network.clone()));
        let route = Arc::new(Route::new(settings));
        let resolver = Resolver::new(&settings.resolver, Arc::clone(&safety), Arc::clone(&route));
        let evidence = Arc::new(Evidence::default());
        let connectivity = Connectivity::new(resolver.clone(), Arc::clone(&evidence));
        let memory = Arc::new(Memory::new(settings.memory));
        let scarcity = Scarcity::new(Arc::clone(&memory));
        let pace = Pace::new(settings.min_interval.map(Timeout::duration).unwrap_or_default());
        Ok(Self {
            fetcher: Fetcher::new(settings, resolver, safety, route, evidence, memory, keeps_connections)?,
            limits: Limits::new(settings.per_host, concurrency, pace),
            starts: Starts::new(),
            scarcity,
            connectivity,
            gaps: Gaps::default(),
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

    /// Checks one link: fetches its page, following up to 10 redirects, and judges the final answer. Where the
    /// backlink must stand on another page, that one is fetched and judged as well, at the same time if the limits of
    /// their hosts allow it.
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
    /// A failure that may come from a pause of this process (`gaps`), or from a want of memory or descriptors, is no finding: the link
    /// is taken again, with a new deadline, up to 4 times in all. After that it is an own fault. A link is also taken
    /// again, and that does not count, where all answers together take too much memory, and where its own answer needs
    /// more than it may have without asking for it. Each happens once at most.
    ///
    /// Cancel safe. A panic is passed on. Must run within a tokio runtime with I/O and time.
    ///
    /// Sources: RFC 9110 (HTTP semantics; redirects §15.4, `Retry-After` §10.2.3), RFC 6890 and the IANA
    /// special-purpose registries (unsafe addresses), RFC 6265 (cookies), RFC 5280 (certificates), the
    /// WHATWG URL and Encoding standards (URLs and charsets).
    pub async fn check(&self, link: &JobLink, spec: &CheckSpec) -> Outcome {
        let begun = self.begin(link, spec, &ANY).await;
        self.carry_out(begun, link, spec).await
    }

    /// The same, telling each step as it is taken. Steps that the channel has no room for are lost.
    pub async fn explain(&self, link: &JobLink, spec: &CheckSpec, to: mpsc::Sender<Told>) -> Outcome {
        explain::listened(to, Box::pin(self.check(link, spec))).await
    }

    /// Waits until the check of this link may begin. Thousands may wait here at once, so this keeps little memory.
    pub(crate) async fn begin(&self, link: &JobLink, spec: &CheckSpec, quota: &Quota) -> Begun {
        let home = link.links_page(spec).map(|_| link.url.host());
        let (page, home) = self.limits.turns(link.page(spec).host(), home, quota).await;
        let turns = Box::new(Turns { page, home });
        let _in_line = quota.in_line();
        Begun { turns, start: self.starts.next(quota.size()).await }
    }

    /// Carries out the check that [`Engine::begin`] waited for.
    pub(crate) async fn carry_out(&self, mut begun: Begun, link: &JobLink, spec: &CheckSpec) -> Outcome {
        let quota = begun.quota().clone();
        let (mut failed, mut manner) = (0, Manner::Trusting);
        loop {
            if self.scarcity.is_on() && matches!(manner, Manner::Trusting) {
                manner = Manner::Careful;
            }
            let spoiled = match self.take(begun, link, spec, &manner).await {
                Ok(outcome) => return outcome,
                Err(spoiled) => spoiled,
            };
            tracing::debug!(link.url = %link.url, ?spoiled, "the link is taken again");
            if let Spoiled::Ours(fault) = spoiled {
                failed += 1;
                if failed == MOST_TAKES {
                    return Outcome::OwnFault(fault);
                }
            }
            // In a box: few checks come here, and all would be larger for it.
            (begun, manner) = match Box::pin(self.begin_again((spoiled, manner), link, spec, &quota)).await {
                Ok(begun) => begun,
                Err(fault) => return Outcome::OwnFault(fault),
            };
        }
    }

    /// Waits until the link may be taken again, and for the memory that its answers need. That is had before the turn,
    /// so that nobody waits for it with a turn that others need.
    async fn begin_again(
        &self,
        (spoiled, manner): (Spoiled, Manner),
        link: &JobLink,
        spec: &CheckSpec,
        quota: &Quota,
    ) -> Result<(Begun, Manner), OwnFault> {
        let manner = match spoiled {
            Spoiled::NeedsMemory => {
                let pages = 1 + usize::from(link.links_page(spec).is_some());
                self.fetcher.prepare(pages).await?
            }
            Spoiled::TakenBack => Manner::Careful,
            Spoiled::Ours(_) => {
                // What others have now is free soon.
                sleep(BETWEEN_TAKES).await;
                manner
            }
        };
        Ok((self.begin(link, spec, quota).await, manner))
    }

    /// One take of a check.
    async fn take(
        &self,
        begun: Begun,
        link: &JobLink,
        spec: &CheckSpec,
        manner: &Manner,
    ) -> Result<Outcome, Spoiled> {
        let Begun { turns, start } = begun;
        let under_way = self.checks.begin();
        let mark = self.gaps.mark();
        let (began, timeout) = (Instant::now(), self.timeout(spec).duration());
        let deadline = began + timeout;
        let mut pages = Box::pin(self.pages(link, spec, turns, (deadline, manner)));
        let fetched = match start.of(&mut pages).await {
            Some(fetched) => fetched,
            None => match self.scarcity.wait_for(pages, matches!(manner, Manner::Trusting)).await {
                Some(fetched) => fetched,
                None => {
                    under_way.succeed();
                    return Err(Spoiled::TakenBack);
                }
            },
        };
        let elapsed = began.elapsed();
        let lost = self.gaps.since(mark);
        let judged = match fetched.spoiled(lost, spec, timeout) {
            Some(spoiled) => Err(spoiled),
            // In a box: thousands of checks wait for their pages, and few are judged at the same time.
            None => Ok(Box::pin(self.both_judged(fetched, link, spec, began, deadline)).await),
        };
        under_way.succeed();
        match judged? {
            Ok(judgement) => Ok(Outcome::Judged(result(link, judgement, elapsed))),
            Err(_) if self.gaps.since(mark).matters() => Err(Spoiled::Ours(OwnFault::Stalled)),
            Err(fault) => Ok(Outcome::OwnFault(fault)),
        }
    }

    /// Fetches the page, and the home page too where that is another one. They share the deadline.
    async fn pages(
        &self,
        link: &JobLink,
        spec: &CheckSpec,
        mut turns: Box<Turns>,
        (deadline, manner): (Instant, &Manner),
    ) -> Fetched {
        if link.links_page(spec).is_some() {
            // In a box: few checks have two pages, and all would be larger for it.
            return Box::pin(self.two_pages(link, spec, *turns, (deadline, manner))).await;
        }
        let page = searched(link, spec);
        Fetched {
            page: self.tries(&page, spec, &mut turns.page, (deadline, manner)).await,
            home: Home::IsThePage,
        }
    }

    async fn two_pages(
        &self,
        link: &JobLink,
        spec: &CheckSpec,
        Turns { page: mut turn, home: second }: Turns,
        (deadline, manner): (Instant, &Manner),
    ) -> Fetched {
        let (page, home) = (searched(link, spec), home(link, spec));
        match second {
            Some(mut second) => {
                // Each turn ends with its own page.
                let page =
                    Box::pin(async move { self.tries(&page, spec, &mut turn, (deadline, manner)).await });
                let home =
                    Box::pin(async move { self.tries(&home, spec, &mut second, (deadline, manner)).await });
                let (page, home) = tokio::join!(page, home);
                Fetched { page, home: Home::Fetched(home) }
            }
            None => {
                let page = Box::pin(self.tries(&page, spec, &mut turn, (deadline, manner))).await;
                let in_time = Instant::now() < deadline;
                let home = Box::pin(self.tries(&home, spec, &mut turn, (deadline, manner)));
                Fetched { page, home: if in_time { Home::Fetched(home.await) } else { Home::TooLate } }
            }
        }
    }

    async fn both_judged(
        &self,
        fetched: Fetched,
        link: &JobLink,
        spec: &CheckSpec,
        began: Instant,
        deadline: Instant,
    ) -> Result<Judgement, OwnFault> {
        let page = self.judged(*fetched.page, &searched(link, spec), began, deadline).await?;
        Ok(match fetched.home {
            Home::IsThePage => page,
            Home::TooLate => judge::links_page_alone(page),
            Home::Fetched(found) => {
                // In a box: few checks have two pages, and all would be larger for it.
                let home = home(link, spec);
                judge::both(Box::pin(self.judged(*found, &home, began, deadline)).await?, page)
            }
        })
    }

    /// What a page came to, or why nothing can be said of it.
    async fn judged(
        &self,
        attempt: Attempt,
        target: &Target<'_>,
        began: Instant,
        deadline: Instant,
    ) -> Result<Judgement, OwnFault> {
        let finding = self.proven(attempt.finding, &attempt.host, began, deadline).await?;
        Ok(Judgement { phases: attempt.phases, ..judge::page(finding, attempt.details, target) })
    }

    /// Tries until a finding is final.
    async fn tries(
        &self,
        target: &Target<'_>,
        spec: &CheckSpec,
        turn: &mut Turn,
        (deadline, manner): (Instant, &Manner),
    ) -> Box<Attempt> {
        let mut attempt = Box::new(self.fetcher.fetch(target, turn, deadline, manner).await);
        for tries in 1..=spec.retries.get() {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(pause) = retry::pause(&attempt.finding, target, tries, left) else { break };
            explain::tries_again(attempt.chain, pause);
            sleep(pause).await;
            let again = self.fetcher.fetch(target, turn, deadline, manner).await;
            if retry::cut_off(&again.finding) {
                break;
            }
            *attempt = again;
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
            Err(Failure::NeedsMemory | Failure::NoMemory) => Err(OwnFault::Resources),
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

fn target<'a>(url: &'a LinkUrl, backlink: Option<&'a BacklinkPattern>, spec: &'a CheckSpec) -> Target<'a> {
    Target { url, backlink, backlink_in: spec.backlink_in, accept: &spec.accept }
}

/// The page that is searched for the backlink, where one is asked for.
fn searched<'a>(link: &'a JobLink, spec: &'a CheckSpec) -> Target<'a> {
    target(link.page(spec), link.backlink(spec), spec)
}

/// The home page of a link whose backlink stands on another page: its status alone decides.
fn home<'a>(link: &'a JobLink, spec: &'a CheckSpec) -> Target<'a> {
    target(&link.url, None, spec)
}

fn result(link: &JobLink, judgement: Judgement, elapsed: Duration) -> CheckResult {
    let Judgement { verdict, reason, status, details, phases } = judgement;
    let elapsed_ms = u32::try_from(elapsed.as_millis()).unwrap_or(u32::MAX);
    tracing::debug!(link.url = %link.url, %verdict, ?reason, status, elapsed_ms, "checked");
    CheckResult {
        link_id: link.id,
        verdict: Some(verdict),
        reason,
        status,
        elapsed_ms,
        checked_at: Utc::now(),
        details,
        phases: phases.map(Box::new),
    }
}
