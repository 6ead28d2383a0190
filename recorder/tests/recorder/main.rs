//! The recorder in one process: over an in-process queue, and a database in memory or on a server.

#![expect(clippy::unwrap_used, reason = "a case ends where it meets what it does not expect")]

mod announcing;
mod answers;
mod dropped;
mod history;
mod settling;
mod world;
