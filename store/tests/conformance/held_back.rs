//! Runs in which most links change alike: nothing is hidden or shown until a person decides.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use linkbeat_shared::{
    Alike, Change, CheckResult, Decision, HoldBack, LinkId, LinkSelection, Reason, RecheckAfter, RunId,
    RunState, ShowRules, Verdict,
};
use linkbeat_store::{Decided, JobResults, LinkChanges, NewRun, ParkingNotice, SharedStore};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use crate::consistent;
use crate::database::TestDatabase;
use crate::make::{self, ImportLinks, Plan, file, file_stored, new_run, record, result, results, selected};

cases![
    most_links_that_fail_alike_hold_the_run_back,
    most_links_that_pass_alike_hold_the_run_back,
    an_applied_run_hides_and_tells_once,
    a_discarded_run_changes_nothing,
    a_decision_is_made_once,
    a_later_run_is_not_overruled,
    what_a_person_did_meanwhile_counts,
    removed_links_are_left_out,
    links_that_are_new_do_not_count,
    the_white_list_is_shown_at_once,
    few_links_are_never_held_back,
    a_run_goes_on_as_soon_as_it_is_clear,
    what_a_cancelled_run_only_proposed_is_dropped,
    an_incomplete_run_waits_until_it_is_clear,
    a_parked_job_does_not_hide_what_is_seen,
    rechecks_count_when_they_are_back,
    pages_of_proposals_end,
    any_order_decides_as_one_look_at_all,
];

const ALL: u32 = 100;

/// So many stored links, each checked once with this verdict.
async fn known(store: &SharedStore, count: usize, verdict: Verdict) {
    store.import_links(&make::links(count)).await.unwrap();
    let (run, plan) = file_stored(store).await;
    record(store, run, &plan.jobs, verdict).await;
    close(store).await;
}

/// What a recorder does when results are stored.
async fn close(store: &SharedStore) {
    while store.settle(None, ALL, make::judge()).await.unwrap() {}
    store.close_runs(ALL).await.unwrap();
}

async fn state(store: &SharedStore, run: RunId) -> RunState {
    store.run(run).await.unwrap().unwrap().state
}

/// How many stored links are shown.
async fn shown(store: &SharedStore) -> usize {
    store.links(None, ALL).await.unwrap().iter().filter(|link| link.state.shown).count()
}

async fn apply(store: &SharedStore, run: RunId) {
    assert_eq!(store.decide_run(run, Decision::Applied).await.unwrap(), Some(Decided::Now));
    close(store).await;
}

/// A run of all stored links in which all fail: held back.
async fn held(store: &SharedStore) -> (RunId, Plan) {
    let (run, plan) = file_stored(store).await;
    record(store, run, &plan.jobs, Verdict::Down).await;
    close(store).await;
    assert_eq!(state(store, run).await, RunState::HeldBack);
    (run, plan)
}

async fn most_links_that_fail_alike_hold_the_run_back(database: Arc<TestDatabase>) {
    let store = database.open().await;
    known(&store, 24, Verdict::Up).await;
    let (run, plan) = file_stored(&store).await;
    let recorded = record(&store, run, &plan.jobs[..13], Verdict::Down).await;
    let changed = |recorded: &linkbeat_store::Recorded| match recorded {
        linkbeat_store::Recorded::Stored { changed, .. } => changed.len(),
        _ => panic!("{recorded:?}"),
    };
    assert!(recorded.iter().all(|recorded| changed(recorded) == 0), "nothing is told");
    record(&store, run, &plan.jobs[13..], Verdict::Up).await;
    close(&store).await;

    assert_eq!((state(&store, run).await, shown(&store).await), (RunState::HeldBack, 24));
    let summary = store.summary(run).await.unwrap().unwrap();
    let counts = summary.counts;
    assert_eq!((counts.down, counts.to_not_show, counts.would_hide, counts.would_show), (13, 0, 13, 0));
    let seen = summary.held_back.unwrap();
    assert_eq!((seen.known, seen.decision), (24, None));
    let reason = Some("status".to_owned());
    assert_eq!(seen.alike, [Alike { change: Change::Hidden, reason, links: 13 }]);
    let listed = selected(&store, run, linkbeat_store::ReportLinks::ChangedOrFailed).await;
    assert_eq!(listed.len() as u64, counts.changed_or_failed());
    assert!(listed.iter().all(|link| link.shown && link.change.is_none()));
    assert!(listed.iter().all(|link| link.proposed == Some(Change::Hidden)));
    let proposed =
        "SELECT count(*) FROM linkbeat_checks WHERE proposed = 'hidden' AND shown AND change IS NULL";
    assert_eq!(database.value(proposed).await.as_deref(), Some("13"));
    let viewed =
        "SELECT would_hide || ' ' || hold || ' ' || known FROM linkbeat_runs WHERE state = 'held_back'";
    assert_eq!(database.value(viewed).await.as_deref(), Some("13 held 24"));
    // The links keep what was known of them.
    let verdicts = "SELECT count(*) FROM links WHERE verdict = 'up'";
    assert_eq!(database.value(verdicts).await.as_deref(), Some("24"));
    let told = store.unannounced_runs(None, 10, std::time::Duration::from_secs(60)).await.unwrap();
    assert!(told.iter().any(|told| told.run.id == run), "its end is told");
    consistent::assert(&database).await;
}

