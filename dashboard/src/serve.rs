use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::ports::Ports;
use crate::settings::DashboardSettings;
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
        Self { app: App(Arc::new(Shared { settings, ports, stop })) }
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
        let base = self.app.settings.base_path.to_string();
        let routes = Router::new()
            .merge(pages::routes())
            .nest("/api/v1", api::routes())
            .nest("/feed", feeds::routes())
            .with_state(self.app.clone());
        if base.is_empty() { routes } else { Router::new().nest(&base, routes) }
    }
}
