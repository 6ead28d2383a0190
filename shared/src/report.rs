//! A report: what a run amounted to.

use chrono::{DateTime, Utc};

use crate::{
    Change, Details, HeldBack, Link, LinkId, LinkName, PublicUrl, Reason, RequestId, RunId, RunState, Verdict,
};

/// A run in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Links that were to be checked: active and not on the white list.
    pub active: u64,
    /// Links with a stored verdict.
    pub checked: u64,
    /// Verdicts `up`.
    pub up: u64,
    /// Verdicts `down`.
    pub down: u64,
    /// Verdicts `no_backlink`.
    pub no_backlink: u64,
    /// Verdicts `blocked`.
    pub blocked: u64,
    /// Verdicts `refused`.
    pub refused: u64,
    /// Links taken as good without a look.
    pub white_listed: u64,
    /// Links with a verdict whose latest result was taken instead of a new check.
    pub reused: u64,
    /// Links that were shown and are hidden now.
    pub to_not_show: u64,
    /// Links that were hidden and are shown now.
    pub to_show: u64,
    /// Shown links that are to be hidden, once that is decided.
    pub would_hide: u64,
    /// Hidden links that are to be shown, once that is decided.
    pub would_show: u64,
}

impl Counts {
    /// Whether every check passed and no link changed or would change.
    pub fn all_as_before(&self) -> bool {
        self.up == self.checked && self.to_show + self.to_not_show + self.would_show + self.would_hide == 0
    }

    /// Adds `links` results of one kind; `verdict` is `None` for the white list.
    pub fn add(&mut self, verdict: Option<Verdict>, change: Option<Change>, links: u64) {
        let of_verdict = match verdict {
            None => &mut self.white_listed,
            Some(Verdict::Up) => &mut self.up,
            Some(Verdict::Down) => &mut self.down,
            Some(Verdict::NoBacklink) => &mut self.no_backlink,
            Some(Verdict::Blocked) => &mut self.blocked,
            Some(Verdict::Refused) => &mut self.refused,
        };
        *of_verdict += links;
        if verdict.is_some() {
            self.checked += links;
        }
        match change {
            Some(Change::Hidden) => self.to_not_show += links,
            Some(Change::Shown) => self.to_show += links,
            None => {}
        }
    }

    /// Links with this verdict.
    pub fn of(&self, verdict: Verdict) -> u64 {
        match verdict {
            Verdict::Up => self.up,
            Verdict::Down => self.down,
            Verdict::NoBacklink => self.no_backlink,
            Verdict::Blocked => self.blocked,
            Verdict::Refused => self.refused,
        }
    }

    /// Whether every link that was to be checked passed.
    pub fn all_passed(&self) -> bool {
        self.up == self.active
    }

    /// Links that changed, are to change once that is decided, or did not pass. A link is hidden only when it fails.
    /// It is shown only when it passes or is on the white list. So no link counts twice.
    pub fn changed_or_failed(&self) -> u64 {
        self.checked.saturating_sub(self.up) + self.to_show + self.would_show
    }
}

/// A run without its links: where it stands, and its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSummary {
    /// The run.
    pub run_id: RunId,
    /// The request that it carries out.
    pub request_id: RequestId,
    /// Where it stands.
    pub state: RunState,
    /// Links that lack a result because their job is parked.
    pub missing: u64,
    /// Links that wait to be looked at again before they are hidden.
    pub to_recheck: u64,
    /// When it was filed.
    pub created_at: DateTime<Utc>,
    /// When its last result was stored, or it was found incomplete or cancelled; `None` while it goes on.
    pub finished_at: Option<DateTime<Utc>>,
    /// The run in numbers.
    pub counts: Counts,
    /// What was seen, if it was held back.
    pub held_back: Option<HeldBack>,
}

impl RunSummary {
    /// How long the run took, in seconds; 0 while it goes on.
    pub fn seconds(&self) -> f64 {
        let took = self.finished_at.map_or_else(Default::default, |end| end - self.created_at);
        f64::from(u32::try_from(took.num_milliseconds().max(0)).unwrap_or(u32::MAX)) / 1_000.0
    }
}

/// The report that is sent as a reply. It lists a bounded number of links.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The run without its links.
    pub summary: RunSummary,
    /// Links that changed or did not pass.
    pub links: Vec<LinkReport>,
    /// How many more such links there are.
    pub links_left_out: u64,
}

impl Report {
    /// A report with the first links that changed or did not pass.
    pub fn new(summary: RunSummary, links: Vec<LinkReport>) -> Self {
        let links_left_out = summary.counts.changed_or_failed().saturating_sub(links.len() as u64);
        Self { summary, links, links_left_out }
    }
}

/// What a run made of one link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkReport {
    /// The link.
    pub id: LinkId,
    /// What people call it.
    pub name: LinkName,
    /// What was fetched, without userinfo.
    pub url: PublicUrl,
    /// Whether it is shown after this run.
    pub shown: bool,
    /// The judgement; `None`: on the white list, not fetched.
    pub verdict: Option<Verdict>,
    /// Why it is not `up`.
    pub reason: Option<Reason>,
    /// The final HTTP status, where there was one.
    pub status: Option<u16>,
    /// How long the check took, in milliseconds; `None` when it was not fetched.
    pub elapsed_ms: Option<u32>,
    /// What the run did to it.
    pub change: Option<Change>,
    /// What the run would do to it, while that is not decided.
    pub proposed: Option<Change>,
    /// What else the check saw.
    pub details: Details,
}

impl From<&Link> for LinkReport {
    /// A stored link as its latest check left it. What a run did is told by its report alone: no change.
    fn from(link: &Link) -> Self {
        let state = link.state.clone();
        Self {
            id: link.id,
            name: link.name.clone(),
            url: PublicUrl::from(&link.url),
            shown: state.shown,
            verdict: state.verdict,
            reason: state.reason,
            status: state.status,
            elapsed_ms: state.elapsed_ms,
            change: None,
            proposed: None,
            details: state.details,
        }
    }
}
