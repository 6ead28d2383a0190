//! When schedules tick: over both changes of the clock, in steps, late, and when the machine's clock is set.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use chrono::{DateTime, TimeDelta, Utc};
use linkbeat_shared::schedule::{
    CronPattern, DueTicks, Missed, NextTick, Overlap, ScheduleSpec, Timing, Zone, in_chinese, local_moment,
    ticks_between,
};
use linkbeat_shared::{Lang, ScheduleId};
use proptest::prelude::*;
use uuid::Uuid;

const ID: ScheduleId = ScheduleId(Uuid::from_u128(7));

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

fn cron(pattern: &str, time_zone: &str) -> ScheduleSpec {
    spec(Timing::Cron(pattern.parse().unwrap()), time_zone)
}

fn every(interval: &str, anchor: &str) -> ScheduleSpec {
    spec(Timing::Every { interval: interval.parse().unwrap(), anchor: at(anchor) }, "UTC")
}

fn spec(timing: Timing, time_zone: &str) -> ScheduleSpec {
    ScheduleSpec {
        timing,
        time_zone: zone(time_zone),
        overlap: Overlap::Forbid,
        missed: Missed::Once,
        deadline: None,
        jitter: None,
    }
}

fn ticks(spec: &ScheduleSpec, after: &str, count: usize) -> Vec<String> {
    let ticks = spec.upcoming(ID, at(after), count);
    ticks.iter().map(|tick| tick.due.format("%Y-%m-%dT%H:%MZ").to_string()).collect()
}

#[test]
fn fixed_times_come_once_on_days_when_clocks_change() {
    // (zone, pattern, after, ticks)
    let table: &[(&str, &str, &str, &[&str])] = &[
        // 02:30 does not exist: the first moment after the gap, and the next day 02:30 again.
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2027-03-26T12:00:00Z",
            &["2027-03-27T01:30Z", "2027-03-28T01:00Z", "2027-03-29T00:30Z"],
        ),
        // 02:30 comes twice: the first one counts.
        ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00:00Z", &["2026-10-25T00:30Z", "2026-10-26T01:30Z"]),
        // A time before the gap is left alone.
        (
            "Europe/London",
            "0 0 * * *",
            "2027-03-27T12:00:00Z",
            &["2027-03-28T00:00Z", "2027-03-28T23:00Z", "2027-03-29T23:00Z"],
        ),
        ("Europe/London", "30 1 * * *", "2027-10-30T12:00:00Z", &["2027-10-31T00:30Z", "2027-11-01T01:30Z"]),
        (
            "America/New_York",
            "0 2 * * *",
            "2027-03-12T12:00:00Z",
            &["2027-03-13T07:00Z", "2027-03-14T07:00Z", "2027-03-15T06:00Z"],
        ),
        (
            "America/New_York",
            "30 1 * * SUN",
            "2026-10-31T12:00:00Z",
            &["2026-11-01T05:30Z", "2026-11-08T06:30Z"],
        ),
        // Midnight itself does not exist.
        (
            "America/Santiago",
            "0 0 * * *",
            "2026-09-04T12:00:00Z",
            &["2026-09-05T04:00Z", "2026-09-06T04:00Z", "2026-09-07T03:00Z"],
        ),
        // Clocks change by half an hour.
        (
            "Australia/Lord_Howe",
            "15 2 * * *",
            "2026-10-02T12:00:00Z",
            &["2026-10-02T15:45Z", "2026-10-03T15:30Z", "2026-10-04T15:15Z"],
        ),
        // Clocks do not change.
        ("Asia/Shanghai", "0 3 * * *", "2027-03-27T12:00:00Z", &["2027-03-27T19:00Z", "2027-03-28T19:00Z"]),
    ];
    for (zone, pattern, after, expected) in table {
        assert_eq!(&ticks(&cron(pattern, zone), after, expected.len()), expected, "{pattern} in {zone}");
    }
}

