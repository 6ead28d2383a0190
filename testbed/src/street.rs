//! A street of fake sites whose behaviour a test can change at any time.
//!
//! Each site has a name (its path) and a loopback address of its own, so that linkbeat sees many hosts.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;

use crate::site::{Site, Visit, answer, target};
use crate::{background, free_port};

/// How a site answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// This status and page.
    Page(u16, String),
    /// The same after a while.
    After(Duration, String),
    /// This status and these raw header lines, without a page.
    Headers(u16, &'static str),
    /// Takes the request and never answers.
    Never,
}

#[derive(Debug, Default)]
struct Sites {
    answers: HashMap<String, Answer>,
    hits: HashMap<String, usize>,
}

/// The street. It is for tests without a runtime.
pub struct Street {
    site: Site,
    sites: Arc<Mutex<Sites>>,
}

impl Street {
    /// An empty street: whoever asks gets a 404.
    pub fn open() -> Self {
        let sites = Arc::new(Mutex::new(Sites::default()));
        let shared = sites.clone();
        let play = move |visit, _| serve(visit, shared.clone());
        Self { site: background(Site::plays_at(Ipv4Addr::UNSPECIFIED, play)), sites }
    }

    /// Sets how a site answers from now on; returns its URL.
    pub fn set(&self, name: &str, answer: Answer) -> String {
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        sites.answers.insert(name.to_owned(), answer);
        drop(sites);
        self.url(name)
    }

    /// A site's URL: its address follows from its name, so that it stays the same.
    pub fn url(&self, name: &str) -> String {
        let sum: usize = name.bytes().enumerate().map(|(place, byte)| (place + 1) * usize::from(byte)).sum();
        let port = self.site.address().port();
        format!("http://127.0.{}.{}:{port}/{name}", 1 + sum / 250 % 250, 1 + sum % 250)
    }

    /// How often a site was asked.
    pub fn hits(&self, name: &str) -> usize {
        let sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        sites.hits.get(name).copied().unwrap_or(0)
    }
}

async fn serve(mut visit: Visit<TcpStream>, sites: Arc<Mutex<Sites>>) {
    let head = visit.request().await;
    if head.is_empty() {
        return;
    }
    let name = target(&head).trim_start_matches('/');
    let play = {
        let mut sites = sites.lock().unwrap_or_else(PoisonError::into_inner);
        *sites.hits.entry(name.to_owned()).or_default() += 1;
        sites.answers.get(name).cloned()
    };
    let (status, headers, page) = match play.unwrap_or(Answer::Page(404, String::new())) {
        Answer::Page(status, page) => (status, "", page),
        Answer::Headers(status, headers) => (status, headers, String::new()),
        Answer::After(delay, page) => {
            tokio::time::sleep(delay).await;
            (200, "", page)
        }
        Answer::Never => return visit.wait_for_end().await,
    };
    let mut lines: Vec<_> = headers.split_terminator("\r\n").collect();
    lines.push("Content-Type: text/html");
    visit.send(answer(&format!("{status} Status"), &lines, page)).await;
}

/// The URL of a port on which nobody listens.
pub fn dead_url() -> String {
    format!("http://127.0.0.1:{}/", free_port())
}
