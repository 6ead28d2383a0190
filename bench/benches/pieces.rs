//! Times the pieces of a check, each by itself: `cargo bench -p linkbeat-bench`. A batch of results is recorded in SQLite,
//! and in the PostgreSQL that `LINKBEAT_TEST_DATABASE_URL` names, in a database of its own.

#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use linkbeat_pieces::{BATCH, JOB, file};
use linkbeat_recorder::Rules;
use linkbeat_store::{JobResults, OpenMode, SharedStore, open};
use tokio::runtime::Runtime;
use uuid::Uuid;

/// Links of a run whose results are recorded.
const LINKS: usize = 20 * BATCH * JOB;

fn pieces(criterion: &mut Criterion) {
    for mut piece in linkbeat_pieces::all().unwrap() {
        criterion.bench_function(piece.name, |bencher| bencher.iter(|| (piece.run)()));
    }
}

fn recorder(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sqlite = format!("sqlite://{}", folder.path().join("bench.db").display());
    record(criterion, &runtime, "record a batch in SQLite", &sqlite);
    if let Ok(server) = std::env::var("LINKBEAT_TEST_DATABASE_URL") {
        let name = format!("linkbeat_bench_{}", Uuid::now_v7().simple());
        let owner = |sql: String| runtime.block_on(execute(&server, &sql));
        owner(format!("CREATE DATABASE {name}"));
        let (before, _) = server.rsplit_once('/').unwrap();
        record(criterion, &runtime, "record a batch in PostgreSQL", &format!("{before}/{name}"));
        owner(format!("DROP DATABASE {name} WITH (FORCE)"));
    }
}

/// Only `record` is timed, not the filing of the runs whose results it takes.
fn record(criterion: &mut Criterion, runtime: &Runtime, name: &str, url: &str) {
    let store = runtime.block_on(open(&url.parse().unwrap(), OpenMode::Migrate)).unwrap();
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements((JOB * BATCH) as u64)).sample_size(20);
    let mut batches = Vec::new();
    group.bench_function(format!("{} results", JOB * BATCH), |bencher| {
        bencher.iter_custom(|times| runtime.block_on(time(&store, &mut batches, times)));
    });
    group.finish();
    runtime.block_on(store.close());
}

async fn time(store: &SharedStore, batches: &mut Vec<Vec<JobResults>>, times: u64) -> Duration {
    let mut taken = Duration::ZERO;
    for _ in 0..times {
        if batches.is_empty() {
            *batches = file(store, LINKS).await.unwrap();
        }
        let batch = batches.pop().unwrap();
        let begun = Instant::now();
        store.record(&batch, Arc::new(Rules)).await.unwrap();
        taken += begun.elapsed();
    }
    taken
}

async fn execute(server: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(server, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
}

criterion_group!(benches, pieces, recorder);
criterion_main!(benches);
