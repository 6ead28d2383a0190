//! `/etc/hosts`: addresses that this machine pins to names.

use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;

/// The file, read once.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    addresses: HashMap<String, Vec<IpAddr>>,
}

impl Hosts {
    /// What the system's file says. No file says nothing.
    pub(crate) fn read() -> Self {
        Self::parse(&fs::read_to_string("/etc/hosts").unwrap_or_default())
    }

    /// The addresses of a name, IPv4 first; mostly none.
    pub(crate) fn get(&self, name: &str) -> Vec<IpAddr> {
        self.addresses.get(&name.to_ascii_lowercase()).cloned().unwrap_or_default()
    }

    fn parse(text: &str) -> Self {
        let mut hosts = Self::default();
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
            let Some(Ok(address)) = words.next().map(str::parse::<IpAddr>) else { continue };
            for name in words {
                hosts.addresses.entry(name.to_ascii_lowercase()).or_default().push(address);
            }
        }
        hosts.addresses.values_mut().for_each(|addresses| addresses.sort_by_key(IpAddr::is_ipv6));
        hosts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_are_pinned_in_both_families() {
        let hosts = Hosts::parse("::1 localhost ip6-localhost\n127.0.0.1\tLocalHost # here\nnonsense a\n");
        let addresses: Vec<_> = hosts.get("localhost").iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["127.0.0.1", "::1"]);
        assert_eq!(hosts.get("IP6-localhost").len(), 1);
        assert!(hosts.get("a").is_empty() && hosts.get("here").is_empty());
    }
}
