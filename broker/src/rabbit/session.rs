//! One connection to RabbitMQ, from its handshake to its end.
//!
//! lapin runs each connection on a thread of its own, which a cancelled handshake or a blocked
//! connection would keep for ever. So a session also holds the socket, and cuts it when it gives up.
//! lapin's own recovery stays off: when its tries are used up it is silent and pending for ever.

use std::fmt::Display;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt};
use lapin::tcp::{AsyncTcpStream, RustlsConnector};
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, ConnectionStatus, Event};
use socket2::{SockRef, Socket};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::error::cause_of;
use super::guard::{self, guarded};
use super::{BrokerSettings, BrokerUrl, ConnectError};

const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// One open connection. Dropping it cuts it.
pub(super) struct Session {
    url: BrokerUrl,
    connection: Connection,
    wire: Wire,
    end: End,
    channel_error: watch::Receiver<String>,
    _watch: AbortOnDropHandle<()>,
}

impl Session {
    /// Tries each node once, beginning with any of them, so that sessions spread over the cluster. `purpose`
    /// tells this connection from the others of the process, for operators.
    pub(super) async fn open(settings: &BrokerSettings, purpose: &str) -> Result<Self, ConnectError> {
        let first = rand::random_range(0..settings.urls.len());
        let mut failures = Vec::new();
        for node in 0..settings.urls.len() {
            let url = &settings.urls[(first + node) % settings.urls.len()];
            match Self::open_at(url, settings, purpose).await {
                Ok(session) => return Ok(session),
                Err(error) => {
                    tracing::debug!(broker.url = %url, broker.session = purpose, %error, "no session with this node");
                    failures.push(error);
                }
            }
        }
        // In the order of the settings, or every round's failure would read as another one.
        failures.rotate_right(first);
        Err(ConnectError::of_nodes(failures))
    }

    async fn open_at(
        url: &BrokerUrl,
        settings: &BrokerSettings,
        purpose: &str,
    ) -> Result<Self, ConnectError> {
        let waited = settings.connect_timeout;
        let deadline = Instant::now() + waited;
        let wire = Wire::default();
        let connecting = async {
            let tls = if url.is_encrypted() { Some(settings.tls.read().await?) } else { None };
            let connected = connect(url, settings, tls, purpose, deadline, wire.0.clone()).await;
            connected.map_err(|error| ConnectError::connecting(url, waited, &error))
        };
        let connection = timeout_at(deadline, connecting)
            .await
            .unwrap_or_else(|_| Err(ConnectError::TimedOut { address: url.address(), waited }))?;
        let (end, (sender, channel_error)) = (End::default(), watch::channel(String::new()));
        let watcher = Watcher {
            status: connection.status().clone(),
            end: end.clone(),
            channel_error: sender,
            purpose: purpose.to_owned(),
        };
        let watch = AbortOnDropHandle::new(tokio::spawn(watcher.watch(connection.events_listener())));
        Ok(Self { url: url.clone(), connection, wire, end, channel_error, _watch: watch })
    }

    /// Takes the first steps on the connection or on a channel, within the time to connect. Where RabbitMQ does not
    /// answer, the session ends.
    pub(super) async fn prepare<T>(
        &self,
        settings: &BrokerSettings,
        steps: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        let waited = settings.connect_timeout;
        match timeout(waited, self.end.token.run_until_cancelled(steps)).await {
            Ok(Some(prepared)) => prepared,
            Ok(None) => Err(ConnectError::ended(&self.url, self.end.cause())),
            Err(_) => {
                self.end.now("RabbitMQ did not answer");
                Err(ConnectError::TimedOut { address: self.url.address(), waited })
            }
        }
    }

    /// The node it is with.
    pub(super) fn url(&self) -> &BrokerUrl {
        &self.url
    }

    pub(super) async fn channel(&self) -> lapin::Result<Channel> {
        self.connection.create_channel().await
    }

    /// How many channels both sides allow.
    pub(super) fn channel_max(&self) -> u16 {
        self.connection.configuration().channel_max()
    }

    /// RabbitMQ is short of memory or disk and takes nothing from publishers for now.
    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    pub(super) fn end(&self) -> &End {
        &self.end
    }

    /// Whether the connection is open. A channel may be closed all the same.
    pub(super) fn is_open(&self) -> bool {
        self.connection.status().connected()
    }

    /// Changes with each channel that RabbitMQ closes, to its words. They do not say which channel it is.
    pub(super) fn channel_error(&self) -> watch::Receiver<String> {
        self.channel_error.clone()
    }

    /// Says good-bye, within a deadline.
    pub(super) async fn close(&self) {
        self.end.now("it was closed on our side");
        // An error means that the other side was faster.
        let _ = timeout(CLOSE_TIMEOUT, self.connection.close(200, "OK".into())).await;
        self.wire.cut();
    }

