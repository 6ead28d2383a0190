use linkbeat_store::ListedLink;

use crate::pages::parts::{Outside, State, When, length, milliseconds};
use crate::pages::visit::Visit;

/// A link as a row of a list.
#[derive(Debug, Clone)]
pub(crate) struct LinkRow {
    pub(crate) id: String,
    pub(crate) href: String,
    pub(crate) name: String,
    pub(crate) url: Outside,
    pub(crate) state: State,
    pub(crate) why: Option<String>,
    pub(crate) shown: bool,
    pub(crate) paused: bool,
    /// When its pause ends, if it has an end.
    pub(crate) paused_until: Option<When>,
    pub(crate) pinned: bool,
    pub(crate) group: Option<String>,
    /// Since when its verdict is what it is.
    pub(crate) since: Option<When>,
    /// How long that is.
    pub(crate) lasts: Option<String>,
    pub(crate) checked: Option<When>,
    pub(crate) elapsed: Option<String>,
    pub(crate) certificate: Option<When>,
}

impl LinkRow {
    pub(crate) fn new(v: &Visit, listed: &ListedLink) -> Self {
        let (link, state) = (&listed.link, &listed.link.state);
        Self {
            id: link.id.to_string(),
            href: v.to(&format!("/links/{}", link.id)),
            name: link.name.to_string(),
            url: Outside::new(&link.url),
            state: State::of_link(v.t, state.verdict),
            why: state.reason.as_ref().map(|reason| v.lang.reason_of(reason, state.details.failed)),
            shown: state.shown,
            paused: !link.active,
            paused_until: link.paused_until.map(When),
            pinned: link.pin.is_some(),
            group: link.group.as_ref().map(ToString::to_string),
            since: listed.verdict_since.map(When),
            lasts: listed.verdict_since.map(|since| length(v.t, v.now - since)),
            checked: state.last_checked_at.map(When),
            elapsed: state.elapsed_ms.map(milliseconds),
            certificate: state.details.certificate.as_ref().map(|certificate| When(certificate.expires_at)),
        }
    }
}
