//! Asks the name servers in their order, until one of them knows the name.
//!
//! A failure counts only after all servers were asked, and addresses from one server count more than a failure or
//! a denial from another. A server that did not answer lately is asked last.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use linkbeat_shared::DnsKind;
use tokio::time::Instant;

use super::exchange::{Manner, ask};
use super::families::{both, interleaved};
use super::found::Found;
use super::system::System;

/// Longest time that one server is waited for. glibc waits for 5 s, which is the whole default deadline of a link.
const MAX_WAIT: Duration = Duration::from_secs(2);
/// The same while there is another server to ask.
const MAX_FIRST_WAIT: Duration = Duration::from_secs(1);
/// How long a server that did not answer is asked last.
const MISTRUST: Duration = Duration::from_secs(30);

/// Top-level domains that have been there for decades.
const ZONES: [&str; 24] = [
    "ar", "at", "br", "ca", "ch", "cl", "cz", "de", "es", "fi", "fr", "hu", "ie", "is", "it", "jp", "kr",
    "mx", "nl", "no", "nz", "pl", "se", "za",
];

/// Looks up names at the system's servers, or the operator's.
#[derive(Debug)]
pub(crate) struct Lookup {
    system: System,
    /// Until when each server is asked last.
    silent_until: Mutex<Vec<Option<Instant>>>,
    /// For `options rotate`.
    turn: AtomicUsize,
}

impl Lookup {
    /// `servers` empty: the system's.
    pub(crate) fn new(servers: &[SocketAddr]) -> Self {
        let system = if servers.is_empty() { System::read() } else { System::asking(servers) };
        let silent_until = Mutex::new(vec![None; system.servers.len()]);
        Self { system, silent_until, turn: AtomicUsize::new(0) }
    }

    /// What is known of a host's name. `None`: it can be no host's name.
    pub(crate) async fn find(&self, host: &str) -> Option<Found> {
        let mut denied = None;
        for name in self.spellings(host)? {
            match self.find_one(&name).await {
                Found::Addresses { addresses, ttl } => {
                    return Some(Found::Addresses { addresses: interleaved(&addresses), ttl });
                }
                found @ Found::Denied { .. } => denied = denied.or(Some(found)),
                failed => return Some(failed),
            }
        }
        denied
    }

    /// The whole name, and below the search domains. As in glibc a short name is looked for there; but a name with
    /// a dot is tried as it is first, so that no search domain can take the place of a site.
    fn spellings(&self, host: &str) -> Option<Vec<Name>> {
        let dots = host.matches('.').count();
        let whole = name(host)?;
        let below = self.system.search.iter().filter_map(|domain| name(&format!("{host}.{domain}")));
        let mut names: Vec<Name> = if dots < self.system.ndots { below.collect() } else { Vec::new() };
        names.insert(if dots == 0 { names.len() } else { 0 }, whole);
        Some(names)
    }

    async fn find_one(&self, name: &Name) -> Found {
        let mut found = None;
        let mut left = self.order();
        for attempt in 0..self.system.attempts {
            let mut again = Vec::new();
            for server in left {
                let answer = both(self.system.servers[server], name, self.manner(attempt)).await;
                self.remember(server, &answer);
                if answer.may_pass() {
                    again.push(server);
                }
                let best = found.take().map_or(answer.clone(), |earlier: Found| earlier.or(answer));
                if matches!(best, Found::Addresses { .. } | Found::Own(_)) {
                    return best;
                }
                found = Some(best);
            }
            if again.is_empty() || matches!(found, Some(Found::Denied { .. })) {
                break;
            }
            left = again;
        }
        found.unwrap_or(Found::Failed(DnsKind::Other))
    }

    fn manner(&self, attempt: usize) -> Manner {
        let most = if attempt == 0 && self.system.servers.len() > 1 { MAX_FIRST_WAIT } else { MAX_WAIT };
        Manner { timeout: self.system.timeout.min(most), edns: self.system.edns, tcp: self.system.tcp }
    }

