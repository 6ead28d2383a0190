//! `linkbeat up` serves the dashboard beside the roles.

use std::net::TcpListener;

use serde_json::Value;

use crate::support::client::ask_api as ask;
use crate::support::eventually;
use crate::support::fleet::free_port;
use crate::support::form::{Form, arg};
use crate::support::process::{Guarded, linkbeat, run, signal};
use crate::support::site::{Answer, Street};

#[test]
fn the_dashboard_is_served_and_what_it_files_is_carried_out_at_once() {
    let (street, form, port) = (Street::open(), Form::embedded(), free_port());
    let rows = [("good", 200), ("bad", 404)]
        .map(|(name, status)| format!("{name},{}\n", street.set(name, Answer::Page(status, String::new()))));
    let list = form.list(&format!("name,url\n{}", rows.concat()));
    form.run(&["links", "import", arg(&list)]).expect(0);
    let listen = format!("127.0.0.1:{port}");
    let mut command =
        linkbeat(form.folder.path(), ["up", "--allow-network", "127.0.0.0/8", "--listen", &listen]);
    let mut up = Guarded::logged(&mut command, &form.folder.path().join("up.log"));
    let page =
        eventually("the overview", || ask(port, "GET", "/", "").filter(|(status, _)| *status == 200)).1;
    assert!(page.contains("<html") && page.contains("linkbeat"), "{page}");

    let (status, filed) = ask(port, "POST", "/api/v1/runs", "{\"retries\": 0}").unwrap();
    let filed: Value = serde_json::from_str(&filed).unwrap();
    assert!((200..300).contains(&status), "{filed}");
    let id = filed["id"].as_str().unwrap().to_owned();
    let run_of = || {
        let (_, run) = ask(port, "GET", &format!("/api/v1/runs/{id}"), "")?;
        serde_json::from_str::<Value>(&run).ok().filter(|run| run["state"] == "finished")
    };
    let ended = eventually("the run to be finished", run_of);
    assert_eq!(["good", "bad"].map(|name| street.hits(name)), [1, 1], "{ended}");
    signal(up.id(), "TERM");
    assert_eq!(up.wait().0, Some(0), "it ends well");
}

#[test]
fn an_address_that_is_taken_is_named_if_somebody_asked_for_it() {
    let (form, taken) = (Form::embedded(), TcpListener::bind("127.0.0.1:0").unwrap());
    let listen = taken.local_addr().unwrap().to_string();
    let ended = run(&mut linkbeat(form.folder.path(), ["up", "--listen", &listen])).expect(2);
    assert!(ended.stderr.contains(&listen) && ended.stderr.contains("--listen"), "{ended:#?}");
}
