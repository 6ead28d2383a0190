//! `/live` and `/ready` for orchestrators, from the role's real progress.
//!
//! They are served, and progress is looked at, by a thread and a runtime of their own: so they still answer,
//! and tell it, when the role's own runtime hangs. `/ready`: may work be given to this process? It says of each
//! part how long ago it last succeeded. `/live`: should this process be started again? Only for what a new
//! start would help against, which a server that is away is not.

mod trace;
mod vitals;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use linkbeat_vitals::Activity;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

pub(crate) use self::vitals::{Checking, Vitals};
use crate::exit::Failure;

/// How often progress is looked at, and the role's runtime shows that it goes on.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Serves until dropped.
pub(crate) struct Served {
    _stop: DropGuard,
    _beating: AbortOnDropHandle<()>,
}

/// Serves the role's state. Without an address nothing is served.
pub(crate) fn serve(address: Option<SocketAddr>, vitals: Vitals) -> Result<Option<Served>, Failure> {
    let Some(address) = address else { return Ok(None) };
    let failed = |error| Failure::usage(format!("cannot serve --health-addr {address}: {error}"));
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let stop = CancellationToken::new();
    let beating = AbortOnDropHandle::new(tokio::spawn(beat(vitals.runtime().clone())));
    let (stopped, vitals) = (stop.clone(), Arc::new(Mutex::new(vitals)));
    std::thread::Builder::new()
        .name("linkbeat-health".to_owned())
        .spawn(move || {
            if let Err(error) = answer(listener, &vitals, &stopped) {
                tracing::error!(%error, "the health address is not served");
            }
        })
        .map_err(failed)?;
    Ok(Some(Served { _stop: stop.drop_guard(), _beating: beating }))
}

/// Shows that the runtime it runs on goes on.
async fn beat(runtime: Activity) {
    loop {
        runtime.begin().succeed();
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn answer(listener: TcpListener, vitals: &Arc<Mutex<Vitals>>, stop: &CancellationToken) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let serving = async { axum::serve(listener, routes(vitals)).await };
        let looking = async {
            loop {
                look(vitals, |_, _| ());
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            served = serving => served,
            () = looking => Ok(()),
            () = stop.cancelled() => Ok(()),
        }
    })
}

fn routes(vitals: &Arc<Mutex<Vitals>>) -> Router {
    let (live, ready) = (Arc::clone(vitals), Arc::clone(vitals));
    let live = get(async move || match look(&live, |vitals, now| vitals.live(now)) {
        Ok(()) => (StatusCode::OK, "live\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    });
    let ready = get(async move || {
        let state = look(&ready, |vitals, now| vitals.ready(now));
        let status = if state.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let body = serde_json::to_string_pretty(&state).unwrap_or_default();
        (status, [(CONTENT_TYPE, "application/json")], body + "\n")
    });
    Router::new().route("/live", live).route("/ready", ready)
}

/// Looks at everything, and then judges.
fn look<T>(vitals: &Mutex<Vitals>, judge: impl FnOnce(&Vitals, Instant) -> T) -> T {
    let mut vitals = vitals.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    vitals.look(now);
    judge(&vitals, now)
}

#[cfg(test)]
mod tests;