async fn most_links_that_pass_alike_hold_the_run_back(database: Arc<TestDatabase>) {
    let store = database.open().await;
    known(&store, 12, Verdict::Down).await;
    let (run, plan) = file_stored(&store).await;
    record(&store, run, &plan.jobs, Verdict::Up).await;
    close(&store).await;
    assert_eq!((state(&store, run).await, shown(&store).await), (RunState::HeldBack, 0));
    let summary = store.summary(run).await.unwrap().unwrap();
    assert_eq!((summary.counts.to_show, summary.counts.would_show), (0, 12));
    let alike = summary.held_back.unwrap().alike;
    assert_eq!(alike, [Alike { change: Change::Shown, reason: None, links: 12 }]);
    let listed = selected(&store, run, linkbeat_store::ReportLinks::ChangedOrFailed).await;
    assert_eq!((listed.len(), listed[0].proposed), (12, Some(Change::Shown)));
    apply(&store, run).await;
    assert_eq!((state(&store, run).await, shown(&store).await), (RunState::Finished, 12));
}

async fn an_applied_run_hides_and_tells_once(database: Arc<TestDatabase>) {
    let store = database.open().await;
    known(&store, 12, Verdict::Up).await;
    let (run, plan) = held(&store).await;
    assert!(store.untold_changes(None, ALL).await.unwrap().is_none());
    apply(&store, run).await;
    assert_eq!((state(&store, run).await, shown(&store).await), (RunState::Finished, 0));
    let summary = store.summary(run).await.unwrap().unwrap();
    assert_eq!((summary.counts.to_not_show, summary.counts.would_hide), (12, 0));
    assert_eq!(summary.held_back.unwrap().decision, Some(Decision::Applied));

    let hold = std::time::Duration::from_secs(60);
    let ended = async || store.unannounced_runs(Some(run), 10, hold).await.unwrap().len();
    assert_eq!(ended().await, 0, "first its changes are told");
    assert!(store.untold_changes(Some(RunId::new()), ALL).await.unwrap().is_none());
    let untold = store.untold_changes(Some(run), 5).await.unwrap().unwrap();
    assert_eq!((untold.run_id, untold.links.len()), (run, 5));
    assert!(untold.links.iter().all(|link| link.change == Some(Change::Hidden) && !link.shown));
    for _ in 0..2 {
        store.mark_told(run, &untold.link_ids).await.unwrap();
    }
    let rest = store.untold_changes(None, ALL).await.unwrap().unwrap();
    assert_eq!(rest.links.len(), 7);
    store.mark_told(run, &rest.link_ids).await.unwrap();
    assert!(store.untold_changes(None, ALL).await.unwrap().is_none());
    assert_eq!(ended().await, 1);

    // Results that come once more change nothing.
    record(&store, run, &plan.jobs, Verdict::Down).await;
    close(&store).await;
    assert_eq!(make::counts(&store, run).await.to_not_show, 12);
    consistent::assert(&database).await;
}

