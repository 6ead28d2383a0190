//! What one app's flood costs the small requests of another, in a whole fleet over RabbitMQ and PostgreSQL.

use std::time::{Duration, Instant};

use anyhow::Context;
use linkbeat_broker::{
    BrokerSettings, Event, Events, Message, Namespace, Queue, RabbitBroker, SharedBroker, Target,
};
use linkbeat_shared::wire::{self, EventMessage, RUN_FINISHED};
use serde_json::json;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::list::address;
use crate::measure;

/// Links of a small request.
const SMALL: usize = 10;
/// Links of a request of the flood: as many as a request may name.
const LARGE: usize = 10_000;
/// Requests of the flood, each over hosts of its own.
const FLOOD: usize = 4;
/// Hosts of small requests begin here, so that they never wait for a host of the flood.
const FIRST_SMALL: usize = FLOOD * LARGE;
/// How long a role may take to start, and one small request to be answered.
const PATIENCE: Duration = Duration::from_secs(180);

/// Where the fleet's servers are. The namespace and the database are for this alone.
#[derive(Debug, clap::Args)]
pub(crate) struct Servers {
    /// RabbitMQ
    #[arg(long, env = "LINKBEAT_BROKER_URL")]
    broker_url: String,
    /// An empty PostgreSQL database
    #[arg(long, env = "LINKBEAT_DATABASE_URL")]
    database_url: String,
    /// A namespace that nobody else uses
    #[arg(long, default_value = "linkbeat-bench-flood")]
    namespace: String,
}

pub(crate) async fn run(servers: Servers, requests: usize, page: &str) -> anyhow::Result<()> {
    let (_sites, port) = measure::serve().await?;
    let _roles = servers.start_roles().await?;
    let namespace: Namespace = servers.namespace.parse()?;
    let settings = BrokerSettings::new(servers.broker_url.parse()?, namespace, "linkbeat bench");
    let broker: SharedBroker = RabbitBroker::connect(settings).await?;
    let mut events = broker.events(RUN_FINISHED).await?;
    anyhow::ensure!(matches!(events.next().await, Some(Event::Listening)), "no events are heard");
    let app = App { broker, port };
    println!(
        "requests of {SMALL} links, one after the other; flood: {FLOOD} requests of {LARGE} links `/{page}`"
    );
    // The first ones find the roles half awake.
    app.times(&mut *events, 5).await?;
    let alone = app.times(&mut *events, requests).await?;
    for run in 0..FLOOD {
        app.ask(run * LARGE, LARGE, page).await?;
    }
    // All of the flood is filed, and the worker is full.
    sleep(Duration::from_secs(10)).await;
    let beside = app.times(&mut *events, requests).await?;
    let p99 = |times: &[f64]| times[times.len() * 99 / 100];
    let (alone_99, beside_99) = (p99(&alone), p99(&beside));
    let (alone_50, beside_50) = (measure::median(alone), measure::median(beside));
    println!("alone:  p50 {alone_50:.0} ms, p99 {alone_99:.0} ms");
    println!("beside: p50 {beside_50:.0} ms, p99 {beside_99:.0} ms");
    println!("p99 ×{:.2}", beside_99 / alone_99);
    app.broker.close().await;
    Ok(())
}

impl Servers {
    /// A producer, a recorder and a worker. They end with the returned children.
    async fn start_roles(&self) -> anyhow::Result<Vec<Child>> {
        let migrated = self.command(&["migrate"])?.status().await?;
        anyhow::ensure!(migrated.success(), "the database cannot be migrated");
        let worker = ["worker", "--allow-network", "127.0.0.0/8"];
        [&["producer"][..], &["recorder"], &worker]
            .into_iter()
            .map(|arguments| Ok(self.command(arguments)?.kill_on_drop(true).spawn()?))
            .collect()
    }

    fn command(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(measure::program("linkbeat")?);
        command
            .args(arguments)
            .env("LINKBEAT_BROKER_URL", &self.broker_url)
            .env("LINKBEAT_DATABASE_URL", &self.database_url)
            .env("LINKBEAT_NAMESPACE", &self.namespace)
            .env("LINKBEAT_LOG", "error");
        Ok(command)
    }
}

/// Whoever asks.
struct App {
    broker: SharedBroker,
    port: u16,
}

impl App {
    async fn ask(&self, first_host: usize, links: usize, page: &str) -> anyhow::Result<()> {
        let url = |host| format!("http://{}:{}/{page}", address(host), self.port);
        let links: Vec<_> =
            (first_host..first_host + links).map(|host| json!({ "url": url(host) })).collect();
        let id = uuid::Uuid::now_v7();
        let request = json!({ "schema": "linkbeat.request/1", "request_id": id, "links": links });
        let message = Message::new(id, request.to_string());
        Ok(self.broker.publish(&Target::Queue(Queue::REQUESTS), message).await?)
    }

    /// Milliseconds from a small request to the end of its run, in order of size.
    async fn times(&self, events: &mut dyn Events, requests: usize) -> anyhow::Result<Vec<f64>> {
        let mut times = Vec::with_capacity(requests);
        for _ in 0..requests {
            let start = Instant::now();
            self.ask(FIRST_SMALL, SMALL, "page").await?;
            timeout(PATIENCE, small_run_ends(events)).await.context("a small request was not answered")??;
            times.push(start.elapsed().as_secs_f64() * 1_000.0);
        }
        times.sort_by(f64::total_cmp);
        Ok(times)
    }
}

async fn small_run_ends(events: &mut dyn Events) -> anyhow::Result<()> {
    loop {
        match events.next().await.context("the broker was closed")? {
            Event::Listening => {}
            Event::Published { message, .. } => {
                let event = wire::decode::<EventMessage>(&message.body)?;
                if event.report.is_some_and(|report| report.checked == SMALL as u64) {
                    return Ok(());
                }
            }
        }
    }
}
