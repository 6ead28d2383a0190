//! A TCP proxy whose weather changes: clear, black hole, slow, late. It stands in every wire between
//! linkbeat's processes and their servers.
//!
//! Nothing that was taken in is ever forgotten: a black hole holds it back until the sky clears or the
//! connection is given up, as a network with lost and repeated packets does.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};

/// What a wire does to the bytes it carries, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    Clear,
    /// Connections stay open and are made, and nothing gets through.
    BlackHole,
    /// So many bytes a second on each connection.
    Slow(u32),
    /// Everything arrives so much later.
    Late(Duration),
}

/// Pieces on their way in one direction of one connection.
const PIECES: usize = 16;

/// Dropping it closes everything.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    weather: Arc<watch::Sender<Weather>>,
    cuts: Arc<watch::Sender<u64>>,
    _stop: DropGuard,
}

impl Proxy {
    pub(crate) async fn before(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let weather = Arc::new(watch::Sender::new(Weather::Clear));
        let cuts = Arc::new(watch::Sender::new(0));
        let stop = CancellationToken::new();
        let wire = Wire { upstream, weather: weather.clone(), cuts: cuts.clone(), stop: stop.clone() };
        tokio::spawn(stop.clone().run_until_cancelled_owned(wire.accept(listener)));
        Self { port, weather, cuts, _stop: stop.drop_guard() }
    }

    pub(crate) fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// Ends all connections; new ones are let through.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

#[derive(Clone)]
struct Wire {
    upstream: SocketAddr,
    weather: Arc<watch::Sender<Weather>>,
    cuts: Arc<watch::Sender<u64>>,
    stop: CancellationToken,
}

impl Wire {
    async fn accept(self, listener: TcpListener) {
        loop {
            // A proxy out of descriptors for a moment goes on.
            let Ok((client, _)) = listener.accept().await else { continue };
            tokio::spawn(self.stop.clone().run_until_cancelled_owned(self.clone().carry(client)));
        }
    }

    async fn carry(self, client: TcpStream) -> io::Result<()> {
        let mut cuts = self.cuts.subscribe();
        let server = TcpStream::connect(self.upstream).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (client_read, client_write) = client.into_split();
        let (server_read, server_write) = server.into_split();
        tokio::select! {
            done = self.pump(client_read, server_write) => done,
            done = self.pump(server_read, client_write) => done,
            _ = cuts.changed() => Ok(()),
        }
    }

    async fn pump(&self, mut from: OwnedReadHalf, to: OwnedWriteHalf) -> io::Result<()> {
        let (pieces, taken) = mpsc::channel(PIECES);
        let read = async move {
            loop {
                let mut piece = Vec::with_capacity(16 * 1024);
                if from.read_buf(&mut piece).await? == 0 {
                    return Ok(());
                }
                let due = match *self.weather.borrow() {
                    Weather::Late(by) => Instant::now() + by,
                    _ => Instant::now(),
                };
                if pieces.send((due, piece)).await.is_err() {
                    return Ok(());
                }
            }
        };
        // What was read before the end is delivered first.
        tokio::try_join!(read, self.deliver(taken, to)).map(|_| ())
    }

    async fn deliver(
        &self,
        mut pieces: mpsc::Receiver<(Instant, Vec<u8>)>,
        mut to: OwnedWriteHalf,
    ) -> io::Result<()> {
        let mut weather = self.weather.subscribe();
        while let Some((due, piece)) = pieces.recv().await {
            sleep_until(due).await;
            for part in piece.chunks(4 * 1024) {
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
