//! Sites on all loopback addresses of one port: as cheap as can be, so that the client is what is measured.
//!
//! `GET /ANYTHING` answers a 10 KB page with the backlink at the end; `GET /after/MS` answers the same
//! after so many milliseconds; `GET /never` takes the request and never answers.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PAGE_BYTES: usize = 10 * 1024;
pub(crate) const BACKLINK: &str = r#"<a href="https://my.blog.example/">"#;

/// Prints its port, then serves until it is killed.
pub(crate) async fn run() -> anyhow::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:0").await?;
    println!("{}", listener.local_addr()?.port());
    let answer: Arc<[u8]> = answer().into_bytes().into();
    loop {
        let (stream, _) = listener.accept().await?;
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
        match path(&head) {
            b"/never" => std::future::pending().await,
            path => {
                if let Some(ms) = path.strip_prefix(b"/after/") {
                    let ms = std::str::from_utf8(ms).ok().and_then(|ms| ms.parse().ok()).unwrap_or(0);
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                }
            }
        }
        stream.write_all(answer).await?;
    }
}

fn path(head: &[u8]) -> &[u8] {
    head.split(|&byte| byte == b' ').nth(1).unwrap_or_default()
}
