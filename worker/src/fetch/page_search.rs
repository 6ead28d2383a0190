//! The search of a page by itself, for benchmarks.

use std::time::Duration;

use linkbeat_shared::{BacklinkIn, BacklinkPattern};
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use tokio::time::Instant;

use super::body::{self, Limits, Matchers, Wanted};
use super::reply::Reply;
use crate::limits::Memory;
use crate::settings::WorkerSettings;

/// Long: a program whose instructions are counted is slow.
const DEADLINE: Duration = Duration::from_secs(60);

/// Searches pages as checks do, with the defaults of a worker.
#[derive(Debug)]
pub struct PageSearch {
    matchers: Matchers,
    memory: Memory,
    max_body: usize,
}

impl Default for PageSearch {
    fn default() -> Self {
        let WorkerSettings { memory, max_body, .. } = WorkerSettings::default();
        Self { matchers: Matchers::default(), memory: Memory::new(memory), max_body }
    }
}

impl PageSearch {
    /// Whether the backlink is found in a page of HTML that came whole.
    pub async fn finds(&self, pattern: &BacklinkPattern, place: BacklinkIn, page: String) -> bool {
        let mut answer = hyper::Response::new(page);
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        let wanted = Wanted { matcher: self.matchers.get(pattern), place };
        let limits = Limits { max_body: self.max_body, memory: &self.memory };
        let reply = Reply::from(Response::from(answer));
        let read = body::search(reply, wanted, limits, Instant::now() + DEADLINE).await;
        read.is_ok_and(|(page, _)| page.has_backlink().is_some())
    }
}
