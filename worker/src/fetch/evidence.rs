//! What the latest checks have shown about the path to the sites.
//!
//! The newest few hundred checks are kept, by host and by the part of the path that they say something of. So
//! memory is bounded, and what is old does not count.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use super::safety::is_public;

/// Checks kept.
const KEPT: usize = 512;
/// Public servers kept that have answered.
const KEPT_PEERS: usize = 4;

/// A part of the path to a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// The name servers.
    Names,
    /// From here to public addresses.
    Internet,
    /// From here to addresses of our own networks.
    Inside,
    /// Through the proxy.
    Proxy,
}

/// Remembers what the latest checks have shown.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    latest: Mutex<Latest>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Latest {
    /// The oldest first.
    seen: VecDeque<Seen>,
    peers: VecDeque<SocketAddr>,
}

#[derive(Debug)]
struct Seen {
    at: Instant,
    host: u64,
    path: Path,
    well: bool,
}

/// How many hosts were reached over a part of the path, and how many were not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) reached: usize,
    pub(crate) failed: usize,
}

impl Evidence {
    /// A host has answered us. `peer`: the address it answered from; `None`: it answered over the proxy.
    pub(super) fn answered(&self, host: &str, peer: Option<SocketAddr>, by_name: bool) {
        let Some(peer) = peer else { return self.see(host, Path::Proxy, true) };
        if by_name {
            self.see(host, Path::Names, true);
        }
        if is_public(peer.ip()) {
            let mut latest = self.latest();
            if !latest.peers.contains(&peer) {
                latest.peers.push_back(peer);
                if latest.peers.len() > KEPT_PEERS {
                    latest.peers.pop_front();
                }
            }
            drop(latest);
            self.see(host, Path::Internet, true);
        } else if !peer.ip().is_loopback() {
            self.see(host, Path::Inside, true);
        }
    }

    /// A host was not reached, and this part of the path may be to blame.
    pub(crate) fn failed(&self, host: &str, path: Path) {
        self.see(host, path, false);
    }

    /// How the other hosts fared since then.
    pub(crate) fn others(&self, host: &str, path: Path, since: Instant) -> Tally {
        let host = hash(host);
        let latest = self.latest();
        let of = |well: bool| {
            let seen = latest.seen.iter().rev().take_while(|seen| seen.at >= since);
            let hosts = seen.filter(|seen| seen.path == path && seen.well == well && seen.host != host);
            hosts.map(|seen| seen.host).collect::<HashSet<_>>().len()
        };
        Tally { reached: of(true), failed: of(false) }
    }

    /// Public servers that have answered, the latest first.
    pub(crate) fn peers(&self) -> Vec<SocketAddr> {
        self.latest().peers.iter().rev().copied().collect()
    }

    /// Until something new is seen. To be enabled before the look that it follows.
    pub(crate) fn news(&self) -> Notified<'_> {
        self.news.notified()
    }

    fn see(&self, host: &str, path: Path, well: bool) {
        let mut latest = self.latest();
        if latest.seen.len() == KEPT {
            latest.seen.pop_front();
        }
        latest.seen.push_back(Seen { at: Instant::now(), host: hash(host), path, well });
        drop(latest);
        self.news.notify_waiters();
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        // Nothing under this lock can panic half-way.
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(host: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    host.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_counted_once_and_the_one_that_asks_not_at_all() {
        let evidence = Evidence::default();
        let began = Instant::now();
        let peer = Some("192.0.2.1:80".parse().unwrap());
        for host in ["a", "a", "b", "me"] {
            evidence.answered(host, peer, true);
        }
        evidence.failed("c", Path::Names);
        evidence.failed("me", Path::Names);
        assert_eq!(evidence.others("me", Path::Names, began), Tally { reached: 2, failed: 1 });
        assert_eq!(evidence.others("me", Path::Inside, began), Tally { reached: 3 - 1, failed: 0 });
        assert_eq!(evidence.others("me", Path::Names, Instant::now()), Tally { reached: 0, failed: 0 });
        for number in 0..2 * KEPT {
            evidence.failed(&number.to_string(), Path::Proxy);
        }
        assert_eq!(evidence.others("me", Path::Proxy, began).failed, KEPT);
    }

    #[test]
    fn a_few_public_servers_are_remembered() {
        let evidence = Evidence::default();
        evidence.answered("inside", Some("10.0.0.1:80".parse().unwrap()), false);
        assert!(evidence.peers().is_empty());
        for number in 1..=9 {
            evidence.answered("a", Some(SocketAddr::from(([1, 1, 1, number], 80))), false);
        }
        assert_eq!(evidence.peers().len(), KEPT_PEERS);
        assert_eq!(evidence.peers()[0].to_string(), "1.1.1.9:80");
    }
}
