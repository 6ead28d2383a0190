//! The one HTTP client of a worker.
//!
//! What reqwest would do by itself is switched off: proxies of the environment (they would bypass the resolver
//! and with it the safety check, so only the operator's setting brings one in), redirects and retries (they
//! would not be seen), the Referer.

use std::time::Duration;

use linkbeat_shared::Phase;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder, Proxy, redirect, retry};
use tower::util::MapFutureLayer;

use super::progress;
use super::resolver::Resolver;
use super::tls;
use crate::settings::WorkerSettings;
use crate::setup::SetupError;

/// Links of one host come together, so a kept connection serves soon or never; until then its buffers
/// are what most of a large run's memory is.
const IDLE_TIMEOUT: Duration = Duration::from_millis(200);
/// Connections kept per host.
pub(super) const IDLE_PER_HOST: usize = 2;

/// Makes the client.
pub(super) fn client(settings: &WorkerSettings, resolver: Resolver) -> Result<Client, SetupError> {
    let user_agent = HeaderValue::from_str(&settings.user_agent)
        .map_err(|_| SetupError::UserAgent(settings.user_agent.clone()))?;
    let proxy = settings.proxy.as_ref().map(|proxy| Proxy::all(proxy.expose())).transpose()?;
    let client = Client::builder()
        .tls_backend_preconfigured(tls::config(settings.extra_ca.as_deref())?)
        .dns_resolver(resolver)
        .user_agent(user_agent)
        .default_headers(headers(settings))
        .no_proxy()
        .referer(false)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        // A kept connection shows no certificate again.
        .tls_info(true)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        // Browsers show such pages, so they are up.
        .http1_ignore_invalid_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        // A check's own deadline comes first. This one ends connections whose check is gone: hyper goes
        // on with them in the background once a kept connection has served the check.
        .connect_timeout(settings.max_timeout.duration())
        .connector_layer(MapFutureLayer::new(|connecting| async move {
            progress::connection_begins();
            let connected = connecting.await;
            progress::enter(Phase::Headers);
            connected
        }));
    Ok(proxy.into_iter().fold(client, ClientBuilder::proxy).build()?)
}

/// What every request says: what a browser would accept, then what the operator adds or has instead.
fn headers(settings: &WorkerSettings) -> HeaderMap {
    let accept = HeaderValue::from_static("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
    let mut headers = HeaderMap::from_iter([(ACCEPT, accept)]);
    for header in &settings.headers {
        let mut value = header.value.clone();
        value.set_sensitive(true);
        headers.insert(header.name.clone(), value);
    }
    headers
}
