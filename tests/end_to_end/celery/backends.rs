//! Where results go: Redis, and Django's database.

use linkbeat_testbed::background;
use linkbeat_testbed::database::Database;
use linkbeat_testbed::proxy::{Proxy, Weather};
use linkbeat_testbed::servers::PrivateServers;
use serde_json::{Value, json};

use super::App;
use crate::support::Folder;
use crate::support::process::{linkbeat, run};
use crate::support::site::Answer;

#[test]
fn redis_has_the_results_for_every_process() {
    let servers = PrivateServers::start("provide_celery start_redis");
    let url = servers.get("REDIS_URL").to_owned();
    let settings = [
        ("LINKBEAT_CELERY_KEY_PREFIX", "blog"),
        ("LINKBEAT_CELERY_TRACK_STARTED", "true"),
        ("LINKBEAT_CELERY_RESULT_EXPIRES_SECS", "100"),
    ];
    let mut app = App::with(servers, &url, &settings);
    app.conf = json!({"result_backend_transport_options": {"global_keyprefix": "blog"}});
    let links =
        json!([app.street.set("up", Answer::After(std::time::Duration::from_secs(2), String::new()))]);
    let said = app.run(
        &links,
        r"
from celery.result import AsyncResult
import redis
store = redis.from_url(os.environ['BACKEND'])
result = send(links=links)
started = until(lambda: result.state == 'STARTED' and result.info)
report = get(result)
other = AsyncResult(result.id, app=app)
key = 'blog_celery-task-meta-' + result.id
lives = store.ttl(key)
before = store.get(key)
store.set(key, json.dumps({**json.loads(before), 'result': 'kept'}))
send(links=links, options={'task_id': result.id})
bad = failure(send(5))
silent = send(links=links, options={'ignore_result': True})
last = get(send(links=links))
out([started, report['data']['up'], other.state, lives, json.loads(store.get(key))['result'], bad,
     store.exists('blog_celery-task-meta-' + silent.id), len(store.keys('*'))])
",
    );
    assert_eq!(said[0]["hostname"], app.hostname());
    assert_eq!((&said[1], &said[2]), (&json!(1), &json!("SUCCESS")));
    assert!((1..=100).contains(&said[3].as_i64().unwrap()), "{said}");
    assert_eq!(said[4], "kept", "a success is never overwritten");
    assert!(said[5].as_str().unwrap().starts_with("ValueError"), "{said}");
    assert_eq!((&said[6], &said[7]), (&json!(0), &json!(3)));
}

#[test]
fn results_wait_while_redis_is_away_and_tasks_go_on() {
    let servers = PrivateServers::start("provide_celery make_certificates start_redis");
    let ca = servers.certificate("ca.pem");
    let direct = servers.get("REDIS_TLS_URL").to_owned();
    let proxy = background(Proxy::before(&direct.parse().unwrap()));
    let through =
        format!("rediss://:secret@localhost:{}/1?ssl_ca_certs={}", proxy.address().port(), ca.display());
    let mut app = App::with(servers, &through, &[]);
    app.backend = format!("{direct}?ssl_cert_reqs=required&ssl_ca_certs={}", ca.display());
    let links = json!([app.street.set("up", Answer::Page(200, String::new()))]);
    proxy.set(Weather::BlackHole);
    let sent = app.run(&links, "out([send(links=links).id for _ in range(3)])");
    app.wait("the runs", |app| app.runs() == 3);
    proxy.cut();
    proxy.set(Weather::Clear);
    let said = app.run(
        &sent,
        r"
from celery.result import AsyncResult
out([get(AsyncResult(id, app=app), 60)['data']['up'] for id in links])
",
    );
    assert_eq!(said, json!([1, 1, 1]));
}

/// Celery itself refuses chords over `rpc://`.
#[test]
fn a_chord_is_refused_to_those_who_wait_for_its_members_and_for_its_end() {
    let servers = PrivateServers::start("provide_celery start_redis");
    let url = servers.get("REDIS_URL").to_owned();
    let app = App::with(servers, &url, &[]);
    let said = app.run(
        &json!([app.street.set("up", Answer::Page(200, String::new()))]),
        r"
check = signature('linkbeat.check', kwargs={'links': links}, app=app, immutable=True)
end = chord([check.clone(), check.clone()])(check.clone())
out([failure(end), failure(end.parent.results[0]), failure((group([check.clone()] * 2) | check.clone()).apply_async())])
",
    );
    for at in 0..3 {
        assert!(
            said[at].as_str().unwrap().starts_with("NotImplementedError: linkbeat takes no part"),
            "{said}"
        );
    }
    assert_eq!(app.runs(), 0);
}

/// The app's code with Django. `links` are given.
const DJANGO: &str = r"
import django
from django.conf import settings
from urllib.parse import urlsplit
database = links['database']
if 'URL' in database:
    url = urlsplit(database.pop('URL'))
    database.update(NAME=url.path[1:], HOST=url.hostname, PORT=url.port, USER=url.username, PASSWORD=url.password)