async fn a_discarded_run_changes_nothing(database: Arc<TestDatabase>) {
    let store = database.open().await;
    known(&store, 12, Verdict::Up).await;
    let (run, _) = held(&store).await;
    assert_eq!(store.decide_run(run, Decision::Discarded).await.unwrap(), Some(Decided::Now));
    close(&store).await;
    assert_eq!((state(&store, run).await, shown(&store).await), (RunState::Discarded, 12));
    let summary = store.summary(run).await.unwrap().unwrap();
    assert_eq!((summary.counts.down, summary.counts.to_not_show, summary.counts.would_hide), (12, 0, 0));
    assert_eq!(summary.held_back.unwrap().decision, Some(Decision::Discarded));
    assert!(store.untold_changes(None, ALL).await.unwrap().is_none());
    // The next run decides by itself.
    let (next, _) = held(&store).await;
    apply(&store, next).await;
    assert_eq!(shown(&store).await, 0);
    consistent::assert(&database).await;
}

async fn a_decision_is_made_once(database: Arc<TestDatabase>) {
    let store = database.open().await;
    known(&store, 12, Verdict::Up).await;
    let decide = async |run, decision| store.decide_run(run, decision).await.unwrap();
    assert_eq!(decide(RunId::new(), Decision::Applied).await, None);
    let (running, plan) = file_stored(&store).await;
    assert_eq!(decide(running, Decision::Applied).await, Some(Decided::NotHeld(RunState::Running)));
    record(&store, running, &plan.jobs, Verdict::Up).await;
    close(&store).await;
    assert_eq!(decide(running, Decision::Discarded).await, Some(Decided::NotHeld(RunState::Finished)));
    for decision in [Decision::Discarded, Decision::Applied] {
        let (run, _) = held(&store).await;
        assert_eq!(decide(run, decision).await, Some(Decided::Now));
        for other in [Decision::Applied, Decision::Discarded] {
            assert_eq!(decide(run, other).await, Some(Decided::Before(decision)));
        }
        close(&store).await;
        assert_eq!(decide(run, Decision::Applied).await, Some(Decided::Before(decision)));
    }
}

async fn a_later_run_is_not_overruled(database: Arc<TestDatabase>) {
    let store = database.open().await;
    known(&store, 12, Verdict::Up).await;
    let (run, _) = held(&store).await;
    let (later, plan) = file_stored(&store).await;
    record(&store, later, &plan.jobs[..5], Verdict::Up).await;
    apply(&store, run).await;
    assert_eq!(shown(&store).await, 5, "those that the later run has checked stay");
    let summary = store.summary(run).await.unwrap().unwrap();
    assert_eq!((summary.counts.to_not_show, summary.counts.would_hide), (7, 0));
    assert_eq!(store.untold_changes(None, ALL).await.unwrap().unwrap().links.len(), 7);
    consistent::assert(&database).await;
}

async fn what_a_person_did_meanwhile_counts(database: Arc<TestDatabase>) {
    let store = database.open().await;
    known(&store, 12, Verdict::Up).await;
    let (run, plan) = held(&store).await;
    let hide = LinkChanges { shown: Some(false), ..LinkChanges::default() };
    store.set_link(plan.jobs[0].links[0], &hide).await.unwrap();
    apply(&store, run).await;
    assert_eq!(shown(&store).await, 0);
    assert_eq!(make::counts(&store, run).await.to_not_show, 11, "that one was hidden already");
    consistent::assert(&database).await;
}

async fn removed_links_are_left_out(database: Arc<TestDatabase>) {
    let store = database.open().await;
    known(&store, 12, Verdict::Up).await;
    let (run, plan) = held(&store).await;
    store.remove_links(&[plan.jobs[0].links[0], plan.jobs[1].links[0]]).await.unwrap();
    apply(&store, run).await;
    let counts = make::counts(&store, run).await;
    assert_eq!((counts.to_not_show, counts.would_hide), (10, 0));
    assert_eq!(state(&store, run).await, RunState::Finished);
}

