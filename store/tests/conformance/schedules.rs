//! Schedules and their ticks.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use linkbeat_shared::schedule::{
    Missed, NextTick, Overlap, ScheduleSpec, SkippedTicks, Timing, Zone, read_request, stored_request,
};
use linkbeat_shared::{
    LinkFilter, LinkSelection, Request, RequestId, RequestOptions, RunId, RunState, ScheduleId, derived_id,
};
use linkbeat_store::{
    NewRun, NewSchedule, ScheduleChange, ScheduleState, Settled, SharedStore, Skip, StoredSchedule,
    TickCounts, TickOutcome, TickRun, TickStep,
};

use crate::database::TestDatabase;
use crate::make::{self, ImportLinks, links, new_run, planner};

cases![
    a_pause_of_a_schedule_may_have_an_end,
    a_schedule_is_kept_changed_and_removed,
    each_due_time_fires_once_whoever_settles_it,
    a_tick_is_skipped_or_replaces_while_a_run_goes_on,
    skipped_ticks_are_counted_by_cause,
    a_schedule_without_a_next_tick_has_ended,
    a_run_by_hand_is_no_tick,
    a_run_by_hand_that_is_asked_for_twice_is_one,
    a_schedule_is_due_when_its_tick_begins_or_the_clock_was_set_back,
    one_that_cannot_be_read_does_not_hide_the_others,
    only_the_latest_ticks_are_kept,
    a_run_of_groups_and_tags_covers_what_matches,
    schedules_are_viewed,
];

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-11-26T{text}Z").parse().unwrap()
}

fn next(due: &str) -> NextTick {
    NextTick { due: at(due), begins: at(due) + TimeDelta::seconds(5) }
}

fn spec() -> ScheduleSpec {
    ScheduleSpec {
        timing: Timing::Cron("0 * * * *".parse().unwrap()),
        time_zone: Zone::UTC,
        overlap: Overlap::Forbid,
        missed: Missed::Once,
        deadline: None,
        jitter: None,
    }
}

fn request() -> Request {
    let options = RequestOptions { white_list: vec!["Old friend".into()], ..RequestOptions::default() };
    Request::new(RequestId::new(), LinkSelection::Stored, options, None)
}

async fn add(store: &SharedStore, name: &str) -> StoredSchedule {
    let schedule = NewSchedule {
        id: ScheduleId::new(),
        name: name.parse().unwrap(),
        spec: spec(),
        request: stored_request(&request()).unwrap(),
        next: next("10:00:00"),
    };
    assert!(store.add_schedule(schedule).await.unwrap());
    find(store, name).await
}

async fn find(store: &SharedStore, name: &str) -> StoredSchedule {
    store.find_schedule(name).await.unwrap().unwrap()
}

fn step(schedule: &StoredSchedule, next: Option<NextTick>) -> TickStep {
    TickStep { schedule: schedule.id, revision: schedule.revision, skipped: None, next, set_back: false }
}

fn tick(schedule: &StoredSchedule, due: &str, overlap: Overlap) -> TickRun {
    let due = at(due);
    let run = NewRun {
        request_id: derived_id::tick_request(schedule.id, due),
        ..new_run(LinkSelection::given(links(1)))
    };
    TickRun { due, overlap, run, planner: planner(1).0 }
}

async fn fire(store: &SharedStore, name: &str, due: &str, then: &str, overlap: Overlap) -> Settled {
    let schedule = find(store, name).await;
    let tick = tick(&schedule, due, overlap);
    store.settle_ticks(step(&schedule, Some(next(then))), Some(tick)).await.unwrap()
}

fn fired(settled: &Settled) -> RunId {
    match settled {
        Settled::Fired { filed, .. } if !filed.existed => filed.run.id,
        other => panic!("{other:?}"),
    }
}

