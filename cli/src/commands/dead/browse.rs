//! Browses the dead queue, page by page.

use std::time::Duration;

use linkbeat_broker::{DeadLetter, Queue, SharedBroker, dead_letters};

use crate::exit::Failure;

/// Messages taken at once.
const PAGE: u16 = 1_000;
/// Most messages held. Each page is a connection of its own, and a body may be large.
const MOST_HELD: usize = 10_000;

/// How long settled messages may take to come again.
const COME_AGAIN: Duration = Duration::from_millis(500);

/// Holds what was seen and not settled until it is dropped. Otherwise RabbitMQ would deliver it again and again.
pub(super) struct Browse<'a> {
    broker: &'a SharedBroker,
    /// How many messages waited at the beginning.
    all: u64,
    seen: u64,
    held: Vec<DeadLetter>,
    at_end: bool,
}

impl<'a> Browse<'a> {
    pub(super) async fn begin(broker: &'a SharedBroker) -> Result<Self, Failure> {
        let all = broker.waiting(&Queue::DEAD).await?;
        Ok(Self { broker, all, seen: 0, held: Vec::new(), at_end: false })
    }

    /// The next messages. `None` at the end of the queue, and when no more can be held.
    pub(super) async fn page(&mut self) -> Result<Option<Vec<DeadLetter>>, Failure> {
        if self.at_end || self.held.len() >= MOST_HELD {
            return Ok(None);
        }
        let page = dead_letters(&**self.broker, PAGE).await?;
        self.seen += page.len() as u64;
        if page.len() < usize::from(PAGE) {
            // Messages that somebody else has just released may come late.
            let waiting = self.broker.waiting(&Queue::DEAD).await?;
            self.all = self.all.max(self.seen + waiting);
            self.at_end = waiting == 0;
        }
        Ok((!page.is_empty()).then_some(page))
    }

    /// Whether browsing goes on: messages wait although all were seen, and there is room for them. Some that were
    /// settled come again as soon as the session that took them has ended.
    pub(super) async fn goes_on(&mut self) -> Result<bool, Failure> {
        tokio::time::sleep(COME_AGAIN).await;
        let more = self.held.len() < MOST_HELD && self.broker.waiting(&Queue::DEAD).await? > 0;
        self.at_end &= !more;
        Ok(more)
    }

    /// Keeps them, so that the next page holds others.
    pub(super) fn hold(&mut self, letters: Vec<DeadLetter>) {
        self.held.extend(letters);
    }

    /// How many messages there are.
    pub(super) fn all(&self) -> u64 {
        self.all.max(self.seen)
    }

    /// How many messages were not seen, if any.
    pub(super) fn unseen(&self) -> Option<String> {
        let all = self.all();
        let looked = format!("only {} of {all} were looked at", self.seen);
        (!self.at_end && self.seen < all).then_some(looked)
    }

    /// How much of it all a list shows.
    pub(super) fn summarize(&self, shown: usize, matching: usize, unfiltered: bool) -> String {
        let all = self.all();
        match (self.unseen(), unfiltered) {
            _ if unfiltered && shown as u64 == all => format!("{all} parked"),
            (_, true) => format!("showing {shown} of {all} parked"),
            (None, false) => format!("showing {shown} of {matching} that match; {all} parked"),
            (Some(unseen), false) => format!("showing {shown} of {matching} or more that match; {unseen}"),
        }
    }
}
