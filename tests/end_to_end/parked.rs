//! Runs with parked jobs: they end incomplete, say what they lack, and are finished once the jobs are put back.

use linkbeat_shared::wire::{ParkingMessage, encode};
use linkbeat_shared::{
    CheckSpec, JobId, LinkSelection, LinkUrl, NewLink, Request, RequestId, RunState, ShowRules, WhiteList,
};
use linkbeat_store::{OpenJobs, ParkingNotice, StoredJob};
use serde_json::{Value, json};

use crate::support::fleet::Fleet;
use crate::support::form::{Form, arg, block_on};
use crate::support::process::{Ended, linkbeat, run};
use crate::support::site::{Answer, Street};
use crate::support::{Folder, eventually};

fn command(fleet: &Fleet, folder: &Folder, args: &[&str]) -> Ended {
    let mut command = linkbeat(folder.path(), args);
    fleet.configure(&mut command);
    run(&mut command)
}

fn show(fleet: &Fleet, folder: &Folder, id: &str) -> Value {
    command(fleet, folder, &["runs", "show", id, "--format", "json"]).json()
}

/// The jobs of the only run that are neither done nor parked.
fn open_jobs(fleet: &Fleet) -> Vec<StoredJob> {
    let url = fleet.database_url().parse().unwrap();
    block_on(async {
        let store = linkbeat_store::open(&url, linkbeat_store::OpenMode::Check).await.unwrap();
        let run = store.runs(1).await.unwrap().remove(0).id;
        let jobs = store.open_jobs(OpenJobs::OfRun(run), None, 100).await.unwrap();
        store.close().await;
        jobs
    })
}

fn list(street: &Street, folder: &Folder, names: &[&str]) -> std::path::PathBuf {
    let rows = names.iter().map(|name| format!("{}\n", street.set(name, Answer::Page(200, String::new()))));
    folder.write("list.txt", rows.collect::<String>())
}

#[test]
fn a_run_with_a_parked_job_ends_incomplete_and_is_finished_once_it_is_put_back() {
    let (street, folder) = (Street::open(), Folder::new());
    let mut fleet = Fleet::without_workers(&[]);
    let list = list(&street, &folder, &["a", "b"]);
    let filed = command(&fleet, &folder, &["run", arg(&list), "--format", "json"]).expect(0).json();
    let id = filed["run_id"].as_str().unwrap();
    let jobs = open_jobs(&fleet);
    let parked: JobId = jobs[0].id;
    // As a worker that gives one of the two jobs up.
    fleet.servers.purge("jobs");
    fleet.start_worker(&[]);
    let events = fleet.servers.events("run.incomplete", || {
        let notice = encode(&ParkingMessage::parked(parked, "a panic"));
        fleet.servers.publish("results", &notice);
        fleet.servers.publish("results", &notice);
        fleet.servers.publish("jobs", &jobs[1].body);
    });
    assert_eq!(events.last().unwrap()["report"]["missing"], 1);
    let shown = show(&fleet, &folder, id);
    assert_eq!((&shown["code"], &shown["error"]), (&json!(3), &json!("incomplete")));
    let data = &shown["data"];
    assert_eq!((&data["state"], &data["missing"], &data["up"]), (&json!("incomplete"), &json!(1), &json!(1)));
    let listed = command(&fleet, &folder, &["runs", "list", "--format", "json"]).expect(0).json();
    assert_eq!((&listed[0]["state"], &listed[0]["missing"]), (&json!("incomplete"), &json!(1)));
    assert_eq!(open_jobs(&fleet), [], "it is not published again");

    let events = fleet.servers.events("run.finished", || {
        fleet.servers.publish("results", &encode(&ParkingMessage::requeued(parked)));
        fleet.servers.publish("jobs", &jobs[0].body);
    });
    let report = &events.last().unwrap()["report"];
    assert_eq!(
        (&report["state"], &report["missing"], &report["up"]),
        (&json!("finished"), &json!(0), &json!(2))
    );
    assert_eq!(show(&fleet, &folder, id)["code"], 0);
}

