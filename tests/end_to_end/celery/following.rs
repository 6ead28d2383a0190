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
@app.task(name='blog.keep_all')
def keep_all(values):
    keep('kept', values)
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

/// No check names a queue, and a callback is a chain.
#[test]
fn checks_that_follow_each_other_need_no_queue_and_chains_follow_within_callbacks_and_groups() {
    let app = App::start();
    let links = json!([app.street.set("up", Answer::Page(200, String::new()))]);
    let _worker = app.spawn(&links, WORKER);
    let said = app.run(
        &links,
        r"
OTHER = 'own.' + QUEUE
check = signature('linkbeat.check', kwargs={'links': links}, app=app, immutable=True)
own = lambda name, *args, **options: signature(name, args=args, app=app, options={'queue': OTHER}, **options)
three = get(chain(check.clone(), check.clone(), check.clone()).apply_async())['data']['up']
fanned = get(chain(check.clone(), group([own('blog.count', 'x'), own('blog.count', 'y')])).apply_async())
check.clone().apply_async(link=chain(own('blog.count', 'z'), own('blog.keep_all')))
group([check.clone(), chain(check.clone(), own('blog.done'))]).apply_async()
def read(name):
    try: return json.load(open(name))
    except (OSError, ValueError): return None
kept, done = until(lambda: read('kept')), until(lambda: read('done'))
refused = failure(check.clone().apply_async(link=chain(group([own('blog.count', 'x')] * 2), own('blog.double'))))
many = failure(check.clone().apply_async(link=[group([own('blog.count', 'x')] * 600)] * 2))
out([three, fanned, kept, done, refused, many])
with app.connection_for_write() as connection:
    connection.default_channel.queue_delete(OTHER)
    connection.default_channel.exchange_delete(OTHER)
",
    );
    assert_eq!((&said[0], &said[1]), (&json!(1), &json!([[1, "x"], [1, "y"]])));
    assert_eq!((&said[2], &said[3]), (&json!([[1, "z"]]), &json!([1])));
    for (at, part) in [(4, "NotImplementedError: the task's link has a chord"), (5, "more than 1000 tasks")] {
        assert!(said[at].as_str().is_some_and(|text| text.contains(part)), "{said}");
    }
}
