//! One connection.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::limits::Limits;
use super::paced::{Pace, Paced};
use super::seats::Seat;
use super::stage::Stage;
use super::watched::Watched;

/// The most bytes of a request's head. A longer one is answered with 431.
const LONGEST_HEAD: usize = 32 * 1_024;

/// What is read or written at once, in bytes.
const BUFFER: usize = 64 * 1_024;

/// What a connection is served with.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) router: Router,
    pub(super) peer: SocketAddr,
    pub(super) limits: Limits,
}

/// The connection was sent away before its request was there.
#[derive(Debug, thiserror::Error)]
#[error("the connection goes")]
struct Goes;

impl Served {
    /// Answers one request after another, until the client or somebody else ends the connection.
    pub(super) async fn run(self, stream: TcpStream, seat: Seat, stop: CancellationToken) {
        let stage = &seat.stage;
        let io = TokioIo::new(Watched::new(stream, Arc::clone(stage), self.limits));
        let service = service_fn(|request| self.answer(Arc::clone(stage), request));
        let connection = http1::Builder::new()
            .header_read_timeout(None)
            .max_header_size(LONGEST_HEAD)
            .max_buf_size(BUFFER)
            .serve_connection(io, service);
        let mut connection = pin!(connection);
        let mut stops = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::trace!(%error, peer = %self.peer, "a connection of the dashboard ended");
                    }
                    return;
                }
                () = stage.dismissed() => return,
                () = stop.cancelled(), if !stops => {
                    stops = true;
                    connection.as_mut().graceful_shutdown();
                    stage.dismiss();
                }
            }
        }
    }

    async fn answer(&self, stage: Arc<Stage>, request: Request<Incoming>) -> Result<Response<Sent>, Goes> {
        if !stage.begins() {
            return Err(Goes);
        }
        let mut request = request;
        let pace = Pace::default();
        request.extensions_mut().insert(ConnectInfo(self.peer));
        request.extensions_mut().insert(pace.clone());
        let request = request.map(|body| match body.is_end_stream() {
            true => Body::empty(),
            false => Body::new(Paced::new(body, self.limits, pace)),
        });
        let Ok(response) = self.router.clone().oneshot(request).await;
        Ok(response.map(|body| Sent { body, stage }))
    }
}

/// The body of an answer. Once it is dropped, the connection waits for a request.
struct Sent {
    body: Body,
    stage: Arc<Stage>,
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.stage.ends();
    }
}

impl hyper::body::Body for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
