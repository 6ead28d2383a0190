//! Serves `/live` and `/ready` for orchestrators.
//!
//! `/ready`: may work be given to this process? It says of each part how long ago it last succeeded. `/live`: should
//! this process be restarted? It fails only if a restart would help. A server that is away is no reason for one.
//!
//! A thread with a runtime of its own watches and answers. So it still answers when the role's runtime hangs, and
//! says so.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

use crate::activity::Activity;
use crate::vitals::Vitals;

/// How often the parts are read, and the role's runtime shows that it goes on.
const OBSERVE_EVERY: Duration = Duration::from_millis(500);

/// Serves until it is dropped.
#[derive(Debug)]
pub struct Served {
    _stop: DropGuard,
    _beating: AbortOnDropHandle<()>,
}

impl Vitals {
    /// Serves the role's state at this address. To be called on the role's runtime.
    ///
    /// # Errors
    /// The address cannot be taken.
    pub fn serve(self, address: SocketAddr) -> io::Result<Served> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let stop = CancellationToken::new();
        let beating = AbortOnDropHandle::new(tokio::spawn(beat(self.runtime().clone())));
        let (stopped, vitals) = (stop.clone(), Arc::new(Mutex::new(self)));
        std::thread::Builder::new().name("linkbeat-health".to_owned()).spawn(move || {
            if let Err(error) = answer(listener, &vitals, &stopped) {
                tracing::error!(%error, "the health address is not served");
            }
        })?;
        Ok(Served { _stop: stop.drop_guard(), _beating: beating })
    }
}

/// Shows that the runtime it runs on goes on.
async fn beat(runtime: Activity) {
    loop {
        runtime.begin().succeed();
        tokio::time::sleep(OBSERVE_EVERY).await;
    }
}

fn answer(listener: TcpListener, vitals: &Arc<Mutex<Vitals>>, stop: &CancellationToken) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let serving = async { axum::serve(listener, routes(vitals)).await };
        let observing = async {
            loop {
                observe_and(vitals, |_, _| ());
                tokio::time::sleep(OBSERVE_EVERY).await;
            }
        };
        tokio::select! {
            served = serving => served,
            () = observing => Ok(()),
            () = stop.cancelled() => Ok(()),
        }
    })
}

fn routes(vitals: &Arc<Mutex<Vitals>>) -> Router {
    let (live, ready) = (Arc::clone(vitals), Arc::clone(vitals));
    let live = get(async move || match observe_and(&live, Vitals::live) {
        Ok(()) => (StatusCode::OK, "live\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    });
    let ready = get(async move || {
        let state = observe_and(&ready, Vitals::ready);
        let status = if state.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let body = serde_json::to_string_pretty(&state).unwrap_or_default();
        (status, [(CONTENT_TYPE, "application/json")], body + "\n")
    });
    Router::new().route("/live", live).route("/ready", ready)
}

/// Reads all parts, and then judges them.
fn observe_and<T>(vitals: &Mutex<Vitals>, judge: impl FnOnce(&Vitals, Instant) -> T) -> T {
    let mut vitals = vitals.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    vitals.observe(now);
    judge(&vitals, now)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_runtime_that_hangs_is_told_by_the_thread_beside_it() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let _served = runtime.block_on(async { Vitals::new("recorder").serve(address) }).unwrap();
        let (go_on, hold) = std::sync::mpsc::channel::<()>();
        let status = |path: &str| {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer.split(' ').nth(1).unwrap().to_owned()
        };
        let becomes = |expected: &str| {
            let deadline = Instant::now() + Duration::from_secs(40);
            while status("/live") != expected {
                assert!(Instant::now() < deadline, "/live never becomes {expected}");
                std::thread::sleep(Duration::from_millis(200));
            }
        };
        becomes("200");
        // The only worker thread waits for the test.
        runtime.spawn(async move { hold.recv() });
        becomes("503");
        assert_eq!(status("/ready"), "503");
        go_on.send(()).unwrap();
        becomes("200");
    }
}