#[test]
fn steps_go_on_through_both_changes_of_the_clock() {
    for (zone, change) in [
        ("Europe/Berlin", "2027-03-28T01:00:00Z"),
        ("Europe/Berlin", "2026-10-25T01:00:00Z"),
        ("America/New_York", "2027-03-14T07:00:00Z"),
        ("America/New_York", "2026-11-01T06:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
        ("Australia/Lord_Howe", "2027-04-03T15:00:00Z"),
    ] {
        let spec = cron("*/30 * * * *", zone);
        let ticks = spec.upcoming(ID, at(change) - TimeDelta::hours(3), 12);
        for pair in ticks.windows(2) {
            assert_eq!(pair[1].due - pair[0].due, TimeDelta::minutes(30), "{zone} at {}", pair[0].due);
        }
    }
    let spec = every("6h", "2027-03-27T22:15:00Z");
    let expected = ["2027-03-28T04:15Z", "2027-03-28T10:15Z", "2027-03-28T16:15Z"];
    assert_eq!(ticks(&spec, "2027-03-28T00:00:00Z", 3), expected, "no zone matters to it");
    assert_eq!(
        ticks(&spec, "2027-03-01T00:00:00Z", 1),
        ["2027-03-27T22:15Z"],
        "the anchor is the first tick"
    );
}

#[test]
fn what_never_fires_or_cannot_be_read_is_refused() {
    let refusal = |pattern: &str| pattern.parse::<CronPattern>().unwrap_err().to_string();
    for never in ["0 0 30 2 *", "0 0 31 2 *", "0 0 31 4,6,9,11 *"] {
        assert!(refusal(never).contains("never fires"), "{}", refusal(never));
    }
    for bad in ["", "* * * *", "60 * * * *", "0 25 * * *", "0 3 * * * * 2027", "nonsense", "*/0 * * * *"] {
        assert!(refusal(bad).contains("is no cron pattern"), "{}", refusal(bad));
    }
    assert!("29 2 29 2 *".parse::<CronPattern>().is_ok(), "leap years come");
    for bad in ["0s", "-1h", "6", "400d"] {
        assert!(bad.parse::<linkbeat_shared::Interval>().is_err(), "{bad}");
    }
}

#[test]
fn moments_are_read_as_the_clock_of_the_zone_shows_them() {
    let berlin = zone("Europe/Berlin");
    assert_eq!(local_moment("2026-12-01 03:00", berlin).unwrap(), at("2026-12-01T02:00:00Z"));
    assert_eq!(local_moment("2026-12-01", berlin).unwrap(), at("2026-11-30T23:00:00Z"));
    assert_eq!(local_moment("2026-12-01T03:00:00Z", berlin).unwrap(), at("2026-12-01T03:00:00Z"));
    let refusal = |text: &str| local_moment(text, berlin).unwrap_err().to_string();
    assert!(refusal("2027-03-28 02:30").contains("clocks go forward"));
    assert!(refusal("2026-10-25 02:30").contains("2026-10-25T02:30:00+02:00"));
    assert!(refusal("tomorrow").contains("is no moment"));
}

fn due(spec: &ScheduleSpec, next: &str, now: &str) -> Option<(u64, Option<String>, Option<String>)> {
    let step = spec.due(ID, spec.tick(ID, at(next)), None, at(now))?;
    let text = |at: DateTime<Utc>| at.format("%H:%M").to_string();
    Some((
        step.missed.map_or(0, |missed| missed.count),
        step.fire.map(text),
        step.next.map(|next| text(next.due)),
    ))
}

#[test]
fn late_ticks_begin_or_are_skipped_as_the_schedule_says() {
    let some = |text: &str| Some(text.to_owned());
    let hourly = cron("0 * * * *", "UTC");
    let now = |time: &str| format!("2026-11-26T{time}Z");
    let next = &now("10:00:00");
    assert_eq!(due(&hourly, next, &now("09:59:59")), None);
    assert_eq!(due(&hourly, next, &now("10:00:00")), Some((0, some("10:00"), some("11:00"))));
    assert_eq!(due(&hourly, next, &now("10:00:50")), Some((0, some("10:00"), some("11:00"))));
    // Made up for, if it is the latest one that was missed.
    assert_eq!(due(&hourly, next, &now("10:30:00")), Some((0, some("10:00"), some("11:00"))));
    assert_eq!(due(&hourly, next, &now("13:30:00")), Some((3, some("13:00"), some("14:00"))));
    assert_eq!(due(&hourly, next, &now("13:00:10")), Some((3, some("13:00"), some("14:00"))));
    let brief = ScheduleSpec { deadline: Some("10m".parse().unwrap()), ..hourly.clone() };
    assert_eq!(due(&brief, next, &now("13:09:00")), Some((3, some("13:00"), some("14:00"))));
    assert_eq!(due(&brief, next, &now("13:30:00")), Some((4, None, some("14:00"))));
    let skip = ScheduleSpec { missed: Missed::Skip, ..hourly.clone() };
    assert_eq!(due(&skip, next, &now("10:30:00")), Some((1, None, some("11:00"))));
    assert_eq!(due(&skip, next, &now("13:00:10")), Some((3, some("13:00"), some("14:00"))));
    let patient = ScheduleSpec { deadline: Some("2h".parse().unwrap()), ..skip };
    assert_eq!(
        due(&patient, next, &now("13:30:00")),
        Some((2, some("12:00"), some("13:00"))),
        "and 13:00 after it"
    );
    // A failover of seconds loses no tick of a fast schedule.
    let fast = every("1s", "2026-11-26T10:00:00Z");
    let (missed, fired, _) = due(&fast, next, &now("10:00:15")).unwrap();
    assert_eq!((missed, fired), (0, some("10:00")), "the others follow");
}

#[test]
fn a_moment_that_was_missed_ends_the_schedule() {
    let once = spec(Timing::At(at("2026-11-26T10:00:00Z")), "UTC");
    assert_eq!(
        due(&once, "2026-11-26T10:00:00Z", "2026-11-26T12:00:00Z"),
        Some((0, Some("10:00".into()), None))
    );
    assert_eq!(due(&once, "2026-11-26T10:00:00Z", "2026-11-28T12:00:00Z"), Some((1, None, None)));
}

#[test]
fn ticks_of_years_are_skipped_in_bounded_steps() {
    let spec = cron("* * * * *", "UTC");
    let mut next = spec.tick(ID, at("2026-11-26T10:00:00Z"));
    let now = at("2026-12-26T10:00:30Z");
    let (mut missed, mut steps, mut fired) = (0, 0, Vec::new());
    while let Some(DueTicks { missed: skipped, fire, next: Some(following), .. }) =
        spec.due(ID, next, None, now)
    {
        missed += skipped.map_or(0, |skipped| skipped.count);
        fired.extend(fire);
        (next, steps) = (following, steps + 1);
    }
    assert_eq!((missed, fired), (30 * 1_440, vec![at("2026-12-26T10:00:00Z")]));
    assert!(steps > 10, "{steps}");
    assert_eq!(ticks_between(&spec, ID, spec.tick(ID, at("2026-11-26T10:00:00Z")), now, 100), 100);
}

#[test]
fn a_clock_that_is_set_back_does_not_silence_a_schedule() {
    let spec = cron("0 3 * * *", "UTC");
    // The clock stood in 2038 for a moment.
    let next = spec.tick(ID, at("2038-01-02T03:00:00Z"));
    let now = at("2026-11-26T10:00:00Z");
    let step = spec.due(ID, next, Some(at("2038-01-01T03:00:00Z")), now).unwrap();
    assert!(step.set_back && step.fire.is_none() && step.missed.is_none());
    assert_eq!(step.next.unwrap().due, at("2026-11-27T03:00:00Z"));
    // A small step changes nothing: the tick comes when the clock gets there.
    let next = spec.tick(ID, at("2026-11-27T03:00:00Z"));
    assert_eq!(spec.due(ID, next, Some(at("2026-11-26T03:00:00Z")), at("2026-11-26T02:59:30Z")), None);
}

#[test]
fn jitter_is_the_same_for_everybody_and_differs_from_tick_to_tick() {
    let spec = ScheduleSpec { jitter: Some("10m".parse().unwrap()), ..cron("0 * * * *", "UTC") };
    let ticks = spec.upcoming(ID, at("2026-11-26T00:00:00Z"), 48);
    let later: Vec<i64> = ticks.iter().map(|tick| (tick.begins - tick.due).num_milliseconds()).collect();
    assert!(later.iter().all(|later| (0..=600_000).contains(later)), "{later:?}");
    let distinct: std::collections::HashSet<_> = later.iter().collect();
    assert!(distinct.len() > 40, "{later:?}");
    assert_eq!(ticks, spec.upcoming(ID, at("2026-11-26T00:00:00Z"), 48));
    let other = spec.upcoming(ScheduleId(Uuid::from_u128(8)), at("2026-11-26T00:00:00Z"), 48);
    assert_ne!(ticks, other, "two schedules do not begin together");
    let first: NextTick = ticks[0];
    assert_eq!(spec.due(ID, first, None, first.begins - TimeDelta::milliseconds(1)), None);
    assert_eq!(spec.due(ID, first, None, first.begins).unwrap().fire, Some(first.due));
}

#[test]
fn a_spec_is_stored_and_read_back() {
    for spec in [
        ScheduleSpec {
            overlap: Overlap::Replace,
            missed: Missed::Skip,
            deadline: Some("5m".parse().unwrap()),
            jitter: Some("30s".parse().unwrap()),
            ..cron("0 3 * * MON-FRI", "Asia/Shanghai")
        },
        every("6h", "2026-11-26T10:00:00Z"),
        spec(Timing::At(at("2026-11-26T10:00:00Z")), "US/Eastern"),
    ] {
        let stored = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<ScheduleSpec>(&stored).unwrap(), spec, "{stored}");
    }
}

