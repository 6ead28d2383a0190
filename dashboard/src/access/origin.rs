//! Whether a request that changes something comes from a page of our own.
//!
//! Browsers say it: in `Sec-Fetch-Site` (Fetch Metadata), and where they do not send that (plain http), in `Origin`. What
//! says neither is no browser, and carries no cookie that it was not given. So no token in each form is needed. Go 1.25
//! and Sidekiq 8 do the same.

use std::fmt;
use std::str::FromStr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, header};
use url::Url;

/// An origin whose pages may send forms here, such as `https://links.example.org`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedOrigin(String);

/// A text that is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an origin is written as https://links.example.org, with a port if it is unusual, and without a path"
)]
pub struct BadOrigin;

impl FromStr for TrustedOrigin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, BadOrigin> {
        let url = Url::parse(text.trim()).map_err(|_| BadOrigin)?;
        let is_plain = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none();
        if is_plain { Ok(Self(url.origin().ascii_serialization())) } else { Err(BadOrigin) }
    }
}

impl fmt::Display for TrustedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a method changes nothing (RFC 9110 §9.2.1).
pub(super) fn only_reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether a request was made by a page of another site.
pub(super) fn is_foreign(headers: &HeaderMap, host: Option<&Authority>, trusted: &[TrustedOrigin]) -> bool {
    let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or("null"));
    if origin.is_some_and(|origin| trusted.iter().any(|trusted| trusted.0 == origin)) {
        return false;
    }
    if let Some(site) = headers.get("sec-fetch-site") {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = origin else { return false };
    let origin = Url::parse(origin).ok();
    let Some((origin, host)) = origin.as_ref().zip(host) else { return true };
    // Where the host names no port, it is that of the origin's scheme.
    let port = host.port_u16().or_else(|| default_port(origin.scheme()));
    let same_host = origin.host_str().is_some_and(|name| name.eq_ignore_ascii_case(host.host()));
    !(same_host && origin.port_or_known_default() == port)
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_other_sites_are_known() {
        let trusted = ["https://links.example/".parse().unwrap()];
        let host: Authority = "127.0.0.1:8080".parse().unwrap();
        for (site, origin, foreign) in [
            (None, None, false),
            (Some("same-origin"), Some("http://127.0.0.1:8080"), false),
            (Some("same-origin"), Some("https://behind-a-proxy.example"), false),
            (Some("none"), None, false),
            (Some("same-site"), Some("http://127.0.0.1:9000"), true),
            (Some("cross-site"), Some("https://evil.example"), true),
            (Some("cross-site"), None, true),
            (Some("cross-site"), Some("https://links.example"), false),
            (None, Some("http://127.0.0.1:8080"), false),
            (None, Some("http://127.0.0.1:9000"), true),
            (None, Some("http://127.0.0.1"), true),
            (None, Some("https://links.example"), false),
            (None, Some("https://links.example.evil"), true),
            (None, Some("null"), true),
            (None, Some(""), true),
        ] {
            let pairs = [("sec-fetch-site", site), ("origin", origin)];
            let headers = pairs.into_iter().filter_map(|(name, value)| Some((name, value?)));
            let headers =
                headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            assert_eq!(is_foreign(&headers, Some(&host), &trusted), foreign, "{site:?} {origin:?}");
        }
        let headers =
            [("origin".parse().unwrap(), "https://links.example.org".parse().unwrap())].into_iter().collect();
        assert!(!is_foreign(&headers, Some(&"links.example.org".parse().unwrap()), &[]));
        assert!(is_foreign(&headers, None, &[]));
        for text in
            ["links.example", "ftp://a", "https://me:pw@a", "https://a/b", "https://a/?b", "https://a/#b"]
        {
            assert!(text.parse::<TrustedOrigin>().is_err(), "{text}");
        }
    }
}
