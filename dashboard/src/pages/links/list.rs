//! The list of links.

use askama::Template;
use axum::extract::State;
use linkbeat_shared::Verdict;
use linkbeat_store::{Count, SortLinksBy};

use super::{Filter, LinkRow, groups};
use crate::pages::answer::{Page, Problem};
use crate::pages::form::Form;
use crate::pages::parts::{Pager, verdict_word};
use crate::pages::visit::Visit;
use crate::pages::wording::fill;
use crate::pages::{ROWS, told};
use crate::serve::App;

/// Links are counted no further than this: each of them may lie on another page of the database.
const COUNTED: u32 = 1_000;
#[derive(Template)]
#[template(path = "links.html")]
pub(super) struct Links {
    v: Visit,
    told: Option<String>,
    filter: Filter,
    count: String,
    rows: Vec<LinkRow>,
    groups: Vec<String>,
    pager: Pager,
}

/// The heading of a column that sorts.
struct Heading {
    href: String,
    /// What `aria-sort` says.
    sort: &'static str,
    arrow: &'static str,
}

impl Links {
    fn heading(&self, by: &str) -> Heading {
        let by: SortLinksBy = by.parse().unwrap_or_default();
        let query = self.filter.with_sort(self.filter.sorted_by(by));
        let (sort, arrow) = match (self.filter.sort.by == by, self.filter.sort.reverse) {
            (false, _) => ("none", ""),
            (true, false) => ("ascending", " ↑"),
            (true, true) => ("descending", " ↓"),
        };
        Heading { href: self.v.to(&format!("/links?{query}")), sort, arrow }
    }

    fn verdicts(&self) -> Vec<(&'static str, &'static str)> {
        let words = Verdict::ALL.map(|verdict| (verdict.as_str(), verdict_word(self.v.t, verdict)));
        words.into_iter().chain([("never", self.v.t.never_checked)]).collect()
    }

    /// The kinds of reasons, each with what people call it.
    fn reasons(&self) -> [(&'static str, &'static str); 12] {
        let t = self.v.t;
        [
            ("status", t.reason_status),
            ("timeout", t.reason_timeout),
            ("dns", t.reason_dns),
            ("connect", t.reason_connect),
            ("tls", t.reason_tls),
            ("redirect", t.reason_redirect),
            ("protocol", t.reason_protocol),
            ("body", t.reason_body),
            ("backlink_missing", t.reason_backlink_missing),
            ("unsafe_address", t.reason_unsafe_address),
            ("bad_url", t.reason_bad_url),
            ("noted", t.reason_noted),
        ]
    }

    /// Whether this value of a field is chosen.
    fn is(&self, field: &str, value: &str) -> bool {
        self.filter.value(field) == value
    }

    /// The address of this list, for forms that come back to it.
    fn here(&self) -> String {
        format!("/links?{}", self.filter.with_sort(self.filter.sort))
    }

    fn export(&self) -> String {
        self.v.to(&format!("/links/export?{}", self.filter.encoded()))
    }
}

pub(super) async fn show(State(app): State<App>, v: Visit, query: Form) -> Result<Page<Links>, Problem> {
    let filter = Filter::read(&query);
    let (store, page) = (&app.ports.store, query.page(ROWS)?);
    let (links, count) = store.browse_counted_links(&filter.query, filter.sort, &page, COUNTED).await?;
    let pager = Pager::new(&v, "/links", &filter.with_sort(filter.sort), &page, links.next.as_ref());
    Ok(Page(Links {
        told: told::read(v.t, &query),
        count: counted(&v, count),
        rows: links.items.iter().map(|link| LinkRow::new(&v, link)).collect(),
        groups: groups::names(&app).await?,
        filter,
        pager,
        v,
    }))
}

/// A count in words.
pub(super) fn counted(v: &Visit, count: Count) -> String {
    match count {
        Count::Exactly(links) => fill(v.t.count_exactly, &[&links]),
        Count::MoreThan(links) => fill(v.t.count_more_than, &[&links]),
        Count::About(links) => fill(v.t.count_about, &[&links]),
    }
}
