//! Connections: how many there may be, and how long each may take over what it does.
//!
//! A server that waits for its clients without end can be stopped by a few of them that are slow on purpose. So everything
//! that a client may draw out has a limit here ([`Limits`]), and so has the number of connections ([`Seats`]).

mod limits;
mod paced;
mod refused;
mod seats;
mod served;
mod stage;
mod watched;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

pub use limits::Limits;
pub(crate) use paced::Pace;
use refused::Refused;
use seats::Seats;

/// How long requests under way may take once the dashboard stops.
const DRAIN: Duration = Duration::from_secs(3);

/// How long to wait if no connection can be accepted: mostly because the process has too many files open.
const PAUSE: Duration = Duration::from_millis(500);

/// Serves connections until `stop`, and then what is under way.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    most: usize,
    limits: Limits,
    stop: CancellationToken,
) {
    let (seats, mut refused, mut open) = (Seats::new(most), Refused::default(), JoinSet::new());
    loop {
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = open.join_next() => continue,
            accepted = accept(&listener) => accepted,
        };
        match seats.take() {
            Some(seat) => {
                let served = served::Served { router: router.clone(), peer, limits };
                open.spawn(served.run(stream, seat, stop.clone()));
            }
            None => refused.tell(stream),
        }
    }
    drop(listener);
    let ended = timeout(DRAIN, async { while open.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        tracing::debug!(connections = open.len(), "cut what was under way when the dashboard stopped");
    }
}

/// The next connection. What fails is tried again.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // The client has gone again.
            Err(error) if is_of_client(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "the dashboard cannot accept a connection; trying again");
                sleep(PAUSE).await;
            }
        }
    }
}

fn is_of_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