async fn a_schedule_is_kept_changed_and_removed(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let schedule = add(&store, "nightly").await;
    assert_eq!((schedule.spec.clone(), schedule.next), (Ok(spec()), Some(next("10:00:00"))));
    assert_eq!((schedule.state, schedule.counts), (ScheduleState::Active, TickCounts::default()));
    let read = read_request(&schedule.request, RequestId::new()).unwrap();
    assert!(read.white_list.contains("Old friend") && read.links == LinkSelection::Stored);
    let again = NewSchedule {
        id: ScheduleId::new(),
        name: "nightly".parse().unwrap(),
        spec: spec(),
        request: String::new(),
        next: next("11:00:00"),
    };
    assert!(!store.add_schedule(again).await.unwrap(), "the name is taken");
    let other = ScheduleSpec { overlap: Overlap::Allow, ..spec() };
    let change = ScheduleChange {
        spec: Some(other.clone()),
        request: None,
        state: ScheduleState::Paused,
        next: Some(next("12:00:00")),
        paused: 3,
        paused_until: None,
    };
    assert!(store.change_schedule(&schedule, change.clone()).await.unwrap());
    assert!(!store.change_schedule(&schedule, change).await.unwrap(), "it was changed since it was read");
    let changed = find(&store, "nightly").await;
    assert_eq!((changed.spec.clone(), changed.state), (Ok(other), ScheduleState::Paused));
    assert_eq!((changed.next, changed.counts.paused), (Some(next("12:00:00")), 3));
    assert_eq!(changed.request, schedule.request);
    add(&store, "daily").await;
    let names = |schedules: &[StoredSchedule]| {
        schedules.iter().map(|schedule| schedule.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&store.schedules(None, 10).await.unwrap()), ["daily", "nightly"]);
    assert_eq!(names(&store.schedules(Some("daily"), 10).await.unwrap()), ["nightly"]);
    let run = fired(&fire(&store, "daily", "10:00:00", "11:00:00", Overlap::Forbid).await);
    let daily = find(&store, "daily").await;
    assert!(store.remove_schedule(daily.id).await.unwrap());
    assert!(!store.remove_schedule(daily.id).await.unwrap());
    assert!(store.find_schedule("daily").await.unwrap().is_none());
    assert_eq!(store.ticks(daily.id, 10).await.unwrap(), []);
    assert!(store.run(run).await.unwrap().is_some(), "its runs stay");
}

