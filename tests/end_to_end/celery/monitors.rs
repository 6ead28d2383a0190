//! What watches Celery's workers takes linkbeat for one: `celery inspect`, events, Flower.

use linkbeat_testbed::servers::PrivateServers;
use serde_json::{Value, json};

use super::App;
use crate::support::site::Answer;

#[test]
fn linkbeat_answers_as_a_worker() {
    let app = App::start();
    let said = app.run(&json!([]), r"
import subprocess
inspect = app.control.inspect(destination=[HOST])
one = lambda answer: answer[HOST]
get(send(links=[]))
queues, stats, conf = one(inspect.active_queues()), one(inspect.stats()), one(inspect.conf())
ask = lambda method, **arguments: app.control.broadcast(method, arguments=arguments, destination=[HOST], reply=True)[0][HOST]
run = lambda *args: subprocess.run([sys.executable, '-m', 'celery', '-b', os.environ['BROKER'], *args], capture_output=True, text=True)
ping, status = run('inspect', 'ping', '-d', HOST), run('status', '-d', HOST)
out({
    'ping': one(inspect.ping()), 'registered': one(inspect.registered()), 'reserved': one(inspect.reserved()),
    'queue': queues[0]['name'], 'exchange': queues[0]['exchange']['type'], 'total': stats['total'], 'broker': stats['broker'],
    'conf': conf, 'shutdown': ask('shutdown'), 'grow': ask('pool_grow', n=1), 'odd': ask('odd\x1b'), 'report': one(inspect.report()),
    'others': app.control.inspect(destination=['celery@nobody'], timeout=0.5).ping(),
    'command': [ping.returncode, ping.stdout, status.returncode, status.stdout],
})
");
    assert_eq!((&said["ping"], &said["reserved"]), (&json!({"ok": "pong"}), &json!([])));
    assert_eq!(said["registered"], json!(["linkbeat.check", "blog.tasks.check_friend"]));
    assert_eq!(
        (said["queue"].as_str(), said["exchange"].as_str()),
        (Some(app.queue().as_str()), Some("direct"))
    );
    assert_eq!(said["total"], json!({"linkbeat.check": 1}));
    assert!(
        said["broker"]["hostname"].as_str().unwrap().starts_with("amqp://")
            && !said.to_string().contains("guest")
    );
    assert_eq!(said["conf"]["result_backend"], "rpc://");
    for (refused, part) in
        [("shutdown", "stop it where"), ("grow", "start more"), ("odd", r"odd\u{1b}: it has no such")]
    {
        let error = said[refused]["error"].as_str().unwrap();
        assert!(error.starts_with("linkbeat does not do ") && error.contains(part), "{error}");
    }
    assert!(said["report"]["ok"].as_str().unwrap().starts_with("linkbeat "));
    assert_eq!(said["others"], Value::Null);
    let command = &said["command"];
    assert_eq!((&command[0], &command[2]), (&json!(0), &json!(0)), "{command}");
    assert!(
        command[1].as_str().unwrap().contains("pong")
            && command[3].as_str().unwrap().contains("1 node online"),
        "{command}"
    );
}

#[test]
fn flower_shows_the_worker_and_its_tasks() {
    let app = App::start();
    let links = json!([app.street.set("up", Answer::Page(200, String::new())).replace("//", "//me:secret@")]);
    let said = app.run(&links, r"
import subprocess, threading, urllib.request, socket
port = socket.create_server(('127.0.0.1', 0)); number = port.getsockname()[1]; port.close()
flower = subprocess.Popen([sys.executable, '-m', 'celery', '-b', os.environ['BROKER'], 'flower', '--address=127.0.0.1', '--port=%d' % number],
                          env={**os.environ, 'FLOWER_UNAUTHENTICATED_API': 'true'}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    def read(path):
        try: return urllib.request.urlopen('http://127.0.0.1:%d%s' % (number, path), timeout=5).read().decode()
        except OSError: return ''
    seen = []
    def watch():
        with app.connection_for_read() as connection:
            receiver = app.events.Receiver(connection, handlers={'*': lambda event: event.get('hostname') == HOST and seen.append(event)})
            receiver.capture(limit=None, timeout=None, wakeup=False)
    threading.Thread(target=watch, daemon=True).start()
    until(lambda: seen)
    app.control.enable_events(destination=[HOST], reply=True)
    workers = until(lambda: json.loads(read('/api/workers?refresh=1') or '{}').get(HOST))
    good, bad = send(links=links), send(5)
    get(good), failure(bad)
    tasks = until(lambda: (lambda tasks: tasks if {'SUCCESS', 'FAILURE'} <= {task['state'] for task in tasks} else None)(
        [task for task in json.loads(read('/api/tasks') or '{}').values() if task['uuid'] in (good.id, bad.id)]))
    page = until(lambda: read('/worker/' + HOST))
    metrics = until(lambda: (lambda text: text if HOST in text else None)(read('/metrics')))
finally:
    flower.kill()
kinds = lambda id: [event['type'] for event in seen if event.get('uuid') == id]
out({'kinds': [kinds(good.id), kinds(bad.id)], 'worker': sorted({event['type'] for event in seen if event['type'].startswith('worker')}),
     'stats': workers['stats']['total'], 'tasks': tasks, 'page': HOST in page, 'online': 'flower_worker_online{worker=%s} 1.0' % json.dumps(HOST) in metrics,
     'all': str(seen)})
");
    assert_eq!(said["kinds"][0], json!(["task-received", "task-started", "task-succeeded"]));
    assert_eq!(said["kinds"][1], json!(["task-received", "task-failed"]));
    assert!(said["worker"].as_array().unwrap().contains(&json!("worker-heartbeat")));
    assert_eq!((&said["page"], &said["online"]), (&json!(true), &json!(true)));
    let task =
        |state: &str| said["tasks"].as_array().unwrap().iter().find(|task| task["state"] == state).unwrap();
    assert!(
        task("SUCCESS")["runtime"].as_f64().unwrap() > 0.0 && task("SUCCESS")["worker"] == app.hostname()
    );
    assert!(task("FAILURE")["exception"].as_str().unwrap().starts_with("ValueError('backlink"), "{said}");
    assert!(!said.to_string().contains("secret"), "no password is shown");
}

/// celery-exporter, which knows nothing of linkbeat.
#[test]
fn the_exporter_for_prometheus_counts_the_worker_and_its_tasks() {
    let events = [("LINKBEAT_CELERY_SEND_TASK_EVENTS", "true")];
    let app = App::with(PrivateServers::start("provide_celery"), "rpc://", &events);
    let links = json!([app.street.set("up", Answer::Page(200, String::new()))]);
    let said = app.run(&links, r"
import re, socket, subprocess, urllib.request
port = socket.create_server(('127.0.0.1', 0)); number = port.getsockname()[1]; port.close()
command = 'from src.cli import cli; cli()'
exporter = subprocess.Popen([os.environ['EXPORTER_PYTHON'], '-c', command, '--broker-url', os.environ['BROKER'], '--host', '127.0.0.1',
                             '--port', str(number)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
def metrics():
    try: text = urllib.request.urlopen('http://127.0.0.1:%d/metrics' % number, timeout=5).read().decode()
    except OSError: return {}
    lines = [re.fullmatch(r'(\w+)\{(.*)\} ([0-9.]+)', line) for line in text.splitlines()]
    return {match[1]: (float(match[3]), match[2]) for match in lines if match and HOST.split('@')[1] in match[2]}
try:
    until(lambda: metrics().get('celery_worker_up'))
    good, bad = send(links=links), send(5)
    get(good), failure(bad)
    wanted = {'celery_task_succeeded_total', 'celery_task_failed_total', 'celery_task_runtime_count'}
    out(until(lambda: (lambda found: found if wanted <= found.keys() else None)(metrics())))
finally:
    exporter.kill()
");
    for (metric, value) in [
        ("celery_worker_up", 1.0),
        ("celery_task_received_total", 2.0),
        ("celery_task_succeeded_total", 1.0),
        ("celery_task_failed_total", 1.0),
        ("celery_task_runtime_count", 1.0),
    ] {
        assert_eq!(said[metric][0], json!(value), "{metric} in {said:#}");
    }
    let labels = said["celery_task_succeeded_total"][1].as_str().unwrap();
    assert!(labels.contains(r#"name="linkbeat.check""#), "{labels}");
    assert!(said["celery_task_failed_total"][1].as_str().unwrap().contains("ValueError"), "{said}");
}
