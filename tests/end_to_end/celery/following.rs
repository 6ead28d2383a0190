//! Tasks of the app's own workers that follow one of linkbeat's.

use serde_json::json;

use super::App;
use crate::support::site::Answer;

/// The app's own tasks; each writes what it was given into a file of its name.
const WORKER: &str = r"
OTHER = 'own.' + QUEUE
app.conf.task_default_queue = OTHER
def keep(name, *values):
    with open(name, 'w') as file: json.dump(values, file, default=str)
@app.task(name='blog.count')
def count(report, extra):
    return [report['data']['up'], extra]
@app.task(name='blog.double')
def double(values):
    return values * 2
@app.task(name='blog.done')
def done(report):
    keep('done', report['data']['up'])
@app.task(name='blog.alone')
def alone(word):
    keep('alone', word)
@app.task(name='blog.failed')
def failed(task_id):
    keep('failed', task_id)
app.worker_main(['worker', '--queues', OTHER, '--pool', 'solo', '--loglevel', 'warning', '--hostname', 'own@' + HOST.split('@')[1]])
";

#[test]
fn chains_callbacks_and_errbacks_go_on_in_the_apps_own_worker() {
    let app = App::start();
    let links = json!([app.street.set("up", Answer::Page(200, String::new()))]);
    let _worker = app.spawn(&links, WORKER);
    let said = app.run(&links, r"
OTHER = 'own.' + QUEUE
own = lambda name, *args, **options: signature(name, args=args, app=app, options={'queue': OTHER}, **options)
check = signature('linkbeat.check', kwargs={'links': links}, app=app, options={'queue': QUEUE})
chained = get(chain(check, own('blog.count', 'x'), own('blog.double')).apply_async())
check.clone().apply_async(link=[own('blog.done'), own('blog.alone', 'word', immutable=True)])
failing = signature('linkbeat.check', args=[5], app=app, options={'queue': QUEUE}).apply_async(link_error=own('blog.failed'))
first = failure(failing)
def read(name):
    try: return json.load(open(name))
    except (OSError, ValueError): return None
files = [until(lambda: read(name)) for name in ('done', 'alone', 'failed')]
check.clone().apply_async(link=signature('blog.count', args=['x'], app=app, options={'queue': QUEUE.replace('celery', 'jobs')}))
refused = failure(check.clone().apply_async(link=chord([own('blog.count', 'x')], own('blog.double'))))
header = chord([check.clone()], own('blog.double'))
out([chained, files, failing.id, first, refused])
with app.connection_for_write() as connection:
    connection.default_channel.queue_delete(OTHER)
    connection.default_channel.exchange_delete(OTHER)
");
    assert_eq!(said[0], json!([1, "x", 1, "x"]));
    assert_eq!(said[1], json!([[1], ["word"], [said[2]]]));
    assert!(said[3].as_str().unwrap().starts_with("ValueError: backlink"), "{said}");
    assert_eq!(app.fleet.servers.depth("dead"), 0, "nothing was sent to the workers");
    assert!(
        said[4].as_str().unwrap().starts_with("NotImplementedError: the task's link has a chord"),
        "{said}"
    );
}
