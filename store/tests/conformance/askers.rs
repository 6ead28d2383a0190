//! Who is told how a run ended, and how far it has come.

use std::sync::Arc;
use std::time::Duration;

use linkbeat_shared::{Asker, Lang, LinkSelection, ReplyTo, RequestId, RunState, Verdict};
use linkbeat_store::{MOST_ASKERS, NewRun, SharedStore};

use crate::database::TestDatabase;
use crate::make::{self, ImportLinks, file, new_run, record};

cases![
    everybody_who_asks_is_told_once,
    whoever_asks_after_the_end_is_told_alone,
    a_run_that_may_end_again_keeps_all_who_asked,
    so_many_may_ask_and_no_more,
    a_request_is_cancelled_and_whoever_cancels_is_told,
    progress_is_told_by_one_and_no_more_often_than_wished,
];

fn asker(name: &str, lang: Lang) -> Asker {
    let reply_to = ReplyTo { queue: "answers".to_owned(), correlation_id: Some(name.to_owned()) };
    Asker { reply_to, lang }
}

fn asked_by(run: &NewRun, asker: &Asker) -> NewRun {
    NewRun { reply_to: Some(asker.reply_to.clone()), lang: asker.lang, ..run.clone() }
}

async fn ask(store: &SharedStore, run: &NewRun, asker: &Asker) -> bool {
    file(store, asked_by(run, asker), 1).await.0.heard
}

/// Who is told now; nobody is told again.
async fn told(store: &SharedStore) -> Vec<Asker> {
    store.close_runs(10).await.unwrap();
    let claimed = store.unannounced_runs(None, 10, Duration::ZERO).await.unwrap();
    let mut told = Vec::new();
    for run in claimed {
        store.mark_announced(&run).await.unwrap();
        told.extend(run.askers);
    }
    told.sort_by_key(|asker| asker.reply_to.correlation_id.clone());
    told
}

async fn everybody_who_asks_is_told_once(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let run = new_run(LinkSelection::Stored);
    let all = [asker("a", Lang::En), asker("b", Lang::Zh), asker("c", Lang::En), asker("d", Lang::Zh)];
    for asker in all.iter().chain(&all) {
        assert!(ask(&store, &run, asker).await);
    }
    file(&store, run, 1).await;
    assert_eq!(told(&store).await, all);
    assert!(told(&store).await.is_empty());
    // Who asks first may read another language, and who asks later may be the first for whom there is room in the run.
    let run = new_run(LinkSelection::Stored);
    let all = [asker("a", Lang::Zh), asker("b", Lang::En)];
    for asker in &all {
        assert!(ask(&store, &run, asker).await);
    }
    assert_eq!(told(&store).await, all);
}

async fn whoever_asks_after_the_end_is_told_alone(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let run = new_run(LinkSelection::Stored);
    for name in ["a", "b"] {
        ask(&store, &run, &asker(name, Lang::En)).await;
    }
    assert_eq!(told(&store).await.len(), 2);
    for lang in [Lang::En, Lang::Zh] {
        for name in ["c", "a"] {
            assert!(ask(&store, &run, &asker(name, lang)).await);
            assert_eq!(told(&store).await, [asker(name, lang)]);
        }
    }
    // Two that ask before either is told.
    let both = [asker("d", Lang::En), asker("e", Lang::En)];
    for asker in &both {
        ask(&store, &run, asker).await;
    }
    assert_eq!(told(&store).await, both);
}

/// Such a run is told once more when its parked jobs are done.
async fn a_run_that_may_end_again_keeps_all_who_asked(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let run = new_run(LinkSelection::Stored);
    let (filed, plan) = file(&store, asked_by(&run, &asker("a", Lang::En)), 1).await;
    let notice = linkbeat_store::ParkingNotice {
        id: uuid::Uuid::now_v7(),
        job_id: plan.jobs[0].id,
        parked: true,
        cause: String::new(),
    };
    store.note_parkings(&[notice]).await.unwrap();
    assert_eq!(told(&store).await, [asker("a", Lang::En)]);
    ask(&store, &run, &asker("b", Lang::Zh)).await;
    let all = [asker("a", Lang::En), asker("b", Lang::Zh)];
    assert_eq!(told(&store).await, all);
    record(&store, filed.run.id, &plan.jobs, Verdict::Up).await;
    assert_eq!(told(&store).await, all, "it is finished now");
}

async fn so_many_may_ask_and_no_more(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let run = new_run(LinkSelection::Stored);
    for n in 0..MOST_ASKERS {
        assert!(ask(&store, &run, &asker(&n.to_string(), Lang::En)).await, "{n}");
    }
    assert!(!ask(&store, &run, &asker("one more", Lang::En)).await);
    assert!(ask(&store, &run, &asker("7", Lang::En)).await, "it waits already");
    assert_eq!(told(&store).await.len(), MOST_ASKERS);
    assert!(ask(&store, &run, &asker("one more", Lang::En)).await, "the others have their report");
}

async fn a_request_is_cancelled_and_whoever_cancels_is_told(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let run = new_run(LinkSelection::Stored);
    assert!(ask(&store, &run, &asker("a", Lang::En)).await);
    assert!(store.cancel_request(RequestId::new(), None).await.unwrap().is_none());
    for _ in 0..2 {
        let filed = store.cancel_request(run.request_id, Some(asker("b", Lang::Zh))).await.unwrap().unwrap();
        assert_eq!((filed.run.id, filed.run.state, filed.heard), (run.id, RunState::Cancelled, true));
    }
    assert_eq!(told(&store).await, [asker("a", Lang::En), asker("b", Lang::Zh)]);
    store.cancel_request(run.request_id, Some(asker("c", Lang::En))).await.unwrap();
    assert_eq!(told(&store).await, [asker("c", Lang::En)]);
    assert!(store.cancel_request(run.request_id, None).await.unwrap().is_some());
    assert!(told(&store).await.is_empty());
}

async fn progress_is_told_by_one_and_no_more_often_than_wished(database: Arc<TestDatabase>) {
    let (store, other) = (database.open().await, database.open().await);
    store.import_links(&make::links(3)).await.unwrap();
    let gap = Duration::from_millis(300);
    let (quiet, quiet_plan) = make::file_stored(&store).await;
    let (filed, plan) = file(&store, NewRun { progress: true, ..new_run(LinkSelection::Stored) }, 1).await;
    let run = filed.run.id;
    record(&store, quiet, &quiet_plan.jobs[..1], Verdict::Up).await;
    tokio::time::sleep(gap).await;
    assert!(store.runs_further(10, gap).await.unwrap().is_empty(), "it has not come further");
    record(&store, run, &plan.jobs[..1], Verdict::Up).await;
    let (one, another) = tokio::join!(store.runs_further(10, gap), other.runs_further(10, gap));
    assert_eq!([one.unwrap(), another.unwrap()].concat(), [run], "one of them tells it");
    record(&store, run, &plan.jobs[1..2], Verdict::Up).await;
    assert!(store.runs_further(10, gap).await.unwrap().is_empty(), "too soon");
    tokio::time::sleep(gap).await;
    assert_eq!(store.runs_further(10, gap).await.unwrap(), [run]);
    record(&store, run, &plan.jobs[2..], Verdict::Up).await;
    store.close_runs(10).await.unwrap();
    tokio::time::sleep(gap).await;
    assert!(store.runs_further(10, gap).await.unwrap().is_empty(), "it has ended");
    let kept = database.value("SELECT count(*) FROM progress").await;
    assert_eq!(kept.as_deref(), Some("0"), "and is forgotten");
}
