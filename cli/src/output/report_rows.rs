//! Which links of a run people are shown, and in what order.
//!
//! First those that changed (hidden, then shown), then those that did not pass, then those that are up but worth a
//! remark. The database gives them in this order, one selection after the other. So nothing is sorted here, and a
//! long report needs no more memory than a short one.

use chrono::{DateTime, Utc};
use linkbeat_shared::{Change, Counts, LinkReport, RunSummary, Verdict};
use linkbeat_store::ReportLinks;

use super::Prose;
use super::listing::{Cell, Column, NAME, URL};
use super::remarks::{certificate_ends_soon, reason_and_remarks, report_time, with_redirect};
use super::summary::Remarked;
use super::words::words;

/// Makes rows of the links that are worth one.
pub(super) struct ReportRows {
    now: DateTime<Utc>,
    prose: Prose,
    /// What the summary says of the links so far.
    pub(super) remarked: Remarked,
}

impl ReportRows {
    pub(super) fn new(run: &RunSummary, prose: Prose) -> Self {
        Self { now: report_time(run), prose, remarked: Remarked::default() }
    }

    pub(super) fn columns(&self) -> Vec<Column> {
        let words = words(self.prose.lang);
        vec![
            Column::fixed(words.change),
            Column::narrowing(words.name, NAME),
            Column::narrowing(words.url, URL),
            Column::fixed(words.verdict),
            Column::told(words.reason),
            Column::number(words.milliseconds),
        ]
    }

    /// The row of a link; `None`: there is nothing to say about it.
    pub(super) fn row(&mut self, link: &LinkReport) -> Option<Vec<Cell>> {
        let ends_soon = certificate_ends_soon(link.verdict, &link.details, self.now, self.prose);
        self.remarked.ending_certificates += u64::from(ends_soon);
        self.remarked.redirected += u64::from(!link.details.redirects.is_empty());
        let (verdict, reason) = (link.verdict, link.reason.as_ref());
        let told = reason_and_remarks(verdict, reason, &link.details, self.now, self.prose);
        let failed = verdict.is_some_and(|verdict| verdict != Verdict::Up);
        let changes = link.change.is_some() || link.proposed.is_some();
        let is_worth_it = failed || changes || !told.is_empty();
        is_worth_it.then(|| self.cells(link, &with_redirect(told, &link.details, self.prose)))
    }

    fn cells(&self, link: &LinkReport, told: &str) -> Vec<Cell> {
        let lang = self.prose.lang;
        let white_listed = || Cell::text(words(lang).white_listed);
        vec![
            Cell::change(link.change, link.proposed, lang),
            Cell::name(link.name.as_str()),
            Cell::url(&link.url.to_string()),
            link.verdict.map_or_else(white_listed, |verdict| Cell::verdict(verdict, lang)),
            Cell::text(told),
            Cell::text(&link.elapsed_ms.map(|elapsed| elapsed.to_string()).unwrap_or_default()),
        ]
    }
}

/// The links that may be worth a row. Those on the white list that did not change never are. What the run has none
/// of is not asked for.
pub(super) fn selections(run: &RunSummary) -> Vec<ReportLinks> {
    let counts = &run.counts;
    let hidden =
        failures(counts).filter(|_| counts.to_not_show > 0).map(|verdict| of(Some(Change::Hidden), verdict));
    let passed = [None, Some(Verdict::Up)].into_iter();
    let shown = passed.filter(|_| counts.to_show > 0).map(|verdict| of(Some(Change::Shown), verdict));
    let failed = failures(counts).map(|verdict| of(None, verdict));
    hidden.chain(shown).chain(failed).chain([of(None, Some(Verdict::Up))]).collect()
}

fn of(change: Option<Change>, verdict: Option<Verdict>) -> ReportLinks {
    ReportLinks::Of { change, verdict }
}

/// The verdicts of the links that did not pass.
fn failures(counts: &Counts) -> impl Iterator<Item = Option<Verdict>> {
    let given = |verdict: &Verdict| *verdict != Verdict::Up && counts.of(*verdict) > 0;
    Verdict::ALL.into_iter().filter(given).map(Some)
}
