use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

/// The URL of an HTTP proxy (RFC 9110 §3.7), such as `http://user:password@proxy.internal:3128`.
///
/// `Display` and `Debug` leave the user out, so that a password cannot reach a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProxyUrl(Url);

/// A text that is not a [`ProxyUrl`]. Never quotes it: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a proxy is written as http://host:port or https://host:port")]
pub struct BadProxyUrl;

impl ProxyUrl {
    /// The whole URL, user included: for connecting alone.
    pub(crate) fn as_url(&self) -> &Url {
        &self.0
    }

    /// Its host.
    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether it is talked to over TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl FromStr for ProxyUrl {
    type Err = BadProxyUrl;

    fn from_str(text: &str) -> Result<Self, BadProxyUrl> {
        let url = Url::parse(text.trim()).map_err(|_| BadProxyUrl)?;
        if matches!(url.scheme(), "http" | "https") { Ok(Self(url)) } else { Err(BadProxyUrl) }
    }
}

impl TryFrom<String> for ProxyUrl {
    type Error = BadProxyUrl;
    fn try_from(text: String) -> Result<Self, BadProxyUrl> {
        text.parse()
    }
}

impl From<ProxyUrl> for String {
    fn from(url: ProxyUrl) -> Self {
        url.0.into()
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.0.port_or_known_default().unwrap_or_default();
        write!(f, "{}://{}:{port}", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_http_url_whose_password_is_never_shown() {
        let proxy: ProxyUrl = "http://me:secret@proxy.internal:3128".parse().unwrap();
        assert_eq!(proxy.to_string(), "http://proxy.internal:3128");
        assert!(proxy.as_url().as_str().contains("secret") && !format!("{proxy:?}").contains("secret"));
        assert_eq!("proxy.internal".parse::<ProxyUrl>(), Err(BadProxyUrl));
        assert_eq!("socks5://proxy.internal:1080".parse::<ProxyUrl>(), Err(BadProxyUrl));
    }
}
