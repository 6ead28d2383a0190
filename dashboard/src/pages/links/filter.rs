//! Which links a list shows, as its address says it.

use linkbeat_shared::Verdict;
use linkbeat_store::{LinkQuery, LinkSort, SortLinksBy};
use url::form_urlencoded::Serializer;

use crate::pages::form::Form;

/// A filter and an order. What cannot be read is left out: the form then shows that it is not asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) query: LinkQuery,
    pub(crate) sort: LinkSort,
}

/// The verdict that a form says for links that were never checked.
const NEVER: &str = "never";

impl Filter {
    pub(crate) fn read(form: &Form) -> Self {
        let verdict = form.get("verdict");
        let flag = |name: &str| form.get(name).and_then(|flag| flag.parse().ok());
        let query = LinkQuery {
            text: form.get("text").map(|text| text.chars().take(200).collect()),
            active: flag("active"),
            shown: flag("shown"),
            verdict: verdict.and_then(|verdict| verdict.parse().ok()),
            never_checked: verdict == Some(NEVER),
            reason: form.get("reason").map(str::to_owned),
            group: form.get("group").and_then(|group| group.parse().ok()),
            tag: form.get("tag").and_then(|tag| tag.parse().ok()),
            host: form.get("host").map(str::to_owned),
            reached_below: form.get("reachable").and_then(percent),
            ..LinkQuery::default()
        };
        let by = form.get("sort").and_then(|sort| sort.parse().ok()).unwrap_or_default();
        Self { query, sort: LinkSort { by, reverse: form.get("reverse") == Some("true") } }
    }

    /// What is asked for, as names and values.
    pub(crate) fn fields(&self) -> Vec<(&'static str, String)> {
        let query = &self.query;
        let verdict = query.verdict.map(|verdict| verdict.as_str().to_owned());
        let named = [
            ("text", query.text.clone()),
            ("verdict", verdict.or_else(|| query.never_checked.then(|| NEVER.to_owned()))),
            ("shown", query.shown.map(|shown| shown.to_string())),
            ("active", query.active.map(|active| active.to_string())),
            ("group", query.group.as_ref().map(ToString::to_string)),
            ("tag", query.tag.as_ref().map(ToString::to_string)),
            ("host", query.host.clone()),
            ("reason", query.reason.clone()),
            ("reachable", query.reached_below.map(percent_text)),
        ];
        named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Whether it means all that was sent, apart from the order.
    pub(crate) fn says_all_of(&self, sent: &Form) -> bool {
        let understood = self.fields();
        let is_order = |name: &str| matches!(name, "sort" | "reverse");
        sent.said().all(|(name, value)| {
            is_order(name) || understood.iter().any(|(known, meant)| *known == name && meant == value)
        })
    }

    /// What is asked for in an address, without the order.
    pub(crate) fn encoded(&self) -> String {
        encode(&self.fields())
    }

    /// The same with the order.
    pub(crate) fn with_sort(&self, sort: LinkSort) -> String {
        let mut fields = self.fields();
        if sort != LinkSort::default() {
            fields.push(("sort", sort.by.as_str().to_owned()));
        }
        if sort.reverse {
            fields.push(("reverse", "true".to_owned()));
        }
        encode(&fields)
    }

    /// The order that a heading leads to: its own, and the other way round if it is that already.
    pub(crate) fn sorted_by(&self, by: SortLinksBy) -> LinkSort {
        LinkSort { by, reverse: self.sort.by == by && !self.sort.reverse }
    }

    /// The value of a field for the form.
    pub(crate) fn value(&self, name: &str) -> String {
        self.fields()
            .into_iter()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value)
            .unwrap_or_default()
    }

    /// Whether all links are shown.
    pub(crate) fn is_empty(&self) -> bool {
        self.fields().is_empty()
    }

    /// Links of this verdict.
    pub(crate) fn of_verdict(verdict: Verdict) -> Self {
        Self { query: LinkQuery { verdict: Some(verdict), ..LinkQuery::default() }, ..Self::default() }
    }
}

/// Percent as hundredths of a percent.
fn percent(text: &str) -> Option<u32> {
    let percent: f64 = text.trim_end_matches(['%', ' ']).parse().ok()?;
    // The range leaves a number that fits.
    (0.0..=100.0).contains(&percent).then(|| (percent * 100.0).round() as u32)
}

fn percent_text(hundredths: u32) -> String {
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn encode(fields: &[(&'static str, String)]) -> String {
    let mut encoded = Serializer::new(String::new());
    for (name, value) in fields {
        encoded.append_pair(name, value);
    }
    encoded.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_its_filter_say_the_same() {
        let address = "text=a+b%26&verdict=down&shown=false&active=true&group=%E5%8F%8B&tag=x&host=a.example&reason=timeout&reachable=99.5";
        let filter = Filter::read(&Form::read(address.as_bytes()).unwrap());
        assert_eq!(filter.encoded(), address);
        assert_eq!((filter.value("text").as_str(), filter.value("nothing").as_str()), ("a b&", ""));
        let by_name = filter.sorted_by(SortLinksBy::Name);
        assert!(!by_name.reverse && filter.with_sort(by_name).ends_with("&sort=name"));
        let again = Filter { sort: by_name, ..filter }.sorted_by(SortLinksBy::Name);
        assert!(again.reverse);
    }

    #[test]
    fn a_filter_knows_what_it_leaves_out() {
        let whole = |sent: &[u8]| {
            let sent = Form::read(sent).unwrap();
            Filter::read(&sent).says_all_of(&sent)
        };
        assert!(whole(b"") && whole(b"verdict=down&text=+a+&group=&sort=name&reverse=true"));
        assert!(whole(b"verdict=never") && whole(b"shown=true&group=Friends&host=a.example&reason=timeout"));
        for left_out in ["verdict=Down", "shown=yes", "unknown=1", "verdict=down&verdict=up", "tag=%07"] {
            assert!(!whole(left_out.as_bytes()), "{left_out}");
        }
    }

    #[test]
    fn what_nobody_can_read_is_not_asked_for() {
        let filter = Filter::read(&Form::read(b"verdict=great&shown=perhaps&sort=luck&group=+").unwrap());
        assert!(filter.is_empty() && filter.sort == LinkSort::default());
        assert_eq!(Filter::read(&Form::read(b"verdict=never").unwrap()).encoded(), "verdict=never");
    }
}
