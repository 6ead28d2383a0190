//! A stored link as JSON: the item of a report, and what only a stored link has.

use chrono::{DateTime, Utc};
use linkbeat_shared::wire::LinkItem;
use linkbeat_shared::{Attributes, Description, GroupName, Lang, Link, LinkReport, Pinned, Reason};
use serde::Serialize;

use super::Urls;

#[derive(Serialize)]
pub(super) struct StoredLinkItem {
    #[serde(flatten)]
    item: LinkItem,
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_until: Option<DateTime<Utc>>,
    page_url: Option<String>,
    backlink: bool,
    hidden_reason: Option<Reason>,
    last_checked_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<GroupName>,
    #[serde(flatten)]
    attributes: Attributes,
    #[serde(skip_serializing_if = "Option::is_none")]
    pin: Option<Pinned>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pin_note: Option<Description>,
}

impl StoredLinkItem {
    pub(super) fn of(link: &Link, lang: Lang, urls: Urls) -> Self {
        Self {
            item: LinkItem { url: urls.text(&link.url), ..LinkItem::of(&LinkReport::from(link), lang) },
            active: link.active,
            paused_until: link.paused_until,
            page_url: link.page_url.as_ref().map(|url| urls.text(url)),
            backlink: link.backlink,
            hidden_reason: link.state.hidden_reason.clone(),
            last_checked_at: link.state.last_checked_at,
            group: link.group.clone(),
            attributes: link.attributes.clone(),
            pin: link.pin.as_ref().map(|pin| pin.to),
            pin_note: link.pin.as_ref().and_then(|pin| pin.note.clone()),
        }
    }
}
