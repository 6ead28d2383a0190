//! A TCP proxy before the broker that cuts connections or swallows what they carry, all or deliveries only.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

/// Dropping it closes everything.
pub(crate) struct Proxy {
    pub(crate) url: Url,
    state: Arc<State>,
    _stop: DropGuard,
}

struct State {
    upstream: String,
    /// While true, bytes are read and forgotten.
    swallowing: AtomicBool,
    /// While true, deliveries are read and forgotten.
    dropping_deliveries: AtomicBool,
    /// Each increase cuts all connections of before.
    cuts: watch::Sender<usize>,
    accepted: AtomicUsize,
}

impl Proxy {
    pub(crate) async fn before(broker: &Url) -> Self {
        Self::at(0, broker).await
    }

    /// As [`Proxy::before`], on this port.
    pub(crate) async fn at(port: u16, broker: &Url) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let mut url = broker.clone();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let upstream = format!("{}:{}", broker.host_str().unwrap(), broker.port().unwrap_or(5672));
        let state = Arc::new(State {
            upstream,
            swallowing: AtomicBool::new(false),
            dropping_deliveries: AtomicBool::new(false),
            cuts: watch::Sender::new(0),
            accepted: AtomicUsize::new(0),
        });
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(accept(listener, state.clone(), stop.clone())));
        Self { url, state, _stop: stop.drop_guard() }
    }

    /// Ends all connections; new ones are let through.
    pub(crate) fn cut(&self) {
        self.state.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// From now on nothing gets through, in either direction, yet connections stay open.
    pub(crate) fn swallow(&self, swallowing: bool) {
        self.state.swallowing.store(swallowing, Ordering::SeqCst);
    }

    /// From now on everything gets through but deliveries, as if the broker had forgotten its consumers.
    pub(crate) fn drop_deliveries(&self, dropping: bool) {
        self.state.dropping_deliveries.store(dropping, Ordering::SeqCst);
    }

    pub(crate) fn accepted(&self) -> usize {
        self.state.accepted.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, state: Arc<State>, stop: CancellationToken) {
    while let Ok((client, _)) = listener.accept().await {
        state.accepted.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(stop.clone().run_until_cancelled_owned(carry(client, state.clone())));
    }
}

async fn carry(client: TcpStream, state: Arc<State>) -> io::Result<()> {
    let mut cuts = state.cuts.subscribe();
    let server = TcpStream::connect(&state.upstream).await?;
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    tokio::select! {
        done = pump(client_read, server_write, &state) => done,
        done = pump_frames(server_read, client_write, &state) => done,
        _ = cuts.changed() => Ok(()),
    }
}

async fn pump(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    state: &State,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        if !state.swallowing.load(Ordering::SeqCst) {
            to.write_all(&buffer[..read]).await?;
        }
    }
}

/// As [`pump`], by AMQP frames: type, channel, size, payload, end (AMQP 0-9-1, 4.2.3).
async fn pump_frames(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    state: &State,
) -> io::Result<()> {
    const METHOD: u8 = 1;
    const HEARTBEAT: u8 = 8;
    const BASIC_DELIVER: [u8; 4] = [0, 60, 0, 60];
    let mut is_delivery = false;
    loop {
        let mut frame = vec![0; 7];
        from.read_exact(&mut frame).await?;
        let size = u32::from_be_bytes([frame[3], frame[4], frame[5], frame[6]]) as usize;
        frame.resize(7 + size + 1, 0);
        from.read_exact(&mut frame[7..]).await?;
        match frame[0] {
            METHOD => is_delivery = frame[7..].starts_with(&BASIC_DELIVER),
            HEARTBEAT => is_delivery = false,
            _ => {}
        }
        let dropped = is_delivery && state.dropping_deliveries.load(Ordering::SeqCst);
        if !dropped && !state.swallowing.load(Ordering::SeqCst) {
            to.write_all(&frame).await?;
        }
    }
}
