//! A fake site on loopback that plays whatever a test writes, byte by byte.

mod answers;
mod forward;
mod http2;
pub mod tls;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use linkbeat_shared::LinkUrl;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use crate::free_port;

pub use self::answers::{answer, chunk, header, page, redirect, target};
pub use self::forward::Forward;
pub use self::http2::Http2Request;

/// Connections that may wait to be accepted. The kernel lowers it to what it allows.
const BACKLOG: u32 = 4_096;

/// A site that is there until it is dropped.
pub struct Site {
    address: SocketAddr,
    visits: Arc<AtomicUsize>,
    _task: AbortOnDropHandle<()>,
}

impl Site {
    /// Plays `play` on every connection. Its second argument counts them from 1.
    pub async fn plays<F, P>(play: F) -> Self
    where
        F: Fn(Visit<TcpStream>, usize) -> P + Send + Sync + 'static,
        P: Future<Output = ()> + Send + 'static,
    {
        Self::plays_at(Ipv4Addr::LOCALHOST, play).await
    }

    /// The same at another address of loopback.
    pub async fn plays_at<F, P>(address: Ipv4Addr, play: F) -> Self
    where
        F: Fn(Visit<TcpStream>, usize) -> P + Send + Sync + 'static,
        P: Future<Output = ()> + Send + 'static,
    {
        let listener = listen(address);
        let address = listener.local_addr().unwrap();
        let visits = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&visits);
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    // Out of descriptors for a moment.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::spawn(play(Visit { stream }, number));
            }
        });
        Self { address, visits, _task: AbortOnDropHandle::new(task) }
    }

    /// Answers every request of every connection with these bytes, then closes.
    pub async fn answers(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Vec<u8> = answer.into();
        Self::answers_by_path(move |_| answer.clone()).await
    }

    /// Answers by path: `play` gets the request's target.
    pub async fn answers_by_path(play: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::answers_by_head(move |head| play(target(head))).await
    }

    /// Answers by the whole head of the request. So one site has several virtual hosts: see [`header`].
    pub async fn answers_by_head(play: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let play = Arc::new(play);
        Self::plays(move |mut visit, _| {
            let play = Arc::clone(&play);
            async move {
                let head = visit.request().await;
                visit.send(play(&head)).await;
            }
        })
        .await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.…:…/…`
    pub fn url(&self, path: &str) -> LinkUrl {
        LinkUrl::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    /// `https://127.…:…/`
    pub fn https_url(&self) -> LinkUrl {
        LinkUrl::parse(&format!("https://{}/", self.address)).unwrap()
    }

    /// The same under a host name.
    pub fn url_at(&self, host: &str) -> LinkUrl {
        LinkUrl::parse(&format!("http://{host}:{}/", self.address.port())).unwrap()
    }

    /// Connections so far.
    pub fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}

fn listen(address: Ipv4Addr) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    socket.listen(BACKLOG).unwrap()
}

/// One connection, seen by the site.
pub struct Visit<S> {
    /// What the visitor sends, and what it gets.
    pub stream: S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Visit<S> {
    /// Reads the head of one request. It is empty when the visitor left.
    pub async fn request(&mut self) -> String {
        let mut head = Vec::with_capacity(1_024);
        while !head.ends_with(b"\r\n\r\n") {
            // The request has no body, and no visitor sends the next one before it has the answer.
            if !matches!(self.stream.read_buf(&mut head).await, Ok(1..)) {
                return String::new();
            }
        }
        String::from_utf8(head).unwrap()
    }

    /// Sends bytes. A visitor who left does not mind.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
        let _ = self.stream.flush().await;
    }

    /// Keeps the connection open until the visitor leaves.
    pub async fn wait_for_end(&mut self) {
        let _ = self.stream.read_to_end(&mut Vec::new()).await;
    }
}

impl Visit<TcpStream> {
    /// Ends the connection with a TCP reset instead of a close.
    pub fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}

/// An address of loopback that no other site of this process has.
pub fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

/// Where nobody listens, and no other test will.
pub fn nobody() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, free_port()).into()
}

/// What a test with sites waits for at most before it fails.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until a site was visited this often.
///
/// # Panics
/// After [`PATIENCE`].
pub async fn visited(site: &Site, visits: usize) {
    let waiting = async {
        while site.visits() < visits {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("visited in time");
}
