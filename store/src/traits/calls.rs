use std::fmt::Debug;

use async_trait::async_trait;
use linkbeat_shared::RequestId;

use crate::Result;

/// Calls of the API that were given a name by whoever made them.
#[async_trait]
pub trait Calls: Send + Sync + Debug {
    /// Keeps for a day that the call which makes this request said this; `said` stands for its words. `false`: a call of
    /// the same name said something else.
    async fn keep_call(&self, request: RequestId, said: u64) -> Result<bool>;
}
