//! Tasks that wait for their time, and tasks that are called off.

use serde_json::{Value, json};

use super::App;
use crate::support::site::Answer;

#[test]
fn a_task_waits_for_its_time_and_may_be_out_of_date_by_then() {
    let app = App::start();
    let links = json!([app.street.set("up", Answer::Page(200, String::new()))]);
    let said = app.run(
        &links,
        r"
from datetime import datetime, timedelta, timezone
begin = time.time()
soon = send(links=links, options={'countdown': 2})
late = send(links=links, options={'countdown': 2, 'expires': 1})
later = send(links=links, options={'eta': datetime.now(timezone.utc) + timedelta(hours=30)})
naive = send(links=links, options={'eta': '2001-01-01T00:00:00'})
bad = send(links=links, options={'eta': 'soon'})
get(naive), failure(bad)
early = time.time() - begin
scheduled = until(lambda: (app.control.inspect(destination=[HOST]).scheduled() or {}).get(HOST))
listed = sorted(entry['request']['id'] for entry in scheduled)
report = get(soon)
waited = time.time() - begin
out([early, waited, failure(late), failure(bad), later.id in listed, report['data']['up']])
",
    );
    let seconds = |at: usize| said[at].as_f64().unwrap();
    assert!(seconds(1) >= 2.0 && seconds(1) < 12.0, "{said}");
    assert_eq!(said[2], "TaskRevokedError: expired");
    assert_eq!(said[3], "ValueError: the task's eta is no time in ISO 8601");
    assert_eq!((&said[4], &said[5]), (&json!(true), &json!(1)));
    assert_eq!(app.fleet.servers.depth("celery"), 0, "nobody keeps its message");
    assert_eq!(app.runs(), 2);
}

#[test]
fn a_task_can_be_called_off_before_it_comes_while_it_waits_and_while_it_runs() {
    let app = App::start();
    let links = json!([app.street.set("hangs", Answer::Never)]);
    let said = app.run(
        &links,
        r"
def listed(what):
    return (getattr(app.control.inspect(destination=[HOST]), what)() or {}).get(HOST) or []
waits = send(links=links, options={'countdown': 600})
until(lambda: listed('scheduled'))
app.control.revoke(waits.id)
waited = failure(waits)
app.control.revoke('comes-later')
until(lambda: 'comes-later' in listed('revoked'))
before = failure(send(links=links, options={'task_id': 'comes-later'}))
runs = send(links=links, timeout_ms=50000)
until(lambda: [task for task in listed('active') if task['id'] == runs.id])
state = app.control.inspect(destination=[HOST]).query_task([runs.id])[HOST]
begin = time.time()
app.control.revoke(runs.id, terminate=True)
ran = failure(runs)
out([waited, before, ran, time.time() - begin, state[runs.id][0], state[runs.id][1]['kwargs']])
",
    );
    for at in 0..3 {
        assert_eq!(said[at], "TaskRevokedError: revoked", "{at}");
    }
    assert!(said[3].as_f64().unwrap() < 10.0, "it does not wait for the site: {said}");
    assert_eq!(said[4], "active");
    assert!(said[5].as_str().unwrap().starts_with("{'links': ['http://"), "{said}");
    assert_eq!(app.runs(), 1);
    let mut list = crate::support::process::linkbeat(app.folder.path(), ["runs", "list", "--format", "json"]);
    app.fleet.configure(&mut list);
    // Its caller is told at once, a moment before the run is.
    crate::support::eventually("the run to be cancelled", || {
        let runs = crate::support::process::run(&mut list).expect(0).json();
        (runs[0]["state"] == "cancelled").then_some(())
    });
}

#[test]
fn a_producer_that_is_killed_loses_no_task() {
    let mut app = App::start();
    let links = json!([app.street.set("up", Answer::Page(200, String::new()))]);
    let sent = app.run(
        &links,
        r"
ids = [send(links=links, options={'countdown': 3}).id for _ in range(3)]
until(lambda: len((app.control.inspect(destination=[HOST]).scheduled() or {}).get(HOST) or []) == 3)
out(ids)
",
    );
    app.fleet.role(0).kill();
    let more = app.run(&Value::Null, "out(send(links=[]).id)");
    app.start_producer();
    app.wait("all runs", |app| app.runs() == 4);
    assert!(sent.as_array().unwrap().len() == 3 && more.is_string());
}
