//! Connections for which there is no room. They are told so.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Duration, timeout};

const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    content-length: 43\r\n\
    cache-control: no-store\r\n\
    retry-after: 2\r\n\
    connection: close\r\n\
    \r\n\
    the dashboard has too many connections now\n";

/// So many are told at once. More are closed at once.
const MOST: usize = 64;

/// How long that may take. A connection that is closed while something of its client is unread takes the answer with it.
const LONGEST: Duration = Duration::from_secs(1);

/// Bytes of the request that are read for this.
const UNREAD: u64 = 64 * 1_024;

/// Those that are told just now.
#[derive(Debug, Default)]
pub(super) struct Refused(JoinSet<()>);

impl Refused {
    /// Tells a client that there is no room, and closes the connection.
    pub(super) fn tell(&mut self, stream: TcpStream) {
        while self.0.try_join_next().is_some() {}
        if self.0.len() < MOST {
            self.0.spawn(async {
                let _ = timeout(LONGEST, tell(stream)).await;
            });
        }
    }
}

async fn tell(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(ANSWER).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut (&mut stream).take(UNREAD), &mut tokio::io::sink()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_says_how_long_it_is() {
        let text = std::str::from_utf8(ANSWER).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
    }
}
