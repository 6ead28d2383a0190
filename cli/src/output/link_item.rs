//! A stored link as JSON: the item of a report, and what only a stored link has.

use chrono::{DateTime, Utc};
use linkbeat_shared::wire::LinkItem;
use linkbeat_shared::{Attributes, GroupName, Lang, Link, LinkReport, Reason};
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
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<GroupName>,
    #[serde(flatten)]
    attributes: Attributes,
}

impl StoredLinkItem {
    pub(super) fn of(link: &Link, lang: Lang) -> Self {
        Self {
            item: LinkItem::of(&LinkReport::from(link), lang),
            active: link.active,
            page_url: link.page_url.as_ref().map(ToString::to_string),
            backlink: link.backlink,
            hidden_reason: link.state.hidden_reason.clone(),
            last_checked_at: link.state.last_checked_at,
            group: link.group.clone(),
            attributes: link.attributes.clone(),
        }
    }
}
