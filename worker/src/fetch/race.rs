//! Happy eyeballs (RFC 8305): where the first address of a host does not answer, the next one is dialled after
//! 250 ms, or at once if the first one failed.
//!
//! reqwest dials its addresses one after the other and shares one timeout among them. So it is given one address
//! at a time, and a further address is a further request. The first request that gets a connection goes on, and
//! no other is begun then.

use std::net::IpAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use reqwest::{Error, RequestBuilder, Response};
use tokio::time::{Instant, sleep_until, timeout};

use super::progress;

/// RFC 8305 §5: the Connection Attempt Delay.
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// How one attempt ended.
struct Ended {
    number: usize,
    result: Result<Response, Error>,
    /// It had a connection, so what came over it is the answer.
    connected: bool,
}

type Attempts<'a> = FuturesUnordered<BoxFuture<'a, Ended>>;

/// Sends a request to the first address that takes a connection. `request` is called for each address.
pub(super) async fn send(request: impl Fn() -> RequestBuilder + Sync) -> Result<Response, Error> {
    let mut first: BoxFuture<'_, Ended> = Box::pin(attempt(0, request(), None));
    let (running, ended) = match timeout(NEXT_AFTER, &mut first).await {
        Ok(ended) if ended.result.is_ok() || ended.connected || progress::address(1).is_none() => {
            return ended.result;
        }
        Ok(ended) => (Attempts::new(), Some(ended.result)),
        Err(_) => (Attempts::from_iter([first]), None),
    };
    // In a box: few requests come here, and all would be larger for it.
    Box::pin(go_on(&request, running, ended)).await
}

/// Dials further addresses, until one of them gives an answer or none is left. `first_failed`: how the attempt with
/// the first address ended; it explains most.
async fn go_on<'a>(
    request: &'a (impl Fn() -> RequestBuilder + Sync),
    mut running: Attempts<'a>,
    mut first_failed: Option<Result<Response, Error>>,
) -> Result<Response, Error> {
    let mut begun = 1;
    loop {
        let next = progress::address(begun).filter(|_| !progress::is_connected());
        if running.is_empty()
            && next.is_none()
            && let Some(failed) = first_failed
        {
            return failed;
        }
        let at_once = running.is_empty();
        tokio::select! {
            biased;
            Some(ended) = running.next() => {
                if ended.result.is_ok() || ended.connected {
                    return ended.result;
                }
                if ended.number == 0 {
                    first_failed = Some(ended.result);
                }
            }
            () = due(begun, at_once), if !progress::is_connected() => {
                if let Some(address) = next {
                    running.push(Box::pin(attempt(begun, request(), Some(address))));
                    begun += 1;
                }
            }
        }
    }
}

/// Until the next address may be dialled: at once where no attempt is left.
async fn due(begun: usize, at_once: bool) {
    if at_once {
        return;
    }
    let delay = NEXT_AFTER * u32::try_from(begun).unwrap_or(u32::MAX);
    match progress::dialled_at().map(|at| at + delay).filter(|due| *due > Instant::now()) {
        Some(due) => sleep_until(due).await,
        // The name is still being looked up, or there is no further address.
        None if progress::address(begun).is_none() => tokio::time::sleep(NEXT_AFTER).await,
        None => {}
    }
}

async fn attempt(number: usize, request: RequestBuilder, address: Option<IpAddr>) -> Ended {
    let (result, connected) = progress::attempt(address, request.send()).await;
    Ended { number, result, connected }
}
