//! How many bytes a check takes, with its indexes: 200,000 checks, of 20,000 links in 10 runs, recorded as a recorder
//! does. It takes minutes, so it is run by hand:
//!
//! ```sh
//! cargo nextest run -p linkbeat-store --run-ignored only -E 'test(size)' --no-capture
//! ```

use std::sync::Arc;

use linkbeat_shared::{LinkSelection, Verdict};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::database::{Kind, TestDatabase};
use crate::make::{self, ImportLinks, file, new_run, results};

const LINKS: usize = 20_000;
const RUNS: usize = 10;
/// Jobs of one batch: about what a recorder takes at once.
const BATCH: usize = 64;
/// Links of one job.
const JOB: usize = 16;

mod postgres {
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "it takes minutes and measures"]
    async fn bytes_of_a_check() {
        crate::database::run(crate::database::Kind::Postgres, super::bytes_of_a_check).await;
    }
}

mod sqlite {
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "it takes minutes and measures"]
    async fn bytes_of_a_check() {
        crate::database::run(crate::database::Kind::Sqlite, super::bytes_of_a_check).await;
    }
}

#[expect(clippy::print_stderr, reason = "it is run for the figure")]
async fn bytes_of_a_check(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(LINKS)).await.unwrap();
    let mut random = StdRng::seed_from_u64(1);
    for _ in 0..RUNS {
        let (filed, mut plan) = file(&store, new_run(LinkSelection::Stored), JOB).await;
        plan.jobs.shuffle(&mut random);
        for jobs in plan.jobs.chunks(BATCH) {
            let batch: Vec<_> = jobs.iter().map(|job| results(filed.run.id, job, Verdict::Up)).collect();
            store.record(&batch, make::judge()).await.unwrap();
        }
    }
    let (bytes, most) = match database.kind {
        Kind::Postgres => {
            database.execute("VACUUM checks").await;
            let bytes = "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'checks'::regclass";
            (database.value(bytes).await, 150.0)
        }
        Kind::Sqlite => (Some(sqlite_bytes(&database).await), 200.0),
    };
    let each = bytes.unwrap().parse::<f64>().unwrap() / (LINKS * RUNS) as f64;
    eprintln!("{:?}: {each:.1} bytes a check, with its indexes", database.kind);
    assert!(each <= most, "at most {most}");
}

/// The pages of the table and its index, as the file without them is smaller.
async fn sqlite_bytes(database: &TestDatabase) -> String {
    let pages = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
    let before: u64 = database.value(pages).await.unwrap().parse().unwrap();
    database.execute("DROP TABLE checks").await;
    let after: u64 = database.value(pages).await.unwrap().parse().unwrap();
    (before - after).to_string()
}
