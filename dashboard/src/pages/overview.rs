//! The first page: what is down, what changed, what goes on and what comes next.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use chrono::TimeDelta;
use linkbeat_store::{Removed, ScheduleState};

use super::answer::{Page, Problem};
use super::links::LinkRow;
use super::parts::{Made, When};
use super::visit::Visit;
use super::wording::{Texts, fill};
use crate::live::Look;
use crate::serve::App;

/// Schedules whose next ticks are looked for.
const SCHEDULES: u32 = 200;
/// Ticks and certificates that are listed.
const ROWS: usize = 8;

#[derive(Template)]
#[template(path = "overview.html")]
pub(super) struct Overview {
    v: Visit,
    parts: BTreeMap<String, Made>,
    /// When, and of which schedule.
    ticks: Vec<(When, String)>,
    certificates: Vec<LinkRow>,
    has_broker: bool,
    /// When nothing was left to remove.
    cleaned: Option<When>,
    /// When something was removed last, and what.
    removed: Option<(When, String)>,
}

impl Overview {
    fn part(&self, name: &str) -> Made {
        self.parts.get(name).cloned().unwrap_or_default()
    }
}

pub(super) async fn show(State(app): State<App>, v: Visit) -> Result<Page<Overview>, Problem> {
    let parts = Look::now(&app).await?.parts(&v)?;
    let store = &app.ports.store;
    let mut ticks: Vec<_> = store
        .schedules(None, SCHEDULES)
        .await?
        .into_iter()
        .filter(|schedule| schedule.state == ScheduleState::Active)
        .filter_map(|schedule| Some((schedule.next?.begins, schedule.name)))
        .collect();
    ticks.sort();
    let soon = v.now + TimeDelta::days(app.ports.facts.warn_certificate_days.into());
    let certificates = store.certificates_ending(soon, u32::try_from(ROWS).unwrap_or(u32::MAX)).await?;
    let (cleaned, removed) = store.clean_ups().await?;
    Ok(Page(Overview {
        has_broker: app.ports.queues.is_some(),
        cleaned: cleaned.map(When),
        removed: removed.map(|last| (When(last.at), removed_words(v.t, last.removed))),
        parts,
        ticks: ticks.into_iter().take(ROWS).map(|(at, name)| (When(at), name)).collect(),
        certificates: certificates.iter().map(|link| LinkRow::new(&v, link)).collect(),
        v,
    }))
}

/// What a clean-up removed, in words.
pub(super) fn removed_words(t: &Texts, removed: Removed) -> String {
    let Removed { weeks, checks, hours, runs } = removed;
    let parts = [
        (weeks, t.removed_weeks),
        (checks, t.removed_checks),
        (hours, t.removed_hours),
        (runs, t.removed_runs),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, text)| fill(text, &[count]));
    let parts: Vec<_> = parts.collect();
    if parts.is_empty() { t.removed_remains.to_owned() } else { parts.join(t.comma) }
}