async fn links_that_are_new_do_not_count(database: Arc<TestDatabase>) {
    let store = database.open().await;
    // A first import of dead links.
    known(&store, 24, Verdict::Down).await;
    assert_eq!(shown(&store).await, 0);
    // Ten known links among many new ones: of the known ones, too few change.
    let new: Vec<_> =
        (0..30).map(|n| make::link(&format!("https://new-{n}.example/"))).chain(make::links(24)).collect();
    let (filed, plan) = file(&store, new_run(LinkSelection::given(new)), 1).await;
    record(&store, filed.run.id, &plan.jobs, Verdict::Down).await;
    close(&store).await;
    assert_eq!((state(&store, filed.run.id).await, shown(&store).await), (RunState::Finished, 0));
    // If the known ones change alike, the new ones wait as well.
    let newer: Vec<_> =
        (0..5).map(|n| make::link(&format!("https://newer-{n}.example/"))).chain(make::links(24)).collect();
    let (filed, plan) = file(&store, new_run(LinkSelection::given(newer)), 1).await;
    let (new, old): (Vec<_>, Vec<_>) = plan.jobs.into_iter().partition(|job| {
        let id = job.links[0];
        plan.links.iter().any(|link| link.id == id && link.name.as_str().starts_with("newer"))
    });
    assert_eq!((new.len(), old.len()), (5, 24));
    record(&store, filed.run.id, &new, Verdict::Down).await;
    record(&store, filed.run.id, &old, Verdict::Up).await;
    close(&store).await;
    assert_eq!((state(&store, filed.run.id).await, shown(&store).await), (RunState::HeldBack, 5));
    let summary = store.summary(filed.run.id).await.unwrap().unwrap();
    assert_eq!((summary.counts.would_hide, summary.counts.would_show), (5, 24));
    assert_eq!(summary.held_back.unwrap().alike.len(), 1);
    apply(&store, filed.run.id).await;
    assert_eq!(shown(&store).await, 24);
    consistent::assert(&database).await;
}

async fn the_white_list_is_shown_at_once(database: Arc<TestDatabase>) {
    let store = database.open().await;
    known(&store, 12, Verdict::Up).await;
    let friend = linkbeat_shared::NewLink {
        name: Some(make::name("white friend")),
        shown: Some(false),
        ..make::link("https://friend.example/")
    };
    store.import_links(&[friend]).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    record(&store, run, &plan.jobs, Verdict::Down).await;
    close(&store).await;
    assert_eq!((state(&store, run).await, shown(&store).await), (RunState::HeldBack, 13));
    let counts = make::counts(&store, run).await;
    assert_eq!((counts.to_show, counts.would_hide, counts.would_show), (1, 12, 0));
}

async fn few_links_are_never_held_back(database: Arc<TestDatabase>) {
    let store = database.open().await;
    known(&store, 9, Verdict::Up).await;
    let (run, plan) = file_stored(&store).await;
    record(&store, run, &plan.jobs[..3], Verdict::Down).await;
    assert_eq!(shown(&store).await, 6, "at once");
    record(&store, run, &plan.jobs[3..], Verdict::Down).await;
    close(&store).await;
    assert_eq!((state(&store, run).await, shown(&store).await), (RunState::Finished, 0));
    // And none where it is turned off.
    known(&store, 24, Verdict::Up).await;
    let rules = ShowRules { hold_back: HoldBack { links: 0, ..HoldBack::default() }, ..ShowRules::default() };
    let (filed, plan) = file(&store, NewRun { rules, ..new_run(LinkSelection::Stored) }, 1).await;
    record(&store, filed.run.id, &plan.jobs[..1], Verdict::Down).await;
    assert_eq!(shown(&store).await, 23, "at once");
    record(&store, filed.run.id, &plan.jobs[1..], Verdict::Down).await;
    close(&store).await;
    assert_eq!((state(&store, filed.run.id).await, shown(&store).await), (RunState::Finished, 0));
}

