//! The one HTTP client of a worker.
//!
//! What reqwest would do by itself is switched off: proxies (`route` chooses them), redirects and retries (they
//! would not be seen), the Referer.

use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Client, ClientBuilder, redirect, retry};
use tower::util::MapFutureLayer;

use super::body::OFFERED;
use super::progress;
use super::resolver::Resolver;
use super::route::Route;
use super::tls::Tls;
use crate::settings::WorkerSettings;
use crate::setup::SetupError;

/// Links of one host come together, so a kept connection serves soon or never; until then its buffers
/// are what most of a large run's memory is.
const IDLE_TIMEOUT: Duration = Duration::from_millis(200);
/// Connections kept per host.
pub(super) const IDLE_PER_HOST: usize = 2;

/// Bytes of an answer's headers that a client reads.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub(super) enum Heads {
    /// As all but a few sites have them. No memory is taken for these. This many only over HTTP/2. Over HTTP/1 the limit
    /// is hyper's, which reqwest cannot set: 400 KiB and 100 headers. `lenient` reads those with more.
    Small = 32 << 10,
    /// As many as curl reads. This many only over HTTP/2.
    Large = 300 << 10,
}

/// Bytes of a page that a server may send over HTTP/2 before they are read. The default is 2 MiB, all of which would be
/// kept while a check waits for memory.
const STREAM_WINDOW: u32 = 256 << 10;
/// The same for all pages of one connection.
const CONNECTION_WINDOW: u32 = 512 << 10;

/// Makes the client. `keeps_connections`: there are descriptors enough to keep some for later requests.
pub(super) fn client(
    settings: &WorkerSettings,
    tls: &Tls,
    resolver: Resolver,
    route: &Route,
    (keeps_connections, heads): (bool, Heads),
) -> Result<Client, SetupError> {
    let client = Client::builder()
        .tls_backend_preconfigured(tls.config.clone())
        .dns_resolver(resolver)
        .default_headers(headers(settings)?)
        .no_proxy()
        .referer(false)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        // A kept connection shows no certificate again.
        .tls_info(true)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(if keeps_connections { IDLE_PER_HOST } else { 0 })
        // Browsers show such pages, so they are up.
        .http1_ignore_invalid_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http2_max_header_list_size(heads as u32)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        // A check's own deadline comes first. This one ends connections whose check is gone: hyper goes
        // on with them in the background once a kept connection has served the check.
        .connect_timeout(settings.max_timeout.duration())
        .connector_layer(MapFutureLayer::new(|connecting| async move {
            progress::connection_begins();
            let connected = connecting.await;
            progress::connection_ends(&connected);
            connected
        }));
    let proxy = route.as_reqwest_proxy();
    Ok(proxy.into_iter().fold(client, ClientBuilder::proxy).build()?)
}

/// What every request says: what a browser would accept, then what the operator adds or has instead.
pub(super) fn headers(settings: &WorkerSettings) -> Result<HeaderMap, SetupError> {
    let user_agent = HeaderValue::from_str(&settings.user_agent)
        .map_err(|_| SetupError::UserAgent(settings.user_agent.clone()))?;
    let accept = HeaderValue::from_static("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
    let codings = HeaderValue::from_static(OFFERED);
    let mut headers =
        HeaderMap::from_iter([(ACCEPT, accept), (ACCEPT_ENCODING, codings), (USER_AGENT, user_agent)]);
    for header in &settings.headers {
        let mut value = header.value.clone();
        value.set_sensitive(true);
        headers.insert(header.name.clone(), value);
    }
    Ok(headers)
}
