//! A fake site on loopback that plays whatever a test writes, byte by byte.

pub(crate) mod name_server;
pub(crate) mod tls;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use linkbeat_shared::LinkUrl;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// A site that is there until it is dropped.
pub(crate) struct Site {
    address: SocketAddr,
    visits: Arc<AtomicUsize>,
    _task: AbortOnDropHandle<()>,
}

impl Site {
    /// Plays `play` on every connection; its second argument counts them from 1.
    pub(crate) async fn plays<F, P>(play: F) -> Self
    where
        F: Fn(Visit<TcpStream>, usize) -> P + Send + Sync + 'static,
        P: Future<Output = ()> + Send + 'static,
    {
        Self::plays_at(Ipv4Addr::LOCALHOST, play).await
    }

    /// The same at another address of loopback.
    pub(crate) async fn plays_at<F, P>(address: Ipv4Addr, play: F) -> Self
    where
        F: Fn(Visit<TcpStream>, usize) -> P + Send + Sync + 'static,
        P: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let visits = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&visits);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::spawn(play(Visit { stream }, number));
            }
        });
        Self { address, visits, _task: AbortOnDropHandle::new(task) }
    }

    /// Answers every request of every connection with these bytes, then closes.
    pub(crate) async fn answers(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<Vec<u8>> = Arc::new(answer.into());
        Self::plays(move |mut visit, _| {
            let answer = Arc::clone(&answer);
            async move {
                visit.request().await;
                visit.send(&answer[..]).await;
            }
        })
        .await
    }

    /// Answers by path: `play` gets the request's target.
    pub(crate) async fn answers_by_path(play: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let play = Arc::new(play);
        Self::plays(move |mut visit, _| {
            let play = Arc::clone(&play);
            async move {
                let request = visit.request().await;
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                visit.send(play(&path)).await;
            }
        })
        .await
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.…:…/…`
    pub(crate) fn url(&self, path: &str) -> LinkUrl {
        LinkUrl::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    /// `https://127.…:…/`
    pub(crate) fn https_url(&self) -> LinkUrl {
        LinkUrl::parse(&format!("https://{}/", self.address)).unwrap()
    }

    /// The same under a host name.
    pub(crate) fn url_at(&self, host: &str) -> LinkUrl {
        LinkUrl::parse(&format!("http://{host}:{}/", self.address.port())).unwrap()
    }

    /// Connections so far.
    pub(crate) fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}

/// One connection, seen by the site.
pub(crate) struct Visit<S> {
    pub(crate) stream: S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Visit<S> {
    /// Reads the head of one request; empty when the visitor left.
    pub(crate) async fn request(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match self.stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return String::new(),
            }
        }
        String::from_utf8(head).unwrap()
    }

    /// Sends bytes; a visitor who left does not mind.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
        let _ = self.stream.flush().await;
    }

    /// Keeps the connection open until the visitor leaves.
    pub(crate) async fn wait_for_end(&mut self) {
        let _ = self.stream.read_to_end(&mut Vec::new()).await;
    }
}

impl Visit<TcpStream> {
    /// Ends the connection with a TCP reset instead of a close.
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}

/// A whole answer with a length.
pub(crate) fn answer(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut head = format!("HTTP/1.1 {status}\r\n");
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    let mut bytes = format!("{head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// `200 OK` with this page.
pub(crate) fn page(body: impl AsRef<[u8]>) -> Vec<u8> {
    answer("200 OK", &["Content-Type: text/html"], body)
}

/// A redirect.
pub(crate) fn redirect(status: &str, location: &str) -> Vec<u8> {
    answer(status, &[&format!("Location: {location}")], "")
}

/// A part of one chunked body.
pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// An address of loopback that no other site of this process has.
pub(crate) fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

/// Where nobody listens: a port that was free a moment ago.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// What a test waits for at most before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until a site was visited this often.
pub(crate) async fn visited(site: &Site, visits: usize) {
    let waiting = async {
        while site.visits() < visits {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("visited in time");
}