    /// The servers in the order in which to ask them.
    fn order(&self) -> Vec<usize> {
        let count = self.system.servers.len();
        let first = if self.system.rotate { self.turn.fetch_add(1, Ordering::Relaxed) } else { 0 };
        let mut order: Vec<usize> = (0..count).map(|place| (first + place) % count).collect();
        if count > 1 {
            let now = Instant::now();
            let silent = self.silent_until.lock().unwrap_or_else(PoisonError::into_inner);
            order.sort_by_key(|server| silent[*server].is_some_and(|until| until > now));
        }
        order
    }

    fn remember(&self, server: usize, answer: &Found) {
        if self.system.servers.len() == 1 {
            return;
        }
        let silent = matches!(answer, Found::Failed(DnsKind::Timeout | DnsKind::Other));
        let mut silent_until = self.silent_until.lock().unwrap_or_else(PoisonError::into_inner);
        silent_until[server] = silent.then(|| Instant::now() + MISTRUST);
    }

    /// Whether a name server knows the root's servers (RFC 8109), as every one does that answers at all.
    pub(crate) async fn knows_root(&self) -> bool {
        self.answers(&Name::root(), |answer| answer.metadata.response_code == ResponseCode::NoError).await
    }

    /// Whether a name server knows the servers of a top-level domain. Which one is left to chance, so that it is not
    /// always in a cache.
    pub(crate) async fn knows_zone(&self) -> bool {
        let Some(zone) = name(ZONES[rand::random_range(0..ZONES.len())]) else { return false };
        self.answers(&zone, |answer| {
            answer.answers.iter().any(|record| record.record_type() == RecordType::NS)
        })
        .await
    }

    /// Whether the answer of one server to the question for a zone's servers is as it should be.
    async fn answers(&self, zone: &Name, is_right: impl Fn(&Message) -> bool) -> bool {
        for server in self.order() {
            let asked = ask(self.system.servers[server], zone, RecordType::NS, self.manner(0));
            if asked.await.is_ok_and(|answer| is_right(&answer)) {
                return true;
            }
        }
        false
    }

    /// What is known of a name that does not exist, and that nobody can have asked for before.
    pub(crate) async fn find_nobody(&self) -> Option<Found> {
        self.find(&format!("linkbeat-{:016x}.com", rand::random::<u64>())).await
    }
}

/// A host's name, whatever letters its labels have: servers decide what exists.
fn name(host: &str) -> Option<Name> {
    let mut name = Name::from_labels(host.trim_end_matches('.').split('.').map(str::as_bytes)).ok()?;
    name.set_fqdn(true);
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spellings(host: &str, ndots: usize) -> Vec<String> {
        let mut lookup = Lookup::new(&["127.0.0.1:53".parse().unwrap()]);
        lookup.system.search = vec!["a.test".to_owned(), "b.test".to_owned()];
        lookup.system.ndots = ndots;
        lookup.spellings(host).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn short_names_are_looked_for_below_the_search_domains() {
        assert_eq!(spellings("wiki", 1), ["wiki.a.test.", "wiki.b.test.", "wiki."]);
        assert_eq!(spellings("blog.example", 1), ["blog.example."]);
        assert_eq!(spellings("web.shop", 5), ["web.shop.", "web.shop.a.test.", "web.shop.b.test."]);
    }

    #[test]
    fn any_letters_make_a_name_and_labels_have_their_length() {
        for host in ["-a-.example", "_x.a_b.example", "xn--bcher-kva.example"] {
            let labels: Vec<_> = name(host).unwrap().iter().map(<[u8]>::to_vec).collect();
            assert_eq!(labels.join(&b'.'), host.as_bytes());
        }
        assert_eq!(name(&format!("{}.test", "x".repeat(64))), None);
        assert_eq!(name("a..b"), None);
    }
}
