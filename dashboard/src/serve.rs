use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceBuilder;

use crate::live::{self, Live};
use crate::ports::Ports;
use crate::settings::{BasePath, DashboardSettings};
use crate::{api, feeds, pages};

/// How long requests under way may take once the dashboard stops.
const DRAIN: Duration = Duration::from_secs(5);

/// The dashboard, ready to be served.
#[derive(Debug)]
pub struct Dashboard {
    app: App,
}

/// What every handler gets.
#[derive(Debug, Clone)]
pub(crate) struct App(Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: DashboardSettings,
    pub(crate) ports: Ports,
    /// Cancelled when the dashboard stops: streams end then.
    pub(crate) stop: CancellationToken,
    /// What goes on, for the pages that show it.
    pub(crate) live: Live,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Dashboard {
    /// A dashboard of what these ports lead to.
    pub fn new(settings: DashboardSettings, ports: Ports) -> Self {
        let stop = CancellationToken::new();
        Self { app: App(Arc::new(Shared { settings, ports, stop, live: Live::new() })) }
    }

    /// Serves until `shutdown`, and then what is under way.
    ///
    /// # Errors
    /// The listener fails.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
        let stop = self.app.stop.clone();
        let ending = {
            let (stop, shutdown) = (stop.clone(), shutdown.clone());
            async move {
                shutdown.cancelled().await;
                stop.cancel();
            }
        };
        let serving = async { axum::serve(listener, self.routes()).with_graceful_shutdown(ending).await };
        let _poller = AbortOnDropHandle::new(tokio::spawn(live::poll(self.app.clone())));
        let overdue = async {
            stop.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            served = serving => served,
            () = overdue => Ok(()),
        }
    }

    fn routes(&self) -> Router {
        let routes = Router::new()
            .merge(pages::routes(&self.app))
            .nest("/api/v1", api::routes())
            .nest("/feed", feeds::routes())
            .with_state(self.app.clone());
        let base = self.app.settings.base_path.clone();
        let within = ServiceBuilder::new().map_request(move |request| below(&base, request)).service(routes);
        Router::new().fallback_service(within)
    }
}

/// A request as the routes know it: without the base path. Some proxies take that away, and some do not.
fn below(base: &BasePath, mut request: Request) -> Request {
    let uri = request.uri();
    let rest = uri.path_and_query().and_then(|whole| base.without(whole.as_str()));
    if let Some(Ok(path)) = rest.map(|rest| PathAndQuery::from_maybe_shared(rest.into_bytes())) {
        *request.uri_mut() = Uri::from(path);
    }
    request
}
