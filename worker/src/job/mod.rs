//! Jobs: taken from the queues, carried out, settled.
//!
//! ```text
//!  intake ──► executor ──► checks ──► results ──► settlement
//!  the next    the pipe    one check   published   the message is acknowledged,
//!  message                 per link                put back, sent on or parked
//! ```
//!
//! [`Worker`] runs this loop for many jobs at once, and pauses after faults of its own.

mod cancelled;
mod checks;
mod common;
mod executor;
mod health;
mod intake;
mod load;
mod outcome;
mod pause;
mod results;
mod settlement;
mod worker;

pub use self::health::Health;
pub use self::settlement::{MAX_FAULTS, MAX_LOSSES};
pub use self::worker::Worker;
