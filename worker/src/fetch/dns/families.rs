//! One name at one server: both address families at once, aliases followed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::future::{Either, select};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use linkbeat_shared::DnsKind;
use tokio::time::timeout;

use super::exchange::{Manner, NoAnswer, ask};
use super::found::Found;

/// How long IPv6 addresses are waited for once those of IPv4 are there (RFC 8305 §3).
const V6_DELAY: Duration = Duration::from_millis(50);
/// Aliases followed from a name to its addresses.
const MAX_ALIASES: usize = 8;
/// Longest time an answer is kept, whatever it says.
const MAX_TTL: Duration = Duration::from_secs(86_400);

/// Asks one server for both families. One family's failure never overrules the other's addresses.
pub(super) async fn both(server: SocketAddr, name: &Name, manner: Manner) -> Found {
    let v4 = Box::pin(family(server, name, RecordType::A, manner));
    let v6 = Box::pin(family(server, name, RecordType::AAAA, manner));
    match select(v4, v6).await {
        Either::Left((v4 @ Found::Addresses { .. }, v6)) => match timeout(V6_DELAY, v6).await {
            Ok(v6) => v4.beside(v6),
            Err(_) => v4,
        },
        Either::Left((v4, v6)) => v4.beside(v6.await),
        // Many machines have no IPv6, so its addresses alone are not enough.
        Either::Right((v6, v4)) => v4.await.beside(v6),
    }
}

async fn family(server: SocketAddr, name: &Name, family: RecordType, manner: Manner) -> Found {
    let mut name = name.clone();
    for _ in 0..MAX_ALIASES {
        let answer = match ask(server, &name, family, manner).await {
            Ok(answer) => answer,
            Err(NoAnswer::Own(fault)) => return Found::Own(fault),
            Err(NoAnswer::Timeout) => return Found::Failed(DnsKind::Timeout),
            Err(NoAnswer::Unreachable(_)) => return Found::Failed(DnsKind::Other),
        };
        match read(&answer, &mut name, family) {
            Some(found) => return found,
            None => tracing::trace!(%name, "an alias is followed"),
        }
    }
    Found::Denied { kind: DnsKind::CnameLoop, by_zone: true, ttl: Duration::ZERO }
}

/// What an answer says; `None`: `name` is now the alias that has to be asked for.
fn read(answer: &Message, name: &mut Name, family: RecordType) -> Option<Found> {
    let mut ttl = MAX_TTL;
    let asked = name.clone();
    for _ in 0..=answer.answers.len() {
        let of_name =
            answer.answers.iter().filter(|record| record.name.to_lowercase() == name.to_lowercase());
        let (mut addresses, mut alias) = (Vec::new(), None);
        for record in of_name {
            match (&record.data, record.data.ip_addr()) {
                (_, Some(address)) if (family == RecordType::A) == address.is_ipv4() => {
                    addresses.push(address);
                }
                (RData::CNAME(target), _) => alias = Some(target.0.clone()),
                _ => continue,
            }
            ttl = ttl.min(Duration::from_secs(record.ttl.into()));
        }
        if !addresses.is_empty() {
            return Some(Found::Addresses { addresses, ttl });
        }
        let Some(alias) = alias else { break };
        *name = alias;
    }
    match answer.metadata.response_code {
        // An alias without an end has to be asked for, unless the zone of its end was asked already.
        ResponseCode::NoError if *name != asked && zone(answer, name).is_none() => None,
        ResponseCode::NoError => Some(denied(answer, name, DnsKind::NoAddress)),
        ResponseCode::NXDomain => Some(denied(answer, name, DnsKind::Nxdomain)),
        ResponseCode::ServFail => Some(Found::Failed(DnsKind::Servfail)),
        ResponseCode::Refused => Some(Found::Failed(DnsKind::Refused)),
        _ => Some(Found::Failed(DnsKind::Other)),
    }
}

/// A denial names its zone by the start of authority, which also says how long it may be kept (RFC 2308 §5).
fn denied(answer: &Message, name: &Name, kind: DnsKind) -> Found {
    let zone = zone(answer, name);
    let ttl = Duration::from_secs(zone.unwrap_or_default().into()).min(MAX_TTL);
    Found::Denied { kind, by_zone: zone.is_some(), ttl }
}

/// For how many seconds the zone of this name denies it.
fn zone(answer: &Message, name: &Name) -> Option<u32> {
    answer.authorities.iter().find_map(|record| match &record.data {
        RData::SOA(start) if record.name.zone_of(name) => Some(record.ttl.min(start.minimum)),
        _ => None,
    })
}

/// IPv4 and IPv6 in turns, IPv4 first (RFC 8305 §4). Where IPv6 does not work, to dial it first would cost every
/// check a quarter of a second.
pub(super) fn interleaved(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = addresses.iter().partition(|address| address.is_ipv4());
    let (mut v4, mut v6) = (v4.into_iter(), v6.into_iter());
    let mut mixed = Vec::with_capacity(addresses.len());
    loop {
        let before = mixed.len();
        mixed.extend(v4.next());
        mixed.extend(v6.next());
        if mixed.len() == before {
            return mixed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let parse = |text: &str| text.split(' ').map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        assert_eq!(interleaved(&parse("::1 ::2 192.0.2.1 ::3")), parse("192.0.2.1 ::1 ::2 ::3"));
        assert_eq!(interleaved(&parse("192.0.2.1 192.0.2.2 ::1")), parse("192.0.2.1 ::1 192.0.2.2"));
        assert!(interleaved(&[]).is_empty());
    }
}
