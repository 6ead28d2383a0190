use askama::Template;
use axum::extract::State;
use linkbeat_shared::schedule::{NextTick, read_request};
use linkbeat_shared::{LinkSelection, RequestId};
use linkbeat_store::{ScheduleState, StoredSchedule, Tick};

use crate::pages::answer::{Page, Problem};
use crate::pages::form::Form;
use crate::pages::parts::{State as Shown, When, outcome_word};
use crate::pages::told;
use crate::pages::visit::Visit;
use crate::pages::wording::fill;
use crate::serve::App;

/// Schedules on a page.
const ROWS: u32 = 30;
/// Ticks that are shown ahead, and behind.
const AHEAD: usize = 3;
const BEHIND: u32 = 6;

/// A tick that was settled.
struct Outcome {
    at: When,
    word: &'static str,
    ticks: u64,
    run: Option<String>,
}

/// A schedule and what can be done with it.
struct Card {
    name: String,
    state: Shown,
    is_active: bool,
    is_paused: bool,
    /// When its pause ends, if it has an end.
    paused_until: Option<When>,
    /// When it ticks, in words and as it was written; why that cannot be read.
    words: Result<(String, String), String>,
    links: Option<String>,
    next: Vec<When>,
    outcomes: Vec<Outcome>,
    /// What came of its ticks so far.
    counts: Vec<(&'static str, u64)>,
    /// Where forms go: this and the action.
    action: String,
}

impl Card {
    fn new(v: &Visit, schedule: &StoredSchedule, ticks: &[Tick]) -> Self {
        let spec = schedule.spec.as_ref();
        let name = percent_encoded(&schedule.name);
        let counts = [
            (v.t.tick_fired, schedule.counts.fired),
            (v.t.tick_by_hand, schedule.counts.by_hand),
            (v.t.tick_overlap, schedule.counts.overlap),
            (v.t.tick_missed, schedule.counts.missed),
            (v.t.tick_paused, schedule.counts.paused),
            (v.t.tick_failed, schedule.counts.failed),
        ];
        let outcome = |tick: &Tick| Outcome {
            at: When(tick.due),
            word: outcome_word(v.t, tick.outcome),
            ticks: tick.ticks,
            run: tick.run.map(|run| v.to(&format!("/runs/{run}"))),
        };
        Self {
            name: schedule.name.clone(),
            state: Shown::of_schedule(v.t, schedule.state),
            is_active: schedule.state == ScheduleState::Active,
            is_paused: schedule.state == ScheduleState::Paused,
            paused_until: schedule.paused_until.map(When),
            words: spec
                .map(|spec| (spec.timing.words(spec.time_zone, v.lang), spec.timing.text()))
                .map_err(Clone::clone),
            links: links_of(v, schedule),
            next: upcoming(schedule).into_iter().map(|tick| When(tick.begins)).collect(),
            outcomes: ticks.iter().map(outcome).collect(),
            counts: counts.into_iter().filter(|(_, number)| *number > 0).collect(),
            action: v.to(&format!("/schedules/{name}/")),
        }
    }
}

/// The ticks to come; none if it does not tick.
fn upcoming(schedule: &StoredSchedule) -> Vec<NextTick> {
    let first = schedule.next.filter(|_| schedule.state == ScheduleState::Active);
    let Ok(spec) = &schedule.spec else { return Vec::new() };
    std::iter::successors(first, |tick| spec.next_after(schedule.id, tick.due)).take(AHEAD).collect()
}

/// Which links it checks, in words.
fn links_of(v: &Visit, schedule: &StoredSchedule) -> Option<String> {
    let request = read_request(&schedule.request, RequestId::new()).ok()?;
    Some(match request.links {
        LinkSelection::Stored => v.t.all_active_links.to_owned(),
        LinkSelection::Matching(filter) => {
            let groups = filter.groups.iter().map(ToString::to_string);
            let tags = filter.tags.iter().map(|tag| format!("#{tag}"));
            groups.chain(tags).collect::<Vec<_>>().join(", ")
        }
        LinkSelection::Given(links) => fill(v.t.links_of_its_own, &[&links.named()]),
    })
}

/// A name as a segment of a path (RFC 3986 §3.3).
pub(super) fn percent_encoded(name: &str) -> String {
    url::form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}

#[derive(Template)]
#[template(path = "schedules.html")]
pub(super) struct Schedules {
    v: Visit,
    told: Option<String>,
    cards: Vec<Card>,
    next: Option<String>,
}

pub(super) async fn show(State(app): State<App>, v: Visit, query: Form) -> Result<Page<Schedules>, Problem> {
    let store = &app.ports.store;
    let schedules = store.schedules(query.get("after"), ROWS).await?;
    let mut cards = Vec::with_capacity(schedules.len());
    for schedule in &schedules {
        cards.push(Card::new(&v, schedule, &store.ticks(schedule.id, BEHIND).await?));
    }
    let is_full = schedules.len() == ROWS as usize;
    let last = schedules.last().filter(|_| is_full).map(|schedule| percent_encoded(&schedule.name));
    let next = last.map(|name| v.to(&format!("/schedules?after={name}")));
    Ok(Page(Schedules { told: told::read(v.t, &query), cards, next, v }))
}
