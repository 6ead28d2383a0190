//! What there is to see at one moment, and the parts of pages that are made of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use linkbeat_shared::{Lang, RunState, Verdict};
use linkbeat_store::{ChangeQuery, LinkTotal, ListedChange, ListedLink, ListedRun, PageOf, SortLinksBy};

use super::fleet::FleetSeen;
use crate::pages::{
    ChangesPart, CountsPart, DownPart, Filter, FleetPart, Made, Problem, Progress, RunningPart, Visit,
};
use crate::serve::App;

/// Rows of a part.
const ROWS: u32 = 12;
/// Running runs that are followed.
const RUNS: u32 = 100;
/// The totals are read anew after this, and then no sooner than so many times as long as reading them takes.
const TOTALS_EVERY: Duration = Duration::from_secs(2);
const TOTALS_REST: u32 = 20;

/// How many links there are of each kind, and when that was read.
#[derive(Debug, Clone)]
pub(super) struct Totals {
    totals: Vec<LinkTotal>,
    read_at: Instant,
    took: Duration,
}

impl Totals {
    /// The totals, as they were a moment ago or are now.
    async fn latest(app: &App) -> Result<Self, Problem> {
        if let Some(totals) = app.live.totals().filter(Self::is_fresh) {
            return Ok(totals);
        }
        let totals = Self::read(app).await?;
        app.live.keep_totals(totals.clone());
        Ok(totals)
    }

    async fn read(app: &App) -> Result<Self, Problem> {
        let begun = Instant::now();
        let totals = app.ports.store.link_totals().await?;
        Ok(Self { totals, read_at: Instant::now(), took: begun.elapsed() })
    }

    fn is_fresh(&self) -> bool {
        self.read_at.elapsed() < TOTALS_EVERY.max(self.took * TOTALS_REST)
    }
}

/// What goes on at one moment.
#[derive(Debug)]
pub(crate) struct Look {
    totals: Totals,
    pub(super) runs: Vec<ListedRun>,
    down: Vec<ListedLink>,
    changes: Vec<ListedChange>,
    /// Outer `None`: no broker is set; inner: it has not answered yet.
    fleet: Option<Option<Arc<FleetSeen>>>,
}

impl Look {
    /// Reads what goes on now.
    pub(crate) async fn now(app: &App) -> Result<Self, Problem> {
        let store = &app.ports.store;
        let page = PageOf { after: None, limit: ROWS };
        let runs = PageOf { after: None, limit: RUNS };
        let down = Filter::of_verdict(Verdict::Down);
        let latest_first = Filter { query: down.query.clone(), sort: down.sorted_by(SortLinksBy::Since) };
        Ok(Self {
            totals: Totals::latest(app).await?,
            runs: store.browse_runs(Some(RunState::Running), &runs).await?.items,
            down: store.browse_links(&latest_first.query, latest_first.sort, &page).await?.items,
            changes: store.browse_changes(&ChangeQuery::default(), &page).await?.items,
            fleet: app.ports.queues.as_ref().map(|_| app.live.fleet.latest()),
        })
    }

    /// The parts of pages that show it.
    pub(crate) fn parts(&self, v: &Visit) -> Result<BTreeMap<String, Made>, Problem> {
        let mut parts = BTreeMap::from([
            ("counts".to_owned(), Made::of(&CountsPart::new(v, &self.totals.totals))?),
            ("running".to_owned(), Made::of(&RunningPart::new(v, &self.runs))?),
            ("down".to_owned(), Made::of(&DownPart::new(v, &self.down))?),
            ("changes".to_owned(), Made::of(&ChangesPart::new(v, &self.changes))?),
        ]);
        if let Some(fleet) = &self.fleet {
            parts.insert("fleet".to_owned(), Made::of(&FleetPart::new(v, fleet.as_deref()))?);
        }
        for listed in &self.runs {
            let progress = Progress::new(v, &listed.run, listed.counts, 0);
            parts.insert(format!("run-{}", listed.run.id), Made::of(&progress)?);
        }
        Ok(parts)
    }
}

/// The parts of one moment, by their names, in each language.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(super) english: BTreeMap<String, Made>,
    pub(super) chinese: BTreeMap<String, Made>,
}

impl Parts {
    pub(super) fn in_language(&self, lang: Lang) -> &BTreeMap<String, Made> {
        match lang {
            Lang::En => &self.english,
            Lang::Zh => &self.chinese,
        }
    }
}
