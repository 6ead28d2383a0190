//! The first page: what is down, what changed, what goes on and what comes next.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use chrono::TimeDelta;
use linkbeat_store::ScheduleState;

use super::answer::{Page, Problem};
use super::links::LinkRow;
use super::parts::{Made, When};
use super::visit::Visit;
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
    Ok(Page(Overview {
        parts,
        ticks: ticks.into_iter().take(ROWS).map(|(at, name)| (When(at), name)).collect(),
        certificates: certificates.iter().map(|link| LinkRow::new(&v, link)).collect(),
        v,
    }))
}
