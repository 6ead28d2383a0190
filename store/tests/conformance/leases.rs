//! Leases.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::database::TestDatabase;

cases![one_holds_a_lease_until_it_runs_out_or_is_given_up, one_of_many_gets_a_lease];

const LONG: Duration = Duration::from_secs(600);

async fn one_holds_a_lease_until_it_runs_out_or_is_given_up(database: Arc<TestDatabase>) {
    let (one, other) = (database.open().await, database.open().await);
    let (me, you) = (Uuid::now_v7(), Uuid::now_v7());
    assert!(one.lease("a", me, LONG).await.unwrap());
    assert!(one.lease("a", me, LONG).await.unwrap(), "who has it may take it again");
    assert!(!other.lease("a", you, LONG).await.unwrap());
    assert!(!other.lease("a", you, Duration::ZERO).await.unwrap(), "nobody gives up what another has");
    assert!(!other.lease("a", you, LONG).await.unwrap());
    assert!(other.lease("b", you, LONG).await.unwrap(), "another name is another lease");

    assert!(one.lease("a", me, Duration::ZERO).await.unwrap());
    assert!(other.lease("a", you, Duration::from_millis(1)).await.unwrap(), "it was given up");
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(one.lease("a", me, LONG).await.unwrap(), "it ran out");
    assert!(!other.lease("a", you, LONG).await.unwrap());
}

async fn one_of_many_gets_a_lease(database: Arc<TestDatabase>) {
    let mut tries = Vec::new();
    for _ in 0..8 {
        let store = database.open().await;
        tries.push(tokio::spawn(async move { store.lease("a", Uuid::now_v7(), LONG).await.unwrap() }));
    }
    let mut taken = 0;
    for lease in tries {
        taken += usize::from(lease.await.unwrap());
    }
    assert_eq!(taken, 1);
}