#[test]
fn whoever_waits_for_a_run_whose_results_the_database_rejects_is_told_what_to_do() {
    let (street, folder, fleet) = (Street::open(), Folder::new(), Fleet::start(&[]));
    let list = list(&street, &folder, &["fine", "teapot"]);
    street.set("teapot", Answer::Page(418, String::new()));
    fleet.servers.execute("ALTER TABLE checks ADD CONSTRAINT no_teapots CHECK (status <> 418)");
    let args = ["run", arg(&list), "--wait", "--format", "json", "--retries", "0"];
    let ended = command(&fleet, &folder, &args).expect(3);
    assert!(ended.stderr.contains("linkbeat dead list"), "{ended:#?}");
    let data = &ended.json()["data"];
    assert_eq!((&data["state"], &data["missing"], &data["up"]), (&json!("incomplete"), &json!(1), &json!(1)));
    eventually("the rejected results to be parked", || (fleet.servers.depth("dead") == 1).then_some(()));

    // Once the database takes them, they finish the run.
    fleet.servers.execute("ALTER TABLE checks DROP CONSTRAINT no_teapots");
    let events = fleet.servers.events("run.finished", || {
        command(&fleet, &folder, &["dead", "requeue", "--all"]).expect(0);
    });
    assert_eq!(events.last().unwrap()["report"]["down"], 1);
}

#[test]
fn an_embedded_run_with_parked_jobs_is_finished_by_resume() {
    let (street, form) = (Street::open(), Form::embedded());
    let urls = ["a", "b"].map(|name| street.set(name, Answer::Page(200, String::new())));
    let link = |url: &String| NewLink::from_url(LinkUrl::parse(url).unwrap());
    let request = Request {
        id: RequestId::new(),
        links: LinkSelection::given(urls.iter().map(link).collect()),
        white_list: WhiteList::default(),
        reuse_within: None,
        check: CheckSpec::default(),
        rules: ShowRules::default(),
        reply_to: None,
        lang: <_>::default(),
        progress: false,
        trace: None,
    };
    form.run(&["links", "list"]).expect(0);
    // As a process left it in which both jobs failed by a fault of its own.
    form.store(async |store| {
        let run = linkbeat_producer::file(&store, request).await.unwrap().run.id;
        for job in store.open_jobs(OpenJobs::OfRun(run), None, 10).await.unwrap() {
            let ParkingMessage { notice_id: id, cause, parked, .. } =
                ParkingMessage::parked(job.id, "a panic");
            let notice = ParkingNotice { id, job_id: job.id, parked, cause };
            store.note_parkings(&[notice]).await.unwrap();
        }
        assert_eq!(store.close_runs(10).await.unwrap()[0].state, RunState::Incomplete);
        store.close().await;
    });
    let listed = form.run(&["runs", "list"]).expect(0);
    assert!(listed.stdout.contains("incomplete") && listed.stdout.contains("missing"), "{listed:#?}");
    let report = form.report(&["--resume"]);
    assert_eq!((&report["data"]["up"], &report["data"]["missing"]), (&json!(2), &json!(0)));
    assert_eq!(report["data"]["state"], "finished");
}

#[test]
fn a_notice_of_a_newer_version_is_parked_and_one_of_no_job_is_not() {
    let fleet = Fleet::without_workers(&[]);
    // The job that could not be read lies in the dead queue already.
    fleet.servers.publish("results", &encode(&ParkingMessage::parked(JobId::new(), "of no run")));
    fleet.servers.publish("results", br#"{"schema":"linkbeat.parking/2","job":1}"#);
    let depths = || (fleet.servers.depth("dead"), fleet.servers.depth("results"));
    eventually("one to be parked", || (depths() == (1, 0)).then_some(()));
}
