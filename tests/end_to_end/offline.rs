//! Rule 9, last part: when nothing can be resolved or reached, nothing is hidden.

use std::time::Duration;

use crate::support::fleet::Fleet;
use crate::support::form::{Form, arg};
use crate::support::process::{linkbeat, run};
use crate::support::site::{Answer, Street};
use crate::support::{Folder, eventually, named};

/// A name to look up, and a resolver at which nobody listens.
const LIST: &str = "name,url\na,http://a.example.com/\nb,http://b.example.com/\n";
const NO_RESOLVER: [&str; 2] = ["--resolver", "127.0.0.1:1"];

#[test]
fn a_machine_that_is_offline_hides_nothing_and_says_so_once() {
    let form = Form::embedded();
    let list = form.list(LIST);
    let ended = form.check(&[&[arg(&list), "--timeout", "2s"], &NO_RESOLVER[..]].concat()).expect(3);
    assert_eq!(ended.stderr.matches("offline").count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("--resume"), "{}", ended.stderr);
    for name in ["a", "b"] {
        assert_eq!(named(&form.links(), name)["shown"], true);
    }
}

#[test]
fn where_something_is_reached_a_name_that_does_not_resolve_is_down() {
    let (street, form) = (Street::open(), Form::embedded());
    // Evidence is what answers after the others began.
    let up = street.set("up", Answer::After(Duration::from_millis(700), String::new()));
    let list = form.list(&format!("{LIST}up,{up}\n"));
    let report = form.report(&[&[arg(&list), "--timeout", "2s"], &NO_RESOLVER[..]].concat());
    assert_eq!(named(&report["data"]["links"], "a")["verdict"], "down");
    assert_eq!(named(&report["data"]["links"], "up")["verdict"], "up");
}

#[test]
fn an_offline_worker_gives_its_jobs_back_to_the_fleet() {
    let mut fleet = Fleet::start(&NO_RESOLVER);
    let folder = Folder::new();
    let street = Street::open();
    let up = street.set("up", Answer::Page(404, String::new()));
    let list =
        folder.write("list.csv", "name,url\nlocal,http://localhost/\n".replace("http://localhost/", &up));
    let mut ask = linkbeat(folder.path(), ["run", arg(&list), "--wait", "--format", "json"]);
    fleet.configure(&mut ask);
    assert_eq!(run(&mut ask).expect(1).json()["data"]["down"], 1, "what can be reached is judged as ever");
    let list = folder.write("list.csv", LIST);
    let mut file = linkbeat(folder.path(), ["run", arg(&list), "--timeout", "1s", "--format", "json"]);
    fleet.configure(&mut file);
    let id = run(&mut file).expect(0).json()["run_id"].as_str().unwrap().to_owned();
    std::thread::sleep(Duration::from_secs(6));
    let show = |fleet: &Fleet| {
        let mut show = linkbeat(folder.path(), ["runs", "show", &id, "--format", "json"]);
        fleet.configure(&mut show);
        run(&mut show).json()
    };
    assert_eq!(show(&fleet)["data"]["checked"], 0, "no verdict without evidence");
    assert!(
        fleet.role(2).is_running() && fleet.role(3).is_running(),
        "an offline worker waits, it does not end"
    );
    let resolver = crate::support::knowing_no_name();
    fleet.start_worker(&["--resolver", &resolver.address().to_string()]);
    eventually("the worker that can resolve to finish the run", || {
        (show(&fleet)["data"]["down"] == 2).then_some(())
    });
}
