//! From a host's name to addresses that may be dialled.
//!
//! hickory asks the system's resolver (or the operator's) and no other: there is no fallback to a public
//! one. `/etc/hosts` goes first, as everywhere else on the machine. Answers are kept by their TTL in a
//! bounded cache, and look-ups of one name at the same time are one query.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Hosts, system_conf};
use linkbeat_shared::{BadUrlKind, DnsKind, Phase, Reason};
use reqwest::dns;

use super::failure::{Failure, LookupFailed, own_fault};
use super::progress;
use super::safety::Safety;
use super::sockets::Sockets;
use crate::fault::OwnFault;

/// Two tries of this length fit into the default deadline of a link.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
const QUERY_RETRIES: usize = 1;
/// How long one address family is waited for once the other has answered (RFC 8305 §3).
const OTHER_FAMILY_DELAY: Duration = Duration::from_millis(50);
/// Aliases followed from a name to its addresses.
const MAX_ALIASES: usize = 8;
/// Answers kept.
const CACHE_ENTRIES: u64 = 16_384;
/// Queries at once over one TCP connection to a name server.
const QUERIES_PER_CONNECTION: usize = 1_024;

/// Looks up names. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    dns: Arc<hickory_resolver::Resolver<Sockets>>,
    sockets: Sockets,
    hosts: Arc<Hosts>,
    safety: Arc<Safety>,
}

impl Resolver {
    /// `servers` empty: the system's.
    pub(crate) fn new(servers: &[SocketAddr], safety: Arc<Safety>) -> Result<Self, NetError> {
        let (config, mut options) =
            if servers.is_empty() { system_config() } else { (asking(servers), ResolverOpts::default()) };
        limit(&mut options);
        options.cache_size = CACHE_ENTRIES;
        options.max_active_requests = QUERIES_PER_CONNECTION;
        // We look there ourselves: hickory would still ask DNS for the address family it does not find.
        options.use_hosts_file = ResolveHosts::Never;
        let sockets = Sockets::default();
        let mut builder = hickory_resolver::Resolver::builder_with_config(config, sockets.clone());
        *builder.options_mut() = options;
        let hosts = Hosts::from_system().unwrap_or_default();
        Ok(Self { dns: Arc::new(builder.build()?), sockets, hosts: Arc::new(hosts), safety })
    }

    /// Whether a name server answers right now: asked for the root's servers (RFC 8109), past the cache.
    pub(crate) async fn answers(&self) -> bool {
        self.dns.clear_lookup_cache(Name::root(), RecordType::NS);
        match self.dns.ns_lookup(Name::root()).await {
            Ok(_) => true,
            Err(error) => error.is_no_records_found(),
        }
    }

