//! A street of fake sites on loopback whose behaviour a test can change at any time.
//!
//! Each site has a name (its path) and a loopback address of its own, so that linkbeat sees many hosts.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How a site answers.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
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

/// The street.
#[derive(Debug)]
pub(crate) struct Street {
    port: u16,
    sites: Arc<Mutex<Sites>>,
}

impl Street {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let sites = Arc::new(Mutex::new(Sites::default()));
        let shared = sites.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sites = shared.clone();
                std::thread::spawn(move || {
                    let _ = serve(stream, &sites);
                });
            }
        });
        Self { port, sites }
    }

    /// Sets how a site answers from now on; returns its URL.
    pub(crate) fn set(&self, name: &str, answer: Answer) -> String {
        let mut sites = self.sites.lock().unwrap();
        sites.answers.insert(name.to_owned(), answer);
        drop(sites);
        self.url(name)
    }

    /// A site's URL: its address follows from its name, so that it stays the same.
    pub(crate) fn url(&self, name: &str) -> String {
        let sum: usize = name.bytes().enumerate().map(|(place, byte)| (place + 1) * usize::from(byte)).sum();
        format!("http://127.0.{}.{}:{}/{name}", 1 + sum / 250 % 250, 1 + sum % 250, self.port)
    }

    /// How often a site was asked.
    pub(crate) fn hits(&self, name: &str) -> usize {
        self.sites.lock().unwrap().hits.get(name).copied().unwrap_or(0)
    }
}

fn serve(mut stream: TcpStream, sites: &Mutex<Sites>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut head = Vec::new();
    let mut buffer = [0; 1_024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            read => head.extend_from_slice(&buffer[..read]),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let name = head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
    let answer = {
        let mut sites = sites.lock().unwrap_or_else(PoisonError::into_inner);
        *sites.hits.entry(name.clone()).or_default() += 1;
        sites.answers.get(&name).cloned()
    };
    match answer.unwrap_or(Answer::Page(404, String::new())) {
        Answer::Page(status, page) => page_of(&mut stream, status, "", &page),
        Answer::Headers(status, headers) => page_of(&mut stream, status, headers, ""),
        Answer::After(delay, page) => {
            std::thread::sleep(delay);
            page_of(&mut stream, 200, "", &page)
        }
        Answer::Never => {
            let _ = stream.read(&mut buffer);
            Ok(())
        }
    }
}

fn page_of(stream: &mut TcpStream, status: u16, headers: &str, page: &str) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\n{headers}Content-Type: text/html\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{page}",
        page.len()
    )
}

/// A port on which nobody listens.
pub(crate) fn dead_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://127.0.0.1:{}/", listener.local_addr().unwrap().port())
}
