//! Butterfly's `flink_url`, `butterfly.json`: an array of groups.
//!
//! The theme (5.5.5) writes the values into its page as they are. So they are escaped here. It calls functions of texts on
//! `class_name`, so that is always a text.

use serde_json::{Value, json};

use super::entries::{Entries, Entry};
use super::escape::html;
use super::wanted::Wanted;

pub(super) fn made(entries: &Entries, wanted: &Wanted) -> String {
    let shown = entries.links.iter().filter(|link| link.hidden.is_none());
    let mut groups: Vec<Value> = entries
        .by_group(shown)
        .iter()
        .map(|(name, links)| group(name.unwrap_or_default(), links, |link| link.description.as_deref()))
        .collect();
    let hidden: Vec<&Entry> = entries.links.iter().filter(|link| link.hidden.is_some()).collect();
    if !hidden.is_empty() {
        groups.push(group(wanted.say("Out of reach", "失联"), &hidden, |link| link.hidden.as_deref()));
    }
    format!("{}\n", Value::Array(groups))
}

fn group<'e>(name: &str, links: &[&'e Entry], says: impl Fn(&'e Entry) -> Option<&'e str>) -> Value {
    let text = |text: Option<&str>| html(text.unwrap_or_default());
    let item = |link: &&'e Entry| {
        json!({
            "name": html(&link.name),
            "link": html(&link.url),
            "avatar": text(link.avatar.as_deref()),
            "descr": text(says(link)),
            "siteshot": text(link.screenshot.as_deref()),
        })
    };
    json!({ "class_name": html(name), "class_desc": "", "link_list": links.iter().map(item).collect::<Vec<_>>() })
}
