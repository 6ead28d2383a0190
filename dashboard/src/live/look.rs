//! What there is to see at one moment, and the parts of pages that are made of it.

use std::collections::BTreeMap;
use std::sync::Arc;

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

/// What goes on at one moment.
#[derive(Debug)]
pub(crate) struct Look {
    totals: Arc<Vec<LinkTotal>>,
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
            totals: app.totals().await?,
            runs: store.browse_runs(Some(RunState::Running), &runs).await?.items,
            down: store.browse_links(&latest_first.query, latest_first.sort, &page).await?.items,
            changes: store.browse_changes(&ChangeQuery::default(), &page).await?.items,
            fleet: app.ports.queues.as_ref().map(|_| app.live.fleet.latest()),
        })
    }

    /// The parts of pages that show it.
    pub(crate) fn parts(&self, v: &Visit) -> Result<BTreeMap<String, Made>, Problem> {
        let mut parts = BTreeMap::from([
            ("counts".to_owned(), Made::of(&CountsPart::new(v, &self.totals))?),
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
