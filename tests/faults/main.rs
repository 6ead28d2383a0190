//! Faults: whatever is killed, cut, frozen, filled, repeated or fed with rubbish, nothing is lost and
//! nothing is done twice.
//!
//! Each test plays one kind of fault on real processes and real servers, and then holds the database and
//! the dead queue against the ledger of what was asked for ([`support::invariant`]). The long form,
//! `scripts/faults`, plays them at random for half an hour. docs/faults.md tells more.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the long forms tell what they find")]

mod support;

mod broker_killed;
mod checker;
mod clock;
mod disk_full;
mod endurance;
mod feeder;
mod fuzz;
mod poison;
mod postgres_killed;
mod producer_killed;
mod queues_vanished;
mod recorder_killed;
mod release;
mod repeats;
mod rolling_restart;
mod scarcity;
mod schedules;
mod stopped;
mod storm;
mod wires;
mod worker_killed;
