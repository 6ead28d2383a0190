//! One test's world: servers, wires, processes, sites, and the ledger of what was asked for.

use std::path::Path;
use std::time::{Duration, Instant};

use linkbeat_testbed::shared_server;
use tempfile::TempDir;
use uuid::Uuid;

use super::database::Database;
use super::eventually;
use super::fleet::{BINARY, CommandLine, Fleet, IMPATIENT, Place, Role};
use super::invariant::Findings;
use super::ledger::{Ledger, Request};
use super::postgres::Postgres;
use super::queues::{Queues, Raw};
use super::rabbit::Rabbit;
use super::site::{Crowd, Link};

/// Which servers a test has to itself. The others are those that `scripts/test` provides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Own {
    pub(crate) rabbit: bool,
    pub(crate) postgres: bool,
    /// Seconds between heartbeats; a silent broker is given up after two.
    pub(crate) heartbeat: u32,
}

impl Own {
    /// None; and silence is noticed soon.
    pub(crate) const NOTHING: Self = Self { rabbit: false, postgres: false, heartbeat: 2 };
    pub(crate) const RABBIT: Self = Self { rabbit: true, ..Self::NOTHING };
    pub(crate) const POSTGRES: Self = Self { postgres: true, ..Self::NOTHING };
}

pub(crate) struct World {
    // In the order in which they end.
    pub(crate) fleet: Fleet,
    pub(crate) site: Crowd,
    pub(crate) ledger: Ledger,
    pub(crate) queues: Queues,
    pub(crate) database: Database,
    pub(crate) rabbit: Option<Rabbit>,
    pub(crate) postgres: Option<Postgres>,
    folder: Option<TempDir>,
}

impl World {
    /// On the servers that all tests share, with a namespace and a database of its own.
    pub(crate) async fn open() -> Self {
        Self::with(Own::NOTHING).await
    }

