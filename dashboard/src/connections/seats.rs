//! How many connections there are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::stage::Stage;

/// Connections that there are, and how many there may be.
#[derive(Debug, Clone)]
pub(super) struct Seats {
    most: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    by: HashMap<u64, Arc<Stage>>,
}

impl Seats {
    pub(super) fn new(most: usize) -> Self {
        Self { most, taken: Arc::default() }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat. If all are taken, the connection that has waited longest for a request loses its own. `None`: all of them
    /// are at work.
    pub(super) fn take(&self) -> Option<Seat> {
        let mut taken = self.taken();
        if taken.by.len() >= self.most && !taken.frees_one() {
            return None;
        }
        let (number, stage) = (taken.next, Arc::new(Stage::new()));
        taken.next += 1;
        taken.by.insert(number, Arc::clone(&stage));
        drop(taken);
        Some(Seat { number, stage, seats: self.clone() })
    }
}

impl Taken {
    fn frees_one(&mut self) -> bool {
        let waiting = self.by.iter().filter_map(|(number, stage)| Some((stage.may_go()?, *number)));
        let mut waiting: Vec<_> = waiting.collect();
        waiting.sort_unstable();
        // One may have begun a request in between.
        let mut numbers = waiting.into_iter().map(|(_, number)| number);
        let gone = numbers.find(|number| self.by.get(number).is_some_and(|stage| stage.dismiss()));
        gone.is_some_and(|number| self.by.remove(&number).is_some())
    }
}

/// The seat of a connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    number: u64,
    pub(super) stage: Arc<Stage>,
    seats: Seats,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken().by.remove(&self.number);
    }
}
