//! Whether redirects left the link's domain.
//!
//! A registrable domain is a public suffix and one more label, by the Public Suffix List (publicsuffix.org). So
//! `www.a.co.uk` and `a.co.uk` are one domain, and `a.github.io` and `b.github.io` are two.

use std::net::Ipv4Addr;

/// Whether the two hosts belong to different registrable domains. Hosts are in canonical form, as in URLs. Two hosts
/// without such a domain, as addresses are, may be one machine: nothing is said of them.
pub(super) fn moved(from: &str, to: &str) -> bool {
    match (registrable(from), registrable(to)) {
        (None, None) => false,
        (from, to) => from != to,
    }
}

fn registrable(host: &str) -> Option<&str> {
    if is_address(host) { None } else { psl::domain_str(host) }
}

fn is_address(host: &str) -> bool {
    host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_told_by_the_public_suffix_list() {
        for (from, to) in [
            ("a.example", "www.a.example"),
            ("blog.a.co.uk", "a.co.uk"),
            ("a.com.cn", "m.a.com.cn"),
            ("a.github.io", "a.github.io"),
            ("127.0.0.1", "127.0.0.1"),
            ("xn--fiqs8s", "xn--fiqs8s"),
            ("www.xn--fsq.xn--55qx5d.cn", "xn--fsq.xn--55qx5d.cn"),
            ("localhost", "localhost"),
            ("127.0.0.1", "localhost"),
            ("127.0.0.1", "127.0.0.2"),
            ("[::1]", "127.0.0.1"),
        ] {
            assert!(!moved(from, to), "{from} to {to}");
        }
        for (from, to) in [
            ("a.example", "b.example"),
            ("a.co.uk", "b.co.uk"),
            ("a.github.io", "b.github.io"),
            ("a.github.io", "github.com"),
            ("a.example", "127.0.0.1"),
            ("a.xn--55qx5d.cn", "b.xn--55qx5d.cn"),
        ] {
            assert!(moved(from, to), "{from} to {to}");
        }
    }
}
