//! Checks: rows of `checks`.

use diesel::{Insertable, Queryable, QueryableByName, Selectable};
use linkbeat_shared::{
    Change, CheckResult, Details, LinkId, LinkName, LinkReport, PublicUrl, RunId, Verdict,
};

use super::{details, details_document, number, reason};
use crate::error::Fault;
use crate::schema::checks;
use crate::traits::ListedCheck;
use crate::values::{Document, Id, Moment};

/// What a check found. What its link is called stands in `links` and `removed_links`.
#[derive(Debug, Clone, Insertable, Queryable, QueryableByName, Selectable)]
#[diesel(table_name = checks, treat_none_as_default_value = false)]
pub(crate) struct CheckRow {
    pub(crate) run_id: Id,
    pub(crate) link_id: Id,
    pub(crate) checked_at: Moment,
    pub(crate) elapsed_ms: Option<i32>,
    pub(crate) status: Option<i16>,
    pub(crate) outcome: i16,
    pub(crate) reason: Option<Document>,
    pub(crate) details: Option<Document>,
}

/// What `checks.outcome` and `proposals.outcome` hold, in one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// `None`: on the white list, not fetched.
    pub(crate) verdict: Option<Verdict>,
    /// Whether the link was shown after the check.
    pub(crate) shown: bool,
    /// What the check did to it.
    pub(crate) did: Did,
    /// It is the result of an earlier check, taken over. `proposals.outcome` leaves that out.
    pub(crate) reused: bool,
}

/// What a check did to its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Did {
    /// It neither hid nor showed it.
    Nothing,
    /// It hid or showed it.
    Change,
    /// It proposed to, that was carried out later, and its event is to be published.
    UntoldChange,
    /// It proposes to hide it if it is shown, and to show it if it is hidden.
    Propose,
}

/// Added to `checks.outcome` when the link was shown after the check.
const SHOWN: i16 = 16;
/// Added when the check hid or showed the link.
const CHANGED: i16 = 32;
/// Added while the check only proposes to hide or show the link.
const PROPOSED: i16 = 64;
/// Added while a change that was proposed first is to be told.
const UNTOLD: i16 = 128;
/// Added when the result of an earlier check was taken over.
const REUSED: i16 = 256;
/// The condition for checks that fetched their link, or left it out for the white list. The rest is less than 256.
pub(crate) const NOT_REUSED: &str = "checks.outcome < 256";
/// The condition for checks that changed their link or propose to, or whose verdict is not `up`: 111 leaves out whether
/// the link was shown, and 1 is `up`.
pub(crate) const CHANGED_OR_FAILED: &str = "(coalesce(proposals.outcome, checks.outcome) & 111) > 1";
/// The condition for proposals that are not settled. The first part is that of the partial index.
pub(crate) const OPEN_PROPOSALS: &str = "proposals.outcome >= 64 AND (proposals.outcome & 64) <> 0";
/// The condition for proposals whose change is to be told, likewise.
pub(crate) const UNTOLD_CHANGES: &str = "proposals.outcome >= 64 AND (proposals.outcome & 128) <> 0";

/// The condition for checks of exactly this verdict and change.
pub(crate) fn outcomes_of(verdict: Option<Verdict>, change: Option<Change>) -> String {
    let shown = change == Some(Change::Shown);
    let did = if change.is_some() { Did::Change } else { Did::Nothing };
    let code = Outcome { verdict, shown, did, reused: false }.code();
    // Where nothing changed, the link may be shown or hidden, and a change may be proposed.
    let bits = if change.is_some() { 63 } else { 47 };
    format!("(coalesce(proposals.outcome, checks.outcome) & {bits}) = {code}")
}

impl Outcome {
    pub(crate) fn of(code: i16) -> Result<Self, Fault> {
        let verdict = match code & 15 {
            0 => None,
            1 => Some(Verdict::Up),
            2 => Some(Verdict::Down),
            3 => Some(Verdict::NoBacklink),
            4 => Some(Verdict::Blocked),
            5 => Some(Verdict::Refused),
            _ => return Err(Fault::Corrupt(format!("checks.outcome is {code}"))),
        };
        let did = match code & !(15 | SHOWN | REUSED) {
            0 => Did::Nothing,
            CHANGED => Did::Change,
            PROPOSED => Did::Propose,
            other if other == CHANGED | UNTOLD => Did::UntoldChange,
            _ => return Err(Fault::Corrupt(format!("checks.outcome is {code}"))),
        };
        Ok(Self { verdict, shown: code & SHOWN != 0, did, reused: code & REUSED != 0 })
    }

    pub(crate) fn code(self) -> i16 {
        let verdict = match self.verdict {
            None => 0,
            Some(Verdict::Up) => 1,
            Some(Verdict::Down) => 2,
            Some(Verdict::NoBacklink) => 3,
            Some(Verdict::Blocked) => 4,
            Some(Verdict::Refused) => 5,
        };
        verdict + Self::code_of(self.shown, self.did) + if self.reused { REUSED } else { 0 }
    }

    /// The part of the code that does not tell the verdict.
    pub(crate) fn code_of(shown: bool, did: Did) -> i16 {
        let did = match did {
            Did::Nothing => 0,
            Did::Change => CHANGED,
            Did::UntoldChange => CHANGED | UNTOLD,
            Did::Propose => PROPOSED,
        };
        did + if shown { SHOWN } else { 0 }
    }

