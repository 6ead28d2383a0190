//! A second look at a site whose HTTP is too sloppy for hyper, but not for browsers and curl.
//!
//! hyper is strict: it takes 100 headers, no HTTP/1.0 with chunks, no line that ends without a carriage return
//! inside a chunked body. Few sites are like that, so this is used only after hyper gave up: one request over a
//! connection of its own, in HTTP/1.1, under the same deadline, guard and pace.
//!
//! It also keeps less of an answer than hyper, and is therefore used while memory is scarce.

mod body;
mod bounded;
mod connect;
mod head;

use linkbeat_shared::{LinkUrl, Phase, Reason};
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue, PROXY_AUTHORIZATION};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(super) use self::body::{Body, has_chunks};
pub(super) use self::connect::{Connection, Connector};
use self::head::Head;
use super::failure::Failure;
use super::progress;

/// Bytes of an answer's head that are read, as many as curl does.
const MAX_HEAD: usize = 300 << 10;
/// Bytes of a head that are read before memory is taken for more.
const MAX_SMALL_HEAD: usize = 16 << 10;
/// Most memory that a head takes: as it came, and as it was read.
pub(super) const HEAD_MEMORY: usize = 2 * MAX_HEAD;
/// How much is read at once.
const STEP: usize = 4 << 10;

/// An answer's head, and what follows it.
pub(super) struct Answer {
    pub(super) head: Head,
    pub(super) body: Body,
}

/// Asks for a URL over a connection to it. `may_be_large`: memory was taken for a large head.
pub(super) async fn get(
    mut connection: Connection,
    url: &LinkUrl,
    headers: &HeaderMap,
    cookies: Option<&HeaderValue>,
    may_be_large: bool,
) -> Result<Answer, Failure> {
    progress::enter(Phase::Headers);
    let request = request(&connection, url, headers, cookies);
    connection.stream.write_all(&request).await.map_err(|error| Failure::of_io(&error))?;
    connection.stream.flush().await.map_err(|error| Failure::of_io(&error))?;
    let mut read = Vec::new();
    loop {
        if !may_be_large && read.len() > MAX_SMALL_HEAD {
            return Err(Failure::NeedsMemory);
        }
        match head::parse(&read) {
            Ok(Some((head, length))) => {
                let body = Body::new(connection.stream, &head, read.split_off(length));
                return Ok(Answer { head, body });
            }
            Ok(None) if read.len() < MAX_HEAD => {}
            _ => return Err(Failure::Site(Reason::Protocol)),
        }
        // No more than that, because thousands may wait here.
        read.reserve_exact(if may_be_large { STEP * 4 } else { STEP });
        let length = connection.stream.read_buf(&mut read).await.map_err(|error| Failure::of_io(&error))?;
        if length == 0 {
            return Err(if read.is_empty() { Failure::closed() } else { Failure::Site(Reason::Protocol) });
        }
    }
}

fn request(
    connection: &Connection,
    url: &LinkUrl,
    headers: &HeaderMap,
    cookies: Option<&HeaderValue>,
) -> Vec<u8> {
    let mut whole = url.as_url().clone();
    let credentials = connect::credentials(&whole);
    // Both can only fail for URLs without a host.
    let _ = (whole.set_username(""), whole.set_password(None));
    whole.set_fragment(None);
    let target = &whole[url::Position::BeforePath..];
    // A proxy is asked for the whole URL (RFC 9112 §3.2.2).
    let target = if connection.asks_proxy { whole.as_str() } else { target };
    let host = &whole[url::Position::BeforeHost..url::Position::AfterPort];
    let mut request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n").into_bytes();
    let mut add = |name: &str, value: &[u8]| {
        request.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
    };
    for (name, value) in headers {
        add(name.as_str(), value.as_bytes());
    }
    if let Some(cookies) = cookies {
        add(COOKIE.as_str(), cookies.as_bytes());
    }
    if let Some(credentials) = credentials.filter(|_| !headers.contains_key(AUTHORIZATION)) {
        add(AUTHORIZATION.as_str(), credentials.as_bytes());
    }
    if let Some(credentials) = connection.proxy_credentials.as_ref().filter(|_| connection.asks_proxy) {
        add(PROXY_AUTHORIZATION.as_str(), credentials.as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    request
}
