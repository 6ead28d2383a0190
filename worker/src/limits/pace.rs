//! The time between two requests to one host, where the operator wants one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Hosts remembered before the first clean-up.
const FIRST_TIDY: usize = 64;

/// Remembers when each host may be asked again. Forgets hosts that may be asked now.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Zero: no host ever waits.
    interval: Duration,
    due: Mutex<Due>,
}

#[derive(Debug)]
struct Due {
    hosts: HashMap<String, Instant>,
    tidy_at: usize,
}

impl Pace {
    /// At least `interval` between the starts of two requests to one host.
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, due: Mutex::new(Due { hosts: HashMap::new(), tidy_at: FIRST_TIDY }) }
    }

    /// Begins a request to this host. `Err`: not yet, but at this time.
    pub(crate) fn start(&self, host: &str) -> Result<(), Instant> {
        if self.interval.is_zero() {
            return Ok(());
        }
        let now = Instant::now();
        // Nothing under this lock can panic half-way.
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = due.hosts.get(host).filter(|at| **at > now) {
            return Err(*at);
        }
        due.hosts.insert(host.to_owned(), now + self.interval);
        if due.hosts.len() >= due.tidy_at {
            due.hosts.retain(|_, at| *at > now);
            // Twice what is left, so that each host is visited a bounded number of times.
            due.tidy_at = (due.hosts.len() * 2).max(FIRST_TIDY);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_host_waits_for_its_own_interval_alone() {
        let interval = Duration::from_secs(60);
        let pace = Pace::new(interval);
        let began = Instant::now();
        assert_eq!(pace.start("a"), Ok(()));
        assert!(pace.start("a").is_err_and(|due| due >= began + interval));
        assert_eq!(pace.start("b"), Ok(()));
    }

    #[tokio::test]
    async fn hosts_that_may_be_asked_again_are_forgotten() {
        let pace = Pace::new(Duration::from_millis(1));
        for number in 0..10 * FIRST_TIDY {
            assert_eq!(pace.start(&number.to_string()), Ok(()));
            if number % FIRST_TIDY == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        let remembered = pace.due.lock().unwrap().hosts.len();
        assert!(remembered <= 2 * FIRST_TIDY, "{remembered} of {}", 10 * FIRST_TIDY);
    }

    #[test]
    fn without_an_interval_nothing_is_remembered() {
        let pace = Pace::new(Duration::ZERO);
        assert_eq!((pace.start("a"), pace.start("a")), (Ok(()), Ok(())));
        assert!(pace.due.lock().unwrap().hosts.is_empty());
    }
}
