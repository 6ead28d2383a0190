//! The parts of the first page that are sent anew while somebody looks at them.

use askama::Template;
use linkbeat_shared::Verdict;
use linkbeat_store::{LinkTotal, ListedChange, ListedLink, ListedRun};

use super::changes::ChangeRow;
use super::links::LinkRow;
use super::parts::{When, verdict_word};
use super::runs::RunRow;
use super::visit::Visit;
use super::workers::PAUSED;
use crate::live::FleetSeen;
use crate::ports::QueueDepth;

/// Runs that are listed.
const RUNS: usize = 8;

/// How many links there are of each kind.
#[derive(Template)]
#[template(path = "parts/counts.html")]
pub(crate) struct CountsPart {
    v: Visit,
    /// Where it leads, how many, and of what.
    counts: Vec<(String, u64, &'static str)>,
}

impl CountsPart {
    pub(crate) fn new(v: &Visit, totals: &[LinkTotal]) -> Self {
        let (t, to) = (v.t, |query: &str| v.to(&format!("/links{query}")));
        let sum = |wanted: &dyn Fn(&LinkTotal) -> bool| {
            totals.iter().filter(|total| wanted(total)).map(|total| total.links).sum()
        };
        let mut counts: Vec<(String, u64, &'static str)> = vec![
            (to(""), sum(&|_| true), t.links),
            (to("?shown=true"), sum(&|total| total.shown), t.is_shown),
            (to("?shown=false"), sum(&|total| !total.shown), t.is_hidden),
        ];
        for verdict in Verdict::ALL {
            let query = format!("?verdict={verdict}");
            counts.push((to(&query), sum(&|total| total.verdict == Some(verdict)), verdict_word(t, verdict)));
        }
        counts.push((to("?verdict=never"), sum(&|total| total.verdict.is_none()), t.never_checked));
        Self { counts, v: v.clone() }
    }

    fn has_no_links(&self) -> bool {
        self.counts.first().is_none_or(|(_, all, _)| *all == 0)
    }
}

/// Runs that go on.
#[derive(Template)]
#[template(path = "parts/running.html")]
pub(crate) struct RunningPart {
    v: Visit,
    runs: Vec<RunRow>,
}

impl RunningPart {
    pub(crate) fn new(v: &Visit, runs: &[ListedRun]) -> Self {
        Self { runs: runs.iter().take(RUNS).map(|run| RunRow::new(v, run)).collect(), v: v.clone() }
    }
}

/// Links that are down, those that went down last first.
#[derive(Template)]
#[template(path = "parts/down.html")]
pub(crate) struct DownPart {
    v: Visit,
    links: Vec<LinkRow>,
}

impl DownPart {
    pub(crate) fn new(v: &Visit, links: &[ListedLink]) -> Self {
        Self { links: links.iter().map(|link| LinkRow::new(v, link)).collect(), v: v.clone() }
    }
}

/// The latest changes.
#[derive(Template)]
#[template(path = "parts/changes.html")]
pub(crate) struct ChangesPart {
    v: Visit,
    changes: Vec<ChangeRow>,
}

impl ChangesPart {
    pub(crate) fn new(v: &Visit, changes: &[ListedChange]) -> Self {
        Self { changes: changes.iter().map(|change| ChangeRow::new(v, change)).collect(), v: v.clone() }
    }
}

/// The workers and queues of the broker.
#[derive(Template)]
#[template(path = "parts/fleet.html")]
pub(crate) struct FleetPart {
    v: Visit,
    /// When it was said; `None`: it was not asked before.
    at: Option<When>,
    /// `None`: the broker did not answer.
    said: Option<Said>,
}

/// What the broker said, in numbers.
struct Said {
    workers: usize,
    paused: usize,
    under_way: u64,
    places: u64,
    parked: u64,
    queues: Vec<QueueDepth>,
}

impl FleetPart {
    pub(crate) fn new(v: &Visit, seen: Option<&FleetSeen>) -> Self {
        let said = seen.and_then(|seen| seen.broker.as_ref()).map(|(workers, queues)| Said {
            workers: workers.len(),
            paused: workers.iter().filter(|worker| worker.0.state.starts_with(PAUSED)).count(),
            under_way: workers.iter().map(|worker| worker.0.under_way).sum(),
            places: workers.iter().map(|worker| worker.0.concurrency).sum(),
            parked: queues.iter().filter(|queue| queue.parked).map(|queue| queue.messages).sum(),
            queues: queues.iter().filter(|queue| !queue.parked).cloned().collect(),
        });
        Self { at: seen.map(|seen| When(seen.at)), said, v: v.clone() }
    }
}
