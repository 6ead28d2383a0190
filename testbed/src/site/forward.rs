//! A site that is an HTTP proxy.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use super::{Site, Visit, target};

/// What a proxy does with one request.
#[derive(Debug, Clone)]
pub enum Forward {
    /// It opens a tunnel to this address, whatever name was asked for.
    Tunnel(SocketAddr),
    /// It answers by itself, such as with 407, 502 or 504.
    Answer(Vec<u8>),
    /// It closes the connection.
    Close,
    /// It never answers.
    Hang,
}

impl Site {
    /// An HTTP proxy. `forward` gets each request's method and target: `CONNECT` and `HOST:PORT`, or another
    /// method and a whole URL.
    pub async fn forwards(forward: impl Fn(&str, &str) -> Forward + Send + Sync + 'static) -> Self {
        let forward = Arc::new(forward);
        Self::plays(move |mut visit, _| {
            let forward = Arc::clone(&forward);
            async move {
                let head = visit.request().await;
                let method = head.split(' ').next().unwrap_or_default();
                match forward(method, target(&head)) {
                    Forward::Tunnel(address) => tunnel(visit, address).await,
                    Forward::Answer(bytes) => visit.send(bytes).await,
                    Forward::Close => {}
                    Forward::Hang => visit.wait_for_end().await,
                }
            }
        })
        .await
    }
}

async fn tunnel(mut visit: Visit<TcpStream>, address: SocketAddr) {
    let mut site = TcpStream::connect(address).await.unwrap();
    visit.send("HTTP/1.1 200 Connected\r\n\r\n").await;
    // Either side may end it as it likes.
    let _ = copy_bidirectional(&mut visit.stream, &mut site).await;
}
