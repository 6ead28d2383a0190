use askama::Template;
use linkbeat_store::{Cursor, PageOf};

use crate::pages::visit::Visit;

/// The ways to the first page and to the next one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pager {
    /// If this is not the first page.
    pub(crate) first: Option<String>,
    /// If there are more.
    pub(crate) next: Option<String>,
}

impl Pager {
    /// The pages of `path`, which has this query. `here` is this page, and `next` where the next one begins.
    pub(crate) fn new(v: &Visit, path: &str, query: &str, here: &PageOf, next: Option<&Cursor>) -> Self {
        let to = |cursor: Option<String>| {
            let cursor = cursor.map(|cursor| format!("after={cursor}"));
            let parts =
                [Some(query.to_owned()), cursor].into_iter().flatten().filter(|part| !part.is_empty());
            let query = parts.collect::<Vec<_>>().join("&");
            v.to(&if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") })
        };
        Self {
            first: here.after.as_ref().map(|_| to(None)),
            next: next.map(|next| to(Some(next.to_string()))),
        }
    }

    pub(crate) fn shown(&self, v: &Visit) -> PagerPart {
        PagerPart { v: v.clone(), pager: self.clone() }
    }
}

/// A pager as HTML.
#[derive(Template)]
#[template(path = "parts/pager.html")]
pub(crate) struct PagerPart {
    v: Visit,
    pager: Pager,
}

impl askama::filters::HtmlSafe for PagerPart {}
