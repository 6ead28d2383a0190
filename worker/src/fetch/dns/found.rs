//! What a look-up finds, and which of two findings says more.

use std::net::IpAddr;
use std::time::Duration;

use linkbeat_shared::DnsKind;

use crate::fault::OwnFault;

/// What is known of a name after a look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// It has these addresses, at least one.
    Addresses {
        /// In the order in which to dial them.
        addresses: Vec<IpAddr>,
        /// How long they may be kept.
        ttl: Duration,
    },
    /// A server says that it has none.
    Denied {
        /// The name does not exist, has no address, or its aliases lead in a circle.
        kind: DnsKind,
        /// The answer names the zone that denies it (RFC 2308 §2).
        by_zone: bool,
        /// How long this may be kept.
        ttl: Duration,
    },
    /// No server gave an answer that says anything about the name.
    Failed(DnsKind),
    /// We lacked something to ask with.
    Own(OwnFault),
}

impl Found {
    /// How long it may be kept.
    pub(super) fn ttl(&self) -> Duration {
        match self {
            Self::Addresses { ttl, .. } | Self::Denied { ttl, .. } => *ttl,
            Self::Failed(_) | Self::Own(_) => Duration::ZERO,
        }
    }

    /// Whether another try may find more.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Failed(DnsKind::Timeout | DnsKind::Servfail | DnsKind::Other))
    }

    /// The better of two findings about one name. Addresses count most, then a denial, then a failure. Of two
    /// equal ones the earlier counts, and addresses of both are kept.
    pub(super) fn or(self, later: Self) -> Self {
        match (self, later) {
            (Self::Addresses { mut addresses, ttl }, Self::Addresses { addresses: more, ttl: other }) => {
                addresses.extend(more);
                Self::Addresses { addresses, ttl: ttl.min(other) }
            }
            (earlier, later) if later.rank() > earlier.rank() => later,
            (earlier, _) => earlier,
        }
    }

    /// Both families of one name. A failure of one says more than a denial of the other: that there are no IPv6
    /// addresses does not mean that there are none at all.
    pub(super) fn beside(self, other: Self) -> Self {
        match (self, other) {
            (Self::Addresses { addresses, ttl }, other) | (other, Self::Addresses { addresses, ttl }) => {
                Self::Addresses { addresses, ttl }.or(other)
            }
            (Self::Denied { .. }, failed @ (Self::Failed(_) | Self::Own(_))) => failed,
            (first, _) => first,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Addresses { .. } => 7,
            // That the name exists comes from a server that knows it.
            Self::Denied { kind: DnsKind::Nxdomain, .. } => 5,
            Self::Denied { .. } => 6,
            Self::Own(_) => 4,
            Self::Failed(DnsKind::Servfail) => 3,
            Self::Failed(DnsKind::Timeout) => 2,
            Self::Failed(DnsKind::Refused) => 1,
            Self::Failed(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_more_counts_whatever_came_first() {
        let ttl = Duration::from_secs(1);
        let addresses = Found::Addresses { addresses: vec!["192.0.2.1".parse().unwrap()], ttl };
        let denied = Found::Denied { kind: DnsKind::Nxdomain, by_zone: true, ttl };
        let failures = [DnsKind::Servfail, DnsKind::Refused, DnsKind::Timeout].map(Found::Failed);
        for worse in failures.iter().chain([&denied]) {
            assert_eq!(worse.clone().or(addresses.clone()), addresses);
            assert_eq!(addresses.clone().or(worse.clone()), addresses);
        }
        for failure in failures {
            assert_eq!(failure.clone().or(denied.clone()), denied);
            assert_eq!(denied.clone().or(failure), denied);
        }
    }
}
