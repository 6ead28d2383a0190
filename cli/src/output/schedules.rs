//! Schedules, for people and for programs.

use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use linkbeat_shared::schedule::{NextTick, ScheduleSpec, read_request};
use linkbeat_shared::{Lang, LinkSelection, Request, RequestId};
use linkbeat_store::{ScheduleState, StoredSchedule, Tick, TickOutcome};
use serde_json::{Map, Value, json};

use super::plain;
use super::schedule_words::{Words, words};

/// Ticks that are shown ahead.
const AHEAD: usize = 5;
/// A tick that is due for so long was noticed by nobody.
const UNNOTICED: TimeDelta = TimeDelta::seconds(90);

/// A schedule to be shown, with its latest ticks.
pub(crate) struct Shown {
    pub(crate) schedule: StoredSchedule,
    pub(crate) ticks: Vec<Tick>,
    pub(crate) now: DateTime<Utc>,
}

impl Shown {
    /// The ticks to come; none if it does not tick.
    fn upcoming(&self, spec: &ScheduleSpec) -> Vec<NextTick> {
        let first = self.schedule.next.filter(|_| self.schedule.state == ScheduleState::Active);
        std::iter::successors(first, |tick| spec.next_after(self.schedule.id, tick.due)).take(AHEAD).collect()
    }

    fn request(&self) -> Result<Request, String> {
        read_request(&self.schedule.request, RequestId::new()).map_err(|error| error.to_string())
    }
}

/// A block for each.
pub(crate) fn list(shown: &[Shown], lang: Lang, out: &mut dyn Write) -> io::Result<()> {
    if shown.is_empty() {
        return writeln!(out, "{}", words(lang).no_schedules);
    }
    for (index, shown) in shown.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        block(shown, lang, out)?;
    }
    Ok(())
}

/// One of them, with what it asks for and its latest ticks.
pub(crate) fn one(shown: &Shown, lang: Lang, out: &mut dyn Write) -> io::Result<()> {
    let words = words(lang);
    block(shown, lang, out)?;
    if let Ok(request) = shown.request() {
        writeln!(out, "\n  {}", words.asked)?;
        for (name, value) in options(&request) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            writeln!(out, "    {name:<20} {}", plain(&value))?;
        }
    }
    if let (Ok(spec), false) = (&shown.schedule.spec, shown.ticks.is_empty()) {
        writeln!(out, "\n  {}", words.latest)?;
        for tick in &shown.ticks {
            writeln!(out, "    {}", tick_line(tick, spec, words))?;
        }
    }
    Ok(())
}

fn block(shown: &Shown, lang: Lang, out: &mut dyn Write) -> io::Result<()> {
    let (schedule, words) = (&shown.schedule, words(lang));
    let until = schedule.paused_until.map(|until| until.format(" %Y-%m-%d %H:%M:%S UTC").to_string());
    let until = until.map(|until| format!(" {}{until}", words.until)).unwrap_or_default();
    writeln!(out, "{}: {}{until}", plain(&schedule.name), words.state(schedule.state))?;
    let spec = match &schedule.spec {
        Ok(spec) => spec,
        Err(problem) => return writeln!(out, "  {}: {}", words.unreadable, plain(problem)),
    };
    let line = |title: &str, text: &str| format!("  {}  {text}", padded(title));
    let when = format!("{} ({})", spec.timing.words(spec.time_zone, lang), spec.timing.text());
    writeln!(out, "{}", line(words.when, &when))?;
    let links = shown.request().map_or_else(|problem| problem, |request| links(&request, words));
    writeln!(out, "{}", line(words.links, &plain(&links)))?;
    writeln!(out, "{}", line(words.rules, &rules(spec)))?;
    let last =
        shown.ticks.first().map_or_else(|| words.none_yet.to_owned(), |tick| tick_line(tick, spec, words));
    writeln!(out, "{}", line(words.last, &last))?;
    writeln!(out, "{}", line(words.counts, &counts(schedule, words)))?;
    for (index, tick) in shown.upcoming(spec).iter().enumerate() {
        let title = if index == 0 { words.next } else { "" };
        let utc = tick.due.format("%Y-%m-%d %H:%M:%S UTC");
        writeln!(out, "{}", line(title, &format!("{:<30}  {utc}", local(tick.due, spec))))?;
    }
    if schedule
        .next
        .is_some_and(|next| schedule.state == ScheduleState::Active && next.begins + UNNOTICED < shown.now)
    {
        writeln!(out, "{}", line(words.note, words.overdue))?;
    }
    Ok(())
}

/// A title as wide as the others: a Chinese character takes two columns.
fn padded(title: &str) -> String {
    let width: usize = title.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
    title.to_owned() + &" ".repeat(6_usize.saturating_sub(width))
}

fn local(at: DateTime<Utc>, spec: &ScheduleSpec) -> String {
    spec.time_zone.local(at).format("%Y-%m-%d %H:%M:%S %Z").to_string()
}

fn links(request: &Request, words: &Words) -> String {
    match &request.links {
        LinkSelection::Stored => words.all_links.to_owned(),
        LinkSelection::Given(links) => format!("{} {}", links.named(), words.of_a_list),
        LinkSelection::Matching(filter) => {
            let names = |texts: Vec<String>| texts.join(", ");
            let groups = names(filter.groups.iter().map(ToString::to_string).collect());
            let tags = names(filter.tags.iter().map(ToString::to_string).collect());
            match (groups.is_empty(), tags.is_empty()) {
                (false, true) => format!("{} {groups}", words.group),
                (true, _) => format!("{} {tags}", words.tag),
                (false, false) => format!("{} {groups}; {} {tags}", words.group, words.tag),
            }
        }
    }
}

