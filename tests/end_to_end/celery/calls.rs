//! Tasks, and how they end, over `rpc://`.

use linkbeat_testbed::servers::PrivateServers;
use serde_json::{Value, json};

use super::App;
use crate::support::site::Answer;

#[test]
fn a_task_checks_links_and_gives_the_report() {
    let app = App::start();
    let up = app.street.set("up", Answer::Page(200, "<a href='https://my.blog/'>".into()));
    let lost = app.street.set("lost", Answer::Page(200, "nothing".into()));
    let links = json!([{ "name": "up", "url": up }, { "name": "lost", "url": lost }]);
    let said = app.run(&links, r"
first = get(send(r'my[.]blog', [], links=links))
all = get(send(site_link=r'my[.]blog', white_list=['lost'], name='blog.tasks.check_friend'))
packed = get(send(options={'compression': 'zlib'}, links=links))
app.conf.task_protocol = 1
old = get(send(r'my[.]blog', None, options={'ignore_result': False}))
app.conf.task_protocol = 2
both = [get(result) for result in group([signature('linkbeat.check', app=app, kwargs={'links': links})] * 2).apply_async()]
typed = get(send(None, None, timeout_ms=2000, links=[links[0]['url']]))
out([first, all, packed, old, both, typed])
");
    let data = |at: usize| &said[at]["data"];
    assert_eq!(
        (&said[0]["code"], &said[0]["message"], &said[0]["error"]),
        (&json!(0), &json!(""), &json!(""))
    );
    assert_eq!(
        (&data(0)["active_num"], &data(0)["to_not_show"], &data(0)["to_show"]),
        (&json!(2), &json!(1), &json!(0))
    );
    let failed: Vec<_> = data(0)["links"].as_array().unwrap().iter().map(|link| &link["name"]).collect();
    assert_eq!(failed, ["lost"]);
    assert_eq!(
        (&data(1)["active_num"], &data(1)["to_show"]),
        (&json!(1), &json!(1)),
        "the white list shows it again"
    );
    assert_eq!((&data(2)["up"], &data(2)["active_num"]), (&json!(2), &json!(2)));
    assert_eq!((&data(3)["active_num"], &data(3)["to_not_show"]), (&json!(2), &json!(1)), "protocol 1");
    assert_eq!(said[4].as_array().unwrap().len(), 2);
    assert_eq!(data(5)["active_num"], 1);
    assert_eq!(app.runs(), 7);
}

#[test]
fn an_app_stays_within_what_the_operator_allows() {
    let settings = [("LINKBEAT_PRODUCER_ALLOW", "given"), ("LINKBEAT_PRODUCER_MAX_LINKS_PER_DAY", "2")];
    let app = App::with(PrivateServers::start("provide_celery"), "rpc://", &settings);
    let up = app.street.set("up", Answer::Page(200, String::new()));
    let links = json!([{ "name": "a", "url": up }, { "name": "b", "url": format!("{up}?2") }]);
    let said = app.run(
        &links,
        "out([failure(send()), get(send(links=links[:1]))['data']['up'], failure(send(links=links))])",
    );
    let contains = |at: usize, part: &str| said[at].as_str().is_some_and(|text| text.contains(part));
    assert!(contains(0, "ValueError") && contains(0, "producer.allow = given"), "{said}");
    assert_eq!(said[1], 1);
    assert!(contains(2, "ValueError") && contains(2, "only 1 are left"), "{said}");
}

#[test]
fn what_cannot_be_done_is_an_exception_that_says_what_to_mend() {
    let app = App::start();
    let said = app.run(
        &Value::Null,
        r"
cases = [
    failure(send(name='blog.other')),
    failure(send(1, 2, 3)),
    failure(send(sitelink='x')),
    failure(send('(?=a)')),
    failure(send(5)),
    failure(send(links=['ftp://old.example/'])),
    failure(send(links=['http://a.example/'] * 10001)),
    failure(send(options={'serializer': 'pickle'})),
    failure(send(options={'compression': 'bzip2'})),
    failure(send(blob='x' * 5000000)),
    failure(send(options={'expires': -5})),
]
out(cases)
",
    );
    let said: Vec<_> = said.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    for (text, parts) in said.iter().zip([
        ["NotRegistered", "no task `blog.other`"],
        ["TypeError", "takes from 0 to 2 positional arguments but 3 were given"],
        ["TypeError", "unexpected keyword argument 'sitelink'"],
        ["ValueError", "look-around"],
        ["ValueError", "backlink"],
        ["ValueError", "links[0]"],
        ["ValueError", "10001 links; at most 10000"],
        ["ValueError", "task_serializer = 'json'"],
        ["ValueError", "task_compression = 'zlib'"],
        ["ValueError", "too large"],
        ["TaskRevokedError", "expired"],
    ]) {
        assert!(parts.iter().all(|part| text.contains(part)), "{text}: {parts:?}");
    }
    assert_eq!(app.runs(), 0);
    assert_eq!(app.fleet.servers.depth("dead"), 0, "everybody was told");
}

#[test]
fn a_task_id_is_one_run_however_often_it_comes() {
    let app = App::start();
    let links = json!([app.street.set("up", Answer::Page(200, String::new()))]);
    let said = app.run(
        &links,
        r"
same = {'task_id': str(uuid.uuid4())}
first = get(send(links=links, options=same))
second = get(send(links=links, options=same))
out([first['data']['run_id'], second['data']['run_id']])
",
    );
    assert_eq!(said[0], said[1]);
    assert_eq!((app.street.hits("up"), app.runs()), (1, 1));
    let again = app.run(&links, "
import kombu
with app.connection_for_write() as connection:
    producer = connection.Producer()
    for _ in range(3):
        producer.publish([[], {'links': links}, {}], routing_key=QUEUE, serializer='json', correlation_id='twice',
                         headers={'task': 'linkbeat.check', 'id': 'twice', 'lang': 'py'})
    producer.publish('rubbish', routing_key=QUEUE, serializer='json')
out(1)
");
    assert_eq!(again, 1);
    app.wait("one more run", |app| app.runs() == 2);
    app.wait("what names no task to be parked", |app| app.fleet.servers.depth("dead") == 1);
    assert_eq!(app.runs(), 2);
}