#[test]
fn patterns_are_said_in_plain_words() {
    let words = |spec: ScheduleSpec| spec.timing.words(spec.time_zone, Lang::En);
    assert_eq!(words(cron("0 3 * * *", "Asia/Shanghai")), "At 03:00, in Asia/Shanghai");
    assert_eq!(words(every("6h", "2026-11-26T10:00:00Z")), "Every 6h, counted from 2026-11-26 10:00:00 UTC");
    assert!(words(cron("*/15 9-17 * * MON-FRI", "UTC")).contains("15 minutes"));
}

proptest! {
    /// Wherever the search begins between two ticks, it finds the second: so a restart changes nothing.
    #[test]
    fn the_next_tick_does_not_depend_on_where_the_search_begins(
        pattern in prop::sample::select(vec!["30 2 * * *", "*/20 1-3 * * *", "0 0 * * *", "15 2 * * SUN", "0 */2 * * *"]),
        zone in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
        change in prop::sample::select(vec![
            "2027-03-28T01:00:00Z", "2026-10-25T01:00:00Z", "2027-03-14T07:00:00Z", "2026-11-01T06:00:00Z",
            "2026-10-03T15:30:00Z", "2027-04-03T15:00:00Z",
        ]),
        minutes in -1_500_i64..1_500,
        part in 0.0_f64..1.0,
    ) {
        let spec = cron(pattern, zone);
        let from = at(change) + TimeDelta::minutes(minutes);
        let [first, second] = spec.upcoming(ID, from, 2)[..] else { panic!("two ticks") };
        prop_assert!(second.due > first.due && first.due > from);
        let between = first.due + TimeDelta::milliseconds(((second.due - first.due).num_milliseconds() as f64 * part) as i64);
        if between < second.due {
            prop_assert_eq!(spec.next_after(ID, between), Some(second));
        }
    }
}

