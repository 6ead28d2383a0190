//! What there is when schemathesis begins, so that calls can name it: runs that are held back, and a broker.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::Utc;
use linkbeat_dashboard::{
    CannotAsk, Limits, ParkedMessage, ParkedMessages, Ports, QueueDepth, Queues, WorkerSeen,
};
use linkbeat_shared::wire::WorkerMessage;
use linkbeat_shared::{LinkUrl, NewLink, RunId, RunState, Verdict};
use linkbeat_store::SharedStore;
use serde_json::json;
use uuid::Uuid;

use crate::known::{Plain, checked, links};
use crate::served::{HASH, Served, ports, store};

/// So many links a run must have to be held back.
const LINKS: usize = 24;

/// A broker that has whatever it is asked for. `tests/end_to_end/queues.rs` asks RabbitMQ.
#[derive(Debug)]
struct AnyQueues;

#[async_trait]
impl Queues for AnyQueues {
    async fn parked(&self, _: u32) -> Result<ParkedMessages, CannotAsk> {
        let (cause, parked_at) = ("a panic".to_owned(), Some(Utc::now()));
        let message = ParkedMessage {
            id: Uuid::now_v7(),
            queue: Some("jobs".to_owned()),
            run: Some(RunId(Uuid::now_v7())),
            cause,
            parked_at,
            attempts: 3,
            bytes: 1_234,
        };
        Ok(ParkedMessages { messages: vec![message], all: 7 })
    }

    async fn requeue(&self, ids: Vec<Uuid>) -> Result<u64, CannotAsk> {
        Ok(ids.len() as u64)
    }

    async fn forget(&self, ids: Vec<Uuid>) -> Result<u64, CannotAsk> {
        Ok(ids.len() as u64)
    }

    async fn depths(&self) -> Result<Vec<QueueDepth>, CannotAsk> {
        Ok(vec![QueueDepth { name: "jobs".to_owned(), messages: 1, parked: false }])
    }

    async fn workers(&self) -> Result<Vec<WorkerSeen>, CannotAsk> {
        Ok(vec![WorkerSeen(WorkerMessage::started("w".to_owned(), 8, Utc::now()))])
    }
}

/// A closed dashboard with links, and so many runs that are held back.
pub(crate) async fn served(held: usize) -> (Served, Vec<RunId>) {
    let (store, folder) = store().await;
    let runs = held_back(&store, held).await;
    let ports = Ports { queues: Some(Arc::new(AnyQueues)), ..ports(&store) };
    let served = Served::on(ports, Limits::default(), json!({ "password_hash": HASH }), store).await;
    (served.in_folder(folder), runs)
}

/// All links were up, and in each of these runs all are down.
async fn held_back(store: &SharedStore, runs: usize) -> Vec<RunId> {
    let link = |n| NewLink::from_url(LinkUrl::parse(&format!("https://known-{n}.example/")).unwrap());
    links(store, (0..LINKS).map(link).collect()).await;
    closed(store, Verdict::Up).await;
    let mut held = Vec::new();
    for _ in 0..runs {
        let run = closed(store, Verdict::Down).await;
        assert_eq!(store.run(run).await.unwrap().unwrap().state, RunState::HeldBack);
        held.push(run);
    }
    held
}

/// A run in which all links are alike, and what a recorder does at its end.
async fn closed(store: &SharedStore, verdict: Verdict) -> RunId {
    let run = checked(store, |_| verdict).await;
    while store.settle(None, 100, Arc::new(Plain)).await.unwrap() {}
    store.close_runs(100).await.unwrap();
    run
}
