use std::num::NonZeroU32;
use std::time::Duration;

use linkbeat_shared::LinkSelection;
use linkbeat_store::Account;
use serde::{Deserialize, Serialize};

use crate::reply_queues::ReplyQueues;

/// What the operator of a producer may set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProducerSettings {
    /// Most links that one request over the queue may name.
    pub max_links_per_request: usize,
    /// Runs of one app that may go on at once; 0: any number. An app is an AMQP user. All messages without a user id
    /// count as one app.
    pub max_runs_at_once: u32,
    /// Links of all runs that one app may ask for within 24 hours; 0: any number.
    pub max_links_per_day: u64,
    /// Which links an app may ask for.
    pub allow: Allow,
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
            max_runs_at_once: 0,
            max_links_per_day: 0,
            allow: Allow::All,
            reply_queues: Vec::new(),
            publish_after_secs: 10,
            republish_after_secs: 900,
            reconcile_every_secs: 5,
        }
    }
}

/// Which links a request over the queue may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Allow {
    /// Only those that it names. It cannot hide links that it does not know.
    Given,
    /// Only all stored links. It can add none.
    Stored,
    /// Either.
    All,
}

impl Allow {
    /// Why these links may not be asked for, if so.
    pub(crate) fn refusal(self, links: &LinkSelection) -> Option<&'static str> {
        match (self, links) {
            (Self::Given, LinkSelection::Stored | LinkSelection::Matching(_)) => {
                Some("name the links: here nobody may ask for all stored links (producer.allow = given)")
            }
            (Self::Stored, LinkSelection::Given(_)) => {
                Some("name no links: here only all stored links may be asked for (producer.allow = stored)")
            }
            _ => None,
        }
    }
}

impl ProducerSettings {
    /// The account of whoever asks; `None`: nothing is limited.
    pub(crate) fn account(&self, name: &str) -> Option<Account> {
        let runs_at_once = NonZeroU32::new(self.max_runs_at_once);
        let links_a_day = (self.max_links_per_day > 0).then_some(self.max_links_per_day);
        let limited = runs_at_once.is_some() || links_a_day.is_some();
        limited.then(|| Account { name: name.to_owned(), runs_at_once, links_a_day })
    }

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
