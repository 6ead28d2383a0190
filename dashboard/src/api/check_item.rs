//! A check as the API tells it.

use chrono::{DateTime, Utc};
use linkbeat_shared::{Change, Details, Lang, LinkReport, Reason};
use linkbeat_store::{ListedChange, ListedCheck};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::value::{ChangeWord, ReasonJson, VerdictWord};

/// What a check found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Check")]
pub(super) struct CheckItem {
    /// Its run.
    run_id: Uuid,
    /// When it ended.
    checked_at: DateTime<Utc>,
    /// The judgement; null: on the white list, not fetched.
    verdict: Option<VerdictWord>,
    /// Why it is not `up`.
    reason: Option<ReasonJson>,
    /// `reason` in English.
    reason_text: Option<String>,
    /// The final HTTP status.
    status: Option<u16>,
    /// How long it took; null: it was not fetched.
    elapsed_ms: Option<u32>,
    /// Whether the link was shown after it.
    shown: bool,
    /// What it did to the link.
    change: Option<ChangeWord>,
    /// What it would do to the link, while that is not decided.
    proposed: Option<ChangeWord>,
    #[serde(flatten)]
    seen: Seen,
}

/// What else a check saw.
#[derive(Debug, Serialize, ToSchema)]
struct Seen {
    /// Where redirects led, in order.
    redirects: Vec<String>,
    /// What people may want to look at.
    notes: Vec<String>,
    /// Which page failed, if the home page and the links page were both judged.
    failed_page: Option<String>,
    /// When the server's certificate ends or ended.
    tls_expires_at: Option<DateTime<Utc>>,
    /// Who issued it.
    tls_issuer: Option<String>,
}

impl From<Details> for Seen {
    fn from(details: Details) -> Self {
        Self {
            redirects: details.redirects,
            notes: details.notes.iter().map(|note| note.as_str().to_owned()).collect(),
            failed_page: details.failed.map(|page| page.as_str().to_owned()),
            tls_expires_at: details.certificate.as_ref().map(|certificate| certificate.expires_at),
            tls_issuer: details.certificate.map(|certificate| certificate.issuer),
        }
    }
}

impl From<ListedCheck> for CheckItem {
    fn from(check: ListedCheck) -> Self {
        Self {
            run_id: check.run_id.0,
            checked_at: check.checked_at,
            verdict: check.verdict.map(VerdictWord::from),
            reason_text: text(check.reason.as_ref(), &check.details),
            reason: check.reason.as_ref().map(ReasonJson::of),
            status: check.status,
            elapsed_ms: check.elapsed_ms,
            shown: check.shown,
            change: change(check.change),
            proposed: change(check.proposed),
            seen: check.details.into(),
        }
    }
}

fn text(reason: Option<&Reason>, details: &Details) -> Option<String> {
    reason.map(|reason| Lang::En.reason_of(reason, details.failed))
}

fn change(change: Option<Change>) -> Option<ChangeWord> {
    change.map(ChangeWord::from)
}

/// What a run made of a link.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Link of a run")]
pub(super) struct RunLinkItem {
    /// The link.
    id: Uuid,
    /// What people call it.
    name: String,
    /// What was fetched.
    url: String,
    /// The judgement; null: on the white list, not fetched.
    verdict: Option<VerdictWord>,
    /// Why it is not `up`.
    reason: Option<ReasonJson>,
    /// `reason` in English.
    reason_text: Option<String>,
    /// The final HTTP status.
    status: Option<u16>,
    /// How long it took; null: it was not fetched.
    elapsed_ms: Option<u32>,
    /// Whether the link was shown after it.
    shown: bool,
    /// What the run did to the link.
    change: Option<ChangeWord>,
    /// What it would do to the link, while that is not decided.
    proposed: Option<ChangeWord>,
    #[serde(flatten)]
    seen: Seen,
}

impl From<LinkReport> for RunLinkItem {
    fn from(link: LinkReport) -> Self {
        Self {
            id: link.id.0,
            name: link.name.into(),
            url: link.url.as_str().to_owned(),
            verdict: link.verdict.map(VerdictWord::from),
            reason_text: text(link.reason.as_ref(), &link.details),
            reason: link.reason.as_ref().map(ReasonJson::of),
            status: link.status,
            elapsed_ms: link.elapsed_ms,
            shown: link.shown,
            change: change(link.change),
            proposed: change(link.proposed),
            seen: link.details.into(),
        }
    }
}

/// A link was hidden or shown, or its verdict became another.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Change")]
pub(super) struct ChangeItem {
    /// Names the change.
    id: String,
    /// The link. It may have been removed since.
    link_id: Uuid,
    /// What it is or was called.
    name: String,
    /// What is or was fetched.
    url: String,
    /// The run that found it; null: a person did it.
    run_id: Option<Uuid>,
    /// When the check ended, or when the person did it.
    at: DateTime<Utc>,
    /// What became of the link; null: only its verdict changed.
    change: Option<ChangeWord>,
    /// Whether it was shown after that.
    shown: bool,
    /// The verdict before.
    former_verdict: Option<VerdictWord>,
    /// The verdict after.
    verdict: Option<VerdictWord>,
    /// Why that is not `up`.
    reason: Option<ReasonJson>,
    /// `reason` in English.
    reason_text: Option<String>,
}

impl From<ListedChange> for ChangeItem {
    fn from(listed: ListedChange) -> Self {
        Self {
            id: listed.id.to_string(),
            link_id: listed.link_id.0,
            name: listed.name.into(),
            url: listed.url.as_str().to_owned(),
            run_id: listed.run_id.map(|run| run.0),
            at: listed.at,
            change: change(listed.change),
            shown: listed.shown,
            former_verdict: listed.former_verdict.map(VerdictWord::from),
            verdict: listed.verdict.map(VerdictWord::from),
            reason_text: listed.reason.as_ref().map(|reason| Lang::En.reason(reason)),
            reason: listed.reason.as_ref().map(ReasonJson::of),
        }
    }
}
