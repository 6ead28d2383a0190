//! A site that speaks HTTP/2, over TLS and by ALPN.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use h2::server::SendResponse;
use hyper::Response;

use super::Site;
use super::tls::Identity;

/// One request, and the stream on which it is answered.
pub struct Http2Request {
    /// What is asked for.
    pub path: String,
    stream: SendResponse<Bytes>,
}

impl Http2Request {
    /// Answers with this head and page. A visitor who left does not mind.
    pub fn answer(mut self, head: Response<()>, page: impl Into<Bytes>) {
        if let Ok(mut body) = self.stream.send_response(head, false) {
            let _ = body.send_data(page.into(), true);
        }
    }

    /// Resets the stream instead.
    pub fn reset(mut self, reason: h2::Reason) {
        self.stream.send_reset(reason);
    }
}

impl Site {
    /// Speaks HTTP/2 alone, under this identity. `play` answers each request.
    pub async fn plays_http2_at(
        address: Ipv4Addr,
        identity: Identity,
        play: impl Fn(Http2Request) + Send + Sync + 'static,
    ) -> Self {
        let play = Arc::new(play);
        Self::plays_over_tls_at(address, identity, &[b"h2"], move |visit| {
            let play = Arc::clone(&play);
            async move {
                let mut connection = h2::server::handshake(visit.stream).await.unwrap();
                while let Some(Ok((request, stream))) = connection.accept().await {
                    play(Http2Request { path: request.uri().path().to_owned(), stream });
                }
            }
        })
        .await
    }
}
