//! `/live` and `/ready` for orchestrators, from the role's real state.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::exit::Failure;

/// What `/ready` answers: `Err` says what is missing.
pub(crate) type Ready = Result<(), &'static str>;

/// Serves until dropped. Without an address nothing is served.
pub(crate) async fn serve(
    address: Option<SocketAddr>,
    ready: impl Fn() -> Ready + Send + Sync + 'static,
) -> Result<Option<AbortOnDropHandle<()>>, Failure> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| Failure::usage(format!("cannot serve --health-addr {address}: {error}")))?;
    let ready = Arc::new(ready);
    let app = Router::new().route("/live", get(async || "live\n")).route(
        "/ready",
        get(async move || match ready() {
            Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
            Err(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("{missing}\n")),
        }),
    );
    let server = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(%error, "the health address is no longer served");
        }
    });
    Ok(Some(AbortOnDropHandle::new(server)))
}
