//! How often somebody may try a password: each address so often, and all together so often. In bounded memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Tries that one address has at once, and how long it waits for each further one.
const OF_ONE: Rate = Rate { burst: 5, every: Duration::from_secs(12) };

/// The same for all together: many addresses may be one person's.
const OF_ALL: Rate = Rate { burst: 60, every: Duration::from_secs(1) };

/// Addresses that are remembered. Those that come when it is full share one allowance.
const MOST: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: Option<Spent>,
    others: Option<Spent>,
    of: HashMap<Network, Spent>,
}

/// Whom an address belongs to: whoever has an IPv6 address has at least a /64 of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Network(IpAddr);

impl Network {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => Self(IpAddr::V6((u128::from(address) >> 64 << 64).into())),
            address => Self(address),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Rate {
    burst: u32,
    every: Duration,
}

/// When all tries will be there again.
#[derive(Debug, Clone, Copy)]
struct Spent(Instant);

impl Spent {
    /// Takes a try, or says how long until there is one.
    fn take(spent: &mut Option<Self>, rate: Rate, now: Instant) -> Result<(), Duration> {
        let whole_at = spent.map_or(now, |spent| spent.0.max(now)) + rate.every;
        let most = now + rate.every * rate.burst;
        match whole_at.checked_duration_since(most).filter(|wait| !wait.is_zero()) {
            None => {
                *spent = Some(Self(whole_at));
                Ok(())
            }
            Some(wait) => Err(wait),
        }
    }
}

impl Attempts {
    /// Takes a try for this address, or says how long until there is one.
    pub(super) fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let network = Network::of(address);
        if counts.of.len() >= MOST {
            counts.of.retain(|_, spent| spent.0 > now);
        }
        let mut spent = counts.of.get(&network).copied();
        let is_other = spent.is_none() && counts.of.len() >= MOST;
        let one = if is_other { &mut counts.others } else { &mut spent };
        Spent::take(one, OF_ONE, now)?;
        if let (false, Some(spent)) = (is_other, spent) {
            counts.of.insert(network, spent);
        }
        Spent::take(&mut counts.all, OF_ALL, now)
    }

    /// Whoever knew the password has all tries again.
    pub(super) fn forgive(&self, address: IpAddr) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.of.remove(&Network::of(address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[test]
    fn an_address_has_five_tries_and_then_one_every_twelve_seconds() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for _ in 0..5 {
            attempts.take(address(1), now).unwrap();
        }
        assert_eq!(attempts.take(address(1), now), Err(Duration::from_secs(12)));
        attempts.take(address(2), now).unwrap();
        attempts.take(address(1), now + Duration::from_secs(12)).unwrap();
        assert!(attempts.take(address(1), now + Duration::from_secs(13)).is_err());
        attempts.forgive(address(1));
        attempts.take(address(1), now + Duration::from_secs(13)).unwrap();
    }

    #[test]
    fn all_together_have_sixty_tries_and_then_one_a_second() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for n in 0..60 {
            attempts.take(address(n), now).unwrap();
        }
        assert_eq!(attempts.take(address(60), now), Err(Duration::from_secs(1)));
        attempts.take(address(61), now + Duration::from_secs(1)).unwrap();
    }

    #[test]
    fn the_addresses_of_one_network_count_as_one() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for n in 0..5_u128 {
            attempts.take(IpAddr::V6((0x2001_0db8 << 96 | n).into()), now).unwrap();
        }
        assert!(attempts.take(IpAddr::V6((0x2001_0db8 << 96 | 99).into()), now).is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let (attempts, mut now) = (Attempts::default(), Instant::now());
        for n in 0..30_000 {
            now += Duration::from_micros(1);
            let _ = attempts.take(address(n), now);
        }
        assert_eq!(attempts.0.lock().unwrap().of.len(), MOST);
        assert!(
            attempts.take(address(50_000), now).is_err(),
            "those that are not remembered share one allowance"
        );
        let later = now + Duration::from_secs(60);
        attempts.take(address(50_000), later).unwrap();
        assert_eq!(attempts.0.lock().unwrap().of.len(), 1);
    }
}
