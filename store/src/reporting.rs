//! How a run's stored checks become numbers and a report.

use linkbeat_shared::{Counts, LinkReport, Report, Run, RunState, Verdict};

use crate::ReportLinks;
use crate::error::Fault;
use crate::rows::{CheckRow, change, number, verdict};

/// A run with its checks in numbers.
pub(crate) struct Tallies {
    pub(crate) run: Run,
    /// How many checks have each verdict and change.
    pub(crate) by_kind: Vec<(Option<String>, Option<String>, i64)>,
    /// How many links each of its white-listed jobs covers.
    pub(crate) white_listed: Vec<i64>,
    /// How many of its links wait to be looked at again.
    pub(crate) rechecks: i64,
}

impl Tallies {
    pub(crate) fn counts(&self) -> Result<Counts, Fault> {
        let white_listed: u64 = number(self.white_listed.iter().sum::<i64>(), "jobs.links_count")?;
        let mut counts = Counts { active: self.run.links.saturating_sub(white_listed), ..Counts::default() };
        for (verdict_word, change_word, links) in &self.by_kind {
            let (verdict, change) = (verdict(verdict_word.as_deref())?, change(change_word.as_deref())?);
            counts.add(verdict, change, number(*links, "a count of checks")?);
        }
        Ok(counts)
    }

    /// The report with these checks, which the database chose by `which`.
    pub(crate) fn report(self, checks: Vec<CheckRow>, which: ReportLinks) -> Result<Report, Fault> {
        let matching = match which {
            ReportLinks::All => checks.len() as u64,
            ReportLinks::ChangedOrFailed { .. } => self.changed_or_failed()?,
        };
        Ok(Report {
            run_id: self.run.id,
            state: self.run.state,
            missing: self.run.missing,
            to_recheck: self.to_recheck()?,
            created_at: self.run.created_at,
            finished_at: self.run.finished_at,
            counts: self.counts()?,
            links_left_out: matching.saturating_sub(checks.len() as u64),
            links: checks.into_iter().map(LinkReport::try_from).collect::<Result<_, _>>()?,
        })
    }

    fn to_recheck(&self) -> Result<u64, Fault> {
        if self.run.state == RunState::Cancelled { Ok(0) } else { number(self.rechecks, "a count of jobs") }
    }

    fn changed_or_failed(&self) -> Result<u64, Fault> {
        let failed = |verdict: &str| verdict != Verdict::Up.as_str();
        let matching = self
            .by_kind
            .iter()
            .filter(|(verdict, change, _)| change.is_some() || verdict.as_deref().is_some_and(failed));
        number(matching.map(|(_, _, links)| links).sum::<i64>(), "a count of checks")
    }
}
