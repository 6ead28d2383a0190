//! Where a request comes from. What proxies say counts only if the operator trusts them.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;

/// Whoever sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    /// Its address.
    pub(super) address: IpAddr,
    /// Whether a proxy says that it came over https.
    pub(super) is_secure: bool,
}

impl Client {
    pub(super) fn of(extensions: &Extensions, headers: &HeaderMap, proxies: &[IpNet]) -> Self {
        let peer =
            extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical());
        // There always is one. Without it nobody is trusted.
        let peer = peer.unwrap_or(IpAddr::from([0, 0, 0, 0]));
        if !is_trusted(peer, proxies) {
            return Self { address: peer, is_secure: false };
        }
        let is_secure =
            last(headers, "x-forwarded-proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
        Self { address: forwarded_for(headers, proxies).unwrap_or(peer), is_secure }
    }
}

fn is_trusted(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|network| network.contains(&address))
}

/// Each proxy adds the address that it saw at the end. So the last one that is no proxy of ours is the client.
fn forwarded_for(headers: &HeaderMap, proxies: &[IpNet]) -> Option<IpAddr> {
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
    let addresses = lines.iter().flat_map(|line| line.split(',')).rev();
    let mut seen = None;
    for text in addresses {
        let address = text.trim().parse::<IpAddr>().ok()?.to_canonical();
        seen = Some(address);
        if !is_trusted(address, proxies) {
            break;
        }
    }
    seen
}

fn last<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get_all(name).iter().next_back()?.to_str().ok()?.rsplit(',').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let proxies: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let client = |peer: &str, headers: &[(&'static str, &'static str)]| {
            let mut extensions = Extensions::new();
            extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
            let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            let client = Client::of(&extensions, &headers.collect(), &proxies);
            (client.address.to_string(), client.is_secure)
        };
        let says = [("x-forwarded-for", "6.6.6.6, 7.7.7.7, 10.1.1.1"), ("x-forwarded-proto", "https")];
        assert_eq!(client("1.2.3.4", &says), ("1.2.3.4".to_owned(), false));
        assert_eq!(client("10.0.0.1", &says), ("7.7.7.7".to_owned(), true));
        assert_eq!(client("::ffff:10.0.0.1", &says), ("7.7.7.7".to_owned(), true));
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "nonsense")]), ("10.0.0.1".to_owned(), false));
        assert_eq!(
            client("10.0.0.1", &[("x-forwarded-proto", "https, http")]),
            ("10.0.0.1".to_owned(), false)
        );
    }
}