    /// What the check did to its link.
    pub(crate) fn change(self) -> Option<Change> {
        match self.did {
            Did::Change | Did::UntoldChange => Some(if self.shown { Change::Shown } else { Change::Hidden }),
            Did::Nothing | Did::Propose => None,
        }
    }

    /// What the check proposes to do to its link.
    pub(crate) fn proposed(self) -> Option<Change> {
        let change = if self.shown { Change::Hidden } else { Change::Shown };
        (self.did == Did::Propose).then_some(change)
    }
}

impl CheckRow {
    pub(crate) fn new(run: RunId, result: &CheckResult, outcome: Outcome) -> Self {
        // Nobody waits for 24 days, and no status has five digits: where a message says so, the bound is as good.
        let elapsed_ms = i32::try_from(result.elapsed_ms).unwrap_or(i32::MAX);
        Self {
            run_id: Id(run.0),
            link_id: Id(result.link_id.0),
            checked_at: Moment(result.checked_at),
            elapsed_ms: outcome.verdict.is_some().then_some(elapsed_ms),
            status: result.status.map(|status| i16::try_from(status).unwrap_or(i16::MAX)),
            outcome: outcome.code(),
            reason: result.reason.as_ref().map(Document::of),
            details: details_document(result.details.clone()),
        }
    }

    /// The result that it was made of, which saw this.
    pub(crate) fn result(&self, details: Details) -> Result<CheckResult, Fault> {
        Ok(CheckResult {
            link_id: LinkId(self.link_id.0),
            verdict: self.outcome()?.verdict,
            reason: reason(self.reason.as_ref(), "checks.reason")?,
            status: self.status.map(|status| number(status, "checks.status")).transpose()?,
            elapsed_ms: number(self.elapsed_ms.unwrap_or_default(), "checks.elapsed_ms")?,
            checked_at: self.checked_at.0,
            details,
            phases: None,
        })
    }

    /// Whether its link was judged, and not left out for the white list.
    pub(crate) fn has_verdict(&self) -> bool {
        self.outcome & 15 != 0
    }

    /// What it found, with all that it saw.
    pub(crate) fn found(&self) -> Result<CheckResult, Fault> {
        self.result(details(self.details.as_ref(), "checks.details")?)
    }

    /// Whether it is an earlier check, taken over: history counts that one.
    pub(crate) fn is_reused(&self) -> bool {
        self.outcome & REUSED != 0
    }

    pub(crate) fn outcome(&self) -> Result<Outcome, Fault> {
        Outcome::of(self.outcome)
    }

    /// The check as reports have it, of a link of this name and this key of its URL.
    pub(crate) fn report(self, name: &str, key: String) -> Result<LinkReport, Fault> {
        let outcome = self.outcome()?;
        Ok(LinkReport {
            id: LinkId(self.link_id.0),
            name: LinkName::parse(name).map_err(|error| Fault::Corrupt(format!("links.name: {error}")))?,
            url: PublicUrl::from_key(key)
                .ok_or_else(|| Fault::Corrupt("links.url_key is no URL".to_owned()))?,
            shown: outcome.shown,
            verdict: outcome.verdict,
            reason: reason(self.reason.as_ref(), "checks.reason")?,
            status: self.status.map(|status| number(status, "checks.status")).transpose()?,
            elapsed_ms: self.elapsed_ms.map(|ms| number(ms, "checks.elapsed_ms")).transpose()?,
            change: outcome.change(),
            proposed: outcome.proposed(),
            details: details(self.details.as_ref(), "checks.details")?,
        })
    }
}

impl CheckRow {
    /// The check as the history of its link has it.
    pub(crate) fn listed(self) -> Result<ListedCheck, Fault> {
        let outcome = self.outcome()?;
        Ok(ListedCheck {
            run_id: RunId(self.run_id.0),
            checked_at: self.checked_at.0,
            verdict: outcome.verdict,
            reason: reason(self.reason.as_ref(), "checks.reason")?,
            status: self.status.map(|status| number(status, "checks.status")).transpose()?,
            elapsed_ms: self.elapsed_ms.map(|ms| number(ms, "checks.elapsed_ms")).transpose()?,
            shown: outcome.shown,
            change: outcome.change(),
            proposed: outcome.proposed(),
            details: details(self.details.as_ref(), "checks.details")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_reads_as_it_was_written_and_the_condition_knows_it() {
        for verdict in Verdict::ALL.into_iter().map(Some).chain([None]) {
            for did in [Did::Nothing, Did::Change, Did::UntoldChange, Did::Propose] {
                for shown in [false, true] {
                    let outcome = Outcome { verdict, shown, did, reused: did == Did::Change };
                    assert_eq!(Outcome::of(outcome.code()).unwrap(), outcome);
                    let failed = verdict.is_some_and(|verdict| verdict != Verdict::Up);
                    let told = outcome.change().is_some() || outcome.proposed().is_some();
                    assert_eq!((outcome.code() & 111) > 1, told || failed, "{outcome:?}");
                    let unsettled = matches!(did, Did::UntoldChange | Did::Propose);
                    let of_a_proposal = Outcome { reused: false, ..outcome };
                    assert_eq!(of_a_proposal.code() >= 64, unsettled, "{outcome:?}");
                }
            }
        }
        for bad in [6, PROPOSED | CHANGED, UNTOLD, 512] {
            assert!(Outcome::of(bad).is_err(), "{bad}");
        }
    }
}