async fn each_due_time_fires_once_whoever_settles_it(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let schedule = add(&store, "nightly").await;
    let mut tries = Vec::new();
    for _ in 0..6 {
        let (store, schedule) = (database.open().await, schedule.clone());
        tries.push(tokio::spawn(async move {
            let tick = tick(&schedule, "10:00:00", Overlap::Forbid);
            store.settle_ticks(step(&schedule, Some(next("11:00:00"))), Some(tick)).await
        }));
    }
    let mut runs = 0;
    for tried in tries {
        match tried.await.unwrap() {
            Ok(Settled::Fired { .. }) => runs += 1,
            Ok(Settled::Stale) => {}
            Err(error) if error.is_transient() => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((runs, store.runs(10).await.unwrap().len()), (1, 1));
    let after = find(&store, "nightly").await;
    assert_eq!((after.counts.fired, after.next), (1, Some(next("11:00:00"))));
    assert_eq!(after.last_due, Some(at("10:00:00")));
    // Somebody whose clock is behind computes the same tick anew.
    let tick = tick(&after, "10:00:00", Overlap::Allow);
    let again = store.settle_ticks(step(&after, Some(next("11:00:00"))), Some(tick)).await.unwrap();
    assert!(matches!(again, Settled::Known), "{again:?}");
    assert_eq!((find(&store, "nightly").await.counts.fired, store.runs(10).await.unwrap().len()), (1, 1));
}

async fn a_tick_is_skipped_or_replaces_while_a_run_goes_on(database: Arc<TestDatabase>) {
    let store = database.open().await;
    add(&store, "nightly").await;
    let first = fired(&fire(&store, "nightly", "10:00:00", "11:00:00", Overlap::Forbid).await);
    let second = fire(&store, "nightly", "11:00:00", "12:00:00", Overlap::Forbid).await;
    assert!(matches!(second, Settled::Overlap(run) if run == first), "{second:?}");
    let third = fired(&fire(&store, "nightly", "12:00:00", "13:00:00", Overlap::Allow).await);
    let fourth = fire(&store, "nightly", "13:00:00", "14:00:00", Overlap::Replace).await;
    let Settled::Fired { replaced, .. } = &fourth else { panic!("{fourth:?}") };
    assert_eq!(*replaced, [first, third]);
    for run in [first, third] {
        assert_eq!(store.run(run).await.unwrap().unwrap().state, RunState::Cancelled);
    }
    store.cancel_run(fired(&fourth)).await.unwrap();
    fired(&fire(&store, "nightly", "14:00:00", "15:00:00", Overlap::Forbid).await);
    let counts = find(&store, "nightly").await.counts;
    assert_eq!((counts.fired, counts.overlap), (4, 1));
    let ticks = store.ticks(find(&store, "nightly").await.id, 10).await.unwrap();
    let outcomes: Vec<_> = ticks.iter().map(|tick| tick.outcome).collect();
    use TickOutcome::{Fired, Overlap as Skipped};
    assert_eq!(outcomes, [Fired, Fired, Fired, Skipped, Fired], "latest first");
}

async fn skipped_ticks_are_counted_by_cause(database: Arc<TestDatabase>) {
    let store = database.open().await;
    add(&store, "nightly").await;
    for (skip, count, last) in [(Skip::Missed, 7, "16:00:00"), (Skip::Failed, 1, "17:00:00")] {
        let schedule = find(&store, "nightly").await;
        let skipped = Some((skip, SkippedTicks { count, last: at(last) }));
        let step = TickStep { skipped, ..step(&schedule, Some(next("18:00:00"))) };
        assert!(matches!(store.settle_ticks(step, None).await.unwrap(), Settled::Skipped));
    }
    let schedule = find(&store, "nightly").await;
    assert_eq!((schedule.counts.missed, schedule.counts.failed, schedule.counts.fired), (7, 1, 0));
    assert_eq!(schedule.last_due, Some(at("17:00:00")));
    let ticks = store.ticks(schedule.id, 10).await.unwrap();
    let told: Vec<_> = ticks.iter().map(|tick| (tick.outcome, tick.ticks)).collect();
    assert_eq!(told, [(TickOutcome::Failed, 1), (TickOutcome::Missed, 7)]);
}

async fn a_schedule_without_a_next_tick_has_ended(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let schedule = add(&store, "once").await;
    let tick = tick(&schedule, "10:00:00", Overlap::Forbid);
    fired(&store.settle_ticks(step(&schedule, None), Some(tick)).await.unwrap());
    let ended = find(&store, "once").await;
    assert_eq!((ended.state, ended.next), (ScheduleState::Ended, None));
    assert_eq!(store.due_schedules(at("23:00:00"), 10).await.unwrap(), []);
    let stale = store.settle_ticks(step(&ended, None), None).await.unwrap();
    assert!(matches!(stale, Settled::Stale), "it ticks no more");
}

async fn a_run_by_hand_is_no_tick(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let schedule = add(&store, "nightly").await;
    let by_hand = async |time: &str, overlap| {
        let run = new_run(LinkSelection::given(links(1)));
        store.run_schedule(schedule.id, TickRun { run, ..tick(&schedule, time, overlap) }).await.unwrap()
    };
    let run = fired(&by_hand("09:30:00", Overlap::Forbid).await);
    assert!(matches!(by_hand("09:31:00", Overlap::Forbid).await, Settled::Overlap(other) if other == run));
    let tick = fire(&store, "nightly", "10:00:00", "11:00:00", Overlap::Forbid).await;
    assert!(matches!(tick, Settled::Overlap(other) if other == run), "the tick heeds it");
    let after = find(&store, "nightly").await;
    assert_eq!((after.counts.by_hand, after.counts.fired, after.counts.overlap), (1, 0, 1));
    assert_eq!(after.next, Some(next("11:00:00")));
    let gone =
        store.run_schedule(ScheduleId::new(), crate::schedules::tick(&schedule, "09:32:00", Overlap::Allow));
    assert!(matches!(gone.await.unwrap(), Settled::Stale));
}

async fn a_run_by_hand_that_is_asked_for_twice_is_one(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let schedule = add(&store, "nightly").await;
    let request_id = RequestId::new();
    let once = async |time: &str| {
        let run = NewRun { request_id, ..new_run(LinkSelection::given(links(1))) };
        let tick = tick(&schedule, time, Overlap::Replace);
        store.run_schedule(schedule.id, TickRun { run, ..tick }).await.unwrap()
    };
    let run = fired(&once("09:30:00").await);
    let Settled::Fired { filed, replaced } = once("09:30:01").await else { panic!("it is there") };
    assert!(filed.existed && replaced.is_empty());
    assert_eq!((filed.run.id, filed.run.state), (run, RunState::Running), "it did not take its own place");
    assert_eq!(find(&store, "nightly").await.counts.by_hand, 1);
}

async fn a_schedule_is_due_when_its_tick_begins_or_the_clock_was_set_back(database: Arc<TestDatabase>) {
    let store = database.open().await;
    add(&store, "nightly").await;
    assert_eq!(store.due_schedules(at("10:00:04"), 10).await.unwrap(), [], "its jitter is not over");
    assert_eq!(store.due_schedules(at("10:00:05"), 10).await.unwrap().len(), 1);
    fire(&store, "nightly", "10:00:00", "11:00:00", Overlap::Allow).await;
    assert_eq!(store.due_schedules(at("10:30:00"), 10).await.unwrap(), []);
    let set_back = store.due_schedules(at("08:00:00"), 10).await.unwrap();
    assert_eq!(set_back.len(), 1, "the last tick lies ahead");
    let step = TickStep { set_back: true, ..step(&set_back[0], Some(next("09:00:00"))) };
    store.settle_ticks(step, None).await.unwrap();
    let after = find(&store, "nightly").await;
    assert_eq!((after.last_due, after.next), (None, Some(next("09:00:00"))));
    assert_eq!(store.due_schedules(at("08:00:00"), 10).await.unwrap(), []);
    let change = ScheduleChange {
        spec: None,
        request: None,
        state: ScheduleState::Paused,
        next: after.next,
        paused: 0,
        paused_until: None,
    };
    store.change_schedule(&after, change).await.unwrap();
    assert_eq!(store.due_schedules(at("23:00:00"), 10).await.unwrap(), [], "it is paused");
    let now = store.clock().await.unwrap();
    assert!((Utc::now() - now).abs() < TimeDelta::minutes(5), "{now}");
}

async fn one_that_cannot_be_read_does_not_hide_the_others(database: Arc<TestDatabase>) {
    let store = database.open().await;
    add(&store, "good").await;
    add(&store, "strange").await;
    let strange = r#"{"cron": "0 * * * *", "time_zone": "Mars/Olympus"}"#;
    database.execute(&format!("UPDATE schedules SET definition = '{strange}' WHERE name = 'strange'")).await;
    let due = store.due_schedules(at("10:30:00"), 10).await.unwrap();
    let read: Vec<_> = due.iter().map(|schedule| (schedule.name.as_str(), schedule.spec.is_ok())).collect();
    assert!(read.contains(&("good", true)) && read.contains(&("strange", false)), "{read:?}");
    let problem = find(&store, "strange").await.spec.unwrap_err();
    assert!(problem.contains("Mars/Olympus"), "{problem}");
}

async fn only_the_latest_ticks_are_kept(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let id = add(&store, "busy").await.id;
    let insert = match database.kind {
        crate::database::Kind::Postgres => {
            "INSERT INTO ticks (schedule_id, due_at, outcome)
             SELECT id, timestamptz '2026-11-25' + n * interval '1 second', 'missed'
             FROM schedules, generate_series(1, 1200) n"
        }
        crate::database::Kind::Sqlite => {
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1200)
             INSERT INTO ticks (schedule_id, due_at, outcome)
             SELECT id, strftime('%Y-%m-%dT%H:%M:%f', '2026-11-25', n || ' seconds') || '000Z', 'missed'
             FROM schedules, numbers"
        }
    };
    database.execute(insert).await;
    fire(&store, "busy", "10:00:00", "11:00:00", Overlap::Forbid).await;
    let kept = store.ticks(id, 2_000).await.unwrap();
    assert_eq!((kept.len(), kept[0].outcome), (1_000, TickOutcome::Fired));
}

async fn a_run_of_groups_and_tags_covers_what_matches(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let mut all = links(6);
    for (place, (group, tags)) in
        [("Friends", "art"), ("Friends", "tech"), ("Tools", "art"), ("Tools", "tech")].iter().enumerate()
    {
        all[place].group = Some(group.parse().unwrap());
        all[place].attributes.tags = linkbeat_shared::Tags::usable([*tags, "all"]);
    }
    all[1].active = Some(false);
    store.import_links(&all).await.unwrap();
    let covered = async |groups: &[&str], tags: &[&str]| {
        let filter = LinkFilter {
            groups: groups.iter().map(|group| group.parse().unwrap()).collect(),
            tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
        };
        let (filed, plan) = make::file(&store, new_run(LinkSelection::matching(filter)), 1).await;
        assert_eq!(filed.run.links, plan.links.len() as u64);
        assert_eq!(plan.announced, filed.run.links);
        let mut hosts: Vec<_> = plan.links.iter().map(|link| link.url.to_string()).collect();
        hosts.sort_unstable();
        hosts
            .iter()
            .map(|url| url["https://host-".len()..][..6].parse::<usize>().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(covered(&["Friends"], &[]).await, [0], "the other one is not active");
    assert_eq!(covered(&["Friends", "Tools"], &[]).await, [0, 2, 3]);
    assert_eq!(covered(&[], &["art"]).await, [0, 2]);
    assert_eq!(covered(&["Tools"], &["art", "nothing"]).await, [2]);
    assert_eq!(covered(&["Nobody"], &[]).await, Vec::<usize>::new());
    assert_eq!(covered(&[], &[]).await, [0, 2, 3, 4, 5]);
}

async fn schedules_are_viewed(database: Arc<TestDatabase>) {
    let store = database.open().await;
    add(&store, "nightly").await;
    let run = fired(&fire(&store, "nightly", "10:00:00", "11:00:00", Overlap::Forbid).await);
    let value = async |query: &str| database.value(query).await;
    let some = |text: &str| Some(text.to_owned());
    for (column, expected) in [
        ("name", some("nightly")),
        ("state", some("active")),
        ("cron", some("0 * * * *")),
        ("interval_ms", None),
        ("time_zone", some("UTC")),
        ("overlap", some("forbid")),
        ("missed", some("once")),
        ("fired", some("1")),
    ] {
        assert_eq!(value(&format!("SELECT {column} FROM linkbeat_schedules")).await, expected, "{column}");
    }
    assert_eq!(value("SELECT outcome FROM linkbeat_ticks WHERE schedule = 'nightly'").await, some("fired"));
    assert_eq!(value("SELECT run_id FROM linkbeat_ticks").await, Some(run.to_string()));
    let joined = "SELECT count(*) FROM linkbeat_ticks t JOIN linkbeat_schedules s ON s.id = t.schedule_id";
    assert_eq!(value(joined).await, some("1"));
}

async fn a_pause_of_a_schedule_may_have_an_end(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let schedule = add(&store, "nightly").await;
    let until = at("12:30:00");
    assert!(store.change_schedule(&schedule, schedule.pauses(Some(until))).await.unwrap());
    let paused = find(&store, "nightly").await;
    assert_eq!((paused.state, paused.paused_until), (ScheduleState::Paused, Some(until)));
    assert_eq!(store.due_schedules(at("12:29:59"), 10).await.unwrap().len(), 0);
    assert_eq!(store.due_schedules(until, 10).await.unwrap()[0].name, "nightly");
    let viewed =
        "SELECT count(*) FROM linkbeat_schedules WHERE state = 'paused' AND paused_until IS NOT NULL";
    assert_eq!(database.value(viewed).await.as_deref(), Some("1"));

    let spec = paused.spec.clone().unwrap();
    assert!(store.change_schedule(&paused, paused.resumes(&spec, until)).await.unwrap());
    let active = find(&store, "nightly").await;
    assert_eq!((active.state, active.paused_until), (ScheduleState::Active, None));
    assert_eq!(active.next.unwrap().due, at("13:00:00"), "ticks of the pause are skipped");
    assert!(active.counts.paused > 0);
    assert!(store.change_schedule(&active, active.pauses(None)).await.unwrap());
    assert_eq!(store.due_schedules(at("23:00:00"), 10).await.unwrap().len(), 0, "without an end");
}