    /// The addresses of a host that may be dialled; never empty.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Failure> {
        let found = self.look_up(host).await?;
        let safe: Vec<IpAddr> =
            found.iter().copied().filter(|address| self.safety.admits(*address)).collect();
        match found.first() {
            Some(unsafe_one) if safe.is_empty() => Err(Failure::unsafe_address(Some(*unsafe_one))),
            Some(_) => Ok(safe),
            None => Err(no_address()),
        }
    }

    async fn look_up(&self, host: &str) -> Result<Vec<IpAddr>, Failure> {
        let mut name = Name::from_str_relaxed(host)
            .map_err(|_| Failure::Site(Reason::BadUrl { kind: BadUrlKind::Host }))?;
        // Search domains are for short names; a whole name must not be looked for below them.
        name.set_fqdn(name.num_labels() > 1);
        let pinned = self.pinned(&name);
        if !pinned.is_empty() {
            return Ok(pinned);
        }
        let found = self.ask(&name).await;
        if found == Err(no_address()) && self.is_circular(name).await {
            return Err(Failure::Site(Reason::Dns { kind: DnsKind::CnameLoop }));
        }
        found
    }

    /// What `/etc/hosts` says.
    fn pinned(&self, name: &Name) -> Vec<IpAddr> {
        [RecordType::A, RecordType::AAAA]
            .into_iter()
            .filter_map(|family| self.hosts.lookup_static_host(&Query::query(name.clone(), family)))
            .flat_map(|lookup| {
                lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Asks for both address families at once.
    async fn ask(&self, name: &Name) -> Answer {
        let v4 = self.family(name, RecordType::A);
        let v6 = self.family(name, RecordType::AAAA);
        tokio::pin!(v4, v6);
        let (v4, v6) = tokio::select! {
            v4 = &mut v4 => {
                let v6 = other_family(&v4, v6).await;
                (Some(v4), v6)
            }
            v6 = &mut v6 => {
                let v4 = other_family(&v6, v4).await;
                (v4, Some(v6))
            }
        };
        merge(v4, v6)
    }

    async fn family(&self, name: &Name, family: RecordType) -> Answer {
        let wants = self.sockets.wants();
        match self.dns.lookup(name.clone(), family).await {
            Ok(lookup) => Ok(lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect()),
            Err(NetError::NoConnections) if self.sockets.wants() > wants => {
                Err(Failure::Own(OwnFault::Resources))
            }
            Err(error) => Err(failure(&error)),
        }
    }

    /// Whether a name without addresses is an alias that leads in a circle, or too far.
    async fn is_circular(&self, mut name: Name) -> bool {
        for _ in 0..MAX_ALIASES {
            let Ok(lookup) = self.dns.lookup(name, RecordType::CNAME).await else { return false };
            let alias = lookup.answers().iter().find_map(|record| match &record.data {
                RData::CNAME(alias) => Some(alias.0.clone()),
                _ => None,
            });
            let Some(alias) = alias else { return false };
            name = alias;
        }
        true
    }
}

type Answer = Result<Vec<IpAddr>, Failure>;

/// The other family's answer, as far as it is worth waiting for.
async fn other_family(first: &Answer, other: impl Future<Output = Answer>) -> Option<Answer> {
    match first {
        Ok(addresses) if !addresses.is_empty() => tokio::time::timeout(OTHER_FAMILY_DELAY, other).await.ok(),
        // The name does not exist, whatever is asked of it (RFC 8020).
        Err(Failure::Site(Reason::Dns { kind: DnsKind::Nxdomain })) => None,
        _ => Some(other.await),
    }
}

/// IPv4 first: where IPv6 does not work, dialling it costs every check a third of a second.
fn merge(v4: Option<Answer>, v6: Option<Answer>) -> Answer {
    let mut addresses = Vec::new();
    let mut failures = Vec::new();
    for answer in [v4, v6].into_iter().flatten() {
        match answer {
            Ok(found) => addresses.extend(found),
            Err(failure) => failures.push(failure),
        }
    }
    if !addresses.is_empty() {
        return Ok(addresses);
    }
    // "No address of this family" explains less than whatever kept the other family's answer away.
    let no_address = no_address();
    Err(failures.into_iter().find(|failure| *failure != no_address).unwrap_or(no_address))
}

fn no_address() -> Failure {
    Failure::Site(Reason::Dns { kind: DnsKind::NoAddress })
}

fn failure(error: &NetError) -> Failure {
    let doubtful = |kind| Failure::Doubtful(Reason::Dns { kind });
    match error {
        NetError::Dns(DnsError::NoRecordsFound(NoRecords { response_code, .. })) => match *response_code {
            ResponseCode::NXDomain => Failure::Site(Reason::Dns { kind: DnsKind::Nxdomain }),
            _ => no_address(),
        },
        NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)) => doubtful(DnsKind::Servfail),
        NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => doubtful(DnsKind::Refused),
        NetError::Timeout => doubtful(DnsKind::Timeout),
        NetError::Io(error) => own_fault(error).map_or_else(|| doubtful(DnsKind::Other), Failure::Own),
        _ => doubtful(DnsKind::Other),
    }
}

/// Without a usable `/etc/resolv.conf` the machine itself is asked, as resolv.conf(5) says.
fn system_config() -> (ResolverConfig, ResolverOpts) {
    system_conf::read_system_conf().unwrap_or_else(|error| {
        tracing::warn!(%error, "the system names no DNS server; asking 127.0.0.1");
        (asking(&[SocketAddr::from((Ipv4Addr::LOCALHOST, 53))]), ResolverOpts::default())
    })
}

/// The servers that the system names.
pub(super) fn system_servers() -> Vec<SocketAddr> {
    let port =
        |server: &NameServerConfig| server.connections.first().map_or(53, |connection| connection.port);
    let (config, _) = system_config();
    config.name_servers().iter().map(|server| SocketAddr::new(server.ip, port(server))).collect()
}

/// How long and how often a server is asked.
pub(super) fn limit(options: &mut ResolverOpts) {
    options.timeout = options.timeout.min(QUERY_TIMEOUT);
    options.attempts = QUERY_RETRIES;
}

pub(super) fn asking(servers: &[SocketAddr]) -> ResolverConfig {
    let servers = servers.iter().map(|server| {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = server.port();
            connection
        });
        NameServerConfig::new(server.ip(), true, connections.into())
    });
    ResolverConfig::from_parts(None, Vec::new(), servers.collect())
}

impl dns::Resolve for Resolver {
    fn resolve(&self, name: dns::Name) -> dns::Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            progress::enter(Phase::Dns);
            let addresses = resolver.addresses(name.as_str()).await.map_err(LookupFailed)?;
            progress::dialling(&addresses);
            // Port 0: reqwest puts the URL's in.
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as dns::Addrs)
        })
    }
}