settings.configure(INSTALLED_APPS=['django.contrib.contenttypes', 'django_celery_results'], DATABASES={'default': database}, USE_TZ=True,
                   DEFAULT_AUTO_FIELD='django.db.models.AutoField')
django.setup()
from django.core.management import call_command
from django_celery_results.models import TaskResult
links = links['links']
";

fn django(app: &App, database: &Value) {
    let links = json!([app.street.set("up", Answer::Page(200, String::new()))]);
    let given = json!({"database": database, "links": links});
    app.run(&given, &format!("{DJANGO}\ncall_command('migrate', verbosity=0)\nout(1)"));
    let said = app.run(&given, &format!(r"{DJANGO}
good, bad = send(links=links), send(5)
report, error = get(good), failure(bad)
row = TaskResult.objects.get(task_id=good.id)
row.result = json.dumps('kept'); row.save()
send(links=links, options={{'task_id': good.id}})
get(send(links=links))
again = TaskResult.objects.get(task_id=good.id)
out([report['data']['up'], error, row.status, row.task_name, row.task_args, row.worker, row.meta, str(row.date_created) != '',
     again.result, TaskResult.objects.count(), TaskResult.objects.get(task_id=bad.id).status])
"));
    assert_eq!(said[0], 1);
    assert!(said[1].as_str().unwrap().starts_with("ValueError: backlink"), "{said}");
    assert_eq!((&said[2], &said[3]), (&json!("SUCCESS"), &json!("linkbeat.check")));
    assert_eq!((&said[4], &said[5]), (&json!("\"()\""), &json!(app.hostname())));
    assert_eq!((&said[6], &said[7]), (&json!("{\"children\":[]}"), &json!(true)));
    assert_eq!((&said[8], &said[9], &said[10]), (&json!("\"kept\""), &json!(3), &json!("FAILURE")));
}

fn with_django(url: &str) -> App {
    let settings = [("LINKBEAT_CELERY_DATABASE_URL", url), ("LINKBEAT_CELERY_RESULT_EXTENDED", "true")];
    App::with(PrivateServers::start("provide_celery"), "django-db", &settings)
}

#[test]
fn django_has_the_results_in_postgresql() {
    let database = background(Database::create("django"));
    let app = with_django(&database.url);
    let given = json!({"ENGINE": "django.db.backends.postgresql", "URL": database.url});
    django(&app, &given);
}

#[test]
fn django_has_the_results_in_sqlite() {
    let folder = Folder::new();
    let file = folder.path().join("django.sqlite3");
    let app = with_django(&format!("sqlite://{}", file.display()));
    django(&app, &json!({"ENGINE": "django.db.backends.sqlite3", "NAME": file}));
}

#[test]
fn results_wait_while_djangos_database_is_away_and_tasks_go_on() {
    let database = background(Database::create("django"));
    let proxy = background(Proxy::before(&database.url.parse().unwrap()));
    let mut through: url::Url = database.url.parse().unwrap();
    through.set_host(Some("127.0.0.1")).unwrap();
    through.set_port(Some(proxy.address().port())).unwrap();
    let app = with_django(through.as_str());
    let links = json!([app.street.set("up", Answer::Page(200, String::new()))]);
    let given =
        json!({"database": {"ENGINE": "django.db.backends.postgresql", "URL": database.url}, "links": links});
    app.run(&given, &format!("{DJANGO}\ncall_command('migrate', verbosity=0)\nout(1)"));
    proxy.set(Weather::BlackHole);
    proxy.cut();
    let sent = app.run(&given, &format!("{DJANGO}\nout([send(links=links).id for _ in range(3)])"));
    app.wait("the runs", |app| app.runs() == 3);
    let told = "SELECT count(*) FROM django_celery_results_taskresult";
    assert_eq!(background(database.number(told)), 0);
    proxy.cut();
    proxy.set(Weather::Clear);
    crate::support::eventually("the results", || (background(database.number(told)) == 3).then_some(()));
    assert_eq!(sent.as_array().unwrap().len(), 3);
}

#[test]
fn a_backend_that_cannot_be_served_is_refused_at_start_with_the_reason() {
    let folder = Folder::new();
    for (backend, part) in [
        ("db+postgresql://me:secret@db/x", "Python pickles"),
        ("django-cache", "Python pickles"),
        ("cache+memcached://127.0.0.1/", "no backend that linkbeat can write to"),
        ("rediss://me:secret@cache/0?ssl_cert_reqs=none", "ssl_ca_certs"),
    ] {
        let mut producer = linkbeat(folder.path(), ["producer"]);
        producer.env("LINKBEAT_CELERY_BACKEND", backend).env("LINKBEAT_CELERY_QUEUES", "celery");
        let ended = run(&mut producer).expect(2);
        assert!(
            ended.stderr.contains(part) && ended.stderr.contains("LINKBEAT_CELERY_BACKEND"),
            "{ended:#?}"
        );
        assert!(!ended.stderr.contains("secret"), "{ended:#?}");
    }
}
