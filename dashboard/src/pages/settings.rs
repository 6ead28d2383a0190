//! Settings with where their values come from, and how the database is.

use askama::Template;
use axum::extract::State;
use linkbeat_store::HistoryStatus;

use super::answer::{Page, Problem};
use super::overview::removed_words;
use super::parts::{Made, When, size};
use super::visit::Visit;
use crate::ports::Setting;
use crate::serve::App;

/// A fact about the database: its name, and its value as HTML.
type Fact = (&'static str, Made);

#[derive(Template)]
#[template(path = "settings.html")]
pub(super) struct Settings {
    v: Visit,
    has_broker: bool,
    facts: Vec<Fact>,
    changed: Vec<Setting>,
    defaults: Vec<Setting>,
}

impl Settings {
    fn groups(&self) -> [(&'static str, &[Setting]); 2] {
        [(self.v.t.settings_set, &self.changed), (self.v.t.settings_default, &self.defaults)]
    }
}

pub(super) async fn show(State(app): State<App>, v: Visit) -> Result<Page<Settings>, Problem> {
    let status = app.ports.store.history_status().await?;
    let settings = app.ports.facts.settings.iter().cloned();
    let (defaults, changed) = settings.partition(|setting| setting.origin == "default");
    Ok(Page(Settings {
        has_broker: app.ports.queues.is_some(),
        facts: facts(&v, &status),
        changed,
        defaults,
        v,
    }))
}

fn facts(v: &Visit, status: &HistoryStatus) -> Vec<Fact> {
    let (t, text) = (v.t, |text: String| Made::plain(&text));
    let moment = |at: Option<_>| at.map_or_else(|| Made::plain(t.never), |at| Made::moment(When(at)));
    let mut facts = vec![
        (t.database_size, text(size(status.database_bytes))),
        (t.checks_kept, text(status.checks.to_string())),
        (t.checks_a_day, text(format!("{:.0}", status.checks_a_day))),
        (t.oldest_check, moment(status.oldest)),
        (t.to_roll_up, text(status.to_roll_up.to_string())),
        (t.rolled_at, moment(status.rolled_at)),
        (t.cleaned_at, moment(status.cleaned_at)),
    ];
    if let Some(last) = status.removed {
        facts.push((t.last_removed, moment(Some(last.at))));
        facts.push((t.last_removed_of, text(removed_words(t, last.removed))));
    }
    facts.extend(status.free_bytes.map(|free| (t.free_bytes, text(size(free)))));
    facts.extend(status.partitions.as_ref().map(|parts| (t.partitions, text(parts.kept.to_string()))));
    facts
}
