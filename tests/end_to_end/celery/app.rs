//! An app that uses Celery, and the fleet that serves it.

use std::process::Command;

use linkbeat_testbed::servers::PrivateServers;
use serde_json::Value;

use crate::support::fleet::Fleet;
use crate::support::process::{Guarded, run};
use crate::support::site::Street;
use crate::support::{Folder, eventually};

/// What every piece of the app's code begins with.
const PRELUDE: &str = r#"
import json, os, sys, time, uuid
from celery import Celery, chain, chord, group, signature
from celery.exceptions import NotRegistered, TaskRevokedError, TimeoutError
QUEUE, HOST = os.environ['QUEUE'], os.environ['HOST']
app = Celery('blog', broker=os.environ['BROKER'], backend=os.environ['BACKEND'])
app.conf.update(task_default_queue=QUEUE, broker_connection_retry_on_startup=True, **json.loads(os.environ['CONF']))
links = json.loads(os.environ['LINKS'])
def send(*args, name='linkbeat.check', options={}, **kwargs):
    return app.send_task(name, args=args, kwargs=kwargs, **options)
def get(result, timeout=30):
    return result.get(timeout=timeout, interval=0.05)
def failure(result):
    try:
        return 'no failure: %r' % get(result)
    except Exception as error:
        return '%s: %s' % (type(error).__name__, error)
def until(what, timeout=30):
    end = time.time() + timeout
    while time.time() < end:
        found = what()
        if found: return found
        time.sleep(0.1)
    raise SystemExit('waited in vain')
def out(value):
    print(json.dumps(value, default=str))
"#;

/// An app with a street of sites, a fleet and servers.
pub(super) struct App {
    pub(super) fleet: Fleet,
    pub(super) street: Street,
    pub(super) folder: Folder,
    pub(super) servers: PrivateServers,
    pub(super) backend: String,
    /// The app's settings for Celery.
    pub(super) conf: Value,
    /// The producer's.
    settings: Vec<(String, String)>,
}

impl App {
    /// An app whose results go to the processes that ask.
    pub(super) fn start() -> Self {
        Self::with(PrivateServers::start("provide_celery"), "rpc://", &[])
    }

    /// The same with another backend and these settings of the producer.
    pub(super) fn with(servers: PrivateServers, backend: &str, settings: &[(&str, &str)]) -> Self {
        let settings = [&[("LINKBEAT_CELERY_BACKEND", backend)], settings].concat();
        let settings: Vec<_> =
            settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut fleet = Fleet::serving_celery(&settings);
        fleet.start_worker(&["--allow-network", "127.0.0.0/8"]);
        Self {
            fleet,
            street: Street::open(),
            folder: Folder::new(),
            servers,
            backend: backend.to_owned(),
            conf: serde_json::json!({}),
            settings,
        }
    }

    /// linkbeat's name as a worker.
    pub(super) fn hostname(&self) -> String {
        format!("linkbeat@{}", self.fleet.servers.namespace)
    }

    /// Runs a piece of the app's code, with `links` as given. Gives what it says with `out`.
    pub(super) fn run(&self, links: &Value, code: &str) -> Value {
        let ended = run(&mut self.python(links, code)).expect(0);
        let said = ended.stdout.lines().last().unwrap_or_else(|| panic!("nothing said: {ended:#?}"));
        serde_json::from_str(said).unwrap_or_else(|_| panic!("{ended:#?}"))
    }

    /// The same code as a process of its own, until it is dropped.
    pub(super) fn spawn(&self, links: &Value, code: &str) -> Guarded {
        Guarded::logged(&mut self.python(links, code), &self.folder.path().join("worker.log"))
    }

    /// One producer more.
    pub(super) fn start_producer(&mut self) {
        self.fleet.start_celery_producer(&self.settings);
    }

    fn python(&self, links: &Value, code: &str) -> Command {
        let name = format!("{}.py", uuid::Uuid::now_v7());
        let file = self.folder.write(&name, format!("{PRELUDE}\n{code}"));
        let mut command = Command::new(self.servers.get("CELERY_PYTHON"));
        command
            .current_dir(self.folder.path())
            .arg(file)
            .env("BROKER", &self.fleet.servers.broker_url)
            .env("BACKEND", &self.backend)
            .env("CONF", self.conf.to_string())
            .env("QUEUE", self.queue())
            .env("HOST", self.hostname())
            .env("EXPORTER_PYTHON", self.servers.get("CELERY_EXPORTER_PYTHON"))
            .env("LINKS", links.to_string());
        command
    }

    pub(super) fn queue(&self) -> String {
        format!("{}.celery", self.fleet.servers.namespace)
    }

    /// How many runs there are.
    pub(super) fn runs(&self) -> usize {
        let mut list =
            crate::support::process::linkbeat(self.folder.path(), ["runs", "list", "--format", "json"]);
        self.fleet.configure(&mut list);
        run(&mut list).expect(0).json().as_array().unwrap().len()
    }

    /// Waits until something that this says holds.
    pub(super) fn wait(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        eventually(what, || holds(self).then_some(()));
    }
}
