//! From a host's name to addresses that may be dialled.
//!
//! Only the system's name servers are asked, or the operator's; there is no fallback to a public one.
//! `/etc/hosts` goes first, as everywhere else on the machine. Answers are kept by their TTL in a bounded cache,
//! and look-ups of one name at the same time are one query.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use linkbeat_shared::{BadUrlKind, DnsKind, Phase, Reason};
use reqwest::dns;
use tokio::time::Instant;

use super::dns::{Cache, Found, Hosts, Lookup};
use super::failure::{Doubt, Failure, LookupFailed};
use super::progress;
use super::route::Route;
use super::safety::Safety;

/// How long the answer to whether the name servers are honest is kept.
const HONESTY_KEPT: Duration = Duration::from_secs(2);

/// Looks up names. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    lookup: Arc<Lookup>,
    cache: Arc<Cache>,
    hosts: Arc<Hosts>,
    safety: Arc<Safety>,
    route: Arc<Route>,
    honesty: Arc<Mutex<Honesty>>,
}

/// The latest answers to [`Resolver::is_honest`], by its argument.
type Honesty = [Option<(Instant, Shared<BoxFuture<'static, bool>>)>; 2];

impl Resolver {
    /// `servers` empty: the system's.
    pub(crate) fn new(servers: &[SocketAddr], safety: Arc<Safety>, route: Arc<Route>) -> Self {
        Self {
            lookup: Arc::new(Lookup::new(servers)),
            cache: Arc::default(),
            hosts: Arc::new(Hosts::read()),
            safety,
            route,
            honesty: Arc::default(),
        }
    }

    /// Whether the name servers are well, and tell what exists from what does not, right now: they know the root's
    /// servers; and a name that nobody can have asked for before is denied in the name of its zone, or is denied while
    /// a top-level domain is known, or leads to an address that may be dialled. `denies`: the zone has just denied another name, so that one need not be asked
    /// for. Many who ask at once share one answer.
    pub(crate) async fn is_honest(&self, denies: bool) -> bool {
        let asking = {
            let mut latest = self.honesty.lock().unwrap_or_else(PoisonError::into_inner);
            let slot = &mut latest[usize::from(denies)];
            match slot {
                Some((at, asking)) if at.elapsed() < HONESTY_KEPT => asking.clone(),
                _ => {
                    // Without the slot that will hold this, or neither would ever be dropped.
                    let resolver = Self { honesty: Arc::default(), ..self.clone() };
                    let asking = async move { resolver.try_out(denies).await }.boxed().shared();
                    *slot = Some((Instant::now(), asking.clone()));
                    asking
                }
            }
        };
        asking.await
    }

    async fn try_out(&self, denies: bool) -> bool {
        self.lookup.knows_root().await
            && (denies
                || match self.lookup.find_nobody().await {
                    // Some resolvers, such as systemd-resolved, leave the zone out.
                    Some(Found::Denied { by_zone, .. }) => by_zone || self.lookup.knows_zone().await,
                    Some(Found::Addresses { addresses, .. }) => self.safe("", &addresses).is_ok(),
                    _ => false,
                })
    }

    /// The addresses of a host that may be dialled; never empty.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Failure> {
        let pinned = self.hosts.get(host);
        if !pinned.is_empty() {
            return self.safe(host, &pinned).map_err(|address| Failure::unsafe_address(Some(address)));
        }
        let ask = || {
            let (lookup, host) = (Arc::clone(&self.lookup), host.to_owned());
            async move { lookup.find(&host).await }.boxed()
        };
        match self.cache.get(host, ask).await {
            Some(Found::Addresses { addresses, .. }) => {
                self.safe(host, &addresses).map_err(Failure::unsafe_name)
            }
            Some(Found::Denied { kind: kind @ DnsKind::CnameLoop, .. }) => {
                Err(Failure::Site(Reason::Dns { kind }))
            }
            Some(Found::Denied { kind, by_zone, .. }) => Err(lookup_failed(kind, by_zone)),
            Some(Found::Failed(kind)) => Err(lookup_failed(kind, false)),
            Some(Found::Own(fault)) => Err(Failure::Own(fault)),
            None => Err(Failure::Site(Reason::BadUrl { kind: BadUrlKind::Host })),
        }
    }

    /// Those that may be dialled; or the first of them, where none may.
    fn safe(&self, host: &str, found: &[IpAddr]) -> Result<Vec<IpAddr>, IpAddr> {
        if self.route.is_proxy(host) {
            // Named by the operator. A site of the same name is refused by its answer's address.
            return Ok(found.to_vec());
        }
        let safe: Vec<IpAddr> =
            found.iter().copied().filter(|address| self.safety.admits(*address)).collect();
        match found.first() {
            Some(unsafe_one) if safe.is_empty() => Err(*unsafe_one),
            _ => Ok(safe),
        }
    }
}

fn lookup_failed(kind: DnsKind, denied: bool) -> Failure {
    Failure::Doubtful(Reason::Dns { kind }, Doubt::Names { denied })
}

/// Gives reqwest one address at a time: `race` decides when the next one is dialled.
impl dns::Resolve for Resolver {
    fn resolve(&self, name: dns::Name) -> dns::Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let address = match progress::address_to_dial() {
                Some(address) => address,
                None => {
                    progress::enter(Phase::Dns);
                    let addresses = resolver.addresses(name.as_str()).await.map_err(LookupFailed)?;
                    progress::dialling(&addresses);
                    addresses[0]
                }
            };
            // Port 0: reqwest puts the URL's in.
            Ok(Box::new(std::iter::once(SocketAddr::new(address, 0))) as dns::Addrs)
        })
    }
}
