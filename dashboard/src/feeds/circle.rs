//! Friend-Circle-Lite's `link.json`. Texts are escaped as in check-flink's shape, which is of the same author.
//!
//! linkbeat reads no articles and no robots.txt. So `updated` and `stale_days` are null, and `crawlable` says that the page
//! itself answered, and not an anti-bot wall.

use chrono::Utc;
use serde_json::{Value, json};

use super::check_flink::in_shanghai;
use super::entries::{Entries, Entry};
use super::escape::html;
use super::wanted::Wanted;

pub(super) fn made(entries: &Entries, _: &Wanted) -> String {
    let checked: Vec<&Entry> = entries.links.iter().filter(|link| link.verdict().is_some()).collect();
    let count = |wanted: &dyn Fn(&Entry) -> bool| checked.iter().filter(|link| wanted(link)).count();
    let reached = count(&Entry::is_reached);
    let feed = json!({
        "statistical_data": {
            "link_total_num": checked.len(),
            "link_reachable_num": reached,
            "link_unreachable_num": checked.len() - reached,
            "crawl_allowed_num": reached,
            "api_only_num": 0,
            "has_author_link_num": count(&|link| link.links_back() == Some(true)),
            "link_last_checked_time": entries.checked_at().map(in_shanghai).unwrap_or_default(),
        },
        "link_data": checked.iter().map(|link| item(link)).collect::<Vec<_>>(),
    });
    format!("{feed}\n")
}

fn item(link: &Entry) -> Value {
    let since = link.unreached_since();
    let days = since.map_or(0, |since| (Utc::now() - since).num_days().max(0));
    let mut item = json!({
        "name": html(&link.name),
        "link": link.url,
        "link_page": link.page.as_deref().unwrap_or_default(),
        "avatar": html(link.avatar.as_deref().unwrap_or_default()),
        "reachable": link.is_reached(),
        "crawlable": link.is_reached(),
        "latency": link.latency(),
        "unreachable_days": days,
        "unreachable_since": since.map(in_shanghai),
        "has_backlink": link.links_back(),
        "updated": null,
        "stale_days": null,
    });
    if let Some(reason) = &link.hidden {
        item["hidden_reason"] = json!(html(reason));
    }
    item
}
