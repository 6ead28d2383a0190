//! Checks are rolled up exactly once, whatever comes when, and what is old goes without what it came to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use linkbeat_shared::history::{CheckCounts, Keep, Zone};
use linkbeat_shared::{CheckResult, LinkId, LinkSelection, Phase, Reason, RequestId, RunId, Verdict};
use linkbeat_store::{
    Filed, HistoryRules, JobResults, LinkChanges, LinkDay, NewRun, ParkingNotice, PlannedJob, Recorded,
    SharedStore,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use crate::database::{Kind, TestDatabase};
use crate::make::{self, ImportLinks, file, new_run, record, result};

cases![
    days_are_those_of_the_checks_at_every_moment,
    a_late_result_is_added_to_its_day_once,
    two_processes_add_each_check_once,
    held_back_checks_say_nothing_about_the_site,
    days_begin_in_the_time_zone_and_keep_its_name,
    old_checks_go_when_they_are_rolled_up,
    nothing_goes_that_is_kept_or_not_rolled_up,
    runs_outlive_their_checks_and_then_go,
    hours_go_and_days_stay,
    the_time_in_which_a_link_was_shown,
    the_status_tells_how_much_there_is,
];

const NOW: Duration = Duration::ZERO;
const ALL: HistoryRules = HistoryRules { zone: Zone::UTC, checks: None, runs: None, hours: None };

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A run that was filed then.
async fn file_at(
    database: &TestDatabase,
    store: &SharedStore,
    moment: DateTime<Utc>,
    job_links: usize,
) -> (Filed, Vec<PlannedJob>) {
    let millis = u64::try_from(moment.timestamp_millis()).unwrap();
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid();
    let (filed, plan) =
        file(store, NewRun { id: RunId(id), ..new_run(LinkSelection::Stored) }, job_links).await;
    let created = moment.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let where_id = match database.kind {
        Kind::Postgres => format!("'{id}'"),
        Kind::Sqlite => format!("x'{}'", id.simple()),
    };
    database.execute(&format!("UPDATE runs SET created_at = '{created}' WHERE id = {where_id}")).await;
    (filed, plan.jobs)
}

/// Makes the partition of the week in which this moment lies, as if it had been made ahead.
async fn make_partition(database: &TestDatabase, monday: &str) {
    if database.kind == Kind::Sqlite {
        return;
    }
    let bounds =
        format!("first_run_id('{monday}'), first_run_id(timestamptz '{monday}' + interval '7 days')");
    let make = format!(
        "DO $$ DECLARE named text := 'checks_' || replace(left('{monday}', 10), '-', ''); least uuid; beyond uuid; BEGIN
             SELECT * INTO least, beyond FROM (SELECT {bounds}) b;
             EXECUTE format('CREATE TABLE %I (LIKE checks)', named);
             EXECUTE format('ALTER TABLE checks ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', named, least, beyond);
             INSERT INTO checks_partitions VALUES (named, least, beyond);
         END $$"
    );
    database.execute(&make).await;
}

async fn roll_up(store: &SharedStore, rules: &HistoryRules) {
    while store.roll_up(rules, NOW).await.unwrap() {}
}

async fn clean_up(store: &SharedStore, rules: &HistoryRules) {
    while store.clean_up(rules).await.unwrap() {}
}

async fn days(store: &SharedStore, link: LinkId) -> Vec<LinkDay> {
    store.link_days(link, Zone::UTC, day("1970-01-01"), day("2999-01-01"), 10_000).await.unwrap()
}

/// What a test knows of the checks of a link on a day, without any histogram.
#[derive(Debug, Default)]
struct Raw {
    counts: CheckCounts,
    /// Each with whether it timed out.
    answers: Vec<(u32, bool)>,
}

impl Raw {
    fn add(&mut self, result: &CheckResult) {
        let (counts, timed_out) = (&mut self.counts, matches!(result.reason, Some(Reason::Timeout { .. })));
        match result.verdict {
            None => counts.white_listed += 1,
            Some(Verdict::Up) => counts.up += 1,
            Some(Verdict::Down) => counts.down += 1,
            Some(Verdict::NoBacklink) => counts.no_backlink += 1,
            Some(Verdict::Blocked) => counts.blocked += 1,
            Some(Verdict::Refused) => counts.refused += 1,
        }
        let tells = matches!(result.verdict, Some(Verdict::Up | Verdict::Down | Verdict::NoBacklink));
        if tells && (timed_out || result.status.is_some()) {
            self.answers.push((result.elapsed_ms, timed_out));
        }
    }

    #[track_caller]
    fn assert_is(&mut self, day: &LinkDay) {
        let summary = &day.summary;
        assert_eq!(summary.counts, self.counts, "{day:?}");
        let judged = self.counts.up + self.counts.no_backlink + self.counts.down;
        let percent = (self.counts.up + self.counts.no_backlink) as f64 * 100.0;
        match summary.counts.reachable() {
            None => assert_eq!(judged, 0),
            Some(share) => {
                let exact = percent / judged as f64;
                assert!((-1e-9..0.01 + 1e-9).contains(&(exact - share.percent())), "{exact} {share}");
            }
        }
        self.answers.sort_unstable();
        assert_eq!(summary.latency.count(), self.answers.len() as u64);
        for per_mille in [1, 500, 950, 990, 1_000] {
            let Some(quantile) = summary.latency.quantile(per_mille) else { continue };
            let rank = (self.answers.len() * usize::from(per_mille)).div_ceil(1_000).max(1);
            let exact = f64::from(self.answers[rank - 1].0);
            assert!((quantile.ms - exact).abs() <= 0.05 * exact, "{quantile:?} for {exact}");
            if self.answers[..rank].iter().any(|(_, timed_out)| *timed_out) {
                assert!(quantile.at_least);
            }
        }
    }
}

fn any_result(link: LinkId, moment: DateTime<Utc>, random: &mut StdRng) -> CheckResult {
    let verdict = [
        Verdict::Up,
        Verdict::Up,
        Verdict::Up,
        Verdict::Down,
        Verdict::NoBacklink,
        Verdict::Blocked,
        Verdict::Refused,
    ];
    let verdict = verdict[random.random_range(0..verdict.len())];
    let timed_out = verdict == Verdict::Down && random.random_bool(0.5);
    CheckResult {
        elapsed_ms: if timed_out { 5_000 } else { random.random_range(0..4_000) },
        status: if timed_out { None } else { result(link, verdict).status },
        reason: if timed_out {
            Some(Reason::Timeout { phase: Phase::Headers })
        } else {
            result(link, verdict).reason
        },
        checked_at: moment,
        ..result(link, verdict)
    }
}

/// Every answer is held against the checks themselves, after each step.
async fn days_are_those_of_the_checks_at_every_moment(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let links = store.import_links(&make::links(5)).await.unwrap().ids;
    let mut random = StdRng::seed_from_u64(7);
    let mut raw: BTreeMap<(LinkId, NaiveDate), Raw> = BTreeMap::new();
    let mut waiting: Vec<JobResults> = Vec::new();
    let begin = Utc::now() - TimeDelta::days(20);
    for round in 0..40 {
        let filed_at = begin + TimeDelta::hours(round * 7);
        let (filed, jobs) = file_at(&database, &store, filed_at, 2).await;
        for job in jobs {
            let mut moment = || filed_at + TimeDelta::minutes(random.random_range(0..600));
            let moments: Vec<_> = job.links.iter().map(|_| moment()).collect();
            let checked = job.links.iter().zip(moments);
            let results = checked.map(|(link, at)| any_result(*link, at, &mut random)).collect();
            waiting.push(JobResults { run_id: filed.run.id, job_id: job.id, results });
        }
        // Some results come later, when their run may be rolled up.
        while waiting.len() > 4 {
            let one = waiting.remove(random.random_range(0..waiting.len()));
            for _ in 0..random.random_range(1..3) {
                store.record(std::slice::from_ref(&one), make::judge()).await.unwrap();
            }
            for result in &one.results {
                let day = Zone::UTC.day_of(result.checked_at);
                raw.entry((result.link_id, day)).or_default().add(result);
            }
        }
        if random.random_bool(0.3) {
            // As if the rest of the run were lost: it is rolled up, and its results come all the same.
            database
                .execute("UPDATE runs SET state = 'incomplete', hold = 'free' WHERE state = 'running'")
                .await;
            let finished = "UPDATE runs SET finished_at = created_at WHERE finished_at IS NULL";
            database.execute(finished).await;
        }
        store.close_runs(100).await.unwrap();
        for _ in 0..random.random_range(0..5) {
            store.roll_up(&ALL, NOW).await.unwrap();
        }
        if round % 5 == 0 {
            assert_days(&store, &links, &mut raw).await;
        }
    }
    roll_up(&store, &ALL).await;
    assert_days(&store, &links, &mut raw).await;
    roll_up(&store, &ALL).await;
    assert_days(&store, &links, &mut raw).await;
    assert_hours(&store, &links, &raw).await;
    assert_eq!(database.value("SELECT count(*) FROM late_checks").await.as_deref(), Some("0"));
    let rolled =
        database.value("SELECT sum(up + down + no_backlink + blocked + refused) FROM linkbeat_days").await;
    let stored = "SELECT count(*) FROM checks c JOIN runs r ON r.id = c.run_id WHERE r.history = 'rolled'";
    assert_eq!(rolled, database.value(stored).await, "the view has them too");
    let worst = "SELECT count(*) FROM linkbeat_days WHERE reachable > 100.0 * (up + no_backlink) / nullif(up + down + no_backlink, 0)";
    assert_eq!(database.value(worst).await.as_deref(), Some("0"), "rounded down");
}

async fn assert_days(store: &SharedStore, links: &[LinkId], raw: &mut BTreeMap<(LinkId, NaiveDate), Raw>) {
    for link in links {
        let found = days(store, *link).await;
        let expected: Vec<NaiveDate> = raw.keys().filter(|(of, _)| of == link).map(|(_, day)| *day).collect();
        assert_eq!(found.iter().map(|day| day.day).collect::<Vec<_>>(), expected);
        for day in &found {
            raw.get_mut(&(*link, day.day)).unwrap().assert_is(day);
        }
        let mut paged = Vec::new();
        let mut from = expected.first().copied().unwrap_or(day("1970-01-01"));
        while let page = store.link_days(*link, Zone::UTC, from, day("2999-01-01"), 3).await.unwrap()
            && let Some(last) = page.last()
        {
            from = last.day.succ_opt().unwrap();
            paged.extend(page);
        }
        assert_eq!(paged, found, "page by page");
    }
}

async fn assert_hours(store: &SharedStore, links: &[LinkId], raw: &BTreeMap<(LinkId, NaiveDate), Raw>) {
    for link in links {
        let from = Utc::now() - TimeDelta::days(30);
        let hours = store.link_hours(*link, from, Utc::now() + TimeDelta::days(1), 10_000).await.unwrap();
        let mut counts = CheckCounts::default();
        hours.iter().for_each(|hour| counts.merge(&hour.summary.counts));
        let mut expected = CheckCounts::default();
        raw.iter().filter(|((of, _), _)| of == link).for_each(|(_, raw)| expected.merge(&raw.counts));
        assert_eq!(counts, expected);
    }
}

async fn a_late_result_is_added_to_its_day_once(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let links = store.import_links(&make::links(2)).await.unwrap().ids;
    let (filed, jobs) = file_at(&database, &store, Utc::now() - TimeDelta::days(2), 1).await;
    let run = filed.run.id;
    record(&store, run, &jobs[..1], Verdict::Up).await;
    let parked =
        ParkingNotice { id: Uuid::now_v7(), job_id: jobs[1].id, parked: true, cause: "poison".into() };
    store.note_parkings(&[parked]).await.unwrap();
    assert_eq!(store.close_runs(10).await.unwrap().len(), 1, "it is incomplete");
    roll_up(&store, &ALL).await;
    for _ in 0..2 {
        record(&store, run, &jobs[1..], Verdict::Down).await;
        let all = async || {
            let mut counts = CheckCounts::default();
            for link in &links {
                days(&store, *link).await.iter().for_each(|day| counts.merge(&day.summary.counts));
            }
            counts
        };
        assert_eq!(
            all().await,
            CheckCounts { up: 1, down: 1, ..CheckCounts::default() },
            "before it is added"
        );
        roll_up(&store, &ALL).await;
        assert_eq!(all().await, CheckCounts { up: 1, down: 1, ..CheckCounts::default() }, "and after");
    }
}

async fn two_processes_add_each_check_once(database: Arc<TestDatabase>) {
    let (store, other) = (database.open().await, database.open().await);
    let links = store.import_links(&make::links(40)).await.unwrap().ids;
    for _ in 0..30 {
        let (filed, jobs) = file_at(&database, &store, Utc::now() - TimeDelta::days(1), 40).await;
        record(&store, filed.run.id, &jobs, Verdict::Up).await;
    }
    store.close_runs(100).await.unwrap();
    let work = async |store: &SharedStore| {
        loop {
            match store.roll_up(&ALL, NOW).await {
                Ok(false) => break,
                Ok(true) => {}
                Err(error) => assert!(error.is_transient(), "{error}"),
            }
        }
    };
    tokio::join!(work(&store), work(&other));
    for link in links {
        let up: u64 = days(&store, link).await.iter().map(|day| day.summary.counts.up).sum();
        assert_eq!(up, 30);
    }
}

async fn held_back_checks_say_nothing_about_the_site(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let links = store.import_links(&make::links(1)).await.unwrap().ids;
    let (filed, jobs) = file_at(&database, &store, Utc::now() - TimeDelta::days(1), 1).await;
    record(&store, filed.run.id, &jobs, Verdict::Down).await;
    store.close_runs(10).await.unwrap();
    // As if the check had only proposed to hide its link, and a person is to decide.
    database
        .execute("UPDATE checks SET outcome = 82; UPDATE runs SET state = 'held_back', hold = 'held'")
        .await;
    roll_up(&store, &ALL).await;
    assert_eq!(
        database.value("SELECT count(*) FROM link_days").await.as_deref(),
        Some("0"),
        "not decided yet"
    );
    let counts = days(&store, links[0]).await[0].summary.counts;
    assert_eq!((counts.held_back, counts.reachable()), (1, None));
    database.execute("UPDATE runs SET state = 'discarded', hold = 'discarded'").await;
    roll_up(&store, &ALL).await;
    assert_eq!(days(&store, links[0]).await[0].summary.counts, counts);
}

async fn days_begin_in_the_time_zone_and_keep_its_name(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let links = store.import_links(&make::links(1)).await.unwrap().ids;
    let shanghai: Zone = "Asia/Shanghai".parse().unwrap();
    for (zone, moment) in [(Zone::UTC, "2026-06-01T20:00:00Z"), (shanghai, "2026-06-01T20:30:00Z")] {
        let (filed, jobs) = file_at(&database, &store, at("2026-06-01T19:00:00Z"), 1).await;
        let results = vec![CheckResult { checked_at: at(moment), ..result(links[0], Verdict::Up) }];
        let results = JobResults { run_id: filed.run.id, job_id: jobs[0].id, results };
        store.record(&[results], make::judge()).await.unwrap();
        store.close_runs(10).await.unwrap();
        roll_up(&store, &HistoryRules { zone, ..ALL }).await;
    }
    let found = days(&store, links[0]).await;
    let found: Vec<_> = found.iter().map(|day| (day.day, day.zone.as_str(), day.summary.counts.up)).collect();
    assert_eq!(found, [(day("2026-06-01"), "UTC", 1), (day("2026-06-02"), "Asia/Shanghai", 1)]);
}

/// Rules that keep checks for 30 days and runs for 60.
fn short() -> HistoryRules {
    let keep = |days| Some(Keep::days(days));
    HistoryRules { checks: keep(30), runs: keep(60), hours: keep(14), ..ALL }
}

async fn old_checks_go_when_they_are_rolled_up(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let links = store.import_links(&make::links(3)).await.unwrap().ids;
    // 45 days ago, in a partition of its own, and one of a wrong clock, which has none.
    let monday = Utc::now().date_naive() - TimeDelta::days(45);
    let monday = monday.week(chrono::Weekday::Mon).first_day();
    let filed_at = monday.and_hms_opt(12, 0, 0).unwrap().and_utc();
    make_partition(&database, &format!("{monday}T00:00:00Z")).await;
    let (old, old_jobs) = file_at(&database, &store, filed_at, 1).await;
    let (odd, odd_jobs) = file_at(&database, &store, filed_at - TimeDelta::days(7), 3).await;
    let (young, young_jobs) = file_at(&database, &store, Utc::now(), 3).await;
    record(&store, old.run.id, &old_jobs[..2], Verdict::Down).await;
    record(&store, odd.run.id, &odd_jobs, Verdict::Up).await;
    record(&store, young.run.id, &young_jobs, Verdict::Up).await;
    let parked =
        ParkingNotice { id: Uuid::now_v7(), job_id: old_jobs[2].id, parked: true, cause: "poison".into() };
    store.note_parkings(&[parked]).await.unwrap();
    store.close_runs(10).await.unwrap();
    let before = days(&store, links[0]).await;
    let counts = make::counts(&store, old.run.id).await;
    roll_up(&store, &short()).await;
    clean_up(&store, &short()).await;

    assert_eq!(database.value("SELECT count(*) FROM checks").await.as_deref(), Some("3"), "the young ones");
    assert_eq!(database.value("SELECT count(*) FROM jobs").await.as_deref(), Some("1"));
    assert_eq!(database.value("SELECT count(*) FROM parkings").await.as_deref(), Some("0"));
    if database.kind == Kind::Sqlite {
        let listed = database.value("SELECT count(*) FROM checks_of_small_runs").await;
        assert_eq!(listed.as_deref(), Some("3"), "those that are kept");
    }
    let (cleaned_at, last) = store.clean_ups().await.unwrap();
    let last = last.unwrap();
    assert_eq!(Some(last.at), cleaned_at);
    assert_eq!(store.history_status().await.unwrap().removed, Some(last));
    let kind_of = (last.removed.weeks > 0, last.removed.checks > 0);
    assert_eq!(kind_of, (database.kind == Kind::Postgres, database.kind == Kind::Sqlite), "{last:?}");
    clean_up(&store, &short()).await;
    let (again, same) = store.clean_ups().await.unwrap();
    assert_eq!(same, Some(last), "one that finds nothing is not the last that removed anything");
    assert!(again > cleaned_at);
    assert_eq!(days(&store, links[0]).await, before, "what they came to stays");
    assert_eq!(make::counts(&store, old.run.id).await, counts, "the report of the run shows its counts");
    assert!(make::report_links(&store, old.run.id).await.is_empty());
    let late = make::results(old.run.id, &old_jobs[2], Verdict::Up);
    let fresh = make::results(young.run.id, &young_jobs[0], Verdict::Up);
    let recorded = store.record(&[late, fresh], make::judge()).await.unwrap();
    assert!(matches!(recorded[0], Recorded::NotAskedFor | Recorded::HistoryDropped), "{recorded:?}");
    assert!(matches!(recorded[1], Recorded::Stored { .. }), "the rest of the batch is stored");
    clean_up(&store, &short()).await;
    assert_eq!(database.value("SELECT count(*) FROM runs").await.as_deref(), Some("3"));
}

async fn nothing_goes_that_is_kept_or_not_rolled_up(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(2)).await.unwrap();
    let monday = (Utc::now().date_naive() - TimeDelta::days(45)).week(chrono::Weekday::Mon).first_day();
    make_partition(&database, &format!("{monday}T00:00:00Z")).await;
    let (old, jobs) = file_at(&database, &store, monday.and_hms_opt(12, 0, 0).unwrap().and_utc(), 2).await;
    record(&store, old.run.id, &jobs, Verdict::Up).await;
    store.close_runs(10).await.unwrap();
    let checks = async || database.value("SELECT count(*) FROM checks").await.unwrap();
    clean_up(&store, &short()).await;
    assert_eq!(checks().await, "2", "it is not rolled up");
    roll_up(&store, &ALL).await;
    clean_up(&store, &ALL).await;
    assert_eq!(checks().await, "2", "all is kept");
    clean_up(&store, &HistoryRules { checks: Some(Keep::days(90)), ..ALL }).await;
    assert_eq!(checks().await, "2", "it is not old enough");
    // Another one of the same week is not rolled up: PostgreSQL drops the week as a whole.
    let (running, more) =
        file_at(&database, &store, monday.and_hms_opt(13, 0, 0).unwrap().and_utc(), 2).await;
    record(&store, running.run.id, &more, Verdict::Up).await;
    clean_up(&store, &short()).await;
    let left = if database.kind == Kind::Postgres { "4" } else { "2" };
    assert_eq!(checks().await, left);
    // Running or not: it is rolled up before it is too old to be kept, and what it found goes.
    database.execute("UPDATE runs SET state = 'running' WHERE history = 'raw'").await;
    roll_up(&store, &short()).await;
    clean_up(&store, &short()).await;
    if database.kind == Kind::Postgres {
        assert_eq!(checks().await, "0");
    }
    let state = "SELECT count(*) FROM runs WHERE state = 'running' AND history = 'rolled'";
    assert_eq!(database.value(state).await.as_deref(), Some("1"), "a run that goes on stays");
}

