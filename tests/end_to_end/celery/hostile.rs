//! What nobody should send.

use serde_json::json;

use super::App;
use crate::support::site::Answer;

#[test]
fn strange_messages_harm_nobody_and_good_tasks_go_on() {
    let app = App::start();
    let links = json!([app.street.set("up", Answer::Page(200, String::new()))]);
    let said = app.run(&links, r"
import base64, zlib
headers = lambda id, **more: {'task': 'linkbeat.check', 'id': id, 'lang': 'py', **more}
def raw(body, id, reply_to='', content_type='application/json', **more):
    producer.publish(body, routing_key=QUEUE, content_type=content_type, content_encoding='utf-8',
                     correlation_id=id[:99], reply_to=reply_to, headers=headers(id, **more))
with app.connection_for_write() as connection:
    producer = connection.Producer()
    me = app.thread_oid
    app.backend.result_consumer.start('first')
    ids = []
    def bad(body, **more):
        ids.append(str(uuid.uuid4())); raw(body, ids[-1], me, **more)
    bad(b'\xff\xfe')
    bad(b'[' * 100000)
    bad(b'[[], {}, {}, {}]')
    bad(b'7')
    bad(zlib.compress(b'[' + b' ' * 50000000 + b']'), compression='application/x-gzip')
    bad(b'no zlib', compression='application/x-gzip')
    bad(b'[[], {}, {}]', eta='tomorrow')
    bad(b'[[], {}, {}]', expires='never')
    bad(b'[[{\x22__type__\x22: \x22odd\x22}], {}, {}]')
    bad(b'[[], {}, {\x22chain\x22: [5]}]')
    bad(b'[[], {}, {\x22chord\x22: {\x22task\x22: \x22x\x22}}]')
    bad(b'[[], {}, {}]', content_type='application/x-yaml')
    # Nobody can be told of these.
    for id in ('', 'x' * 300, '\0'):
        raw(b'[[], {}, {}]', id)
    # A reply queue and an exchange that are not there; a pattern that grows.
    raw(b'[[], {}, {}]', 'gone', 'no.such.queue')
    pidbox = lambda body: producer.publish(body, exchange='celery.pidbox', content_type='application/json', content_encoding='utf-8')
    for question in ({'method': 'ping', 'reply_to': {'exchange': 'no.such.exchange', 'routing_key': 'x' * 400}, 'ticket': 't' * 5000},
                     {'method': 'ping', 'pattern': '(a+)+$' * 40, 'matcher': 'pcre', 'reply_to': {'exchange': 'x', 'routing_key': 'y'}},
                     {'method': 'revoke', 'arguments': {'task_id': ['\0', '', 7, None, 'y' * 300]}},
                     {'method': 'query_task', 'arguments': {'ids': {'a': 1}}}, {'method': None}, []):
        pidbox(json.dumps(question).encode())
    pidbox(b'\xff'); pidbox(b'[' * 2000000)
from celery.result import AsyncResult
failures = [failure(AsyncResult(id, app=app)) for id in ids]
out([failures, get(send(links=links))['data']['up'], app.control.inspect(destination=[HOST]).ping()[HOST]])
");
    let failures: Vec<_> = said[0].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let parts = [
        "no JSON in UTF-8",
        "no JSON in UTF-8",
        "no list of args",
        "no list of args",
        "too large",
        "no zlib stream",
        "eta is no time",
        "expires is no time",
        "a type that linkbeat does not know",
        "no signature of a task",
        "takes no part in chords",
        "application/x-yaml",
    ];
    for (failure, part) in failures.iter().zip(parts) {
        assert!(failure.contains(part) && !failure.starts_with("no failure"), "{failure}: {part}");
    }
    assert_eq!((&said[1], &said[2]), (&json!(1), &json!({"ok": "pong"})));
    app.wait("what names no task to be parked", |app| app.fleet.servers.depth("dead") == 3);
}

#[test]
fn a_queue_that_the_app_made_otherwise_is_served_as_it_is() {
    let mut app = App::start();
    let links = json!([app.street.set("up", Answer::Page(200, String::new()))]);
    app.fleet.role(0).kill();
    let of_app = r"
from kombu import Exchange, Queue
app.conf.task_queues = [Queue(QUEUE, Exchange(QUEUE), QUEUE, queue_arguments={'x-queue-type': 'quorum', 'x-max-length': 100})]
app.conf.broker_native_delayed_delivery_enabled = False
";
    app.run(
        &links,
        &format!(
            "{of_app}
with app.connection_for_write() as connection:
    connection.default_channel.queue_delete(QUEUE)
    connection.default_channel.exchange_delete(QUEUE)
    app.conf.task_queues[0](connection).declare()
out(1)
"
        ),
    );
    app.start_producer();
    let said = app.run(&links, &format!("{of_app}out(get(send(links=links))['data']['up'])"));
    assert_eq!(said, 1);
}
