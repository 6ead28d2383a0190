use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::access::{self, Access, Unprotected};
use crate::connections::{self, Limits};
use crate::counts::Counts;
use crate::live::{self, Live};
use crate::ports::Ports;
use crate::settings::DashboardSettings;
use crate::{api, feeds, pages};

/// The dashboard, ready to be served.
#[derive(Debug)]
pub struct Dashboard {
    settings: DashboardSettings,
    ports: Ports,
    limits: Limits,
}

/// What every handler gets.
#[derive(Debug, Clone)]
pub(crate) struct App(Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: DashboardSettings,
    pub(crate) ports: Ports,
    pub(crate) access: Access,
    /// The feeds, as they were a moment ago.
    pub(crate) feeds: feeds::Kept,
    /// How many links there are of each kind and group.
    pub(crate) counts: Counts,
    /// Cancelled when the dashboard stops: streams end then.
    pub(crate) stop: CancellationToken,
    /// What goes on, for the pages that show it.
    pub(crate) live: Live,
}

impl App {
    fn new(settings: DashboardSettings, ports: Ports, limits: &Limits) -> Self {
        Self(Arc::new(Shared {
            access: Access::new(&settings, limits.heartbeat),
            feeds: feeds::Kept::new(limits.feeds),
            counts: Counts::default(),
            stop: CancellationToken::new(),
            live: Live::new(settings.connections, limits.heartbeat),
            settings,
            ports,
        }))
    }

    fn routes(&self) -> Router {
        Router::new()
            .merge(pages::routes(self))
            .merge(api::routes(self))
            .merge(feeds::routes(self))
            .with_state(self.clone())
    }

    /// The gate stands around the whole router, so that it can ask the router before a handler runs. It takes the base path
    /// away.
    fn service(&self) -> Router {
        let gate = from_fn_with_state(self.clone(), access::gate);
        Router::new().fallback_service(self.routes()).layer(gate)
    }
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Dashboard {
    /// A dashboard of what these ports lead to.
    ///
    /// # Errors
    /// Anybody could come in from elsewhere, or the database does not say whether there are tokens.
    pub async fn new(settings: DashboardSettings, ports: Ports) -> Result<Self, Unprotected> {
        access::check(&settings, &*ports.store).await?;
        Ok(Self { settings, ports, limits: Limits::default() })
    }

    /// The same with other limits for its clients.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Serves until `shutdown`, and then what is under way.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let app = App::new(self.settings, self.ports, &self.limits);
        let stop = app.stop.clone();
        let stopping = {
            let stop = stop.clone();
            AbortOnDropHandle::new(tokio::spawn(async move {
                shutdown.cancelled().await;
                stop.cancel();
            }))
        };
        let _poller = AbortOnDropHandle::new(tokio::spawn(live::poll(app.clone())));
        let _asker = AbortOnDropHandle::new(tokio::spawn(live::ask_broker(app.clone())));
        let most = app.settings.connections.get() as usize;
        connections::serve(listener, app.service(), most, self.limits, stop).await;
        drop(stopping);
    }
}
