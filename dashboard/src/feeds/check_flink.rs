//! check-flink's `result.json`. Links that were never checked are left out: there is nothing to say of them.
//!
//! The pages of check-flink and of Friend-Circle-Lite write names into HTML as they are. So texts are escaped here. URLs stay
//! as they are, because blogs compare them with those of their own page. They are canonical: they have no `"`, `<` or `>`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::entries::{Entries, Entry};
use super::escape::html;
use super::wanted::Wanted;

/// check-flink and Friend-Circle-Lite write the time of Shanghai, without saying so. It has had no summer time since 1991.
const SHANGHAI: Duration = Duration::from_secs(8 * 3_600);

pub(super) fn made(entries: &Entries, _: &Wanted) -> String {
    let checked: Vec<&Entry> = entries.links.iter().filter(|link| link.verdict().is_some()).collect();
    let reached = checked.iter().filter(|link| link.is_reached()).count();
    let links_back = checked.iter().filter(|link| link.links_back() == Some(true)).count();
    let result = json!({
        "timestamp": entries.checked_at().map(in_shanghai).unwrap_or_default(),
        "accessible_count": reached,
        "inaccessible_count": checked.len() - reached,
        "total_count": checked.len(),
        "has_author_link_count": links_back,
        "link_status": checked.iter().map(|link| item(link)).collect::<Vec<_>>(),
    });
    format!("{result}\n")
}

fn item(link: &Entry) -> Value {
    let mut item = json!({
        "name": html(&link.name),
        "link": link.url,
        "latency": link.latency(),
        "fail_count": link.failed_in_a_row(),
        "has_author_link": link.links_back() == Some(true),
        "linkpage": link.page.as_deref().unwrap_or_default(),
    });
    if let Some(reason) = &link.hidden {
        item["hidden_reason"] = json!(html(reason));
    }
    item
}

/// `YYYY-MM-DD HH:MM:SS`.
pub(super) fn in_shanghai(time: DateTime<Utc>) -> String {
    (time + SHANGHAI).format("%Y-%m-%d %H:%M:%S").to_string()
}
