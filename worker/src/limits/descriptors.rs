//! File descriptors. Each check may need two. To run out of them is our own fault, never a verdict.

use crate::settings::DEFAULT_CONCURRENCY;

/// Reserved for what is not a check: the broker, logs, listeners, kept connections.
const RESERVED: u64 = 200;
/// A connection, and at times one more: a DNS query, or the other address family's connection.
const PER_CHECK: u64 = 2;

/// Raises the process's limit of open files as far as it may. Returns the concurrency that the limit allows: what
/// was asked for, or less. Warns if somebody asked for more than the limit allows.
pub(crate) fn affordable(concurrency: usize) -> usize {
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
        tracing::warn!(%error, "the limit of open files could not be raised");
        rlimit::Resource::NOFILE.get_soft().unwrap_or(1_024)
    });
    let most = most(limit);
    if concurrency > most && concurrency != DEFAULT_CONCURRENCY {
        tracing::warn!(concurrency, lowered_to = most, open_files = limit, "too few open files are allowed");
    }
    concurrency.min(most)
}

fn most(limit: u64) -> usize {
    usize::try_from(limit.saturating_sub(RESERVED) / PER_CHECK).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concurrency_follows_the_limit_and_is_never_nothing() {
        assert_eq!(most(20_000), 9_900);
        assert_eq!(most(1_024), 412);
        assert_eq!(most(100), 1);
    }
}
