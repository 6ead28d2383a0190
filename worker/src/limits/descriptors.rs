//! File descriptors. Each check may need two, and kept connections need some. To run out of them is our own fault, never
//! a verdict.

use crate::settings::DEFAULT_CONCURRENCY;

/// Reserved for what is not a check: the broker, the database, logs, listeners, connections that are being closed.
const RESERVED: u64 = 200;
/// A connection, and at times one more: a DNS query, or the other address family's connection.
const PER_CHECK: u64 = 2;
/// Connections that are kept after their check, for each check under way. They are kept for 200 ms, and a check takes a
/// millisecond or more.
const KEPT_PER_CHECK: u64 = 200;
/// More are never kept at once: no machine makes 20,000 checks in a second.
const MOST_KEPT: u64 = 4_096;

/// What the limit of open files allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Affordable {
    /// Checks at once: what was asked for, or less.
    pub(crate) concurrency: usize,
    /// Whether connections may be kept for later requests.
    pub(crate) keeps_connections: bool,
}

/// Raises the process's limit of open files as far as it may, and says what it allows then. Warns if somebody asked for
/// more checks than that.
pub(crate) fn affordable(concurrency: usize) -> Affordable {
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
        tracing::warn!(%error, "the limit of open files could not be raised");
        rlimit::Resource::NOFILE.get_soft().unwrap_or(1_024)
    });
    let allowed = within(limit, concurrency);
    if allowed.concurrency < concurrency && concurrency != DEFAULT_CONCURRENCY {
        let lowered_to = allowed.concurrency;
        tracing::warn!(concurrency, lowered_to, open_files = limit, "too few open files are allowed");
    }
    allowed
}

fn within(limit: u64, concurrency: usize) -> Affordable {
    let left = limit.saturating_sub(RESERVED);
    let most = usize::try_from(left / PER_CHECK).unwrap_or(usize::MAX).max(1);
    let concurrency = concurrency.min(most);
    let checks = concurrency as u64;
    let kept = checks.saturating_mul(KEPT_PER_CHECK).min(MOST_KEPT);
    Affordable { concurrency, keeps_connections: left.saturating_sub(checks * PER_CHECK) >= kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concurrency_follows_the_limit_and_is_never_nothing() {
        let concurrency = |limit| within(limit, 10_000).concurrency;
        assert_eq!([20_000, 1_024, 100].map(concurrency), [9_900, 412, 1]);
        assert_eq!(within(1 << 20, 10_000).concurrency, 10_000);
    }

    #[test]
    fn connections_are_kept_where_there_is_room_for_them() {
        let keeps = |limit, concurrency| within(limit, concurrency).keeps_connections;
        assert!(keeps(65_536, DEFAULT_CONCURRENCY) && keeps(4_096, 10));
        assert!(!keeps(4_096, DEFAULT_CONCURRENCY) && !keeps(256, 10) && !keeps(4_096, 1_000));
    }
}
