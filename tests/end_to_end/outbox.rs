//! Between the database and the queues: what a crash leaves unpublished, and what a queue lost, is carried
//! out all the same.

use linkbeat_shared::{
    CheckSpec, LinkSelection, LinkUrl, NewLink, Request, RequestId, RunState, ShowRules, WhiteList,
};

use crate::support::fleet::Fleet;
use crate::support::form::{Form, arg};
use crate::support::process::{linkbeat, run};
use crate::support::site::{Answer, Street};
use crate::support::{Folder, eventually};

#[test]
fn a_run_that_was_filed_but_never_published_is_carried_out() {
    let (street, form) = (Street::open(), Form::fleet());
    let url = |name| NewLink::from_url(LinkUrl::parse(&street.url(name)).unwrap());
    street.set("checked", Answer::Page(200, String::new()));
    let friend = NewLink { name: Some("friend".parse().unwrap()), shown: Some(false), ..url("friend") };
    let request = Request {
        id: RequestId::new(),
        links: LinkSelection::Given(vec![url("checked"), friend]),
        white_list: WhiteList(["friend".to_owned()].into()),
        check: CheckSpec::default(),
        rules: ShowRules::default(),
        reply_to: None,
    };
    // As if the process had been killed right after the commit.
    let run = form.store(async |store| linkbeat_producer::file(&store, request).await.unwrap().run.id);
    let counts = eventually("the producer to find and publish its jobs", || {
        form.store(async |store| {
            let state = store.run(run).await.unwrap().unwrap().state;
            let counts = store.summary(run).await.unwrap().unwrap().counts;
            store.close().await;
            (state == RunState::Finished).then_some(counts)
        })
    });
    assert_eq!((counts.up, counts.white_listed, counts.to_show), (1, 1, 1));
    assert_eq!(street.hits("checked"), 1);
}

#[test]
fn jobs_that_a_queue_lost_are_published_again_but_a_backlog_is_left_alone() {
    let street = Street::open();
    let mut fleet = Fleet::without_workers(&[("LINKBEAT_PRODUCER_REPUBLISH_AFTER_SECS", "2")]);
    let folder = Folder::new();
    let urls: String =
        (0..3).map(|n| street.set(&format!("site{n}"), Answer::Page(200, String::new())) + "\n").collect();
    let list = folder.write("list.txt", urls);
    let mut file = linkbeat(folder.path(), ["run", arg(&list), "--format", "json"]);
    fleet.configure(&mut file);
    let id = run(&mut file).expect(0).json()["run_id"].as_str().unwrap().to_owned();
    assert_eq!(fleet.servers.depth("jobs"), 3);
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert_eq!(fleet.servers.depth("jobs"), 3, "nobody takes them, but they are not lost: no storm");
    fleet.servers.purge("jobs");
    eventually("the lost jobs to be published again", || (fleet.servers.depth("jobs") == 3).then_some(()));
    fleet.start_worker(&[]);
    let mut show = linkbeat(folder.path(), ["runs", "show", &id, "--format", "json"]);
    fleet.configure(&mut show);
    eventually("the run to be carried out", || (run(&mut show).json()["data"]["up"] == 3).then_some(()));
}
