//! Cancelled runs: told once to all workers, to whoever listens, and to whoever waits for the answer.

use std::process::{Command, Stdio};
use std::time::Duration;

use linkbeat_broker::{Broadcast, MemoryBroker, SharedBroker};
use linkbeat_recorder::{Recorder, RecorderSettings};
use linkbeat_shared::wire::{CancelMessage, decode};
use linkbeat_shared::{CheckSpec, LinkSelection, LinkUrl, NewLink, Request, RequestId, ShowRules, WhiteList};
use linkbeat_store::{OpenMode, SharedStore, open};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::fleet::Fleet;
use crate::support::form::{Form, arg, block_on};
use crate::support::process::{Guarded, linkbeat, run, signal};
use crate::support::site::{Answer, Street};
use crate::support::{Folder, eventually};

#[test]
fn a_client_that_waits_is_told_that_its_run_was_cancelled() {
    let (street, fleet, folder) = (Street::open(), Fleet::start(&[]), Folder::new());
    let links = json!([{ "url": street.set("never", Answer::Never) }]);
    folder.write("links.json", links.to_string());
    let python = std::env::var("LINKBEAT_TEST_PYTHON").expect("LINKBEAT_TEST_PYTHON; run scripts/test");
    let client = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/request_run.py");
    let mut ask = Command::new(python);
    ask.current_dir(folder.path()).args([client, &fleet.servers.broker_url, "links.json"]);
    ask.args(["--timeout-ms", "30000", "--namespace", &fleet.servers.namespace]);
    let (mut answer, mut cancelled) = (None, None);
    let events = fleet.servers.events("run.cancelled", || {
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| run(&mut ask));
            eventually("the check to begin", || (street.hits("never") > 0).then_some(()));
            let mut list = linkbeat(folder.path(), ["runs", "list", "--format", "json"]);
            fleet.configure(&mut list);
            let id = run(&mut list).expect(0).json()[0]["run_id"].as_str().unwrap().to_owned();
            let mut cancel = linkbeat(folder.path(), ["runs", "cancel", &id]);
            fleet.configure(&mut cancel);
            run(&mut cancel).expect(0);
            answer = Some(asked.join().unwrap().expect(1).json());
            cancelled = Some(id);
        });
    });
    let (answer, id) = (answer.unwrap(), cancelled.unwrap());
    assert_eq!((&answer["code"], &answer["error"]), (&json!(4), &json!("cancelled")));
    assert_eq!((&answer["data"]["state"], &answer["data"]["run_id"]), (&json!("cancelled"), &json!(id)));
    assert_eq!(events.last().unwrap()["run_id"], json!(id));
}

async fn file(store: &SharedStore) -> linkbeat_shared::RunId {
    let request = Request {
        id: RequestId::new(),
        links: LinkSelection::given(vec![NewLink::from_url(LinkUrl::parse("http://127.0.0.1:1/").unwrap())]),
        white_list: WhiteList::default(),
        reuse_within: None,
        check: CheckSpec::default(),
        rules: ShowRules::default(),
        reply_to: None,
        lang: <_>::default(),
        progress: false,
        trace: None,
    };
    linkbeat_producer::file(store, request).await.unwrap().run.id
}

#[test]
fn whoever_waits_is_told_of_the_run_and_that_nobody_works_on_it() {
    let (fleet, folder) = (Fleet::without_workers(&[]), Folder::new());
    let list = folder.write("list.txt", "http://127.0.0.1:1/\n");
    let log = folder.path().join("stderr");
    let mut wait = linkbeat(folder.path(), ["run", arg(&list), "--wait"]);
    fleet.configure(&mut wait);
    wait.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
    let mut waiting = Guarded::spawn(&mut wait);
    let told = || std::fs::read_to_string(&log).unwrap();
    eventually("the hint", || told().contains("are producer, worker and recorder running?").then_some(()));
    signal(waiting.id(), "INT");
    assert_eq!(waiting.wait().0, Some(130));
    let told = told();
    let id = told.strip_prefix("run ").and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(told.contains(&format!("run {id} of 1 link; `linkbeat runs show {id}`")), "{told}");
    assert!(told.contains(&format!("run {id} goes on without being followed")), "{told}");

    let ended = std::thread::scope(|scope| {
        let mut wait = linkbeat(folder.path(), ["run", arg(&list), "--wait", "--quiet"]);
        fleet.configure(&mut wait);
        let waiting = scope.spawn(move || run(&mut wait));
        let latest = eventually("the run to be filed", || {
            let mut list = linkbeat(folder.path(), ["runs", "list", "--format", "json"]);
            fleet.configure(&mut list);
            let latest = run(&mut list).expect(0).json()[0]["run_id"].as_str().unwrap().to_owned();
            (latest != id).then_some(latest)
        });
        let mut cancel = linkbeat(folder.path(), ["runs", "cancel", &latest]);
        fleet.configure(&mut cancel);
        run(&mut cancel).expect(0);
        waiting.join().unwrap().expect(1)
    });
    assert!(ended.stdout.starts_with("cancelled: 0 of 1 checked"), "{ended:#?}");
    assert_eq!(ended.stderr, "");
}

