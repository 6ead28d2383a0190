//! What the recording tells those who end runs.

use std::sync::{Mutex, PoisonError};

use linkbeat_shared::RunId;
use linkbeat_store::Next;
use tokio::sync::Notify;

/// Most runs that are remembered. What finds no place is found by a look at the database.
const PLACES: usize = 1_000;

/// Signs that something is to be done, until somebody takes them.
#[derive(Debug, Default)]
pub(crate) struct Signs {
    waiting: Mutex<Sign>,
    given: Notify,
}

/// What is to be done.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Sign {
    /// These runs lack no result.
    pub(crate) complete: Vec<RunId>,
    /// The database is to be looked at.
    pub(crate) look: bool,
}

impl Signs {
    /// A run goes on as the store says.
    pub(crate) fn give(&self, run: RunId, next: Next) {
        match next {
            Next::Nothing => return,
            Next::End => {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if waiting.complete.len() < PLACES {
                    waiting.complete.push(run);
                } else {
                    waiting.look = true;
                }
            }
            Next::Look => self.waiting.lock().unwrap_or_else(PoisonError::into_inner).look = true,
        }
        self.given.notify_one();
    }

    /// The database is to be looked at.
    pub(crate) fn look(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).look = true;
        self.given.notify_one();
    }

    /// Waits for a sign, and takes all that there are. Cancel safe.
    pub(crate) async fn next(&self) -> Sign {
        loop {
            let sign = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            if sign != Sign::default() {
                return sign;
            }
            self.given.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn signs_wait_until_they_are_taken() {
        let (signs, run) = (Signs::default(), RunId::new());
        signs.give(RunId::new(), Next::Nothing);
        signs.give(run, Next::End);
        signs.give(RunId::new(), Next::Look);
        assert_eq!(signs.next().await, Sign { complete: vec![run], look: true });
        assert!(tokio::time::timeout(std::time::Duration::from_millis(20), signs.next()).await.is_err());
    }

    #[tokio::test]
    async fn what_finds_no_place_is_looked_for() {
        let signs = Signs::default();
        for _ in 0..PLACES + 1 {
            signs.give(RunId::new(), Next::End);
        }
        let sign = signs.next().await;
        assert_eq!((sign.complete.len(), sign.look), (PLACES, true));
    }
}
