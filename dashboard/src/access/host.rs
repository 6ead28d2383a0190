//! The names under which the dashboard may be asked.
//!
//! Where only this machine reaches the dashboard and there is no password, a page of any site could still reach it over
//! the browser: its name is made to lead to 127.0.0.1 (DNS rebinding). Such a request names that site as its host.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};

/// A host name or an address, without a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

/// A text that is no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a host is written as a name or an address without a port, such as links.example.org")]
pub struct BadHost;

impl FromStr for HostName {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        let host = text.trim().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let is_name =
            !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if is_name || host.parse::<IpAddr>().is_ok() { Ok(Self(host)) } else { Err(BadHost) }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The host and port that a request names (RFC 9112 §3.3).
pub(super) fn of_request(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let named = || headers.get(header::HOST)?.to_str().ok()?.parse().ok();
    uri.authority().cloned().or_else(named)
}

/// Whether this is this machine, or one of these names.
pub(super) fn is_ours(host: &Authority, ours: &[HostName]) -> bool {
    let Ok(HostName(host)) = host.host().parse() else { return false };
    let is_here = match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        // Browsers lead these to this machine themselves (RFC 6761 §6.3).
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    };
    is_here || ours.iter().any(|name| name.0 == host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_here_is_not_ours_unless_we_say_so() {
        let ours = ["links.example".parse().unwrap()];
        for (host, is_here) in [
            ("127.0.0.1:8080", true),
            ("127.1.2.3", true),
            ("[::1]:8080", true),
            ("[::ffff:127.0.0.1]", true),
            ("localhost:1", true),
            ("LOCALHOST", true),
            ("app.localhost", true),
            ("links.example:443", true),
            ("Links.Example", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("links.example.evil.example", false),
            ("192.168.0.1", false),
            ("0.0.0.0", false),
        ] {
            assert_eq!(is_ours(&host.parse().unwrap(), &ours), is_here, "{host}");
        }
        for text in ["", "a b", "links.example:80", "https://links.example", "a/b", "me@host"] {
            assert!(text.parse::<HostName>().is_err(), "{text}");
        }
    }
}
