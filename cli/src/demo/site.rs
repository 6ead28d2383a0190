//! One small site: answers every request the way it plays.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How a site behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Play {
    /// 200, and links back.
    Fine,
    /// The same after more than a second.
    Slow,
    /// A redirect to a page that is fine.
    Moved,
    /// A redirect to an address inside the visitor's own network.
    ToRouter,
    /// 200, but does not link back.
    NoBacklink,
    /// An empty page of this status.
    Status(u16),
    /// Nobody listens.
    Dead,
    /// Takes the connection and never answers.
    Hangs,
    /// Answers something that is not HTTP.
    Breaks,
    /// An anti-bot wall in front of the site.
    Wall,
    /// Over TLS, with a certificate whose time is over.
    Expired,
    /// Fine, over TLS, with a certificate that soon ends.
    Ending,
}

const PAGE: &str =
    "<html><body><h1>Friends</h1><a href=\"https://my.blog.example/\">my blog</a></body></html>";
const PAGE_WITHOUT: &str = "<html><body><h1>Friends</h1></body></html>";
/// Longest request head that is read, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// How long a visitor may take to send it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long `Hangs` holds a connection.
const HANG: Duration = Duration::from_secs(60);

/// Serves one connection and closes it.
pub(crate) async fn serve(play: Play, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let head = tokio::time::timeout(HEAD_TIMEOUT, read_head(&mut stream)).await??;
    let answer = match play {
        Play::Hangs => {
            tokio::time::sleep(HANG).await;
            return Ok(());
        }
        Play::Slow => {
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            page(PAGE)
        }
        Play::Moved if !head.starts_with("GET /new ") => {
            answer("301 Moved Permanently", "Location: /new\r\n", "")
        }
        Play::ToRouter => answer("302 Found", "Location: http://192.168.1.1/\r\n", ""),
        Play::NoBacklink => page(PAGE_WITHOUT),
        Play::Status(code) => answer(&format!("{code} {}", phrase(code)), "", ""),
        Play::Breaks => "good day to you\r\n\r\n".into(),
        Play::Wall => answer("403 Forbidden", "cf-mitigated: challenge\r\n", "Are you human?"),
        Play::Fine | Play::Moved | Play::Expired | Play::Ending | Play::Dead => page(PAGE),
    };
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > MAX_HEAD || stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn page(body: &str) -> String {
    answer("200 OK", "Content-Type: text/html; charset=utf-8\r\n", body)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

fn phrase(code: u16) -> &'static str {
    match code {
        404 => "Not Found",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
