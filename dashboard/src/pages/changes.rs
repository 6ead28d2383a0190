//! Every change: links that were hidden or shown, and verdicts that became others.

use askama::Template;
use axum::extract::State;
use linkbeat_shared::{Change, LinkId, RunId, Verdict};
use linkbeat_store::{ChangeKind, ChangeQuery, ListedChange};

use super::ROWS;
use super::answer::{Page, Problem};
use super::form::Form;
use super::parts::{Outside, Pager, State as Shown, When, verdict_word};
use super::visit::Visit;
use crate::serve::App;

/// A change as a row of a list.
#[derive(Debug, Clone)]
pub(crate) struct ChangeRow {
    pub(crate) href: String,
    pub(crate) name: String,
    pub(crate) url: Outside,
    pub(crate) at: When,
    pub(crate) what: &'static str,
    /// Whether the link was hidden or shown, and not only its verdict is another.
    pub(crate) is_strong: bool,
    pub(crate) before: Shown,
    pub(crate) after: Shown,
    pub(crate) why: Option<String>,
    pub(crate) run: Option<String>,
}

impl ChangeRow {
    pub(crate) fn new(v: &Visit, change: &ListedChange) -> Self {
        let what = match change.change {
            Some(Change::Hidden) => v.t.change_hidden,
            Some(Change::Shown) => v.t.change_shown,
            None => v.t.change_verdict,
        };
        Self {
            href: v.to(&format!("/links/{}", change.link_id)),
            name: change.name.to_string(),
            url: Outside::new(&change.url),
            at: When(change.at),
            what,
            is_strong: change.change.is_some(),
            before: Shown::of_link(v.t, change.former_verdict),
            after: Shown::of_link(v.t, change.verdict),
            why: change.reason.as_ref().map(|reason| v.lang.reason(reason)),
            run: change.run_id.map(|run| v.to(&format!("/runs/{run}"))),
        }
    }
}

#[derive(Template)]
#[template(path = "changes.html")]
pub(super) struct Changes {
    v: Visit,
    query: ChangeQuery,
    rows: Vec<ChangeRow>,
    pager: Pager,
}

impl Changes {
    /// The value, the word, and whether it is chosen.
    fn kinds(&self) -> [(&'static str, &'static str, bool); 3] {
        let t = self.v.t;
        [
            (ChangeKind::Hidden, t.change_hidden),
            (ChangeKind::Shown, t.change_shown),
            (ChangeKind::Verdict, t.change_verdict),
        ]
        .map(|(kind, word)| (kind_word(kind), word, self.query.kind == Some(kind)))
    }

    fn verdicts(&self) -> [(&'static str, &'static str, bool); 5] {
        Verdict::ALL.map(|verdict| {
            (verdict.as_str(), verdict_word(self.v.t, verdict), self.query.verdict == Some(verdict))
        })
    }

    /// What stays as it is when the form is sent.
    fn kept(&self) -> Vec<(&'static str, String)> {
        let link = self.query.link.map(|link| ("link", link.to_string()));
        link.into_iter().chain(self.query.run.map(|run| ("run", run.to_string()))).collect()
    }
}

fn kind_word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Hidden => "hidden",
        ChangeKind::Shown => "shown",
        ChangeKind::Verdict => "verdict",
    }
}

pub(super) async fn show(State(app): State<App>, v: Visit, form: Form) -> Result<Page<Changes>, Problem> {
    let kinds = [ChangeKind::Hidden, ChangeKind::Shown, ChangeKind::Verdict];
    let query = ChangeQuery {
        kind: kinds.into_iter().find(|kind| form.get("kind") == Some(kind_word(*kind))),
        link: form.get("link").and_then(|link| link.parse::<LinkId>().ok()),
        run: form.get("run").and_then(|run| run.parse::<RunId>().ok()),
        verdict: form.get("verdict").and_then(|verdict| verdict.parse().ok()),
        ..ChangeQuery::default()
    };
    let page = form.page(ROWS)?;
    let changes = app.ports.store.browse_changes(&query, &page).await?;
    let rows = changes.items.iter().map(|change| ChangeRow::new(&v, change)).collect();
    let pager = Pager::new(&v, "/changes", &encoded(&query), &page, changes.next.as_ref());
    Ok(Page(Changes { v, query, rows, pager }))
}

fn encoded(query: &ChangeQuery) -> String {
    let kind = query.kind.map(|kind| format!("kind={}", kind_word(kind)));
    let verdict = query.verdict.map(|verdict| format!("verdict={verdict}"));
    let link = query.link.map(|link| format!("link={link}"));
    let run = query.run.map(|run| format!("run={run}"));
    [kind, verdict, link, run].into_iter().flatten().collect::<Vec<_>>().join("&")
}
