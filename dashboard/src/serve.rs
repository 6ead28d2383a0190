use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::access::{self, Access, Unprotected};
use crate::connections::{self, Limits};
use crate::live::{self, Live};
use crate::pages::Groups;
use crate::ports::Ports;
use crate::settings::DashboardSettings;
use crate::{api, feeds, pages};

/// The dashboard, ready to be served.
#[derive(Debug)]
pub struct Dashboard {
    app: App,
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
    pub(crate) totals: feeds::Totals,
    /// Cancelled when the dashboard stops: streams end then.
    pub(crate) stop: CancellationToken,
    /// What goes on, for the pages that show it.
    pub(crate) live: Live,
    /// The groups that the filter of links offers.
    pub(crate) groups: Groups,
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
        let (stop, access) = (CancellationToken::new(), Access::new(&settings));
        let live = Live::new(settings.connections);
        Ok(Self {
            app: App(Arc::new(Shared {
                settings,
                ports,
                access,
                totals: feeds::Totals::default(),
                stop,
                live,
                groups: Groups::default(),
            })),
            limits: Limits::default(),
        })
    }

    /// The same with other limits for its clients.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Serves until `shutdown`, and then what is under way.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let stop = self.app.stop.clone();
        let stopping = {
            let stop = stop.clone();
            AbortOnDropHandle::new(tokio::spawn(async move {
                shutdown.cancelled().await;
                stop.cancel();
            }))
        };
        let _poller = AbortOnDropHandle::new(tokio::spawn(live::poll(self.app.clone())));
        let _asker = AbortOnDropHandle::new(tokio::spawn(live::ask_broker(self.app.clone())));
        let most = self.app.settings.connections.get() as usize;
        connections::serve(listener, self.service(), most, self.limits, stop).await;
        drop(stopping);
    }

    /// The gate stands around the whole router, so that it can ask the router before a handler runs. It takes the base path
    /// away.
    fn service(&self) -> Router {
        let gate = from_fn_with_state(self.app.clone(), access::gate);
        Router::new().fallback_service(self.routes()).layer(gate)
    }

    fn routes(&self) -> Router {
        Router::new()
            .merge(pages::routes(&self.app))
            .merge(api::routes(&self.app))
            .merge(feeds::routes(&self.app))
            .with_state(self.app.clone())
    }
}
