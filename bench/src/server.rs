//! Sites on all loopback addresses of one port: as cheap as can be, so that the client is what is measured.
//!
//! `GET /ANYTHING` answers a 10 KB page with the backlink at the end; `GET /after/MS` answers the same
//! after so many milliseconds; `GET /never` takes the request and never answers. `/bomb` is 1 GiB in gzip,
//! `/endless` a body without an end, `/headers` an answer that never comes to its body. `/unfolds` is a few bytes of
//! brotli that unfold into 2 MiB, `/heads` 95 large headers; both then say nothing more.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use flate2::{Compression, write::GzEncoder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const PAGE_BYTES: usize = 10 * 1024;
pub(crate) const BACKLINK: &str = r#"<a href="https://my.blog.example/">"#;
/// Connections that may wait to be accepted; the kernel lowers it to what it allows.
const BACKLOG: u32 = 65_535;

/// Prints its port, then serves until it is killed.
pub(crate) async fn run() -> anyhow::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([0, 0, 0, 0], 0).into())?;
    let listener = socket.listen(BACKLOG)?;
    println!("{}", listener.local_addr()?.port());
    let answer: Arc<[u8]> = answer().into_bytes().into();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: the connections of the round before are still being closed.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let answer = answer.clone();
        tokio::spawn(async move { serve(stream, &answer).await });
    }
}

fn answer() -> String {
    let filler = "<p>All work and no play makes a dull page.</p>\n".repeat(PAGE_BYTES / 47);
    let page = format!("<html><body>\n{filler}{BACKLINK}my blog</a></body></html>\n");
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\r\n{page}",
        page.len()
    )
}

async fn serve(mut stream: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = Vec::with_capacity(1_024);
    loop {
        head.clear();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let mut parts = path(&head).splitn(3, |&byte| byte == b'/').skip(1);
        match (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) {
            (b"never", _) => {
                // Until the other side goes.
                stream.read_buf(&mut head).await?;
                return Ok(());
            }
            (b"bomb", _) => return stream.write_all(&bomb()?).await,
            (b"unfolds", _) => return and_silence(stream, &unfolds()).await,
            (b"heads", _) => return and_silence(stream, &heads()).await,
            (b"endless", _) => {
                let piece = [&b"4000\r\n"[..], &[b'a'; 0x4000], b"\r\n"].concat();
                return for_ever(stream, b"Transfer-Encoding: chunked\r\n\r\n", &piece).await;
            }
            (b"headers", _) => {
                return for_ever(stream, b"", &b"X-More: and more and more\r\n".repeat(500)).await;
            }
            (b"after", ms) => {
                let ms = std::str::from_utf8(ms).ok().and_then(|ms| ms.parse().ok()).unwrap_or(0);
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            _ => {}
        }
        stream.write_all(answer).await?;
    }
}

/// Sends this, and waits until the other side goes.
async fn and_silence(mut stream: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    stream.write_all(answer).await?;
    stream.read_buf(&mut Vec::with_capacity(1)).await?;
    Ok(())
}

fn unfolds() -> Vec<u8> {
    let head = b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 999999\r\n\r\n";
    // 2 MiB of one letter, but for the last byte.
    let packed = [0x9b, 0xff, 0xff, 0x1f, 0xf8, 0x25, 0xf0, 0xe2, 0xb1, 0x40, 0x20, 0xf7, 0xfe];
    [&head[..], &packed].concat()
}

fn heads() -> Vec<u8> {
    let large = "x".repeat(4 << 10);
    let headers = (0..95).map(|number| format!("X-{number}: {large}\r\n")).collect::<String>();
    format!("HTTP/1.1 200 OK\r\n{headers}").into_bytes()
}

/// Until the other side has had enough.
async fn for_ever(mut stream: TcpStream, start: &[u8], piece: &[u8]) -> std::io::Result<()> {
    stream.write_all(&[b"HTTP/1.1 200 OK\r\n", start].concat()).await?;
    loop {
        stream.write_all(piece).await?;
    }
}

fn bomb() -> std::io::Result<Vec<u8>> {
    let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\n\r\n";
    let mut packed = GzEncoder::new(head.to_vec(), Compression::best());
    let zeros = [0; 1 << 20];
    for _ in 0..1 << 10 {
        packed.write_all(&zeros)?;
    }
    packed.finish()
}

fn path(head: &[u8]) -> &[u8] {
    head.split(|&byte| byte == b' ').nth(1).unwrap_or_default()
}
