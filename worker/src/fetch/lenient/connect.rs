//! A connection of our own to a site: dialled by happy eyeballs, over the proxy where there is one, with TLS.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use linkbeat_shared::{ConnectKind, LinkUrl, Phase, Reason};
use reqwest::header::HeaderValue;
use reqwest::{StatusCode, Url};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Host;

use super::super::failure::{Doubt, Failure};
use super::super::progress::{self, MAX_DIALLED};
use super::super::resolver::Resolver;
use super::super::route::Route;
use super::super::tls::Tls;
use super::bounded::{self, Bounded};
use crate::fault::OwnFault;

/// RFC 8305 §5: the Connection Attempt Delay.
const NEXT_AFTER: Duration = Duration::from_millis(250);
/// Bytes that a server may send in a handshake before memory is taken for more. Most send 3 to 6 KiB.
const MAX_SMALL_HANDSHAKE: usize = 24 << 10;
/// Longest answer of a proxy to CONNECT.
const MAX_ANSWER: usize = 16 << 10;

/// What bytes go over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}
pub(super) type BoxedStream = Box<dyn Stream>;

/// A connection to a site, or to a proxy that is asked for it.
pub(in super::super) struct Connection {
    pub(super) stream: BoxedStream,
    /// The other end, where no proxy is between.
    pub(in super::super) peer: Option<SocketAddr>,
    /// Requests name the whole URL, because a proxy reads them.
    pub(super) asks_proxy: bool,
    pub(super) proxy_credentials: Option<HeaderValue>,
}

/// Makes connections.
pub(in super::super) struct Connector {
    resolver: Resolver,
    route: Arc<Route>,
    tls: Tls,
    named: TlsConnector,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("resolver", &self.resolver).finish_non_exhaustive()
    }
}

impl Connector {
    /// `tls`: as for every other request. Only HTTP/1.1 is offered here.
    pub(in super::super) fn new(resolver: Resolver, route: Arc<Route>, tls: Tls) -> Self {
        let mut named = tls.config.clone();
        named.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { resolver, route, tls, named: TlsConnector::from(Arc::new(named)) }
    }

    /// Connects with a site. An address in the URL must have been admitted before. `may_be_large`: memory was taken for
    /// what the other side may send in handshakes.
    pub(in super::super) async fn connect(
        &self,
        url: &LinkUrl,
        may_be_large: bool,
    ) -> Result<Connection, Failure> {
        let site = url.as_url();
        let Some(proxy) = self.route.proxy_for(site) else {
            let stream = self.dial(site).await?;
            let peer = stream.peer_addr().ok();
            let stream = self.secured(Box::new(stream), site, may_be_large).await?;
            return Ok(Connection { stream, peer, asks_proxy: false, proxy_credentials: None });
        };
        let stream = Box::new(self.dial(proxy.as_url()).await?);
        let mut stream = self.secured(stream, proxy.as_url(), may_be_large).await?;
        let proxy_credentials = credentials(proxy.as_url());
        if url.is_https() {
            open_tunnel(&mut stream, site, proxy_credentials.as_ref()).await?;
            let stream = self.secured(stream, site, may_be_large).await?;
            return Ok(Connection { stream, peer: None, asks_proxy: false, proxy_credentials: None });
        }
        Ok(Connection { stream, peer: None, asks_proxy: true, proxy_credentials })
    }

    /// Dials the host's addresses in turns; each was admitted by the guard.
    async fn dial(&self, url: &Url) -> Result<TcpStream, Failure> {
        let port = url.port_or_known_default().unwrap_or(80);
        let addresses: Vec<IpAddr> = match url.host() {
            Some(Host::Ipv4(address)) => vec![address.into()],
            Some(Host::Ipv6(address)) => vec![address.into()],
            _ => {
                progress::enter(Phase::Dns);
                self.resolver.addresses(url.host_str().unwrap_or_default()).await?
            }
        };
        progress::dialling(&addresses);
        let mut left = addresses.into_iter().take(MAX_DIALLED);
        let mut dialling = FuturesUnordered::new();
        let mut failed = None;
        loop {
            match left.next() {
                Some(address) => dialling.push(TcpStream::connect((address, port))),
                None if dialling.is_empty() => return Err(failed.unwrap_or_else(Failure::closed)),
                None => {}
            }
            let wait = if left.len() > 0 { NEXT_AFTER } else { Duration::MAX };
            match timeout(wait, dialling.next()).await {
                Ok(Some(Ok(stream))) => return Ok(stream),
                Ok(Some(Err(error))) => failed = failed.or(Some(Failure::of_io(&error))),
                Ok(None) | Err(_) => {}
            }
        }
    }

