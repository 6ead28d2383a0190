//! One row of the table.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use linkbeat_shared::{CheckResult, CheckSpec, LinkUrl, Phase, Reason, Retries, Timeout, Verdict};
use linkbeat_worker::Outcome;

use super::street::Street;
use crate::site::Site;
use crate::{asking_for, link};

/// How long a check may go on beyond its deadline, besides what the machine itself is late.
const GRACE: Duration = Duration::from_millis(100);

/// A case, how it is played, and what it must come to.
pub(super) struct Row {
    case: String,
    sites: Vec<Site>,
    url: LinkUrl,
    spec: CheckSpec,
    by_default_rules: bool,
    expected: (Verdict, Option<Reason>),
    lasts: RangeInclusive<Duration>,
}

impl Row {
    /// The root of a site is checked; `up` is expected unless something else is said.
    pub(super) fn new(case: impl Into<String>, site: Site) -> Self {
        let url = site.url("/");
        Self { sites: vec![site], ..Self::at(case, &url) }
    }

    /// The same of a URL.
    pub(super) fn at(case: impl Into<String>, url: &LinkUrl) -> Self {
        Self {
            case: case.into(),
            sites: Vec::new(),
            url: url.clone(),
            spec: CheckSpec::default(),
            by_default_rules: false,
            expected: (Verdict::Up, None),
            lasts: Duration::ZERO..=Duration::MAX,
        }
    }

    /// Another URL of the site is checked.
    pub(super) fn from(self, url: LinkUrl) -> Self {
        Self { url, ..self }
    }

    /// Another site plays a part.
    pub(super) fn and(mut self, site: Site) -> Self {
        self.sites.push(site);
        self
    }

    /// A backlink is asked for.
    pub(super) fn asking(mut self, pattern: &str) -> Self {
        self.spec.backlink = asking_for(pattern).backlink;
        self
    }

    /// These statuses are accepted.
    pub(super) fn accepting(mut self, statuses: &str) -> Self {
        self.spec.accept = statuses.parse().unwrap();
        self
    }

    /// A further try is made this often, instead of once.
    pub(super) fn retrying(mut self, retries: u8) -> Self {
        self.spec.retries = Retries::try_from(retries).unwrap();
        self
    }

    /// Nothing but public addresses may be dialled.
    pub(super) fn by_default_rules(self) -> Self {
        Self { by_default_rules: true, ..self }
    }

    pub(super) fn down(self, reason: Reason) -> Self {
        Self { expected: (Verdict::Down, Some(reason)), ..self }
    }

    pub(super) fn blocked(self, code: u16) -> Self {
        Self { expected: (Verdict::Blocked, Some(Reason::Status { code })), ..self }
    }

    pub(super) fn refused(self, reason: Reason) -> Self {
        Self { expected: (Verdict::Refused, Some(reason)), ..self }
    }

    pub(super) fn no_backlink(self, truncated: bool) -> Self {
        Self { expected: (Verdict::NoBacklink, Some(Reason::BacklinkMissing { truncated })), ..self }
    }

    /// With a deadline of `ms`, it is over right then, while waiting for this.
    pub(super) fn late(self, ms: u64, phase: Phase) -> Self {
        self.until(ms).down(Reason::Timeout { phase })
    }

    /// With a deadline of `ms`, it is over right then.
    pub(super) fn until(mut self, ms: u64) -> Self {
        self.spec.timeout = Timeout::from_millis(ms).unwrap();
        let deadline = self.spec.timeout.duration();
        self.lasts = deadline..=deadline + GRACE;
        self
    }

    /// It is over long before the deadline.
    pub(super) fn at_once(self) -> Self {
        Self { lasts: Duration::ZERO..=self.spec.timeout.duration() / 10, ..self }
    }

    /// What came out otherwise than expected.
    pub(super) async fn play(self, street: Street) -> Option<String> {
        let engine = if self.by_default_rules { &street.guarded } else { &street.engine };
        let began = Instant::now();
        let outcome = engine.check(&link(&self.url), &self.spec).await;
        let took = began.elapsed();
        // As much later as the machine itself was.
        let in_time =
            took >= *self.lasts.start() && took.saturating_sub(street.lag.worst()) <= *self.lasts.end();
        let surprise = match outcome {
            Outcome::Judged(result) => self.surprise(&result),
            Outcome::OwnFault(fault) => Some(format!("not judged: {fault:?}")),
        };
        let surprise = surprise.or_else(|| (!in_time).then(|| format!("took {took:?}")));
        surprise.map(|surprise| format!("{}: {surprise}", self.case))
    }

    fn surprise(&self, result: &CheckResult) -> Option<String> {
        let found = (result.verdict.unwrap(), result.reason.clone());
        if found != self.expected {
            return Some(format!("{found:?} instead of {:?}", self.expected));
        }
        let dialled = self.sites.iter().any(|site| site.visits() > 0);
        if found.0 == Verdict::Refused && self.by_default_rules && dialled {
            return Some("refused, but dialled".to_owned());
        }
        let told = match found.1 {
            Some(Reason::Status { code }) => result.status == Some(code),
            None => result.status.is_some_and(|status| self.spec.accept.contains(status)),
            _ => true,
        };
        (!told).then(|| format!("status {:?}", result.status))
    }
}
