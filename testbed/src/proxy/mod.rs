//! A TCP proxy whose weather changes. It stands between linkbeat and one of its servers.

mod pieces;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use self::pieces::{Piece, Pieces};

/// What a wire does to the bytes it carries, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// It carries them at once.
    Clear,
    /// It holds them back until the weather changes, as a network with lost and repeated packets does.
    /// Connections stay open and are made.
    BlackHole,
    /// It forgets them. Connections stay open and are made.
    Swallowing,
    /// It forgets what RabbitMQ delivers, as if the broker had forgotten its consumers. The rest gets through.
    NoDeliveries,
    /// It carries so many bytes a second on each connection.
    Slow(u32),
    /// Everything arrives so much later.
    Late(Duration),
}

/// Pieces on their way in one direction of one connection.
const PIECES: usize = 16;

/// Dropping it closes everything.
pub struct Proxy {
    /// The server's URL, led through the proxy.
    pub url: Url,
    wire: Wire,
    _stop: DropGuard,
}

impl Proxy {
    /// Before the server of this URL.
    pub async fn before(server: &Url) -> Self {
        Self::at(0, server).await
    }

    /// As [`Proxy::before`], on this port.
    pub async fn at(port: u16, server: &Url) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let mut url = server.clone();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let stop = CancellationToken::new();
        let wire = Wire {
            server: authority(server),
            speaks_amqp: server.scheme() == "amqp",
            weather: Arc::new(watch::Sender::new(Weather::Clear)),
            cuts: Arc::new(watch::Sender::new(0)),
            accepted: Arc::new(AtomicUsize::new(0)),
            stop: stop.clone(),
        };
        tokio::spawn(stop.clone().run_until_cancelled_owned(wire.clone().accept(listener)));
        Self { url, wire, _stop: stop.drop_guard() }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.url.port().unwrap()))
    }

    /// From now on the weather is this.
    pub fn set(&self, weather: Weather) {
        self.wire.weather.send_replace(weather);
    }

    /// Ends all connections. New ones are let through.
    pub fn cut(&self) {
        self.wire.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Connections so far.
    pub fn accepted(&self) -> usize {
        self.wire.accepted.load(Ordering::SeqCst)
    }
}

fn authority(server: &Url) -> String {
    let by_default = if server.scheme() == "amqp" { 5672 } else { 5432 };
    format!("{}:{}", server.host_str().unwrap(), server.port().unwrap_or(by_default))
}

#[derive(Clone)]
struct Wire {
    server: String,
    speaks_amqp: bool,
    weather: Arc<watch::Sender<Weather>>,
    /// Each increase cuts all connections of before.
    cuts: Arc<watch::Sender<u64>>,
    accepted: Arc<AtomicUsize>,
    stop: CancellationToken,
}

impl Wire {
    async fn accept(self, listener: TcpListener) {
        loop {
            // A proxy out of descriptors for a moment goes on.
            let Ok((client, _)) = listener.accept().await else { continue };
            self.accepted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(self.stop.clone().run_until_cancelled_owned(self.clone().carry(client)));
        }
    }

    async fn carry(self, client: TcpStream) -> io::Result<()> {
        let mut cuts = self.cuts.subscribe();
        let server = TcpStream::connect(&self.server).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (client_read, client_write) = client.into_split();
        let (server_read, server_write) = server.into_split();
        let answers = if self.speaks_amqp { Pieces::frames(server_read) } else { Pieces::any(server_read) };
        tokio::select! {
            done = self.pump(Pieces::any(client_read), server_write) => done,
            done = self.pump(answers, client_write) => done,
            _ = cuts.changed() => Ok(()),
        }
    }

    async fn pump(&self, mut from: Pieces<OwnedReadHalf>, to: OwnedWriteHalf) -> io::Result<()> {
        let (pieces, taken) = mpsc::channel(PIECES);
        let read = async move {
            while let Some(piece) = from.next().await? {
                let due = match *self.weather.borrow() {
                    Weather::Late(by) => Instant::now() + by,
                    _ => Instant::now(),
                };
                if pieces.send((due, piece)).await.is_err() {
                    break;
                }
            }
            Ok(())
        };
        // What was read before the end is delivered first.
        tokio::try_join!(read, self.deliver(taken, to)).map(|_| ())
    }

    async fn deliver(
        &self,
        mut pieces: mpsc::Receiver<(Instant, Piece)>,
        mut to: OwnedWriteHalf,
    ) -> io::Result<()> {
        let mut weather = self.weather.subscribe();
        while let Some((due, piece)) = pieces.recv().await {
            sleep_until(due).await;
            match *weather.borrow() {
                Weather::Swallowing => continue,
                Weather::NoDeliveries if piece.is_delivery => continue,
                _ => {}
            }
            for part in piece.bytes.chunks(4 * 1024) {
                // The sender lives as long as the wire.
                let now = weather.wait_for(|now| *now != Weather::BlackHole).await.map(|now| *now);
                to.write_all(part).await?;
                if let Ok(Weather::Slow(rate)) = now {
                    sleep(Duration::from_secs(1) * u32::try_from(part.len()).unwrap_or(0) / rate).await;
                }
            }
        }
        Ok(())
    }
}