async fn a_run_goes_on_as_soon_as_it_is_clear(database: Arc<TestDatabase>) {
    let store = database.open().await;
    known(&store, 24, Verdict::Up).await;
    let (run, plan) = file_stored(&store).await;
    // 13 of 24 hold it back. After 3 of one kind and 9 of another, 12 are left: 3 + 12 may still be enough.
    record(&store, run, &plan.jobs[..3], Verdict::Down).await;
    record(&store, run, &plan.jobs[3..12], Verdict::Up).await;
    close(&store).await;
    assert_eq!((shown(&store).await, make::counts(&store, run).await.would_hide), (24, 3));
    record(&store, run, &plan.jobs[12..14], Verdict::Up).await;
    close(&store).await;
    assert_eq!(shown(&store).await, 24, "3 + 10 are enough");
    record(&store, run, &plan.jobs[14..15], Verdict::Up).await;
    assert_eq!(shown(&store).await, 24, "carried out by the recorder");
    close(&store).await;
    assert_eq!((state(&store, run).await, shown(&store).await), (RunState::Running, 21));
    assert_eq!(store.untold_changes(None, ALL).await.unwrap().unwrap().links.len(), 3);
    record(&store, run, &plan.jobs[15..16], Verdict::Down).await;
    assert_eq!(shown(&store).await, 20, "from now on at once");
    record(&store, run, &plan.jobs[16..], Verdict::Up).await;
    close(&store).await;
    let counts = make::counts(&store, run).await;
    assert_eq!((state(&store, run).await, counts.to_not_show, counts.would_hide), (RunState::Finished, 4, 0));
    assert_eq!(store.summary(run).await.unwrap().unwrap().held_back, None);
    consistent::assert(&database).await;
}

async fn what_a_cancelled_run_only_proposed_is_dropped(database: Arc<TestDatabase>) {
    let store = database.open().await;
    known(&store, 24, Verdict::Up).await;
    let (run, plan) = file_stored(&store).await;
    record(&store, run, &plan.jobs[..5], Verdict::Down).await;
    store.cancel_run(run).await.unwrap();
    record(&store, run, &plan.jobs[5..8], Verdict::Down).await;
    close(&store).await;
    let counts = make::counts(&store, run).await;
    assert_eq!((state(&store, run).await, shown(&store).await), (RunState::Cancelled, 24));
    assert_eq!((counts.down, counts.would_hide, counts.to_not_show), (8, 0, 0));
    let decided = store.decide_run(run, Decision::Applied).await.unwrap();
    assert_eq!(decided, Some(Decided::NotHeld(RunState::Cancelled)));
    consistent::assert(&database).await;
}

fn notice(job: &linkbeat_store::PlannedJob, parked: bool) -> ParkingNotice {
    ParkingNotice { id: Uuid::now_v7(), job_id: job.id, parked, cause: String::new() }
}

async fn an_incomplete_run_waits_until_it_is_clear(database: Arc<TestDatabase>) {
    let store = database.open().await;
    known(&store, 24, Verdict::Up).await;
    let (run, plan) = file_stored(&store).await;
    record(&store, run, &plan.jobs[..12], Verdict::Down).await;
    let parked: Vec<_> = plan.jobs[12..].iter().map(|job| notice(job, true)).collect();
    store.note_parkings(&parked).await.unwrap();
    close(&store).await;
    assert_eq!((state(&store, run).await, shown(&store).await), (RunState::Incomplete, 24));
    assert_eq!(store.summary(run).await.unwrap().unwrap().held_back, None);
    // One more that fails makes it clear, when all are back.
    let back: Vec<_> = plan.jobs[12..].iter().map(|job| notice(job, false)).collect();
    store.note_parkings(&back).await.unwrap();
    record(&store, run, &plan.jobs[12..], Verdict::Down).await;
    close(&store).await;
    assert_eq!((state(&store, run).await, shown(&store).await), (RunState::HeldBack, 24));
    // A person may decide about a run that stays incomplete.
    let (run, plan) = file_stored(&store).await;
    record(&store, run, &plan.jobs[..12], Verdict::Down).await;
    let parked: Vec<_> = plan.jobs[12..].iter().map(|job| notice(job, true)).collect();
    store.note_parkings(&parked).await.unwrap();
    close(&store).await;
    apply(&store, run).await;
    assert_eq!((state(&store, run).await, shown(&store).await), (RunState::Incomplete, 12));
    consistent::assert(&database).await;
}

async fn a_parked_job_does_not_hide_what_is_seen(database: Arc<TestDatabase>) {
    let store = database.open().await;
    known(&store, 24, Verdict::Up).await;
    let (run, plan) = file_stored(&store).await;
    record(&store, run, &plan.jobs[..20], Verdict::Down).await;
    let parked: Vec<_> = plan.jobs[20..].iter().map(|job| notice(job, true)).collect();
    store.note_parkings(&parked).await.unwrap();
    close(&store).await;
    assert_eq!((state(&store, run).await, shown(&store).await), (RunState::HeldBack, 24));
    assert_eq!(store.run(run).await.unwrap().unwrap().missing, 4);
    // Their results come all the same, and wait like the others.
    record(&store, run, &plan.jobs[20..], Verdict::Down).await;
    close(&store).await;
    assert_eq!((state(&store, run).await, shown(&store).await), (RunState::HeldBack, 24));
    apply(&store, run).await;
    assert_eq!((state(&store, run).await, shown(&store).await), (RunState::Finished, 0));
    consistent::assert(&database).await;
}

