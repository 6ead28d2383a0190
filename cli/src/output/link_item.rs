//! A stored link as JSON: the item of a report, and what only a stored link has.

use chrono::{DateTime, Utc};
use linkbeat_shared::wire::LinkItem;
use linkbeat_shared::{Lang, Link, Reason};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct StoredLinkItem {
    #[serde(flatten)]
    item: LinkItem,
    active: bool,
    page_url: Option<String>,
    backlink: bool,
    hidden_reason: Option<Reason>,
    last_checked_at: Option<DateTime<Utc>>,
}

impl StoredLinkItem {
    pub(super) fn of(link: &Link, lang: Lang) -> Self {
        let state = &link.state;
        Self {
            item: LinkItem {
                id: link.id.0,
                name: link.name.as_str().to_owned(),
                url: link.url.to_string(),
                shown: state.shown,
                verdict: state.verdict,
                reason: state.reason.clone(),
                reason_text: state.reason.as_ref().map(|reason| lang.reason(reason)),
                status: state.status,
                elapsed_ms: state.elapsed_ms,
                // What a run did is told by its report; a stored link has only its state.
                changed: None,
                redirects: state.details.redirects.clone(),
                notes: state.details.notes.clone(),
                tls_expires_at: state.details.certificate.as_ref().map(|certificate| certificate.expires_at),
                tls_issuer: state.details.certificate.as_ref().map(|certificate| certificate.issuer.clone()),
            },
            active: link.active,
            page_url: link.page_url.as_ref().map(ToString::to_string),
            backlink: link.backlink,
            hidden_reason: state.hidden_reason.clone(),
            last_checked_at: state.last_checked_at,
        }
    }
}
