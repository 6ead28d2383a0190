//! Links by group, `links.json`: everything that blogs may know.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::entries::{Entries, Entry};
use super::wanted::Wanted;

pub(super) fn made(entries: &Entries, _: &Wanted) -> String {
    let groups = entries.by_group(entries.links.iter());
    let groups = groups.iter().map(|(name, links)| {
        json!({ "name": name, "links": links.iter().map(|link| item(link)).collect::<Vec<_>>() })
    });
    let feed = json!({
        "checked_at": entries.checked_at().map(time),
        "total": entries.links.len(),
        "truncated": entries.truncated,
        "groups": groups.collect::<Vec<_>>(),
    });
    format!("{feed}\n")
}

fn item(link: &Entry) -> Value {
    json!({
        "id": link.id,
        "name": link.name,
        "url": link.url,
        "avatar": link.avatar,
        "description": link.description,
        "screenshot": link.screenshot,
        "feed": link.feed,
        "page_url": link.page,
        "tags": link.tags(),
        "shown": link.hidden.is_none(),
        "hidden_reason": link.hidden,
        "verdict": link.verdict().map(linkbeat_shared::Verdict::as_str),
        "status": link.status(),
        "elapsed_ms": link.elapsed_ms(),
        "links_back": link.links_back(),
        "checked_at": link.checked_at().map(time),
    })
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
