//! Sites on all loopback addresses of one port, as cheap as can be.
//!
//! What a site answers, and when, stands in its URL: `/STATUS/MILLISECONDS/NUMBER`. So what a check must find
//! follows from the URL and the request alone. `/deadly/0/NUMBER` kills the worker that asks for it, as
//! long as the site is deadly, and answers 200 after that.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::process::signal_group;

/// Connections that may wait to be accepted; the kernel lowers it to what it allows.
const BACKLOG: u32 = 4_096;

/// A link and the status its site answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) url: String,
    pub(crate) status: u16,
}

/// The sites; they end when this is dropped.
pub(crate) struct Site {
    port: u16,
    state: Arc<State>,
    _stop: DropGuard,
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

impl Site {
    pub(crate) fn open() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([0, 0, 0, 0], 0).into()).unwrap();
        let listener = socket.listen(BACKLOG).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (state, stop) = (Arc::new(State::default()), CancellationToken::new());
        let shared = state.clone();
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let state = shared.clone();
                tokio::spawn(async move { serve(stream, &state).await });
            }
        }));
        Self { port, state, _stop: stop.drop_guard() }
    }

    /// The link of this number whose site answers so after so many milliseconds.
    pub(crate) fn link(&self, number: usize, status: u16, after_ms: u64) -> Link {
        Link { url: self.url(number, &format!("{status}/{after_ms}")), status }
    }

    /// Any link that says what is special about it, and answers 200.
    pub(crate) fn special(&self, number: usize, what: &str) -> Link {
        Link { url: self.url(number, &format!("{what}/0")), status: 200 }
    }

    /// A mix: most answer 200, some 404 or 500; some at once, others after up to `slowest_ms`.
    pub(crate) fn mix(&self, numbers: std::ops::Range<usize>, slowest_ms: u64) -> Vec<Link> {
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
        format!("http://127.{a}.{b}.{c}:{}/{path}/{number}", self.port)
    }

    /// Requests so far.
    pub(crate) fn asked(&self) -> u64 {
        self.state.asked.load(Ordering::Relaxed)
    }

    /// Requests that have no answer yet.
    pub(crate) fn waiting(&self) -> u64 {
        self.state.waiting.load(Ordering::Relaxed)
    }

    /// From now on `/deadly/` kills nobody.
    pub(crate) fn become_harmless(&self) {
        self.state.harmless.store(true, Ordering::Relaxed);
    }

    /// Workers killed by `/deadly/`.
    pub(crate) fn killed(&self) -> u64 {
        self.state.killed.load(Ordering::Relaxed)
    }

    /// Tells whose user agent this is.
    pub(crate) fn knows(&self, agent: &str, process: u32) {
        let mut workers = self.state.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.insert(agent.to_owned(), process);
    }
}

async fn serve(mut stream: TcpStream, state: &State) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = Vec::with_capacity(1_024);
    loop {
        head.clear();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        state.asked.fetch_add(1, Ordering::Relaxed);
        state.waiting.fetch_add(1, Ordering::Relaxed);
        let status = answer(&String::from_utf8_lossy(&head), state).await;
        state.waiting.fetch_sub(1, Ordering::Relaxed);
        let answer =
            format!("HTTP/1.1 {status} Status\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok");
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// The status to answer with.
async fn answer(head: &str, state: &State) -> u16 {
    let mut parts = head.split(' ').nth(1).unwrap_or_default().split('/').skip(1);
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
    let agent = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("user-agent").then_some(value)
    });
    let mut workers = state.workers.lock().unwrap_or_else(PoisonError::into_inner);
    // Once: the next of that name is another process.
    if let Some(process) = agent.and_then(|agent| workers.remove(agent)) {
        signal_group(process, "KILL");
        state.killed.fetch_add(1, Ordering::Relaxed);
    }
}
