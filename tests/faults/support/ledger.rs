//! The ledger: every request that was submitted, and what must come of it.

use serde_json::json;
use uuid::Uuid;

use super::site::Link;

/// One request: one run.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) id: Uuid,
    pub(crate) links: Vec<Link>,
    /// Statuses that count as `up` in this run.
    pub(crate) accept: Vec<u16>,
    /// Each link's deadline. Generous: a slow machine must not change what a check finds.
    pub(crate) timeout_ms: u64,
}

impl Request {
    pub(crate) fn of(links: Vec<Link>) -> Self {
        Self { id: Uuid::now_v7(), links, accept: vec![200], timeout_ms: 20_000 }
    }

    /// The message that asks for it.
    pub(crate) fn message(&self) -> Vec<u8> {
        let accept: Vec<_> = self.accept.iter().map(ToString::to_string).collect();
        let links: Vec<_> = self.links.iter().map(|link| json!({ "url": link.url })).collect();
        let message = json!({
            "schema": "linkbeat.request/1", "request_id": self.id, "links": links,
            "accept": accept.join(","), "timeout_ms": self.timeout_ms, "retries": 0,
            // What passes differs from request to request, so most links of one may change alike.
            "hold_back_links": 0,
        });
        message.to_string().into_bytes()
    }

    /// The verdict that a link's check must come to.
    pub(crate) fn verdict(&self, link: &Link) -> &'static str {
        if self.accept.contains(&link.status) { "up" } else { "down" }
    }
}

/// All requests of a test, in the order in which they were confirmed.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) requests: Vec<Request>,
}

impl Ledger {
    pub(crate) fn links(&self) -> usize {
        self.requests.iter().map(|request| request.links.len()).sum()
    }
}