async fn runs_outlive_their_checks_and_then_go(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let mut requests: Vec<(RequestId, u64)> = Vec::new();
    for age in [40, 70] {
        let (filed, jobs) = file_at(&database, &store, Utc::now() - TimeDelta::days(age), 1).await;
        record(&store, filed.run.id, &jobs, Verdict::Up).await;
        requests.push((filed.run.request_id, filed.run.links));
    }
    store.close_runs(10).await.unwrap();
    roll_up(&store, &short()).await;
    clean_up(&store, &short()).await;
    assert_eq!(database.value("SELECT count(*) FROM runs").await.as_deref(), Some("1"));
    for ((request_id, _), known) in requests.into_iter().zip([true, false]) {
        let again = NewRun { request_id, ..new_run(LinkSelection::Stored) };
        let (filed, _) = file(&store, again, 1).await;
        assert_eq!(filed.existed, known, "a request is known for as long as its run");
    }
}

async fn hours_go_and_days_stay(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let links = store.import_links(&make::links(2)).await.unwrap().ids;
    for age in [20, 10, 1] {
        let filed_at = Utc::now() - TimeDelta::days(age);
        let (filed, jobs) = file_at(&database, &store, filed_at, 2).await;
        let results = jobs[0].links.iter();
        let results = results.map(|link| CheckResult { checked_at: filed_at, ..result(*link, Verdict::Up) });
        let results = JobResults { run_id: filed.run.id, job_id: jobs[0].id, results: results.collect() };
        store.record(&[results], make::judge()).await.unwrap();
    }
    store.close_runs(10).await.unwrap();
    roll_up(&store, &ALL).await;
    let hours = async || database.value("SELECT count(*) FROM linkbeat_hours").await.unwrap();
    assert_eq!(hours().await, "6");
    clean_up(&store, &short()).await;
    assert_eq!(hours().await, "4");
    assert_eq!(days(&store, links[0]).await.len(), 3);
}