async fn rechecks_count_when_they_are_back(database: Arc<TestDatabase>) {
    let store = database.open().await;
    known(&store, 12, Verdict::Up).await;
    let recheck_after = Some(RecheckAfter::from_millis(60_000).unwrap());
    let rules = ShowRules { recheck_after, ..ShowRules::default() };
    let (filed, plan) = file(&store, NewRun { rules, ..new_run(LinkSelection::Stored) }, 1).await;
    let run = filed.run.id;
    record(&store, run, &plan.jobs, Verdict::Down).await;
    close(&store).await;
    assert_eq!(state(&store, run).await, RunState::Running);
    let rechecks = store.open_jobs(linkbeat_store::OpenJobs::RechecksOfRun(run), None, ALL).await.unwrap();
    let batch: Vec<_> = rechecks
        .iter()
        .map(|job| {
            let results = vec![result(make::recheck(job).0, Verdict::Down)];
            JobResults { run_id: run, job_id: job.id, results }
        })
        .collect();
    store.record(&batch, make::judge()).await.unwrap();
    close(&store).await;
    assert_eq!((state(&store, run).await, shown(&store).await), (RunState::HeldBack, 12));
    apply(&store, run).await;
    assert_eq!(shown(&store).await, 0);
}

async fn pages_of_proposals_end(database: Arc<TestDatabase>) {
    let store = database.open().await;
    known(&store, 23, Verdict::Up).await;
    let (run, _) = held(&store).await;
    store.decide_run(run, Decision::Applied).await.unwrap();
    let mut pages = 0;
    while store.settle(Some(run), 5, make::judge()).await.unwrap() {
        pages += 1;
        assert!(pages <= 5, "it ends");
        if pages < 5 {
            assert!(store.close_runs(ALL).await.unwrap().is_empty(), "not before all is carried out");
        }
    }
    assert_eq!((pages, shown(&store).await), (5, 0));
    assert_eq!(store.close_runs(ALL).await.unwrap()[0].state, RunState::Finished);
}

/// Runs made at random, whose results come in any order, in batches, twice, and from two recorders at once. What is
/// decided is what one look at all results says.
async fn any_order_decides_as_one_look_at_all(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let (mut held, mut free) = (0, 0);
    for seed in 0..60 {
        let mut random = StdRng::seed_from_u64(seed);
        if Game::new(&store, &mut random, seed).await.play(&mut random).await { held += 1 } else { free += 1 }
    }
    assert!(held > 5 && free > 5, "both ends come about: {held} held back, {free} not");
    consistent::assert(&database).await;
}

struct Game {
    store: SharedStore,
    seed: u64,
    run: RunId,
    hold_back: HoldBack,
    jobs: Vec<linkbeat_store::PlannedJob>,
    /// Of each link: whether it was checked before, whether it is shown, and what the run finds.
    links: HashMap<LinkId, (bool, bool, CheckResult)>,
}

