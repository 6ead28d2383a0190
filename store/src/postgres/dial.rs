//! Reaching a server: its places in turn, over TCP or a Unix socket, encrypted or not.
//!
//! tokio-postgres can do the same, but keeps the socket to itself. Here [`super::overheard`] reads along.

use std::future::{Ready, ready};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use rand::seq::SliceRandom;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, LoadBalanceHosts, SslNegotiation};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::overheard::Overheard;
use super::with_causes;
use crate::error::Fault;
use crate::server::TlsMode;

const DEFAULT_PORT: u16 = 5432;
/// Asks the server whether it encrypts. It answers `S` or `N`.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Bytes to and from a server.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {
    /// What ties a login to this encryption.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

type Encrypted = <MakeRustlsConnect as MakeTlsConnect<Box<dyn Wire>>>::Stream;

impl Wire for TcpStream {}
impl Wire for UnixStream {}
impl Wire for Encrypted {
    fn channel_binding(&self) -> ChannelBinding {
        TlsStream::channel_binding(self)
    }
}

/// How a connection is encrypted, if it is.
pub(super) struct Encryption {
    pub(super) mode: TlsMode,
    pub(super) connector: MakeRustlsConnect,
}

/// A place where the server may be.
#[derive(Debug, Clone)]
pub(super) enum Address {
    /// The name is that which its certificate must have.
    Tcp {
        name: String,
        address: SocketAddr,
    },
    Unix(PathBuf),
}

/// Where the URL says that the server may be, in the order to try it. A name that is not known is left out, unless
/// nothing else is left.
pub(super) async fn addresses(config: &Config) -> Result<Vec<Address>, Fault> {
    let (hosts, given, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    if !hosts.is_empty() && !given.is_empty() && hosts.len() != given.len() {
        return Err(Fault::BadUrl("it has another number of hostaddr than of hosts".to_owned()));
    }
    let count = hosts.len().max(given.len());
    if ports.len() > 1 && ports.len() != count {
        return Err(Fault::BadUrl("it has another number of ports than of hosts".to_owned()));
    }
    let mut order: Vec<usize> = (0..count).collect();
    let at_random = config.get_load_balance_hosts() == LoadBalanceHosts::Random;
    if at_random {
        order.shuffle(&mut rand::rng());
    }
    let mut found = Vec::new();
    let mut problem = Fault::BadUrl("it names no host".to_owned());
    for index in order {
        let port = ports.get(index).or(ports.first()).copied().unwrap_or(DEFAULT_PORT);
        match of_host(hosts.get(index), given.get(index).copied(), port).await {
            Ok(mut more) => {
                if at_random {
                    more.shuffle(&mut rand::rng());
                }
                found.append(&mut more);
            }
            Err(error) => {
                problem = Fault::Unavailable(format!("its name cannot be looked up: {error}"));
            }
        }
    }
    if found.is_empty() { Err(problem) } else { Ok(found) }
}

async fn of_host(host: Option<&Host>, given: Option<IpAddr>, port: u16) -> io::Result<Vec<Address>> {
    let name = match (host, given) {
        (Some(Host::Unix(folder)), None) => {
            return Ok(vec![Address::Unix(folder.join(format!(".s.PGSQL.{port}")))]);
        }
        (Some(Host::Tcp(name)), _) => name.clone(),
        (_, Some(address)) => address.to_string(),
        (None, None) => return Ok(Vec::new()),
    };
    let addresses: Vec<SocketAddr> = match given {
        Some(address) => vec![(address, port).into()],
        None => lookup_host((name.as_str(), port)).await?.collect(),
    };
    Ok(addresses.into_iter().map(|address| Address::Tcp { name: name.clone(), address }).collect())
}

impl Address {
    /// Connects and encrypts. As in libpq, nothing is encrypted on a Unix socket.
    pub(super) async fn wire(&self, config: &Config, encryption: Encryption) -> Result<Box<dyn Wire>, Fault> {
        let lost = |error: io::Error| {
            Fault::Unavailable(format!("error connecting to server: {}", with_causes(&error)))
        };
        let limit = config.get_connect_timeout().copied().unwrap_or(Duration::MAX);
        match self {
            Self::Unix(path) => {
                let socket = in_time(limit, UnixStream::connect(path)).await.map_err(lost)?;
                Ok(Box::new(socket))
            }
            Self::Tcp { name, address } => {
                let socket = in_time(limit, TcpStream::connect(address)).await.map_err(lost)?;
                tune(&socket, config).map_err(lost)?;
                encrypt(Box::new(socket), name, config, encryption).await
            }
        }
    }
}

async fn in_time<T>(limit: Duration, connecting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, connecting).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn tune(socket: &TcpStream, config: &Config) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    socket.set_tcp_user_timeout(config.get_tcp_user_timeout().copied())?;
    if config.get_keepalives() {
        let mut keepalive = TcpKeepalive::new().with_time(config.get_keepalives_idle());
        if let Some(interval) = config.get_keepalives_interval() {
            keepalive = keepalive.with_interval(interval);
        }
        if let Some(retries) = config.get_keepalives_retries() {
            keepalive = keepalive.with_retries(retries);
        }
        socket.set_tcp_keepalive(&keepalive)?;
    }
    Ok(())
}

async fn encrypt(
    mut wire: Box<dyn Wire>,
    name: &str,
    config: &Config,
    Encryption { mode, mut connector }: Encryption,
) -> Result<Box<dyn Wire>, Fault> {
    if mode == TlsMode::Disable {
        return Ok(wire);
    }
    if config.get_ssl_negotiation() == SslNegotiation::Postgres {
        let encrypts = asked(&mut wire).await.map_err(|error| Fault::Unavailable(with_causes(&error)))?;
        match (encrypts, mode) {
            (true, _) => {}
            (false, TlsMode::Prefer) => return Ok(wire),
            (false, _) => return Err(Fault::Unavailable("the server does not encrypt (no TLS)".to_owned())),
        }
    }
    let Ok(connect) = MakeTlsConnect::<Box<dyn Wire>>::make_tls_connect(&mut connector, name);
    let encrypted = connect.connect(wire).await.map_err(|error| {
        Fault::Unavailable(format!("error performing TLS handshake: {}", with_causes(&error)))
    })?;
    Ok(Box::new(encrypted))
}

async fn asked(wire: &mut Box<dyn Wire>) -> io::Result<bool> {
    wire.write_all(&SSL_REQUEST).await?;
    wire.flush().await?;
    Ok(wire.read_u8().await? == b'S')
}

/// A stream that is ready, in the place where tokio-postgres would encrypt one.
pub(super) struct Prepared(pub(super) Overheard);

impl<S> TlsConnect<S> for Prepared {
    type Stream = Overheard;
    type Error = io::Error;
    type Future = Ready<io::Result<Overheard>>;

    fn connect(self, _: S) -> Self::Future {
        ready(Ok(self.0))
    }
}
