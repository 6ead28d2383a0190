//! A crowd of fake sites on all loopback addresses of one port, as cheap as can be.
//!
//! What a site answers, and when, stands in its URL: `/STATUS/MILLISECONDS/NUMBER`. So what a check must find
//! follows from the URL and the request alone. `/deadly/0/NUMBER` kills the worker that asks for it, as
//! long as the site is deadly, and answers 200 after that.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;

use crate::process::signal_group;
use crate::site::{Site, Visit, header, target};

/// A link and the status its site answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Says how its site answers.
    pub url: String,
    /// What its site answers with.
    pub status: u16,
}

/// The sites; they end when this is dropped.
pub struct Crowd {
    site: Site,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    asked: AtomicU64,
    waiting: AtomicU64,
    harmless: AtomicBool,
    /// User agents and their processes.
    workers: Mutex<HashMap<String, u32>>,
    killed: AtomicU64,
}

impl Crowd {
    /// Opens all sites.
    pub async fn open() -> Self {
        let state = Arc::new(State::default());
        let shared = state.clone();
        let play = move |visit, _| serve(visit, shared.clone());
        Self { site: Site::plays_at(Ipv4Addr::UNSPECIFIED, play).await, state }
    }

    /// The link of this number whose site answers so after so many milliseconds.
    pub fn link(&self, number: usize, status: u16, after_ms: u64) -> Link {
        Link { url: self.url(number, &format!("{status}/{after_ms}")), status }
    }

    /// Any link that says what is special about it, and answers 200.
    pub fn special(&self, number: usize, what: &str) -> Link {
        Link { url: self.url(number, &format!("{what}/0")), status: 200 }
    }

    /// A mix: most answer 200, some 404 or 500; some at once, others after up to `slowest_ms`.
    pub fn mix(&self, numbers: std::ops::Range<usize>, slowest_ms: u64) -> Vec<Link> {
        let link = |number: usize| {
            let status = [200, 200, 404, 200, 500][number % 5];
            self.link(number, status, slowest_ms * (number as u64 % 7) / 6)
        };
        numbers.map(link).collect()
    }

    /// Two links a host.
    fn url(&self, number: usize, path: &str) -> String {
        let host = number / 2;
        let (a, b, c) = (1 + host / 62_500 % 250, 1 + host / 250 % 250, 1 + host % 250);
        format!("http://127.{a}.{b}.{c}:{}/{path}/{number}", self.site.address().port())
    }

    /// Requests so far.
    pub fn asked(&self) -> u64 {
        self.state.asked.load(Ordering::Relaxed)
    }

    /// Requests that have no answer yet.
    pub fn waiting(&self) -> u64 {
        self.state.waiting.load(Ordering::Relaxed)
    }

    /// From now on `/deadly/` kills nobody.
    pub fn become_harmless(&self) {
        self.state.harmless.store(true, Ordering::Relaxed);
    }

    /// Workers killed by `/deadly/`.
    pub fn killed(&self) -> u64 {
        self.state.killed.load(Ordering::Relaxed)
    }

    /// Tells whose user agent this is.
    pub fn knows(&self, agent: &str, process: u32) {
        let mut workers = self.state.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.insert(agent.to_owned(), process);
    }
}

async fn serve(mut visit: Visit<TcpStream>, state: Arc<State>) {
    if visit.stream.set_nodelay(true).is_err() {
        return;
    }
    loop {
        let head = visit.request().await;
        if head.is_empty() {
            return;
        }
        state.asked.fetch_add(1, Ordering::Relaxed);
        state.waiting.fetch_add(1, Ordering::Relaxed);
        let status = status(&head, &state).await;
        state.waiting.fetch_sub(1, Ordering::Relaxed);
        // Without `Connection: close`: the next request comes on the same connection.
        let answer =
            format!("HTTP/1.1 {status} Status\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok");
        visit.send(answer).await;
    }
}

/// The status to answer with.
async fn status(head: &str, state: &State) -> u16 {
    let mut parts = target(head).split('/').skip(1);
    let (what, ms) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if what == "deadly" && !state.harmless.load(Ordering::Relaxed) {
        kill_asker(head, state);
    }
    if let Ok(ms @ 1..) = ms.parse() {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    what.parse().unwrap_or(200)
}

fn kill_asker(head: &str, state: &State) {
    let mut workers = state.workers.lock().unwrap_or_else(PoisonError::into_inner);
    // Once: the next of that name is another process.
    if let Some(process) = header(head, "user-agent").and_then(|agent| workers.remove(agent)) {
        signal_group(process, "KILL");
        state.killed.fetch_add(1, Ordering::Relaxed);
    }
}
