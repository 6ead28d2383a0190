//! Which way a request goes: straight to the site, or over a proxy.

use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Proxy, StatusCode, Url};

use crate::settings::{ProxyUrl, WorkerSettings};

/// Marks of an answer that a proxy made itself, in the site's place.
const MADE_BY_PROXY: [HeaderName; 1] = [
    // www.squid-cache.org: on every error page of Squid.
    HeaderName::from_static("x-squid-error"),
];
/// RFC 9209: what each proxy on the way did. With `error`, the answer is the proxy's.
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Chooses the way of each request.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    settings: WorkerSettings,
}

impl Route {
    pub(crate) fn new(settings: &WorkerSettings) -> Self {
        Self { settings: settings.clone() }
    }

    /// The proxy over which this URL is asked for.
    pub(crate) fn proxy_for(&self, url: &Url) -> Option<&ProxyUrl> {
        self.settings.proxy.as_ref().or_else(|| self.settings.environment.proxy_for(url))
    }

    /// Whether a host is one of the proxies. Its address may be anywhere.
    pub(crate) fn is_proxy(&self, host: &str) -> bool {
        let mut proxies = self.settings.proxy.iter().chain(self.settings.environment.all());
        proxies.any(|proxy| proxy.host().eq_ignore_ascii_case(host))
    }

    /// The same choice for reqwest; `None`: there is nothing to choose.
    pub(crate) fn as_reqwest_proxy(&self) -> Option<Proxy> {
        if self.settings.proxy.is_none() && self.settings.environment.is_empty() {
            return None;
        }
        let route = self.clone();
        Some(Proxy::custom(move |url| route.proxy_for(url).map(|proxy| proxy.as_url().clone())))
    }
}

/// Whether an answer to a plain http request comes from the proxy and not from the site. 502, 503 and 504 without
/// a mark are taken for the site's: most proxies pass such answers on, and the others cannot be told apart.
pub(super) fn made_by_proxy(status: StatusCode, headers: &HeaderMap) -> bool {
    if !status.is_server_error() {
        return false;
    }
    MADE_BY_PROXY.iter().any(|mark| headers.contains_key(mark))
        || headers.get_all(PROXY_STATUS).iter().any(|value| names_error(value.as_bytes()))
}

/// Whether one of the members has the parameter `error` (RFC 9209 §2.1.1).
fn names_error(status: &[u8]) -> bool {
    let text = String::from_utf8_lossy(status);
    text.split([',', ';']).any(|part| part.trim().starts_with("error="))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn only_a_mark_makes_an_answer_the_proxys() {
        let headers = |name: &'static str, value: &'static str| {
            HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))])
        };
        let bad_gateway = StatusCode::BAD_GATEWAY;
        assert!(made_by_proxy(bad_gateway, &headers("proxy-status", "cache.example; error=dns_timeout")));
        assert!(made_by_proxy(bad_gateway, &headers("x-squid-error", "ERR_CONNECT_FAIL 111")));
        assert!(!made_by_proxy(bad_gateway, &headers("proxy-status", "cache.example; received-status=502")));
        assert!(!made_by_proxy(bad_gateway, &headers("via", "1.1 cache.example")));
        assert!(!made_by_proxy(StatusCode::OK, &headers("x-squid-error", "none")));
        assert!(!made_by_proxy(bad_gateway, &HeaderMap::new()));
    }
}