#[test]
fn a_pattern_is_told_in_chinese() {
    let pattern = |text: &str| text.parse::<CronPattern>().unwrap().words(Lang::Zh);
    for (text, words) in [
        ("* * * * *", "每分钟"),
        ("0 3 * * *", "03:00"),
        ("*/15 * * * *", "每 15 分钟"),
        ("30 2 * * MON-FRI", "02:30，星期一"),
        ("0 9 1 * *", "09:00，每月 1 日"),
        ("0 9 L * *", "09:00，每月最后一天"),
        ("0 9 * 1 *", "09:00，一月"),
        ("5 * * * *", "每小时第 5 分"),
        ("*/10 * * * * *", "每 10 秒"),
    ] {
        let told = pattern(text);
        assert!(told.starts_with(words), "{text}: {told}");
        assert!(!told.chars().any(|c| c.is_ascii_alphabetic()), "{text}: {told}");
    }
    let every =
        Timing::Every { interval: "90m".parse().unwrap(), anchor: "2026-11-27T00:00:00Z".parse().unwrap() };
    assert_eq!(every.words(Zone::UTC, Lang::Zh), "每 1 小时 30 分钟，从 2026-11-27 00:00:00 UTC 起算");
    assert_eq!(every.words(Zone::UTC, Lang::En), "Every 1h 30m, counted from 2026-11-27 00:00:00 UTC");
    let once = Timing::At("2026-12-01T00:00:00Z".parse().unwrap());
    assert!(once.words(Zone::UTC, Lang::Zh).starts_with("一次，2026-12-01"));
    assert_eq!(in_chinese("1day 2h 3m 4s 5ms"), "1 天 2 小时 3 分钟 4 秒 5 毫秒");
}