    /// TLS over a connection, where the URL asks for it.
    async fn secured(
        &self,
        stream: BoxedStream,
        url: &Url,
        may_be_large: bool,
    ) -> Result<BoxedStream, Failure> {
        if url.scheme() != "https" {
            return Ok(stream);
        }
        let stream = Bounded::new(stream, if may_be_large { usize::MAX } else { MAX_SMALL_HANDSHAKE });
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let secured = match ServerName::try_from(host.clone()) {
            Ok(name) => self.named.connect(name, stream).await,
            // An address is never sent as a name. The certificate is held against the true name all the same.
            Err(_) => {
                let nameless = self.tls.without_name(host).map_err(|_| Failure::Site(Reason::Protocol))?;
                let name = ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into());
                TlsConnector::from(Arc::new(nameless)).connect(name, stream).await
            }
        };
        match secured {
            Ok(mut secured) => {
                secured.get_mut().0.lift();
                Ok(Box::new(secured))
            }
            Err(error) if bounded::is_over(&error) => Err(Failure::NeedsMemory),
            Err(error) => Err(Failure::of_error(&error)),
        }
    }
}

/// Asks a proxy to connect us with a site (RFC 9110 §9.3.6).
async fn open_tunnel(
    stream: &mut BoxedStream,
    site: &Url,
    credentials: Option<&HeaderValue>,
) -> Result<(), Failure> {
    let target =
        format!("{}:{}", site.host_str().unwrap_or_default(), site.port_or_known_default().unwrap_or(443));
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(credentials) = credentials {
        request.extend_from_slice(&[b"Proxy-Authorization: ", credentials.as_bytes(), b"\r\n"].concat());
    }
    request.extend_from_slice(b"\r\n");
    let ill = |reason| Failure::Doubtful(reason, Doubt::Proxy);
    stream.write_all(&request).await.map_err(|_| Failure::Own(OwnFault::Proxy))?;
    stream.flush().await.map_err(|_| Failure::Own(OwnFault::Proxy))?;
    let mut answer = Vec::new();
    // Byte by byte: what follows the answer is the site's.
    while !answer.ends_with(b"\r\n\r\n") && !answer.ends_with(b"\n\n") {
        match stream.read_u8().await {
            Ok(byte) if answer.len() < MAX_ANSWER => answer.push(byte),
            _ => return Err(ill(Reason::Connect { kind: ConnectKind::Closed })),
        }
    }
    match super::head::parse(&answer) {
        Ok(Some((head, _))) if head.status.is_success() => Ok(()),
        Ok(Some((head, _))) if is_its_own_refusal(head.status) => Err(Failure::Own(OwnFault::Proxy)),
        _ => Err(ill(Reason::Connect { kind: ConnectKind::Unreachable })),
    }
}

/// Whether a proxy says by this status that it will not serve us, whatever the site is like. By others, such as 502, it
/// may say that the site cannot be reached.
fn is_its_own_refusal(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 403 | 405 | 407 | 429 | 451 | 511)
}

/// The header with which a URL's user identifies (RFC 7617).
pub(super) fn credentials(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decode = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    let pair = [decode(url.username()), decode(url.password().unwrap_or_default())].join(&b':');
    let encoded = format!("Basic {}", data_encoding::BASE64.encode(&pair));
    let mut value = HeaderValue::from_str(&encoded).ok()?;
    value.set_sensitive(true);
    Some(value)
}
