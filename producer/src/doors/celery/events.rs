//! What linkbeat does with tasks, told as a Celery worker tells it: for `celery events`, Flower and exporters.
//!
//! Events go through a bounded queue to one publisher. Nothing waits for them, and if nobody reads, they are lost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::Utc;
use linkbeat_broker::{Broker, Message, RabbitBroker, Target};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::card::Card;
use super::outcome::{Outcome, Status};
use super::{EVENTS, repr};

/// Events that wait to be sent, at most.
const WAITING: usize = 10_000;
/// Events in one message, at most.
const TOGETHER: usize = 100;
/// Time between two signs of life. Whoever watches counts a worker as lost after twice as long.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long the last event may take at the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// Tells what happens.
#[derive(Debug)]
pub(super) struct Teller {
    hostname: String,
    broker: Arc<RabbitBroker>,
    /// Whoever watches wants events of tasks, too.
    of_tasks: AtomicBool,
    /// Lamport's clock, which orders the events of all workers.
    clock: AtomicU64,
    begun: Instant,
    counts: Mutex<Counts>,
    waiting: mpsc::Sender<Value>,
    to_send: Mutex<Option<mpsc::Receiver<Value>>>,
}

/// How many tasks there were.
#[derive(Debug, Default)]
struct Counts {
    active: u64,
    ended: u64,
    by_name: BTreeMap<String, u64>,
}

impl Teller {
    pub(super) fn new(hostname: String, broker: Arc<RabbitBroker>) -> Self {
        let (waiting, to_send) = mpsc::channel(WAITING);
        Self {
            hostname,
            broker,
            of_tasks: AtomicBool::new(false),
            clock: AtomicU64::new(1),
            begun: Instant::now(),
            counts: Mutex::default(),
            waiting,
            to_send: Mutex::new(Some(to_send)),
        }
    }

    /// How linkbeat names itself as a worker.
    pub(super) fn hostname(&self) -> &str {
        &self.hostname
    }

    /// The next moment of the clock.
    pub(super) fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn uptime(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Switches events of tasks on or off: whether that changed anything.
    pub(super) fn tell_of_tasks(&self, on: bool) -> bool {
        self.of_tasks.swap(on, Ordering::Relaxed) != on
    }

    /// How many tasks of each name have come.
    pub(super) fn totals(&self) -> BTreeMap<String, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).by_name.clone()
    }

    pub(super) fn received(&self, id: &str, card: &Card) {
        self.task("task-received", id, &json!({
            "name": card.name, "args": card.args, "kwargs": card.kwargs, "root_id": card.root_id,
            "parent_id": card.parent_id, "retries": card.retries, "eta": card.eta, "expires": card.expires,
        }));
    }

    pub(super) fn started(&self, id: &str, card: &Card) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.active += 1;
        *counts.by_name.entry(card.name.clone()).or_default() += 1;
        drop(counts);
        self.task("task-started", id, &json!({}));
    }

    /// `ran`: it had a run, and so was active.
    pub(super) fn ended(&self, id: &str, card: &Card, outcome: &Outcome, ran: bool) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.active = counts.active.saturating_sub(u64::from(ran && card.taken_by == self.hostname));
        counts.ended += 1;
        drop(counts);
        match outcome.status {
            Status::Success => {
                let begun = card.eta.map_or(card.received_at, |eta| eta.max(card.received_at));
                let runtime = (Utc::now() - begun).num_milliseconds().max(0) as f64 / 1_000.0;
                self.task(
                    "task-succeeded",
                    id,
                    &json!({ "result": repr::of(&outcome.result), "runtime": runtime }),
                );
            }
            Status::Failure => {
                let exception = outcome.exception();
                self.task("task-failed", id, &json!({ "exception": exception, "traceback": "" }));
            }
            Status::Revoked => {
                let expired = outcome.result["exc_message"][0] == "expired";
                self.task(
                    "task-revoked",
                    id,
                    &json!({ "terminated": !expired, "signum": null, "expired": expired }),
                );
            }
            Status::Started => {}
        }
    }

    fn task(&self, kind: &str, id: &str, fields: &Value) {
        if self.of_tasks.load(Ordering::Relaxed) {
            let mut event = self.event(kind);
            event.insert("uuid".to_owned(), json!(id));
            event.extend(
                fields.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())),
            );
            // If nobody takes them, the newest are lost.
            let _ = self.waiting.try_send(Value::Object(event));
        }
    }

    /// An event that the worker itself is there, or goes.
    pub(super) fn worker(&self, kind: &str) {
        let mut event = self.event(kind);
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let fields = json!({
            "freq": HEARTBEAT.as_secs_f64(), "active": counts.active, "processed": counts.ended, "loadavg": loads(),
            "sw_ident": "linkbeat", "sw_ver": env!("CARGO_PKG_VERSION"), "sw_sys": std::env::consts::OS,
        });
        drop(counts);
        event.extend(
            fields.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())),
        );
        let _ = self.waiting.try_send(Value::Object(event));
    }

    fn event(&self, kind: &str) -> Map<String, Value> {
        let now = Utc::now().timestamp_micros() as f64 / 1_000_000.0;
        let fields = json!({
            "type": kind, "hostname": self.hostname, "pid": std::process::id(), "clock": self.tick(), "timestamp": now,
        });
        match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }

    async fn publish(&self, key: &str, body: &Value) {
        let mut message = Message::new(Uuid::now_v7(), body.to_string());
        message.headers.add_foreign("hostname", self.hostname.as_str());
        let published = self.broker.publish(&Target::Listeners(EVENTS, key.to_owned()), message).await;
        if let Err(error) = published {
            tracing::debug!(%error, "an event for Celery's monitors is lost");
        }
    }

    async fn publish_all(&self, events: Vec<Value>) {
        let is_of_task = |event: &Value| event["type"].as_str().is_some_and(|kind| kind.starts_with("task-"));
        let (of_tasks, of_workers): (Vec<_>, Vec<_>) = events.into_iter().partition(is_of_task);
        for event in &of_workers {
            self.publish(&event["type"].as_str().unwrap_or_default().replacen('-', ".", 1), event).await;
        }
        if !of_tasks.is_empty() {
            self.publish("task.multi", &Value::Array(of_tasks)).await;
        }
    }
}

/// Sends events until `shutdown`, and with them a sign of life every two seconds.
pub(super) async fn run(teller: &Teller, shutdown: &CancellationToken) {
    let Some(mut to_send) = teller.to_send.lock().unwrap_or_else(PoisonError::into_inner).take() else {
        return;
    };
    teller.worker("worker-online");
    let beating = async {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            teller.worker("worker-heartbeat");
        }
    };
    let sending = async {
        let mut events = Vec::new();
        while to_send.recv_many(&mut events, TOGETHER).await > 0 {
            teller.publish_all(std::mem::take(&mut events)).await;
        }
    };
    tokio::select! {
        () = beating => {}
        () = sending => {}
        () = shutdown.cancelled() => {}
    }
    teller.worker("worker-offline");
    let mut last = Vec::new();
    while let Ok(event) = to_send.try_recv() {
        last.push(event);
    }
    let _ = timeout(FAREWELL, teller.publish_all(last)).await;
}

/// How busy the machine is, where Linux says so.
fn loads() -> Vec<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut loads: Vec<f64> = text.split(' ').take(3).filter_map(|load| load.parse().ok()).collect();
    loads.resize(3, 0.0);
    loads
}