#[test]
fn a_run_that_is_not_finished_is_never_shown_as_one_that_is() {
    let form = Form::embedded();
    form.run(&["links", "list"]).expect(0);
    let id = form.store(async |store| {
        let id = file(&store).await;
        store.close().await;
        id.to_string()
    });
    let running = form.run(&["runs", "show", &id]).expect(1);
    assert!(running.stdout.starts_with("running: 0 of 1 checked"), "{running:#?}");
    form.run(&["runs", "cancel", &id]).expect(0);
    for (format, part) in [
        ("table", "cancelled: 0 of 1 checked"),
        ("markdown", "### cancelled: 0 of 1 checked"),
        ("junit", r#"tests="1" failures="0" errors="1""#),
        ("json", r#""code": 4"#),
    ] {
        let shown = form.run(&["runs", "show", &id, "--format", format]).expect(1);
        assert!(shown.stdout.contains(part), "{shown:#?}");
    }
    let csv = form.run(&["runs", "show", &id, "--format", "csv"]).expect(1);
    assert!(csv.stderr.contains("is cancelled: 0 of 1 checked"), "{csv:#?}");
}

#[test]
fn of_several_recorders_one_tells_the_workers() {
    let folder = Folder::new();
    block_on(async {
        let url = format!("sqlite://{}", folder.path().join("test.db").display()).parse().unwrap();
        let store = open(&url, OpenMode::Migrate).await.unwrap();
        let broker: SharedBroker = MemoryBroker::new(100);
        let shutdown = CancellationToken::new();
        let recorders: Vec<_> = (0..4)
            .map(|_| {
                let recorder = Recorder::new(RecorderSettings::default(), broker.clone(), store.clone());
                let shutdown = shutdown.clone();
                tokio::spawn(async move { recorder.run(shutdown).await })
            })
            .collect();
        let mut told = broker.broadcasts().await.unwrap();
        assert_eq!(told.next().await, Some(Broadcast::CaughtUp));
        let mut runs = Vec::new();
        for _ in 0..5 {
            let run = file(&store).await;
            store.cancel_run(run).await.unwrap();
            runs.push(run.0);
        }
        let mut heard = Vec::new();
        while heard.len() < runs.len() {
            let next = tokio::time::timeout(Duration::from_secs(20), told.next()).await.unwrap();
            let Some(Broadcast::Message(message)) = next else { panic!("{next:?}") };
            heard.push(decode::<CancelMessage>(&message.body).unwrap().run_id);
        }
        heard.sort_unstable();
        runs.sort_unstable();
        assert_eq!(heard, runs, "each once");
        // Two more looks of each recorder find nothing to tell.
        assert!(tokio::time::timeout(Duration::from_millis(1_200), told.next()).await.is_err());
        shutdown.cancel();
        for recorder in recorders {
            recorder.await.unwrap();
        }
    });
}

#[test]
fn a_check_in_one_process_leaves_it_to_the_fleet_to_tell_the_ends_of_its_runs() {
    let (street, folder) = (Street::open(), Folder::new());
    block_on(async {
        let url = format!("sqlite://{}", folder.path().join("linkbeat.db").display()).parse().unwrap();
        let store = open(&url, OpenMode::Migrate).await.unwrap();
        let of_the_fleet = file(&store).await;
        store.cancel_run(of_the_fleet).await.unwrap();
        let list = folder.write("list.txt", street.set("up", Answer::Page(200, String::new())));
        let check = ["check", arg(&list), "--allow-network", "127.0.0.0/8"];
        run(&mut linkbeat(folder.path(), check)).expect(0);
        let untold = store.unannounced_runs(None, 10, Duration::ZERO).await.unwrap();
        let untold: Vec<_> = untold.into_iter().map(|told| told.run.id).collect();
        assert_eq!(untold, [of_the_fleet], "its own is told");
    });
}
