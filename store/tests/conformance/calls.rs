//! Calls of the API are known by their names for a day.

use std::sync::Arc;

use linkbeat_shared::RequestId;

use crate::database::TestDatabase;

cases![another_call_does_not_take_the_same_name];

async fn another_call_does_not_take_the_same_name(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let (one, other) = (RequestId::new(), RequestId::new());
    for said in [0, u64::MAX] {
        let id = if said == 0 { one } else { other };
        assert!(store.keep_call(id, said).await.unwrap());
        assert!(store.keep_call(id, said).await.unwrap(), "the same call again");
        assert!(!store.keep_call(id, said ^ 1).await.unwrap(), "another call");
    }
    database.execute("UPDATE api_calls SET made_at = '2020-01-01T00:00:00.000000Z'").await;
    assert!(store.keep_call(one, 7).await.unwrap(), "that was long ago");
    assert_eq!(database.value("SELECT count(*) FROM api_calls").await.as_deref(), Some("1"));
}