    /// Gives the connection up without a word: the server puts back whatever is unsettled.
    pub(super) fn cut(&self) {
        self.wire.cut();
    }
}

impl AsRef<Session> for Session {
    fn as_ref(&self) -> &Session {
        self
    }
}

/// Whether a session, or a part of it, has ended, and why.
#[derive(Clone, Default)]
pub(super) struct End {
    token: CancellationToken,
    cause: Arc<OnceLock<Cause>>,
}

/// Why a session has ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    #[error("the queue `{0}` is gone")]
    QueueGone(String),
    #[error("{0}")]
    Other(String),
}

impl End {
    /// The end of a part, such as one channel. It also ends with the whole, then without a cause of its own.
    pub(super) fn part(&self) -> Self {
        Self { token: self.token.child_token(), cause: Arc::default() }
    }

    /// Ends it; the first cause stays.
    pub(super) fn now(&self, cause: impl Display) {
        self.cause.get_or_init(|| Cause::Other(cause.to_string()));
        self.token.cancel();
    }

    /// As [`End::now`]: somebody has deleted a queue.
    pub(super) fn queue_gone(&self, name: impl Display) {
        self.cause.get_or_init(|| Cause::QueueGone(name.to_string()));
        self.token.cancel();
    }

    /// Cancelled once it has ended.
    pub(super) fn token(&self) -> &CancellationToken {
        &self.token
    }

    pub(super) fn reached(&self) -> bool {
        self.token.is_cancelled()
    }

    pub(super) fn cause(&self) -> Option<&Cause> {
        self.cause.get()
    }
}

/// A second hand on a connection's socket. Dropping it cuts the connection, also one still in the making.
#[derive(Default)]
struct Wire(Arc<Mutex<WireState>>);

#[derive(Default)]
enum WireState {
    #[default]
    Unconnected,
    Connected(Socket),
    Cut,
}

impl Wire {
    fn cut(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let WireState::Connected(socket) = std::mem::replace(&mut *state, WireState::Cut) {
            // It fails when the peer has closed already, which is as good.
            let _ = socket.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.cut();
    }
}

/// Keeps a hand on `stream`, unless it has been given up meanwhile.
fn hold(wire: &Mutex<WireState>, stream: &TcpStream) -> io::Result<()> {
    let mut state = wire.lock().unwrap_or_else(PoisonError::into_inner);
    if matches!(*state, WireState::Cut) {
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    *state = WireState::Connected(SockRef::from(stream).try_clone()?);
    Ok(())
}

async fn connect(
    url: &BrokerUrl,
    settings: &BrokerSettings,
    tls: Option<RustlsConnector>,
    purpose: &str,
    deadline: Instant,
    wire: Arc<Mutex<WireState>>,
) -> lapin::Result<Connection> {
    let name = format!("{} ({purpose})", settings.connection_name);
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let mut uri = url.uri();
    let seconds = u16::try_from(settings.heartbeat.as_secs()).unwrap_or(u16::MAX);
    uri.query.heartbeat = Some(seconds.max(1));
    let plain_runtime = lapin::runtime::default_runtime()?;
    Connection::connector(
        uri,
        guard::runtime(),
        async move |uri: AMQPUri, _| {
            let dial = async {
                let host = uri.authority.host;
                let addresses = plain_runtime.to_socket_addrs((host.clone(), uri.authority.port));
                let stream = AsyncTcpStream::connect(&plain_runtime, addresses).await?;
                if let AsyncTcpStream::Plain(plain) = &stream {
                    hold(&wire, plain.get_ref())?;
                }
                let stream = match &tls {
                    None => stream,
                    Some(connector) => stream.into_rustls(connector, &host).await?,
                };
                Ok::<_, io::Error>(guarded(stream))
            };
            // This runs on lapin's thread, where giving up the outer future does not reach.
            timeout_at(deadline, dial).await.map_err(io::Error::from)?.map_err(lapin::Error::from)
        },
        properties,
    )
    .await
}

/// Notices the end also while nobody uses the connection, and tells operators of alarms.
struct Watcher {
    status: ConnectionStatus,
    end: End,
    channel_error: watch::Sender<String>,
    purpose: String,
}

impl Watcher {
    async fn watch(self, events: impl Stream<Item = Event>) {
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            match event {
                // Of one channel: the connection and its other channels are as good as ever.
                Event::Error(error) if self.status.connected() => {
                    self.channel_error.send_replace(cause_of(&error));
                }
                Event::Error(error) => return self.end.now(cause_of(&error)),
                Event::ConnectionBlocked(reason) => {
                    tracing::warn!(broker.session = self.purpose, %reason, "RabbitMQ takes no messages for now");
                }
                Event::ConnectionUnblocked => {
                    tracing::info!(broker.session = self.purpose, "RabbitMQ takes messages again");
                }
                _ => {}
            }
        }
        self.end.now("the connection was closed");
    }
}