fn rules(spec: &ScheduleSpec) -> String {
    let mut rules = format!("overlap {}, missed {}", spec.overlap.as_str(), spec.missed.as_str());
    if let Some(deadline) = spec.deadline {
        rules += &format!(", deadline {}", humantime::format_duration(deadline.duration()));
    }
    if let Some(jitter) = spec.jitter {
        rules += &format!(", jitter {}", humantime::format_duration(jitter.duration()));
    }
    rules
}

fn counts(schedule: &StoredSchedule, words: &Words) -> String {
    let counts = schedule.counts;
    let told = [
        (counts.by_hand, words.by_hand),
        (counts.overlap, words.overlap),
        (counts.missed, words.missed),
        (counts.paused, words.paused_ticks),
        (counts.failed, words.failed_count),
    ];
    let told = told.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!(", {count} {what}"));
    format!("{} {}{}", counts.fired, words.fired, told.collect::<String>())
}

fn tick_line(tick: &Tick, spec: &ScheduleSpec, words: &Words) -> String {
    let what = match tick.outcome {
        TickOutcome::Fired => words.fired,
        TickOutcome::ByHand => words.by_hand,
        TickOutcome::Overlap => words.overlap,
        TickOutcome::Missed => words.missed,
        TickOutcome::Failed => words.failed,
    };
    let run = tick.run.map(|run| format!(", {} {run}", words.run)).unwrap_or_default();
    let more =
        if tick.ticks > 1 { format!(" ({} {})", tick.ticks, words.ticks_up_to) } else { String::new() };
    format!("{}: {what}{run}{more}", local(tick.due, spec))
}

/// What is asked of the links, without what was not said.
fn options(request: &Request) -> Map<String, Value> {
    let options = serde_json::to_value(request.options()).unwrap_or_default();
    let said = |value: &Value| !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty());
    options
        .as_object()
        .map(|all| all.iter().filter(|(_, value)| said(value)).map(|(k, v)| (k.clone(), v.clone())).collect())
        .unwrap_or_default()
}

/// One of them as JSON. URLs of a list are left out: they may hold passwords.
pub(crate) fn item(shown: &Shown) -> Value {
    let schedule = &shown.schedule;
    let spec = schedule.spec.as_ref().ok();
    let counts = schedule.counts;
    let request = shown.request().ok();
    json!({
        "id": schedule.id,
        "name": schedule.name,
        "state": schedule.state.as_str(),
        "paused_until": schedule.paused_until.map(utc),
        "timing": spec.map(|spec| spec.timing.text()),
        "words": spec.map(|spec| spec.timing.words(spec.time_zone, Lang::En)),
        "time_zone": spec.map(|spec| spec.time_zone.name()),
        "overlap": spec.map(|spec| spec.overlap.as_str()),
        "missed": spec.map(|spec| spec.missed.as_str()),
        "deadline_ms": spec.and_then(|spec| spec.deadline).map(linkbeat_shared::TickDeadline::as_millis),
        "jitter_ms": spec.and_then(|spec| spec.jitter).map(linkbeat_shared::Jitter::as_millis),
        "problem": schedule.spec.as_ref().err(),
        "links": request.as_ref().map(selection),
        "options": request.as_ref().map(options),
        "next": spec.map(|spec| shown.upcoming(spec).iter().map(|tick| next_item(tick, spec)).collect::<Vec<_>>()),
        "last": shown.ticks.first().map(tick_item),
        "counts": {
            "fired": counts.fired,
            "by_hand": counts.by_hand,
            "skipped_overlap": counts.overlap,
            "skipped_missed": counts.missed,
            "skipped_paused": counts.paused,
            "failed": counts.failed,
        },
        "created_at": utc(schedule.created_at),
    })
}

/// The same, with its latest ticks.
pub(crate) fn item_with_ticks(shown: &Shown) -> Value {
    let mut item = item(shown);
    item["ticks"] = shown.ticks.iter().map(tick_item).collect();
    item
}

fn selection(request: &Request) -> Value {
    match &request.links {
        LinkSelection::Stored => json!({ "all": true }),
        LinkSelection::Given(links) => json!({ "listed": links.named() }),
        LinkSelection::Matching(filter) => {
            json!({ "groups": filter.groups.iter().map(ToString::to_string).collect::<Vec<_>>(), "tags": filter.tags.iter().map(ToString::to_string).collect::<Vec<_>>() })
        }
    }
}

fn next_item(tick: &NextTick, spec: &ScheduleSpec) -> Value {
    json!({
        "local": spec.time_zone.local(tick.due).to_rfc3339_opts(SecondsFormat::Secs, false),
        "utc": utc(tick.due),
        "begins_at": tick.begins.to_rfc3339_opts(SecondsFormat::Millis, true),
    })
}

fn tick_item(tick: &Tick) -> Value {
    json!({
        "due_at": utc(tick.due),
        "outcome": tick.outcome.as_str(),
        "ticks": tick.ticks,
        "run_id": tick.run,
        "settled_at": tick.settled_at.to_rfc3339_opts(SecondsFormat::Millis, true),
    })
}

fn utc(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
