use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::reply_queues::ReplyQueues;

/// What the operator of a producer may set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProducerSettings {
    /// Most links that one request over the queue may name.
    pub max_links_per_request: usize,
    /// To which queues requests may have their answers sent; empty: to all that are not linkbeat's own.
    pub reply_queues: Vec<ReplyQueues>,
    /// The reconciler publishes a run with unpublished jobs once none of its jobs was published for so many seconds,
    /// unless 10,000 messages wait already.
    pub publish_after_secs: u64,
    /// Seconds after which a published job that is not done is published again, once nothing waits in the queues.
    pub republish_after_secs: u64,
    /// Seconds between two looks of the reconciler.
    pub reconcile_every_secs: u64,
}

impl Default for ProducerSettings {
    fn default() -> Self {
        Self {
            max_links_per_request: 10_000,
            reply_queues: Vec::new(),
            publish_after_secs: 10,
            republish_after_secs: 900,
            reconcile_every_secs: 5,
        }
    }
}

impl ProducerSettings {
    pub(crate) fn publish_after(&self) -> Duration {
        Duration::from_secs(self.publish_after_secs)
    }

    pub(crate) fn republish_after(&self) -> Duration {
        Duration::from_secs(self.republish_after_secs)
    }

    pub(crate) fn reconcile_every(&self) -> Duration {
        Duration::from_secs(self.reconcile_every_secs.max(1))
    }
}
