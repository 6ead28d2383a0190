//! Messages that almost make sense.

use std::time::{Duration, Instant};

use linkbeat_shared::wire::{self, RequestMessage};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use uuid::Uuid;

use crate::support::PATIENCE;
use crate::support::fleet::Role;
use crate::support::queues::Raw;
use crate::support::world::World;

/// `LINKBEAT_FAULTS_FUZZED` asks for more; scripts/faults does.
const MESSAGES: usize = 1_500;
const QUEUES: [&str; 3] = ["jobs", "results", "requests"];

#[tokio::test(flavor = "multi_thread")]
async fn fuzzed_messages_stop_nobody_and_store_nothing() {
    let messages = std::env::var("LINKBEAT_FAULTS_FUZZED").map_or(MESSAGES, |count| count.parse().unwrap());
    let mut world = World::open().await;
    let mut members = Vec::new();
    for role in [Role::Producer, Role::Recorder, Role::Worker] {
        members.push(world.start(role).await);
    }
    let mut random = StdRng::seed_from_u64(4);
    let url = world.site.link(0, 200, 0).url;
    for queue in QUEUES {
        let fuzzed: Vec<_> =
            (0..messages / QUEUES.len()).map(|_| Raw::new(fuzzed(queue, &url, &mut random))).collect();
        world.queues.put(queue, &fuzzed).await;
    }
    world.submit(world.site.mix(0..300, 50)).await;
    all_read(&world).await;
    assert_eq!(world.sound().await.stored, 300);
    assert!(world.queues.depth("dead").await > 0, "they were parked");
    for member in members {
        assert_eq!(world.fleet.process(member).ended(), None, "nobody died of it");
    }
}

/// Waits until nothing waits in the queues, however much it is, as long as it gets less.
async fn all_read(world: &World) {
    let (mut least, mut since) = (u32::MAX, Instant::now());
    loop {
        let mut waiting = 0;
        for queue in QUEUES {
            waiting += world.queues.depth(queue).await;
        }
        match waiting {
            0 => return,
            fewer if fewer < least => (least, since) = (fewer, Instant::now()),
            _ => assert!(since.elapsed() < PATIENCE, "{waiting} messages are not read"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A message of the queue's kind with some bytes changed, added or taken away. Its ids are nobody's, and it is
/// no request that could be carried out: then it would be none that is fuzzed.
fn fuzzed(queue: &str, url: &str, random: &mut StdRng) -> Vec<u8> {
    loop {
        let mut body = sample(queue, url).to_string().into_bytes();
        for _ in 0..random.random_range(1..6) {
            let at = random.random_range(0..body.len());
            match random.random_range(0..4) {
                0 => body[at] = random.random(),
                1 => body.insert(at, *b"\"{}[],:0\\e-".get(random.random_range(0..11)).unwrap()),
                2 => body.truncate(at.max(1)),
                _ => drop(body.remove(at)),
            }
            if body.is_empty() {
                break;
            }
        }
        let request = wire::decode::<RequestMessage>(&body).and_then(|request| request.into_request(None));
        if request.is_err() {
            return body;
        }
    }
}

fn sample(queue: &str, url: &str) -> serde_json::Value {
    let (run, job, link) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    match queue {
        "jobs" => json!({
            "schema": "linkbeat.job/1", "run_id": run, "job_id": job, "timeout_ms": 5_000, "retries": 1,
            "accept": "200,300-399", "backlink": "my\\.blog", "links": [{ "id": link, "url": url }],
        }),
        "results" => json!({
            "schema": "linkbeat.results/1", "run_id": run, "job_id": job, "results": [{
                "link_id": link, "verdict": "down", "reason": { "type": "status", "code": 404 }, "status": 404,
                "elapsed_ms": 12, "checked_at": "2026-01-01T00:00:00Z",
            }],
        }),
        _ => json!({
            "schema": "linkbeat.request/1", "request_id": run, "links": [{ "url": url, "name": "a" }],
            "backlink": "my\\.blog", "timeout_ms": 5_000, "accept": "200",
        }),
    }
}