async fn the_time_in_which_a_link_was_shown(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let links = store.import_links(&make::links(2)).await.unwrap().ids;
    let created = "UPDATE links SET created_at = '2026-01-01T00:00:00.000000Z'";
    database.execute(created).await;
    let shown = store.link_shown(links[0], at("2025-12-01T00:00:00Z")).await.unwrap().unwrap();
    let january = (at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"));
    assert_eq!(shown.share(january.0, january.1).unwrap().to_string(), "100 %");
    assert_eq!(shown.share(at("2025-12-01T00:00:00Z"), january.0), None, "it was not known then");
    for (shown, moment) in [(false, "2026-01-11T00:00:00.000000Z"), (true, "2026-01-21T00:00:00.000000Z")] {
        let change = LinkChanges { shown: Some(shown), ..LinkChanges::default() };
        store.set_link(links[0], &change).await.unwrap();
        let latest = "SELECT max(id) FROM changes";
        database.execute(&format!("UPDATE changes SET at = '{moment}' WHERE id = ({latest})")).await;
    }
    for from in ["2025-06-01T00:00:00Z", "2026-01-12T00:00:00Z"] {
        let shown = store.link_shown(links[0], at(from)).await.unwrap().unwrap();
        let ten_days = shown.share(at("2026-01-16T00:00:00Z"), at("2026-01-26T00:00:00Z"));
        assert_eq!(ten_days.unwrap().to_string(), "50.00 %", "{from}");
    }
    store.remove_links(&links).await.unwrap();
    assert!(store.link_shown(links[0], january.0).await.unwrap().is_some());
    assert_eq!(store.link_shown(LinkId::new(), january.0).await.unwrap(), None);
}

async fn the_status_tells_how_much_there_is(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let empty = store.history_status().await.unwrap();
    assert_eq!((empty.oldest, empty.to_roll_up, empty.checks_a_day), (None, 0, 0.0));
    store.import_links(&make::links(7)).await.unwrap();
    let (filed, jobs) = file_at(&database, &store, Utc::now(), 7).await;
    record(&store, filed.run.id, &jobs, Verdict::Up).await;
    store.close_runs(10).await.unwrap();
    let full = store.history_status().await.unwrap();
    assert_eq!((full.to_roll_up, full.checks_a_day.round(), full.rolled_at), (1, 7.0, None));
    assert!(full.database_bytes > 0 && full.oldest.is_some());
    assert_eq!(
        full.partitions.map(|partitions| partitions.ahead),
        (database.kind == Kind::Postgres).then_some(4)
    );
    roll_up(&store, &ALL).await;
    clean_up(&store, &ALL).await;
    let rolled = store.history_status().await.unwrap();
    assert!(rolled.to_roll_up == 0 && rolled.rolled_at.is_some() && rolled.cleaned_at.is_some());
}