    /// With servers of its own, which it may kill.
    pub(crate) async fn with(own: Own) -> Self {
        let folder = tempfile::Builder::new().prefix("linkbeat-faults-").tempdir().unwrap();
        let_others_pass(folder.path());
        let starting = async {
            let rabbit = async { if own.rabbit { Some(Rabbit::start(folder.path()).await) } else { None } };
            let postgres =
                async { if own.postgres { Some(Postgres::start(folder.path()).await) } else { None } };
            tokio::join!(rabbit, postgres)
        };
        let (rabbit, postgres) = starting.await;
        let name = format!("faults_{}", Uuid::now_v7().simple());
        let queues = match &rabbit {
            Some(rabbit) => Queues { url: rabbit.url(), namespace: name.clone() },
            None => Queues::shared(&name),
        };
        let server =
            postgres.as_ref().map_or_else(|| shared_server("LINKBEAT_TEST_DATABASE_URL"), Postgres::url);
        let database = Database::create_on(&server, &name).await;
        let place = Place {
            broker_url: format!("{}/?heartbeat={}", queues.url, own.heartbeat),
            database_url: database.url.clone(),
            namespace: name,
        };
        Self {
            fleet: Fleet::new(BINARY, folder.path(), place, &IMPATIENT).on_wires().await,
            site: Crowd::open().await,
            ledger: Ledger::default(),
            queues,
            database,
            rabbit,
            postgres,
            folder: Some(folder),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_ref().expect("kept until the end").path()
    }

    /// Lets a command of an operator work on this world's servers.
    pub(crate) fn configure(&self, command: &mut std::process::Command) {
        command
            .env("LINKBEAT_BROKER_URL", &self.queues.url)
            .env("LINKBEAT_NAMESPACE", &self.queues.namespace);
        command.env("LINKBEAT_DATABASE_URL", &self.database.url);
    }

    /// Starts one process in the usual way; returns its place in the fleet.
    pub(crate) async fn start(&mut self, role: Role) -> usize {
        self.start_as(role, CommandLine::default()).await
    }

    /// As [`World::start`]; the site knows the workers by their names.
    pub(crate) async fn start_as(&mut self, role: Role, command: CommandLine) -> usize {
        let place = self.fleet.start(role, command).await;
        self.introduce(place);
        place
    }

    /// Starts one that has ended once more, without its crash points, and waits until it is ready.
    pub(crate) async fn restart(&mut self, place: usize) {
        self.revive(place);
        self.fleet.ready(place).await;
    }

    /// As [`World::restart`], without waiting.
    pub(crate) fn revive(&mut self, place: usize) {
        self.fleet.restart_plain(place);
        self.introduce(place);
    }

    fn introduce(&self, place: usize) {
        let member = &self.fleet.members[place];
        self.site.knows(&member.name, member.process.id());
    }

    /// Asks for a run over the queue, as another app would; enters it when the broker has confirmed it.
    pub(crate) async fn submit(&mut self, links: Vec<Link>) {
        self.submit_request(Request::of(links)).await;
    }

    pub(crate) async fn submit_request(&mut self, request: Request) {
        self.queues.put("requests", &[Raw::new(request.message())]).await;
        self.ledger.requests.push(request);
    }

    /// Waits until every run of the ledger has ended and was announced, or `limit` is over.
    pub(crate) async fn settle(&self, limit: Duration) -> bool {
        let requests: Vec<_> = self.ledger.requests.iter().map(|it| format!("'{}'", it.id)).collect();
        let ended = format!(
            "SELECT count(*) FROM runs WHERE request_id IN ({}) AND state <> 'running' AND announced_at IS NOT NULL",
            requests.join(",")
        );
        let settling = async {
            while self.database.try_number(&ended).await != i64::try_from(requests.len()).ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(limit, settling).await.is_ok()
    }

    /// Waits until all has come to rest, and holds it against the ledger.
    pub(crate) async fn sound(&self) -> Findings {
        self.settle(super::PATIENCE).await;
        let findings = self.findings().await;
        findings.assert_sound();
        assert!(findings.stored > 0, "something was done at all");
        findings
    }

    pub(crate) async fn findings(&self) -> Findings {
        let dead = self.queues.browse("dead").await;
        Findings::read(&self.database, &self.ledger, &dead).await
    }

    /// Waits for a sign of recovery from the return of a server on; says how long it took, and fails where that
    /// is longer than promised.
    pub(crate) async fn recovery(
        &self,
        from: &str,
        promised: Duration,
        mut sign: impl AsyncFnMut(&Self) -> bool,
    ) {
        let back = Instant::now();
        eventually(&format!("recovery from {from}"), async || sign(self).await.then_some(())).await;
        let took = back.elapsed();
        println!("consuming again {took:.1?} after {from} was back");
        assert!(took <= promised, "consuming again only {took:.1?} after {from} was back");
    }

    /// Waits until so many results are stored.
    pub(crate) async fn stored(&self, least: i64) {
        let stored = async || (self.database.stored().await >= least).then_some(());
        eventually(&format!("{least} stored results"), stored).await;
    }

    /// Waits until so many checks wait for their sites.
    pub(crate) async fn under_way(&self, least: u64) {
        let waiting = async || (self.site.waiting() >= least).then_some(());
        eventually(&format!("{least} checks under way"), waiting).await;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let kept = self.folder.take().map(TempDir::keep);
            eprintln!("logs, and the files of the test's own servers, are kept in {kept:?}");
        }
        for member in &mut self.fleet.members {
            member.process.kill();
        }
        if self.rabbit.is_some() {
            return;
        }
        let queues = self.queues.clone();
        let clean_up = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                // Those who declared the queues were killed just now: the broker may still be at it.
                tokio::time::sleep(Duration::from_millis(500)).await;
                queues.remove_all().await;
            });
        };
        // A runtime cannot be entered from within another.
        if std::thread::spawn(clean_up).join().is_err() {
            eprintln!("the test's queues could not be removed");
        }
    }
}

/// PostgreSQL runs as another user where we are root.
fn let_others_pass(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711)).unwrap();
}