impl Game {
    async fn new(store: &SharedStore, random: &mut StdRng, seed: u64) -> Self {
        let count = random.random_range(1..=14);
        let given: Vec<_> =
            (0..count).map(|n| make::link(&format!("https://link-{n}.game-{seed}.example/"))).collect();
        let off = HoldBack { links: 0, ..HoldBack::default() };
        let before = NewRun {
            rules: ShowRules { hold_back: off, ..ShowRules::default() },
            ..new_run(LinkSelection::given(given[..random.random_range(0..=count)].to_vec()))
        };
        let (filed, plan) = file(store, before, 1).await;
        let mostly_up = random.random_bool(0.5);
        let mut links = HashMap::new();
        for job in &plan.jobs {
            let up = random.random_bool(if mostly_up { 0.9 } else { 0.1 });
            let verdict = if up { Verdict::Up } else { Verdict::Down };
            store.record(&[results(filed.run.id, job, verdict)], make::judge()).await.unwrap();
            links.insert(job.links[0], (true, up, result(job.links[0], verdict)));
        }
        close(store).await;
        let percent = [0, 25, 50, 75, 90][random.random_range(0..5)].try_into().unwrap();
        let hold_back = HoldBack { links: random.random_range(0..=6), percent };
        let rules = ShowRules { hold_back, ..ShowRules::default() };
        let run = NewRun { rules, ..new_run(LinkSelection::given(given)) };
        let (filed, plan) = file(store, run, random.random_range(1..=3)).await;
        let alike = random.random_range(0.3..1.0);
        for id in plan.jobs.iter().flat_map(|job| &job.links) {
            let (known, shown, _) = links.get(id).cloned().unwrap_or((false, true, result(*id, Verdict::Up)));
            links.insert(*id, (known, shown, found(random, *id, shown, alike)));
        }
        Self { store: store.clone(), seed, run: filed.run.id, hold_back, jobs: plan.jobs, links }
    }

    /// Whether it was held back.
    async fn play(self, random: &mut StdRng) -> bool {
        let mut batches: Vec<JobResults> = self.jobs.iter().map(|job| self.results(job)).collect();
        batches.extend(self.jobs.iter().filter(|_| random.random_bool(0.3)).map(|job| self.results(job)));
        batches.shuffle(random);
        for pair in batches.chunks(random.random_range(1..=4)) {
            let (one, other) = pair.split_at(random.random_range(0..=pair.len()));
            let (one, other) =
                tokio::join!(self.store.record(one, make::judge()), self.store.record(other, make::judge()));
            one.unwrap();
            other.unwrap();
            if random.random_bool(0.3) {
                close(&self.store).await;
            }
        }
        close(&self.store).await;
        self.check().await
    }

    fn results(&self, job: &linkbeat_store::PlannedJob) -> JobResults {
        let results = job.links.iter().map(|id| self.links[id].2.clone()).collect();
        JobResults { run_id: self.run, job_id: job.id, results }
    }

    /// By trial: counts all at once.
    fn expected(&self) -> bool {
        let known = self.links.values().filter(|(known, ..)| *known).count() as u64;
        let mut alike: BTreeMap<(bool, Option<&str>), u64> = BTreeMap::new();
        for (known, shown, result) in self.links.values() {
            let passes = result.verdict == Some(Verdict::Up);
            if *known && *shown != passes {
                *alike.entry((passes, result.reason.as_ref().map(Reason::type_word))).or_default() += 1;
            }
        }
        let (least, percent) = (u64::from(self.hold_back.links), u64::from(self.hold_back.percent.get()));
        let most = alike.values().copied().max().unwrap_or(0);
        least > 0 && most >= least && most * 100 > percent * known
    }

    async fn check(&self) -> bool {
        let (seed, expected) = (self.seed, self.expected());
        let summary = self.store.summary(self.run).await.unwrap().unwrap();
        let state = if expected { RunState::HeldBack } else { RunState::Finished };
        assert_eq!(summary.state, state, "seed {seed}: {:?} {:#?}", self.hold_back, self.links);
        let mut changed = 0;
        for (id, (_, shown, result)) in &self.links {
            let link = self.store.find_links(&id.to_string()).await.unwrap().remove(0);
            let passes = result.verdict == Some(Verdict::Up);
            changed += u64::from(*shown != passes);
            assert_eq!(link.state.shown, if expected { *shown } else { passes }, "seed {seed}");
        }
        let counts = summary.counts;
        let (did, would) = (counts.to_show + counts.to_not_show, counts.would_show + counts.would_hide);
        let (now, later) = if expected { (0, changed) } else { (changed, 0) };
        assert_eq!((did, would), (now, later), "seed {seed}");
        expected
    }
}

/// What a run finds: with this probability a change of the same kind.
fn found(random: &mut StdRng, id: LinkId, shown: bool, alike: f64) -> CheckResult {
    let passes = if random.random_bool(alike) { !shown } else { random.random_bool(0.5) };
    let verdict = if passes { Verdict::Up } else { Verdict::Down };
    let other = !passes && random.random_bool(0.2);
    let found = result(id, verdict);
    CheckResult { reason: if other { Some(Reason::Protocol) } else { found.reason.clone() }, ..found }
}
