//! Which name servers to ask, and how: resolv.conf(5), read as glibc reads it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

const PATH: &str = "/etc/resolv.conf";
const PORT: u16 = 53;
/// Limits of glibc's `resolv.h`.
const MAX_SERVERS: usize = 3;
const MAX_ATTEMPTS: usize = 5;
const MAX_DOTS: usize = 15;
const MAX_TIMEOUT: Duration = Duration::from_secs(30);

/// How names are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct System {
    /// In the order in which they are asked.
    pub(super) servers: Vec<SocketAddr>,
    /// Domains below which short names are looked for.
    pub(super) search: Vec<String>,
    /// A name with fewer dots is short.
    pub(super) ndots: usize,
    /// How long one server is waited for.
    pub(super) timeout: Duration,
    /// How often each server is asked.
    pub(super) attempts: usize,
    /// Begin with another server each time.
    pub(super) rotate: bool,
    /// Offer EDNS (RFC 6891).
    pub(super) edns: bool,
    /// Ask over TCP only.
    pub(super) tcp: bool,
}

impl System {
    /// These servers, with the system's defaults for the rest.
    pub(super) fn asking(servers: &[SocketAddr]) -> Self {
        Self { servers: servers.to_vec(), ..Self::parse("") }
    }

    /// What the system says. Without a usable file the machine itself is asked, as resolv.conf(5) says.
    pub(super) fn read() -> Self {
        let text = fs::read_to_string(PATH).unwrap_or_else(|error| {
            tracing::warn!(%error, "{PATH} cannot be read; asking 127.0.0.1 for names");
            String::new()
        });
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        let mut system = Self {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            rotate: false,
            edns: false,
            tcp: false,
        };
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") => system.add_server(words.next()),
                // The last one counts.
                Some("search") => system.search = words.map(str::to_owned).collect(),
                Some("domain") => system.search = words.take(1).map(str::to_owned).collect(),
                Some("options") => words.for_each(|option| system.set(option)),
                _ => {}
            }
        }
        if system.servers.is_empty() {
            system.servers.push(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)));
        }
        system
    }

    fn add_server(&mut self, text: Option<&str>) {
        if let Some(server) = text.and_then(server)
            && self.servers.len() < MAX_SERVERS
        {
            self.servers.push(server);
        }
    }

    fn set(&mut self, option: &str) {
        let (name, value) = option.split_once(':').unwrap_or((option, ""));
        let number = value.parse::<usize>();
        match (name, number) {
            ("ndots", Ok(dots)) => self.ndots = dots.min(MAX_DOTS),
            ("timeout", Ok(seconds)) => {
                self.timeout = Duration::from_secs(seconds.max(1) as u64).min(MAX_TIMEOUT);
            }
            ("attempts", Ok(attempts)) => self.attempts = attempts.clamp(1, MAX_ATTEMPTS),
            ("rotate", _) => self.rotate = true,
            ("edns0", _) => self.edns = true,
            ("use-vc", _) => self.tcp = true,
            _ => {}
        }
    }
}

/// An address, for link-local ones with an interface: `fe80::1%eth0`.
fn server(text: &str) -> Option<SocketAddr> {
    let (address, interface) = text.split_once('%').unwrap_or((text, ""));
    Some(match address.parse().ok()? {
        IpAddr::V4(address) => SocketAddr::from((address, PORT)),
        IpAddr::V6(address) => SocketAddrV6::new(address, PORT, 0, index(interface)).into(),
    })
}

fn index(interface: &str) -> u32 {
    let by_name = || fs::read_to_string(format!("/sys/class/net/{interface}/ifindex")).ok();
    interface.parse().ok().or_else(|| by_name()?.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_as_glibc_reads_it() {
        let system = System::parse(
            "# a comment\nnameserver 192.0.2.1\n; another\nnameserver fe80::1%7\nnameserver nonsense\n\
             domain first.example\nsearch a.example b.example\n\
             options ndots:99 timeout:1 attempts:9 rotate edns0 use-vc unknown:3\n\
             nameserver 192.0.2.3\nnameserver 192.0.2.4\n",
        );
        let servers: Vec<_> = system.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[fe80::1%7]:53", "192.0.2.3:53"]);
        assert_eq!(system.search, ["a.example", "b.example"]);
        assert_eq!((system.ndots, system.attempts), (MAX_DOTS, MAX_ATTEMPTS));
        assert_eq!(system.timeout, Duration::from_secs(1));
        assert!(system.rotate && system.edns && system.tcp);
    }

    #[test]
    fn what_the_file_does_not_say_is_as_glibc_has_it() {
        let system = System::parse("options timeout:soon attempts:0 ndots:\n");
        assert_eq!(system.servers, ["127.0.0.1:53".parse().unwrap()]);
        assert_eq!((system.ndots, system.attempts, system.timeout), (1, 1, Duration::from_secs(5)));
        assert!(!(system.rotate || system.edns || system.tcp));
    }
}
