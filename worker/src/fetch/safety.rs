//! Which addresses may be dialled: public ones, and those the operator allows.
//!
//! Whoever files a request chooses the names, so a name may lead into our own networks. The decision is
//! made on the address about to be dialled, never on the name: an answer that changes between two
//! look-ups (DNS rebinding) gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Not public. IANA IPv4 Special-Purpose Address Registry, multicast (RFC 5771), and 168.63.129.16,
/// a cloud's inside on a public address.
const UNSAFE_V4: [Ipv4Net; 16] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
    v4([168, 63, 129, 16], 32),
];

/// The whole of the global unicast space handed out so far (RFC 4291 §2.4).
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0], 3);
/// Not public within it. IANA IPv6 Special-Purpose Address Registry.
const UNSAFE_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0, 0, 0], 23),
    v6([0x2001, 0xdb8, 0, 0], 32),
    v6([0x2002, 0, 0, 0], 16),
    v6([0x3fff, 0, 0, 0], 20),
];
/// An IPv4 address in its last 32 bits, behind a translator (RFC 6052 §2.1).
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0], 96);

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6([a, b, c, d]: [u16; 4], length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), length)
}

/// Decides which addresses may be dialled.
#[derive(Debug)]
pub(crate) struct Safety {
    allowed: Vec<IpNet>,
}

impl Safety {
    /// Public addresses and these networks.
    pub(crate) fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Whether this address may be dialled.
    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        is_public(address) || self.allowed.iter().any(|network| network.contains(&address))
    }
}

/// Whether everybody on the internet means the same host by this address.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) if NAT64.contains(&address) => {
            let [.., a, b, c, d] = address.octets();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // IPv4-mapped addresses (::ffff:0:0/96) fall through here: never public.
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !UNSAFE_V6.iter().any(|network| network.contains(&address))
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !UNSAFE_V4.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTRIES: [&str; 2] = [
        include_str!("../../tests/data/iana-ipv4-special-registry-2026-07-18.csv"),
        include_str!("../../tests/data/iana-ipv6-special-registry-2026-07-18.csv"),
    ];

    /// The comma-separated fields of one line, quotes undone as far as these files need it.
    fn fields(line: &str) -> Vec<String> {
        let mut quoted = false;
        let mut fields = vec![String::new()];
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ',' if !quoted => fields.push(String::new()),
                c => fields.last_mut().unwrap().push(c),
            }
        }
        fields
    }

    #[test]
    fn every_special_block_that_is_not_globally_reachable_is_refused() {
        let mut refused = 0;
        for line in REGISTRIES.iter().flat_map(|registry| registry.lines().skip(1)) {
            let fields = fields(line);
            assert_eq!(fields.len(), 10, "{line}");
            if fields[8].starts_with("True") {
                continue;
            }
            for block in fields[0].split(", ") {
                let block: IpNet = block.split(' ').next().unwrap().parse().unwrap();
                let (first, last) = (block.network(), block.broadcast());
                assert!(!is_public(first) && !is_public(last), "{block}");
                refused += 1;
            }
        }
        assert!(refused >= 35, "only {refused} blocks were read");
    }

    #[test]
    fn public_addresses_are_admitted_whatever_their_spelling() {
        let admits = |text: &str| Safety::new(Vec::new()).admits(text.parse().unwrap());
        for public in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101"] {
            assert!(admits(public), "{public}");
        }
        for unsafe_one in
            ["64:ff9b::7f00:1", "::ffff:1.1.1.1", "::ffff:127.0.0.1", "168.63.129.16", "224.0.0.1"]
        {
            assert!(!admits(unsafe_one), "{unsafe_one}");
        }
    }

    #[test]
    fn an_allowed_network_is_opened_and_nothing_else() {
        let safety = Safety::new(vec!["127.0.0.0/8".parse().unwrap()]);
        assert!(safety.admits("127.1.2.3".parse().unwrap()));
        assert!(!safety.admits("10.0.0.1".parse().unwrap()));
        assert!(!safety.admits("::1".parse().unwrap()));
    }
}
